#include "core/engine/shard.hpp"

#include <algorithm>
#include <iterator>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"

namespace liminal::engine {

using traffic::Decision;
using traffic::Event;
using traffic::EventKind;
using traffic::FeatureId;
using traffic::Finding;
using traffic::Mode;
using traffic::Name;
using traffic::Verdict;

namespace {

std::uint32_t whole_seconds(SteadyTime time) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

}  // namespace

Shard::Shard(ShardId id, std::shared_ptr<const Settings> settings, SteadyTime now)
    : id_(id),
      settings_(std::move(settings)),
      now_(now),
      users_(settings_->options.users_max),
      addresses_(settings_->options.addresses_max),
      alerts_(id, settings_->options.alerts),
      population_(settings_->options.detect.profile),
      crowd_(settings_->options.crowd) {}

void Shard::step(const Event& event, Effects& out) {
  LIMINAL_DCHECK(shard_of(event.user.hash) == id_);
  ++inputs_;
  SteadyTime now{};
  UserState& user = meet(event, now);
  AddressState* address = address_of(event);
  limits::AddressLimits* address_limits = address != nullptr ? &address->limits : nullptr;
  const traffic::Override* override_ = override_of(user, event.user.text);
  out.verdict = limits::decide(settings_->policies,
                               user.limits,
                               address_limits,
                               override_,
                               event,
                               now,
                               connection_of(event));
  const bool counted = out.verdict.decision < Decision::kDrop;
  // A message is a violation once, at its beginning or at its end.
  out.verdict.violated = limits::violates(out.verdict);
  const bool violates = out.verdict.violated && !event.begun.violated;
  crowd_.learn(event, now, learn_features(user, event, now, violates));
  const bool near = judge(user, event, now, out);
  ask_model(user, event, near, now, out);
  if (event.kind == EventKind::kConnect && out.verdict.decision >= Decision::kDrop) {
    // It was not let in, so nobody will tell that it ended.
    Event ended = event;
    ended.kind = EventKind::kDisconnect;
    user.features.learn(ended, now, false);
    if (counted)
      (void)limits::decide(settings_->policies, user.limits, address_limits, override_, ended, now);
  }
  account(event, now, out);
  hand_out_row(user, event, now, out);
}

/// The event's user and the time at which it counts.
Shard::UserState& Shard::meet(const Event& event, SteadyTime& now) {
  bool added = false;
  UserState& user = users_.find_or_add(event.user, &added);
  now = SteadyTime{event.time.time_since_epoch()};
  if (now > now_ + settings_->options.horizon) {
    now = now_ + settings_->options.horizon;
    ++counters_.early;
  }
  if (added) {
    user.first = now;
    user.overridden = find_override(event.user.text) != nullptr;
  } else if (now < user.last) {
    now = user.last;
    ++counters_.late;
  }
  user.last = now;
  if (!user.active) {
    user.active = true;
    ++active_users_;
  }
  if (!event.address.empty()) user.address = event.address.hash;
  return user;
}

Shard::AddressState* Shard::address_of(const Event& event) {
  if (event.address.empty()) return nullptr;
  AddressState& address = addresses_.find_or_add(event.address);
  if (!address.used) {
    address.used = true;
    used_addresses_.emplace_back(event.address.text);
  }
  return &address;
}

/// What the event's connection has used up; null where that limits nothing.
limits::ConnectionLimits* Shard::connection_of(const Event& event) {
  if (event.connection == 0 || !settings_->policies.connection.limit_anything()) return nullptr;
  if (event.kind == EventKind::kDisconnect || event.kind == EventKind::kNotServed)
    connections_.erase(event.connection);
  if (event.kind != EventKind::kMessage && event.kind != EventKind::kContinued) return nullptr;
  const auto [found, added] = connections_.try_emplace(event.connection);
  if (added && connections_.size() > kConnectionsMax) {
    const bool newest_is_oldest = found == connections_.begin();
    connections_.erase(newest_is_oldest ? std::next(found) : connections_.begin());
  }
  return &found->second;
}

/// Of what clients say by themselves the features see no content.
features::Learnt Shard::learn_features(UserState& user,
                                       const Event& event,
                                       SteadyTime now,
                                       bool violates) const {
  const bool signal =
      event.content_hash &&
      population_.common_contents().holds(detect::content_mark(*event.content_hash, event.bytes));
  if (!signal) return user.features.learn(event, now, violates);
  Event seen = event;
  seen.content_hash = traffic::kSignalContent;
  return user.features.learn(seen, now, violates);
}

bool Shard::judge(UserState& user, const Event& event, SteadyTime now, Effects& out) {
  const Settings& settings = *settings_;
  findings_.clear();
  const bool near = settings.rules.evaluate(
      event.kind, user.rules, user.features.at(now), now, population_, findings_);
  float worst = 0;
  for (const Finding& finding : findings_) worst = std::max(worst, finding.score);
  worst = std::max(worst,
                   user.statistics.step(
                       event, now, settings.options.detect, population_, contribution_, findings_));
  if (event.kind == EventKind::kMessage) user.limits.adapt(settings.policies, worst, now);
  if (findings_.empty() && findings_.standing().empty()) return near;

  const traffic::Override* override_ = override_of(user, event.user.text);
  const bool trusted =
      settings.policies.allows(event) ||
      (limits::in_force(override_, now) && override_->kind == traffic::Override::Kind::kAllow);
  for (const Finding& finding : findings_) {
    raise(finding, event, user, now, out);
    if (!trusted) act({finding.type, finding.mode, finding.action}, event, out.verdict);
  }
  if (trusted) return near;
  for (const detect::Ruling& ruling : findings_.standing()) act(ruling, event, out.verdict);
  return near;
}

void Shard::raise(const Finding& finding,
                  const Event& event,
                  const UserState& user,
                  SteadyTime now,
                  Effects& out) {
  ++counters_.findings[static_cast<std::size_t>(finding.type)]
                      [static_cast<std::size_t>(finding.severity)];
  alerts_.raise(
      finding,
      {.user = event.user, .address = event.address, .now = now, .input = inputs_},
      [&] { return user.features.read(now); },
      out.alerts);
}

/// What a finding does to the message at hand. Slowing a user down is the limits' controller's.
void Shard::act(const detect::Ruling& ruling, const Event& event, Verdict& verdict) const {
  // What has passed cannot be dropped any more: no rule with that action speaks of it.
  LIMINAL_DCHECK(ruling.action != traffic::Action::kDrop || event.kind != EventKind::kContinued);
  const Decision wanted = ruling.action == traffic::Action::kDrop    ? Decision::kDrop
                          : ruling.action == traffic::Action::kClose ? Decision::kClose
                                                                     : Decision::kAllow;
  verdict.observed = std::max(verdict.observed, wanted);
  if (ruling.mode == Mode::kObserve) return;
  const bool done = ruling.mode == Mode::kEnforce && !event.reported && wanted > verdict.decision;
  const bool acted = verdict.decision != Decision::kAllow;
  const bool harsher = wanted > verdict.shadow;
  if (done) {
    verdict.decision = wanted;
    verdict.retry_after = Duration::zero();
  }
  verdict.shadow = std::max(verdict.shadow, wanted);
  // What was done has a reason before what would have been.
  if (!done && (!harsher || acted)) return;
  verdict.reason = traffic::Reason::kFinding;
  verdict.finding = ruling.type;
}

/// Counts the event and its verdict, and notes what was enforced.
void Shard::account(const Event& event, SteadyTime now, Effects& out) {
  ++counters_.events[static_cast<std::size_t>(event.kind)];
  if (event.kind == EventKind::kMessage) {
    counters_.errors += event.error ? 1 : 0;
    counters_.message_bytes += event.bytes;
  }
  if (event.kind == EventKind::kContinued) counters_.message_bytes += event.rest();
  if (event.kind == EventKind::kFailed) ++counters_.errors;
  const Verdict& verdict = out.verdict;
  const bool by_finding = verdict.reason == traffic::Reason::kFinding;
  const auto reason = static_cast<std::size_t>(verdict.reason);
  const auto type = static_cast<std::size_t>(verdict.finding);
  if (verdict.shadow != verdict.decision) {
    const auto decision = static_cast<std::size_t>(verdict.shadow);
    ++counters_.shadow[decision][reason];
    if (by_finding) ++counters_.shadow_findings[decision][type];
  }
  if (verdict.decision == Decision::kAllow) return;
  const auto decision = static_cast<std::size_t>(verdict.decision);
  ++counters_.enforced[decision][reason];
  if (by_finding) ++counters_.enforced_findings[decision][type];
  enforced_.note(event, verdict, now, out.audit);
}

void Shard::hand_out_row(UserState& user, const Event& event, SteadyTime now, Effects& out) {
  const std::uint32_t second = whole_seconds(now);
  const auto interval = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(settings_->options.row_interval).count());
  if (second - user.row_s < interval) return;
  user.row_s = second;
  out.rows.push_back({std::string(event.user.text),
                      std::string(event.address.text),
                      now,
                      user.features.read(now)});
}

