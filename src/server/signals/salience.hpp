#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/salience/incidents.hpp"
#include "core/salience/judgement.hpp"
#include "core/salience/learnt.hpp"
#include "core/salience/ranker.hpp"
#include "core/traffic/alert.hpp"

namespace liminal::signals {

struct SalienceOptions {
  salience::RankerOptions ranker;
  salience::IncidentOptions incidents;
  /// Alerts of several threads are put into their order after so long, in the engine's time.
  Duration settle = std::chrono::seconds{2};
  std::uint32_t waiting_max = 65'536;  ///< changes of alerts until then; more are lost and counted
  std::uint32_t alerts_max = 32'768;   ///< whose item is remembered; older ones are judged anew
  Duration age_max = std::chrono::hours{90 * 24};  ///< incidents that ended before are forgotten
  std::uint32_t judged_max = 8'192;  ///< judgements by operators that are kept to learn from
};

/// What deserves a human now: ranks the alerts that the shards emit, and groups them.
///
/// An alert is an event of its type on its user, once for each time it grows. `note` only puts it
/// aside; `advance`, once a second, takes what is old enough in the order of time, then shard and
/// number, so that rank and incidents do not depend on which thread was first. Until its minute has
/// ended an alert's salience is provisional; then it has that of its most salient minute. What
/// operators said of its type counts at once.
///
/// Thread-safe. `note` takes a short lock; `judge` and `incidents` another, which `advance` holds
/// for some µs an alert. Memory: at most some 15 MiB.
class Salience {
 public:
  explicit Salience(const SalienceOptions& options = {});

  /// From now on: how long an alert without findings is open, and for how long what ended is kept.
  void set_ages(Duration calm, Duration age_max);

  /// An alert was raised, escalated or has grown.
  void note(const traffic::Alert& alert);

  /// Takes what settled, and ends minutes. `now` is the engine's time.
  void advance(SteadyTime now);

  /// An operator's word about findings of a type: it moves that type's term. `replaces`: the
  /// opposite was said before, and no longer counts.
  void feedback(traffic::FindingType type, traffic::FeedbackVerdict verdict, bool replaces = false);
  /// An operator's word about an alert: it moves the term of its type, and is kept with the terms
  /// that the alert had, to learn from. A second word about an alert takes the place of the first,
  /// as long as that is kept. Gives whether it did.
  bool feedback(const traffic::Alert& alert, traffic::FeedbackVerdict verdict);
  /// Whether this is the last that was said of the alert, as far as it is kept.
  [[nodiscard]] bool was_told(const traffic::Alert& alert, traffic::FeedbackVerdict verdict) const;
  /// What was said, oldest first.
  [[nodiscard]] std::vector<salience::JudgedTerms> judged() const;

  /// What the terms of histories count for from now on (`version` says whose weights they are); the
  /// prior, and 0, when nobody learnt any.
  void set_weights(const salience::TermWeights& weights, std::uint32_t version);
  [[nodiscard]] std::uint32_t weights_version() const { return weights_version_; }

  [[nodiscard]] salience::Judgement judge(const traffic::Alert& alert) const;

  /// An event from outside: what the history has of its type counts, if it has any.
  struct Asked {
    std::string_view type, source;
    salience::Fields fields;
  };
  [[nodiscard]] std::vector<salience::Judgement> judge(std::span<const Asked> events) const;

  /// As `salience::Incidents::present`. A word about an alert counts at once.
  [[nodiscard]] std::vector<salience::Incident> incidents(const salience::IncidentQuery& query,
                                                          SteadyTime now) const;

  /// The incident of the alert's user that it is part of, or will be in a moment; nothing while it
  /// is the first of one.
  [[nodiscard]] std::optional<salience::Incident> incident_of(const traffic::Alert& alert) const;

  /// Until when everything that was noted is in: what a snapshot has, and what must be noted again
  /// after it.
  [[nodiscard]] SteadyTime settled() const;
  /// Changes of alerts that found no room.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

  [[nodiscard]] std::string save() const;
  [[nodiscard]] Result<void> load(std::string_view bytes);

 private:
  struct Noted {
    std::uint64_t id = 0;
    SteadyTime time;
    traffic::FindingType type{};
    std::string user;
    salience::Fields fields;
  };
  struct Judged {
    salience::Item item;  ///< of its most salient minute, or provisional
    double confidence = 0;
    bool final = false;
    bool open = false;  ///< it is among the open minute's
  };
  /// An alert of the open minute.
  struct Open {
    std::uint64_t id = 0, type = 0, source = 0;
    std::string user;
    SteadyTime time;
    salience::Fields fields;
  };

  struct State {
    explicit State(const SalienceOptions& options)
        : ranker(options.ranker), incidents(options.incidents) {}
    salience::Ranker ranker;
    salience::Incidents incidents;
    std::unordered_map<std::uint64_t, Judged> judged;  ///< by alert; never walked
    std::deque<std::uint64_t> order;                   ///< of `judged`, the first noted first
    std::vector<Open> open;
    SteadyTime settled;
    /// By alert, oldest first.
    std::deque<std::pair<std::uint64_t, salience::JudgedTerms>> said;
    std::unordered_set<std::uint64_t> dismissed;  ///< of these, those that are nothing
  };
  [[nodiscard]] salience::Judgement judge_now(const State& state,
                                              const traffic::Alert& alert,
                                              const salience::TermWeights& weights) const;
  void take(const Noted& noted);
  void finish(const std::vector<salience::Item>& finals);
  [[nodiscard]] static salience::Judgement judgement(const State& state,
                                                     const salience::Fields& fields,
                                                     salience::Item item,
                                                     double confidence,
                                                     const salience::TermWeights& weights);
  static void save_open(const Open& open, Writer& out);
  static void load_said(State& state, std::uint32_t said_max, Reader& in);

  const SalienceOptions options_;
  std::atomic<std::uint64_t> lost_{0};
  std::atomic<std::uint32_t> weights_version_{0};
  mutable std::mutex waiting_mutex_;  // of what follows
  std::vector<Noted> waiting_;
  mutable std::mutex mutex_;  // of what follows
  Duration age_max_;
  State state_;
  salience::TermWeights weights_;
};

}  // namespace liminal::signals
