#include "app/serve/cluster.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "app/options.hpp"
#include "app/serve/backend.hpp"
#include "app/serve/cluster_limits.hpp"
#include "server/uplink/ask.hpp"

namespace liminal::app {
namespace {

using prometheus::Family;

/// So often a training there is looked at, and whether it was cancelled here.
constexpr Duration kLook = std::chrono::seconds{1}, kGlance = std::chrono::milliseconds{50};

/// So long the cluster has to take note that a training is cancelled here.
constexpr Duration kLeave = std::chrono::seconds{2};

/// More than there can be.
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

/// So old alerts are told again at a start: a word of them may have been on its way at the stop.
constexpr Duration kToldAgain = std::chrono::hours{24};

api::Uplinked as_told(const uplink::Counters& counters) {
  return {counters.waiting, counters.sent, counters.dropped, counters.rejected};
}

void add(const char* kind, const uplink::Counters& counters, prometheus::Snapshot& out) {
  out.add(Family::kClusterRows, counters.sent, {kind, "sent"});
  out.add(Family::kClusterRows, counters.dropped, {kind, "dropped"});
  out.add(Family::kClusterRows, counters.rejected, {kind, "rejected"});
}

/// Takes the cluster's champions over. Of the uplink's thread.
class Champions {
 public:
  explicit Champions(std::function<ModelKeeper*()> keeper) : keeper_(std::move(keeper)) {}

  /// Whether the model is known here and no version of it has this file.
  [[nodiscard]] bool wants(const uplink::Champion& champion) const {
    const ModelKeeper* models = keeper_();
    if (models == nullptr || taken_.contains(champion.sha256)) return false;
    const auto state = models->model_registry().model(champion.model);
    return state &&
           std::none_of(state->versions.begin(), state->versions.end(), [&](const auto& version) {
             return version.sha256 == champion.sha256;
           });
  }

  /// Why not, in words.
  [[nodiscard]] std::optional<std::string> take(const uplink::Champion& champion,
                                                const std::string& file) {
    if (registry::sha256_of(file) != champion.sha256) return "the file is not what was announced";
    auto refused = keeper_()->take_champion(
        champion.model,
        file,
        "cluster",
        fmt::format("version {} is the cluster's champion", champion.version));
    // Another release may write the same model as other bytes.
    if (!refused) taken_.insert(champion.sha256);
    return refused;
  }

 private:
  std::function<ModelKeeper*()> keeper_;
  std::set<std::string> taken_;
};

/// What operators said, as the store has it, and how far the cluster has heard it. Of the uplink's
/// thread.
class Words {
 public:
  Words(sqlite::Store& store, std::string url) : store_(store), url_(std::move(url)) {}

  [[nodiscard]] uplink::Said said(std::size_t count_max) {
    uplink::Said found;
    if (!read_heard()) return found;
    const auto waiting = store_.count_feedback_after(*heard_);
    found.waiting = waiting.value_or(0);
    if (count_max == 0 || found.waiting == 0) return found;
    const auto said = store_.feedback_after(*heard_, count_max);
    if (!said) return found;
    for (const auto& [number, word] : *said) {
      auto about = store_.alert(word.shard, word.number);
      if (!about && about.error().code != ErrorCode::kChecksum) break;  // it cannot be read now
      found.last = number;
      // Of those that are damaged or kept no more, or are another gateway's, there is nothing to
      // tell.
      if (!about || !*about || word.shard == kOfGateways) continue;
      (*about)->feedback = word.verdict;
      found.words.push_back({std::move(**about), word.time, word.note});
    }
    return found;
  }

  void heard(std::uint64_t last) {
    heard_ = last;
    (void)store_.put(sqlite::Meta{std::string(kHeard), fmt::format("{} {}", last, url_)});
  }

 private:
  /// Under this name the store has the last number that the cluster heard, and which cluster it is.
  static constexpr std::string_view kHeard = "cluster.heard";

  /// False when it cannot be read now.
  [[nodiscard]] bool read_heard() {
    if (heard_) return true;
    const auto kept = store_.meta(std::string(kHeard));
    if (!kept) return false;
    heard_ = 0;
    if (!*kept || !(*kept)->ends_with(" " + url_)) return true;  // another has heard nothing
    std::uint64_t last = 0;
    const char* begin = (*kept)->data();
    if (std::from_chars(begin, begin + (*kept)->size(), last).ec == std::errc()) heard_ = last;
    return true;
  }

