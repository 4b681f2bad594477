#include "app/serve/cluster_limits.hpp"

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <tuple>

#include "app/serve/words.hpp"
#include "io/json/fields.hpp"
#include "io/json/traffic_writer.hpp"
#include "io/json/writer.hpp"
#include "server/api/answers.hpp"

namespace liminal::app {
namespace {

using json::Need;
using traffic::Override;

/// What the API lists at most.
constexpr std::size_t kReasonBytesMax = 4096;
/// Before the reason of an override that is the cluster's.
constexpr std::string_view kOfCluster = "cluster: ";

/// Equal for equal policies, whatever the mode.
std::string text_of(limits::Options options) {
  options.mode = traffic::Mode::kShadow;
  json::Writer out;
  api::write_policies(options, out);
  return out.text();
}

std::string text_of(const std::vector<Override>& overrides) {
  json::Writer out;
  out.begin_array();
  for (const Override& one : overrides) json::write(one, out);
  out.end_array();
  return out.text();
}

/// An override as the API tells it, in which what does not apply is null.
std::optional<Override> read_override(json::Fields in) {
  Override out;
  const auto user = in.text("user_id", Need::kRequired, 1, traffic::kUserBytesMax);
  const auto kind =
      in.one_of("kind", Need::kRequired, traffic::override_kind_by_name, "allow, block or rate");
  const auto reason = in.text("reason", Need::kRequired, 1, kReasonBytesMax);
  if (kind == Override::Kind::kRate) {
    out.messages_per_second =
        in.number("messages_per_second", Need::kRequired, 1e-5, 1e9).value_or(0);
    out.burst = static_cast<std::uint32_t>(in.whole("burst", Need::kRequired, 1).value_or(0));
  }
  const auto created = in.time("created", Need::kRequired);
  if (in.has("expires")) {
    if (const auto expires = in.time("expires", Need::kRequired))
      out.expires = SteadyTime{expires->time_since_epoch()};
  }
  if (!user || !kind || !reason || !created) return std::nullopt;
  out.created = SteadyTime{created->time_since_epoch()};
  out.user = *user;
  out.kind = *kind;
  out.reason = std::string(kOfCluster) + *reason;
  return out;
}

struct Told {
  limits::Options policies;
  bool set = false;
  std::vector<Override> overrides;
};

/// Over the policies of here, whose mode stays.
Problems read(const std::string& answer, Told& told) {
  const Result<json::Value> value = json::parse(answer);
  if (!value) return Problems{{"", "is no JSON"}};
  const traffic::Mode mode = told.policies.mode;
  Problems problems;
  json::Fields fields(*value, "", problems);
  if (auto policies = fields.object("policies", Need::kRequired))
    api::read_policies(std::move(*policies), told.policies);
  told.policies.mode = mode;
  told.set = fields.flag("set", Need::kRequired).value_or(false);
  if (const auto* list = fields.array("overrides", Need::kRequired, 0, api::kOverridesListMax)) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (auto one = read_override(fields.element("overrides", i, (*list)[i])))
        told.overrides.push_back(std::move(*one));
    }
  }
  return problems.empty() ? limits::validate(told.policies, "policies") : problems;
}

bool same(const Override& a, const Override& b) {
  const auto all = [](const Override& one) {
    return std::tie(one.kind, one.messages_per_second, one.burst, one.reason, one.expires);
  };
  return all(a) == all(b);
}

}  // namespace

OverrideChanges override_changes(const std::vector<Override>& wanted,
                                 bool whole,
                                 const std::vector<Override>& here) {
  std::map<std::string_view, const Override*> own, left;
  for (const Override& one : here) own[one.user] = &one;
  if (whole) {
    for (const Override& one : here)
      if (one.reason.starts_with(kOfCluster)) left[one.user] = &one;
  }
  OverrideChanges changes;
  for (const Override& one : wanted) {
    left.erase(one.user);
    const auto found = own.find(one.user);
    const bool fresh = found == own.end();
    if (fresh || (found->second->reason.starts_with(kOfCluster) && !same(*found->second, one)))
      changes.set.push_back(one);
  }
  for (const auto& [user, gone] : left) changes.remove.emplace_back(user);
  return changes;
}

bool ClusterLimits::Taken::renew(std::string Taken::*what, const std::string& text) {
  const std::lock_guard lock(mutex);
  return std::exchange(this->*what, text) != text;
}

void ClusterLimits::Taken::forget(std::string Taken::*what, const std::string& text) {
  const std::lock_guard lock(mutex);
  if (this->*what == text) (this->*what).clear();
}

std::optional<std::string> ClusterLimits::take(const std::string& answer) {
  const limits::Options present = ports_->in_force();
  Told told{present, false, {}};
  if (const Problems problems = read(answer, told); !problems.empty())
    return problems.front().key + ": " + problems.front().text;
  if (told.set) {
    take_policies(std::move(told.policies), present);
  } else {
    // The next ones are news, whichever they are.
    (void)taken_->renew(&Taken::policies, "");
  }
  take_overrides(std::move(told.overrides));
  return std::nullopt;
}

void ClusterLimits::take_policies(limits::Options wanted, const limits::Options& present) {
  const std::string text = text_of(wanted);
  if (!taken_->renew(&Taken::policies, text) || text == text_of(present)) return;
  ports_->set(std::move(wanted), [taken = taken_, ports = ports_, text](Result<void> set) {
    if (!set) taken->forget(&Taken::policies, text);
    ports->note(set.has_value(), set ? text : words(set.error()));
  });
}

void ClusterLimits::take_overrides(std::vector<Override> wanted) {
  const std::string text = text_of(wanted);
  if (!taken_->renew(&Taken::overrides, text)) return;
  const auto failed = [taken = taken_, ports = ports_, text](const Error& error) {
    taken->forget(&Taken::overrides, text);
    ports->note(false, words(error));
  };
  ports_->overrides([ports = ports_, failed, wanted = std::move(wanted)](
                        Result<std::vector<Override>> here) {
    if (!here) return failed(here.error());
    OverrideChanges changes =
        override_changes(wanted, wanted.size() < api::kOverridesListMax, *here);
    if (changes.set.empty() && changes.remove.empty()) return;
    ports->note(
        true,
        fmt::format("overrides: {} set, {} taken back", changes.set.size(), changes.remove.size()));
    for (Override& one : changes.set)
      ports->set_override(std::move(one), [failed](Result<bool> set) {
        if (!set) failed(set.error());
      });
    for (std::string& user : changes.remove)
      ports->remove_override(std::move(user), [failed](Result<void> removed) {
        if (!removed && removed.error().code != ErrorCode::kMissing) failed(removed.error());
      });
  });
}

}  // namespace liminal::app
