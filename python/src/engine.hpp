#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "audit_log.hpp"
#include "core/engine/local_engine.hpp"
#include "core/features/recent_features.hpp"
#include "server/api/recent_rate.hpp"
#include "server/signals/gateway_alerts.hpp"
#include "server/signals/salience.hpp"

namespace liminal::python {

/// What moves an engine's time.
enum class Clock : std::uint8_t {
  kSystem,  ///< the machine's date; an event without a time happens now
  kEvents,  ///< the events' own times alone: replays, notebooks
  kMember,  ///< as the system's, but seconds are lived when `tick` and `absorb` say so
};

struct EngineOptions {
  engine::Options engine{};
  Clock clock = Clock::kSystem;
  std::size_t rows_max = 1'000;     ///< recent feature rows kept
  std::size_t alerts_max = 10'000;  ///< alerts kept, resolved ones too; the oldest go first
  std::size_t audit_max = 10'000;   ///< lines of the audit log
};

/// Events as columns: texts as numbers of places in a list of them, so that each is hashed once.
/// Columns that are null are not known of any event.
struct EventColumns {
  std::size_t count = 0;
  std::span<const traffic::Name> users, addresses, channels;
  const std::int32_t* user = nullptr;     ///< places in `users`
  const double* time_s = nullptr;         ///< null: now
  const std::uint8_t* kind = nullptr;     ///< traffic::EventKind; null: messages
  const std::uint32_t* bytes = nullptr;   ///< null: 0
  const std::uint8_t* error = nullptr;    ///< 0 or 1
  const std::int32_t* address = nullptr;  ///< -1: not known
  const std::int32_t* channel = nullptr;  ///< -1: none
  const std::uint64_t* content_hash = nullptr;
};

/// What is wrong with columns before anything of them is learnt: the column, and where.
struct ColumnProblem {
  std::string column, text;
  std::size_t row = 0;
};
[[nodiscard]] std::optional<ColumnProblem> validate(const EventColumns& columns);

/// The whole engine in one object, with what a program around it keeps: recent feature rows, alerts
/// with their salience. What the Python package's classes share.
///
/// Thread-safe by one lock, which a batch holds for some hundred microseconds at a time.
class Engine {
 public:
  /// `options.engine` must be valid.
  explicit Engine(EngineOptions options);

  /// What an event without a time gets; never goes back.
  [[nodiscard]] SteadyTime now() const;

  /// Counts an event at its time, after the seconds that passed before it.
  traffic::Verdict track(const traffic::Event& event);

  /// Counts valid columns in order. `decisions` and `shadows` get a `traffic::Decision` each.
  void track(const EventColumns& columns, std::uint8_t* decisions, std::uint8_t* shadows);

  /// Counts stored events in order.
  void track(std::span<const traffic::StoredEvent> events);

  /// Events counted over the last seconds of the machine's time.
  [[nodiscard]] double events_per_second();

  /// Lets time pass to `now`.
  void advance(SteadyTime now);

  // As one of several engines that share the shards around one commons (cluster.hpp).

  /// Begins a second: what `owned` shards tell of it, in the bytes that `CommonsOwner` takes.
  [[nodiscard]] std::string tick(SteadyTime now, std::span<const ShardId> owned);
  /// Ends it with what all learnt. Fails, and does nothing, when the bytes make no sense.
  [[nodiscard]] Result<void> absorb(std::string_view exchange);
  struct Word {
    traffic::FindingType type;
    traffic::FeedbackVerdict verdict;
    bool replaces;  ///< the opposite, which was said of the alert before
  };
  /// An operator's word on an alert of another engine.
  void count_feedback(const Word& word);
  /// What operators said of alerts of this one since the last call: what the others are to count.
  [[nodiscard]] std::vector<Word> take_words();

  /// Calls `look(const engine::LocalEngine&)` with the time brought up to now.
  template <class Look>
  auto look(Look look) {
    const std::lock_guard lock(mutex_);
    catch_up();
    return look(std::as_const(engine_));
  }
  /// The same with an engine that may be decided about.
  template <class Decide>
  auto decide(Decide decide) {
    const std::lock_guard lock(mutex_);
    catch_up();
    return decide(engine_);
  }

  [[nodiscard]] std::vector<traffic::FeatureRow> rows(std::size_t limit,
                                                      std::string_view user) const;
  /// Rows of users that are not its own.
  void take_rows(std::vector<traffic::FeatureRow> rows);
  [[nodiscard]] std::size_t rows_buffered() const;
  [[nodiscard]] std::size_t rows_max() const { return options_.rows_max; }