void Shard::tick(SteadyTime now, Second& told, Effects& out) {
  ++inputs_;
  ++ticks_;
  now_ = std::max(now_, now);
  alerts_.tick(now_, out.alerts);
  enforced_.tick(now_, out.audit);
  expire_overrides(out);
  std::swap(told.detect[index(id_)], contribution_);
  contribution_.clear();
  tell_addresses(told.addresses[index(id_)]);
}

void Shard::tell_addresses(std::vector<AddressReport>& out) {
  out.clear();
  for (const std::string& text : used_addresses_) {
    const Name name(text);
    AddressState* address = addresses_.find(name);
    if (address == nullptr) continue;  // evicted within the second
    address->used = false;
    const limits::AddressUsage usage = address->limits.take_usage();
    AddressReport& report = out.emplace_back();
    report.address = text;
    report.hash = name.hash;
    report.messages = usage.messages;
    report.bytes = usage.bytes;
    report.connections = static_cast<std::int64_t>(usage.connections) - address->told.connections;
    address->told = usage;
    address->told_at = ticks_;
  }
  used_addresses_.clear();
}

void Shard::absorb(const Exchange& exchange, Effects& out) {
  ++inputs_;
  population_ = exchange.population;
  for (const AddressTotal& total : exchange.addresses) {
    if ((total.shards >> index(id_) & 1U) == 0) continue;
    AddressState* address = addresses_.find(Name(total.address, total.hash));
    if (address == nullptr) continue;
    limits::AddressUsage others = total.usage;
    others.connections -= std::min(others.connections, address->told.connections);
    if (address->told_at == ticks_) {
      others.messages -= std::min(others.messages, address->told.messages);
      others.bytes -= std::min(others.bytes, address->told.bytes);
    }
    address->limits.charge_remote(settings_->policies, others, exchange.time);
  }
  for (const detect::RingFinding& ring : exchange.rings) {
    if (shard_of(ring.user) != id_) continue;
    const Name name = users_.name_of(ring.user);
    const UserState* user = users_.find(name);
    if (user == nullptr) continue;
    Event event;
    event.user = name;
    event.address = addresses_.name_of(ring.address);
    raise(ring.finding, event, *user, std::max(user->last, exchange.time), out);
  }
}

void Shard::expire_overrides(Effects& out) {
  for (auto at = overrides_.begin(); at != overrides_.end();) {
    const traffic::Override& override_ = (at++)->second;
    if (!override_.expires || now_ < *override_.expires) continue;
    out.audit.push_back({now_, "engine", "override.expire", override_.user, override_.reason});
    const std::string user = override_.user;
    (void)remove_override(user);
  }
}

const traffic::Override* Shard::find_override(std::string_view name) const {
  if (overrides_.empty()) return nullptr;
  const auto found = overrides_.find(name);
  return found == overrides_.end() ? nullptr : &found->second;
}

const traffic::Override* Shard::override_of(const UserState& user, std::string_view name) const {
  return user.overridden ? find_override(name) : nullptr;
}

}  // namespace liminal::engine
