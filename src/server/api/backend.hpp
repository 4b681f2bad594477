#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/features/crowd.hpp"
#include "core/learn/registered.hpp"
#include "core/limits/options.hpp"
#include "core/traffic/alert.hpp"
#include "core/traffic/event.hpp"
#include "core/traffic/record.hpp"
#include "io/prometheus/snapshot.hpp"

namespace liminal::api {

/// A server behind the gateway.
struct UpstreamStatus {
  std::string url;
  bool up = true;
  std::uint64_t connections = 0;
  bool draining = false;  ///< it gets no new connections any more, and goes with its last one
};

/// What a gateway sends to a cluster.
struct Uplinked {
  std::uint64_t waiting = 0, sent = 0, dropped = 0, rejected = 0;
};
struct ClusterStatus {
  std::string url;
  bool up = false;
  std::string trouble;
  Uplinked rows, metrics, alerts, feedback;
  std::uint64_t champions = 0;  ///< taken over
};

struct Status {
  double uptime_s = 0;
  SteadyTime time;  ///< the engine's
  traffic::Mode mode = traffic::Mode::kShadow;
  std::uint32_t threads = 0;
  std::uint64_t engine_bytes = 0;
  std::uint64_t active_users = 0;      ///< seen within five minutes
  std::uint64_t users_remembered = 0;  ///< whose state is kept
  std::uint64_t row_buffer_size = 0;   ///< recent feature rows kept at hand
  std::uint64_t rows_buffered = 0;
  std::uint64_t open_alerts = 0;
  std::uint64_t rules = 0;
  std::uint64_t baselines = 0;  ///< users of whom enough is known
  std::vector<std::string> models;
  std::uint64_t jobs = 0;
  std::optional<learn::LoadForecast> load;  ///< none: no champion says anything of it
  std::vector<UpstreamStatus> upstreams;    ///< none: the built-in hub answers
  std::optional<ClusterStatus> cluster;     ///< none: the engine is here alone
  std::uint64_t connections = 0;
  std::uint64_t events_total = 0;
  double events_per_second = 0;
};

struct RowQuery {
  std::size_t limit = 100;
  std::optional<std::string> user;
};

struct CleanupReport {
  std::uint64_t removed_users = 0;
  std::uint64_t remaining_users = 0;
  std::uint64_t removed_rows = 0;
};

struct AlertQuery {
  std::size_t limit = 50;
  traffic::Severity severity_min = traffic::Severity::kMedium;
};

struct AlertId {
  ShardId shard{};
  std::uint64_t number = 0;
};

struct Explanation {
  traffic::Alert alert;
  std::string command;     ///< what replays the decision
  bool available = false;  ///< what it takes is kept still
  std::string reason;      ///< why not
};

struct AuditQuery {
  std::size_t limit = 100;
  std::optional<std::string> subject{};  ///< only what concerns this user, alert, …
};

struct UserQuery {
  /// The last three are sums of log-odds or logarithms: what the user does, by how much more than
  /// an hour ago, and how much it deserves a human (docs/salience.md).
  enum class Order : std::uint8_t {
    kScore,
    kMessagesPerMinute,
    kLastSeen,
    kActivity,
    kGrowth,
    kSalience
  };
  std::size_t limit = 100;
  Order order = Order::kScore;
};

/// One line of the list of users.
struct UserSummary {
  std::string user;
  std::string address;  ///< may be empty
  SteadyTime last_seen;
  float score = 0;  ///< the highest of the open alerts; 0 without one
  std::uint64_t open_alerts = 0;
  std::optional<traffic::Severity> worst{};
  traffic::Features features{};
  std::optional<double> messages_per_second_max{};  ///< none: not limited
  double salience = 0;                              ///< 0–1
  /// What `UserQuery::Order` ranks by: sums of logarithms (docs/salience.md).
  double activity = 0, growth = 0;
};

/// What the user usually does in one respect.
struct BaselineLine {
  traffic::Signal signal{};
  float expected = 0;
  float expected_high = 0;  ///< more is a surprise
  float observations = 0;   ///< decayed number of messages it rests on
};

struct LimitInForce {
  traffic::Mode mode = traffic::Mode::kShadow;
  std::optional<double> messages_per_second;  ///< none: not limited
  std::optional<std::uint32_t> burst;
  std::optional<std::uint32_t> connections_max;
  double ratio = 1;
  double personal_ratio = 1;
  double suspicion = 0;
  std::optional<traffic::Override> decision;
};

struct UserView {
  std::string user;
  std::string address;
  SteadyTime last_seen;
  float score = 0;
  traffic::Features features{};
  std::vector<BaselineLine> baseline;
  LimitInForce limit;
  std::vector<traffic::Alert> alerts;       ///< the last ones, newest first
  std::optional<learn::UserGroup> group{};  ///< none: no champion says anything of it
};

/// One thing that must hold for the server to be ready.
struct Check {
  std::string name;
  bool ok = false;
  std::string detail;
};

/// The answer to a request with an Idempotency-Key, to be given again.
struct RememberedAnswer {
  std::string key;
  std::uint64_t request_hash = 0;
  unsigned status = 0;
  std::string content_type;
  std::string body;
};

struct HeldLimits {
  limits::Options options;
  bool set = false;  ///< its policies by somebody while running; else they are the configuration's
};

/// What the API needs from the rest of the program: shards, store, gateway. Whoever owns these
/// implements it.
///
/// Each question is answered by one call of `done`, from any thread, at once or later; the API
/// waits no longer than its server's handler time-out. Every function may be called from several
/// threads at the same time and must not block.
///
/// Errors: kMissing (404), kConflict (409), kOutOfRange (422), kUnavailable (503, try again soon);
/// any other is 500.
///
/// What changes state is acknowledged when it is durable: committed by the store, or in the
/// journal.
class Backend {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  virtual ~Backend() = default;