  struct Cleanup {
    std::size_t removed_users = 0, remaining_users = 0, removed_rows = 0;
  };
  /// Forgets sessions and rows older than `age_max`.
  Cleanup clean_up(Duration age_max);

  /// Latest finding first; of one user unless `user` is empty.
  [[nodiscard]] std::vector<traffic::Alert> alerts(std::size_t limit,
                                                   traffic::Severity severity_min,
                                                   std::string_view user = {});
  [[nodiscard]] std::optional<traffic::Alert> alert(ShardId shard, std::uint64_t number);
  [[nodiscard]] std::vector<traffic::JudgedAlert> words_for(std::string_view gateway,
                                                            std::size_t limit) const {
    return gateway_alerts_.said_here(gateway, limit);
  }
  [[nodiscard]] std::vector<std::string> gateways_of(std::span<const std::uint64_t> members) const {
    return gateway_alerts_.gateways_of(members);
  }
  struct Judged {
    traffic::Alert alert;             ///< as it is now
    traffic::FeedbackVerdict before;  ///< what had been said of it
  };
  /// Alerts that gateways raised, with what was said of them there: they are alerts of this one
  /// from then on (`kOfGateways`). What was told before changes nothing. Gives those of which
  /// something was said that was not known.
  std::vector<Judged> take_alerts(const std::vector<traffic::JudgedAlert>& alerts);
  /// An operator's word, which moves confidence and ranking. None when the alert is not known.
  std::optional<Judged> feedback(ShardId shard,
                                 std::uint64_t number,
                                 traffic::FeedbackVerdict verdict,
                                 std::string note = {});
  /// Notes in the audit log what somebody changed.
  void audit(std::string action,
             std::string subject,
             std::string detail,
             std::string actor = "api");
  /// What was enforced and changed, the newest first; what concerns a subject if it is given.
  [[nodiscard]] std::vector<traffic::AuditEntry> audit_log(
      std::size_t limit, const std::optional<std::string>& subject);

  /// Alerts raised so far, by type and severity.
  [[nodiscard]] std::uint64_t raised(traffic::FindingType type, traffic::Severity severity) const;

  [[nodiscard]] std::shared_ptr<const engine::Settings> settings() const;
  /// `options` must be valid.
  void set_options(engine::Options options);
  /// Those that it was made with.
  [[nodiscard]] const limits::Options& configured_limits() const { return options_.engine.limits; }

  [[nodiscard]] signals::Salience& salience() { return salience_; }
  [[nodiscard]] Clock clock() const { return options_.clock; }

  /// Feature rows and alerts alone: what models learn from (`read_material`).
  [[nodiscard]] std::string material() const;
  /// Everything but settings (docs/formats/python-engine.md).
  [[nodiscard]] std::string save() const;
  /// Fails, and is then as new, when the bytes make no sense.
  [[nodiscard]] Result<void> load(std::string_view bytes);

 private:
  using AlertKey = std::uint64_t;  ///< traffic::alert_key

  void track_rows(const EventColumns& columns,
                  std::size_t begin,
                  std::size_t end,
                  std::uint8_t* decisions,
                  std::uint8_t* shadows);
  void feed(const traffic::Event& event);
  void pass_seconds();
  void count(std::size_t events);
  void catch_up();
  void deliver();
  void keep(const traffic::Alert& alert);
  void hear(const traffic::Alert& about,
            traffic::FeedbackVerdict verdict,
            traffic::FeedbackVerdict before);
  void save_kept(Writer& out) const;
  void reset();

  EngineOptions options_;
  mutable std::mutex mutex_;
  engine::LocalEngine engine_;
  engine::Effects effects_;
  features::RecentFeatures rows_;
  std::unordered_map<AlertKey, traffic::Alert> alerts_;  ///< never walked in its order
  std::deque<AlertKey> alerts_order_;                    ///< the first raised first
  signals::GatewayAlerts gateway_alerts_;
  AuditLog audit_;
  std::vector<Word> words_;  ///< of a member alone
  std::array<std::array<std::uint64_t, 4>, traffic::kFindingTypes> raised_{};
  signals::Salience salience_;
  api::RecentRate rate_;
  api::RecentRate::Time second_;  ///< the last that `rate_` was told of
  std::uint64_t counted_ = 0;     ///< events of this process
};

}  // namespace liminal::python