  sqlite::Store& store_;
  const std::string url_;
  std::optional<std::uint64_t> heard_;
};

}  // namespace

uplink::Uplink::Ports cluster_ports(std::function<ModelKeeper*()> keeper, Log& log) {
  uplink::Uplink::Ports ports;
  const auto champions = std::make_shared<Champions>(std::move(keeper));
  ports.wants = [champions](const uplink::Champion& one) { return champions->wants(one); };
  ports.take = [champions](const uplink::Champion& one, const std::string& file) {
    return champions->take(one, file);
  };
  ports.note = [&log](std::string_view what, const std::string& detail) {
    static LogSite good, bad;
    const bool well = what == "cluster.up" || what == "cluster.champion";
    log.write(well ? LogLevel::kInfo : LogLevel::kWarning,
              well ? good : bad,
              what,
              {{well ? "cluster" : "why", detail}});
  };
  return ports;
}

void tell_words(uplink::Uplink::Ports& ports, sqlite::Store& store, const std::string& url) {
  const auto words = std::make_shared<Words>(store, url);
  ports.said = [words](std::size_t count_max) { return words->said(count_max); };
  ports.heard = [words](std::uint64_t last) { words->heard(last); };
}

void tell_alerts(sqlite::Store& store, SteadyTime now, uplink::Uplink& uplink) {
  const auto known =
      store.alerts({.limit = uplink::Options{}.alerts_max, .since = now - kToldAgain});
  if (!known) return;
  for (auto alert = known->rbegin(); alert != known->rend(); ++alert)
    if (alert->shard != kOfGateways) uplink.push(*alert);
}

std::function<std::optional<std::string>(const std::string&)> cluster_limits(
    std::function<ServerBackend*()> backend, Log& log) {
  ClusterLimits::Ports ports;
  ports.in_force = [backend] {
    limits::Options present;
    backend()->limits(
        [&present](Result<api::HeldLimits> held) { present = std::move(held->options); });
    return present;
  };
  ports.set = [backend](limits::Options wanted, std::function<void(Result<void>)> done) {
    backend()->set_limits_by("cluster", std::move(wanted), std::move(done));
  };
  ports.overrides = [backend](api::Backend::Done<std::vector<traffic::Override>> done) {
    backend()->overrides(kAll, std::move(done));
  };
  ports.set_override = [backend](traffic::Override decision, api::Backend::Done<bool> done) {
    backend()->set_override_by("cluster", std::move(decision), std::move(done));
  };
  ports.remove_override = [backend](std::string user, api::Backend::Done<void> done) {
    backend()->remove_override_by("cluster", std::move(user), std::move(done));
  };
  ports.note = [&log](bool well, const std::string& detail) {
    static LogSite good, bad;
    log.write(well ? LogLevel::kInfo : LogLevel::kWarning,
              well ? good : bad,
              well ? "cluster.limits" : "cluster.limits_not_set",
              {{well ? "limits" : "why", detail}});
  };
  return [limits = std::make_shared<ClusterLimits>(std::move(ports))](const std::string& answer) {
    return limits->take(answer);
  };
}

std::function<learn::Asked<uplink::Trained>(const learn::TrainRequest&, const training::Telling&)>
cluster_trainings(uplink::Options options) {
  return [options = std::move(options)](const learn::TrainRequest& request,
                                        const training::Telling& telling) {
    uplink::Options hurried = options;
    hurried.timeout = std::min(options.timeout, kLeave);
    http::Client beginning(uplink::client_options(options)),
        looking(uplink::client_options(options)), leaving(uplink::client_options(hurried));
    const auto ask = [&](const std::string& method, const std::string& target, std::string body) {
      http::Client& client = method == "GET" ? looking : method == "POST" ? beginning : leaving;
      return uplink::ask(client, options, method, target, std::move(body));
    };
    // What is asked when it is cancelled waits no longer; only a job that begins is waited for, as
    // it could not be ended without its number.
    const std::jthread watch([&](const std::stop_token& stop) {
      while (!stop.stop_requested() && !telling.cancelled()) std::this_thread::sleep_for(kGlance);
      if (telling.cancelled()) looking.cancel();
    });
    const auto pause = [&telling] {
      for (auto left = kLook; left > Duration::zero() && !telling.cancelled(); left -= kGlance)
        std::this_thread::sleep_for(kGlance);
    };
    const auto now = [] { return SteadyTime{std::chrono::steady_clock::now().time_since_epoch()}; };
    return uplink::train_there(request,
                               {.ask = ask,
                                .cancelled = telling.cancelled,
                                .tell = telling.tell,
                                .pause = pause,
                                .now = now});
  };
}

std::string cluster_url(const Configuration& configuration) {
  const auto options = uplink_options(configuration);
  return options ? options->url : std::string();
}

api::ClusterStatus cluster_status(const uplink::Uplink& uplink, const std::string& url) {
  const uplink::State state = uplink.state();
  return {url,
          state.up,
          state.trouble,
          as_told(state.rows),
          as_told(state.metrics),
          as_told(state.alerts),
          as_told(state.feedback),
          state.champions};
}

api::Check cluster_check(const uplink::Uplink& uplink) {
  const uplink::State state = uplink.state();
  const std::string waiting = fmt::format("{} rows, {} alerts and {} words about alerts wait",
                                          state.rows.waiting + state.metrics.waiting,
                                          state.alerts.waiting,
                                          state.feedback.waiting);
  return {"cluster",
          true,
          state.up ? "up, " + waiting
                   : fmt::format("away ({}), {}; what is here goes on",
                                 state.trouble.empty() ? "not asked yet" : state.trouble,
                                 waiting)};
}

void add_cluster_metrics(const uplink::Uplink& uplink, prometheus::Snapshot& out) {
  const uplink::State state = uplink.state();
  out.add(Family::kClusterUp, state.up ? 1 : 0);
  add("features", state.rows, out);
  add("metrics", state.metrics, out);
  add("alerts", state.alerts, out);
  add("feedback", state.feedback, out);
  out.add(Family::kClusterChampions, state.champions);
  out.add(Family::kQueueDepth,
          state.rows.waiting + state.metrics.waiting + state.alerts.waiting,
          {"cluster"});
  out.add(Family::kQueueDropped,
          state.rows.dropped + state.metrics.dropped + state.alerts.dropped,
          {"cluster"});
}

}  // namespace liminal::app