  /// The engine's time: what events without a timestamp get. Any thread, no waiting.
  [[nodiscard]] virtual EventTime now() const = 0;

  virtual void status(Done<Status> done) = 0;
  /// Every check, those that fail included; an error means that not even that is known.
  virtual void readiness(Done<std::vector<Check>> done) = 0;
  /// All families but those of the API and the process, which the API adds.
  virtual void metrics(Done<prometheus::Snapshot> done) = 0;

  /// Events in the order of the request. All or nothing: kUnavailable when a queue is full.
  virtual void submit(std::vector<traffic::StoredEvent> events, Done<void> done) = 0;
  /// Newest first.
  virtual void rows(RowQuery query, Done<std::vector<traffic::FeatureRow>> done) = 0;
  /// Rows of another gateway's users, to be listed and learnt from.
  virtual void take_rows(std::vector<traffic::FeatureRow> rows, Done<void> done) = 0;
  virtual void cleanup(Duration age_max, Done<CleanupReport> done) = 0;

  /// Latest finding first. Everything that was shown once is shown again after a restart.
  virtual void alerts(AlertQuery query, Done<std::vector<traffic::Alert>> done) = 0;
  virtual void alert(AlertId id, Done<traffic::Alert> done) = 0;
  /// Alerts of a gateway as they are by now (`Alert::origin`), with what operators said of them: to
  /// be listed, ranked and learnt from. What was told before changes nothing.
  virtual void take_alerts(std::vector<traffic::JudgedAlert> alerts, Done<void> done) = 0;
  /// What operators said here about a gateway's alerts and it does not know, the last first.
  virtual void words_for(std::string gateway,
                         std::size_t limit,
                         Done<std::vector<traffic::JudgedAlert>> done) = 0;
  /// Which gateways told of the members of an incident. Takes a short lock.
  [[nodiscard]] virtual std::vector<std::string> gateways_of(
      std::span<const std::uint64_t> members) const = 0;
  virtual void explain(AlertId id, Done<Explanation> done) = 0;
  /// Gives the alert as it is afterwards.
  virtual void feedback(AlertId id,
                        traffic::FeedbackVerdict verdict,
                        std::string note,
                        Done<traffic::Alert> done) = 0;
  /// What detectors say of a user now. One whose number is 0 is no alert (yet). Changes nothing.
  virtual void analyze(std::string user, Done<std::vector<traffic::Alert>> done) = 0;

  /// What goes on among all users.
  virtual void crowd(Done<features::CrowdSummary> done) = 0;
  virtual void users(UserQuery query, Done<std::vector<UserSummary>> done) = 0;
  virtual void user(std::string user, Done<UserView> done) = 0;

  virtual void limits(Done<HeldLimits> done) = 0;
  /// The options are valid (`limits::validate`); controller and allow lists are as `limits` gave
  /// them.
  virtual void set_limits(limits::Options options, Done<void> done) = 0;
  /// From now on those of the configuration hold, as if none had been set.
  virtual void reset_limits(Done<void> done) = 0;

  /// Newest first.
  virtual void overrides(std::size_t limit, Done<std::vector<traffic::Override>> done) = 0;
  virtual void override_of(std::string user, Done<traffic::Override> done) = 0;
  /// Gives true when the user had none before. kConflict when there are too many.
  virtual void set_override(traffic::Override decision, Done<bool> done) = 0;
  virtual void remove_override(std::string user, Done<void> done) = 0;

  /// What was enforced and changed, newest first.
  virtual void audit_log(AuditQuery query, Done<std::vector<traffic::AuditEntry>> done) = 0;

  /// Keeps an answer beyond the life of this process; it is given to the client after `done`,
  /// whatever that says. Without an implementation answers are remembered while the process lives.
  virtual void remember(RememberedAnswer answer, Done<void> done);
  /// The answer that was kept under a key, for at least a day.
  virtual void recall(std::string key, Done<std::optional<RememberedAnswer>> done);
};

}  // namespace liminal::api
