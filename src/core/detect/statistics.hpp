#pragma once

#include <array>
#include <cstdint>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"
#include "core/detect/channels.hpp"
#include "core/detect/contribution.hpp"
#include "core/detect/findings.hpp"
#include "core/detect/gaps.hpp"
#include "core/detect/habits.hpp"
#include "core/detect/options.hpp"
#include "core/detect/population.hpp"
#include "core/detect/pulse.hpp"
#include "core/detect/stamp.hpp"
#include "core/traffic/event.hpp"

namespace liminal::detect {

/// All statistics of one user: every event is judged against the user's own lagged reference and
/// against the population, then learnt, less the more it looked like an alarm.
///
/// | statistic | looks at | alarm line, nat |
/// |---|---|---|
/// | rate surprise | decayed counts of 10, 60, 300, 900 s | 6.8, 8.4, 4, 3.2 |
/// | rate CUSUM | 2.5 × the expected rate, kept up | 11.3 |
/// | error, repeat and size CUSUM | failures, repeated contents, large messages | 8.6, 11.2, 7 |
/// | reconnects, new channels | decayed counts of 300 and 120 s | 3.4, 2 |
/// | metronome | spread of the last 16 gaps | 6 deviations |
/// | take-over | what the others say together, a new address | 11.3 |
/// | hour of day | hours at which the user was never active | 4.5 |
///
/// Guarantees: the same events, populations and options give the same bits. Time that stands still
/// or goes back decays nothing. No input makes a NaN or an infinity.
///
/// Memory: 504 bytes at most. Cost: `statistics_bench.cpp`. Owned by a shard.
/// Source: docs/detections.md; every constant was measured on real chat with injected abuse.
class UserStatistics {
 public:
  /// Judges and learns one event. Adds what it finds to `out`, and what the population is to learn
  /// to `learnt`. `now` is the user's time, never before the user's last. Returns the highest score
  /// relative to its alarm line.
  float step(const traffic::Event& event,
             SteadyTime now,
             const Options& options,
             const Population& population,
             Contribution& learnt,
             Findings& out);

  /// What `step` would find, changing nothing. Costs a copy.
  float score(const traffic::Event& event,
              SteadyTime now,
              const Options& options,
              const Population& population,
              Findings& out) const;

  /// What there is to say about the user at `now`, without a new event, changing nothing.
  float analyze(SteadyTime now,
                const Options& options,
                const Population& population,
                Findings& out) const;

  /// Whether anything was seen of the user.
  [[nodiscard]] bool empty() const { return !seen_; }

  /// Messages that the user's reference weighs: 0 for newcomers, up to 200.
  [[nodiscard]] float reference_weight() const { return reference_.settled().weight; }

  /// The user's expected decayed count in a window, and below what it is no surprise.
  struct Expectation {
    float expected, high;
  };
  [[nodiscard]] Expectation expectation(std::size_t window, const Population& population) const;

  void save(Writer& out) const;
  /// Fails the reader, and is empty, when the bytes make no sense.
  void load(Reader& in);

 private:
  /// What a user was expected to do: decayed counts with their dispersion.
  struct Expected {
    std::array<double, kWindows> count, dispersion;
    double unfloored_900s = 0;  ///< without the population's lower bound: what the CUSUM sums up
  };

  static constexpr std::size_t kTakeoverParts = 7;

  /// The verdict of each detector on one moment.
  struct Judgement {
    std::array<float, traffic::kDetectors> scores{};  ///< 1 = the alarm line
    std::array<float, kRateStatistics> rates{};       ///< without suppression, raw line
    std::array<float, kTakeoverParts> takeover{};     ///< nat
    Expected expected;
    float suspicion = 0;  ///< the largest score of what must not be learnt
    float reconnects_expected = 0;

    float& operator[](traffic::Detector d) { return scores[static_cast<std::size_t>(d)]; }
    float operator[](traffic::Detector d) const { return scores[static_cast<std::size_t>(d)]; }
    [[nodiscard]] float highest() const;
  };

  /// A message as the statistics see it.
  struct Message {
    double log_bytes = 0;
    bool first = false;
    double pause_s = 0;         ///< since the last one
    std::uint16_t content = 0;  ///< fingerprint; 0: not known
    bool repeated = false;
    bool brief = false;         ///< "ok", "yes", "lol": what everybody repeats
    bool may_be_timer = false;  ///< short, and said in no channel
    bool common = false;        ///< what clients say by themselves: nothing of the user's own
  };

  [[nodiscard]] Stamp stamp(SteadyTime now) const { return {born_, now}; }

  // statistics.cpp: counting and adding up.
  void meet(const traffic::Event& event, SteadyTime now, Contribution& learnt);
  float learn_message(const traffic::Event& event,
                      SteadyTime now,
                      const Options& options,
                      const Population& population,
                      Contribution& learnt,
                      Findings& out);
  void let_time_pass(double pause_s, const Population& population);
  void let_events_pass(Stamp now);
  void accumulate_rate(double messages, double pause_s, const Expected& expected);
  struct ErrorRates {
    double good, bad;
  };
  [[nodiscard]] ErrorRates error_rates(const Population& population) const;
  void learn_failure(Stamp now, const Population& population, Contribution& learnt);
  void accumulate_errors(bool error, Stamp now, const Population& population);
  void look_at_content(const traffic::Event& event,
                       Stamp now,
                       Message& message,
                       const Population& population);
  void accumulate_repeats(const Message& message, const Population& population);
  struct SizeSurprise {
    double surprising;  ///< to user and population, nat
    double z;           ///< from the user's mean, deviations
  };
  [[nodiscard]] SizeSurprise surprise_of(double log_bytes, const Population& population) const;
  void accumulate_sizes(const SizeSurprise& size);
  void take_back_sizes(const SizeSurprise& size);
  /// The rest of a message came: its size is judged as if it had been known when it began.
  float learn_rest(const traffic::Event& event,
                   SteadyTime now,
                   const Options& options,
                   const Population& population,
                   Contribution& learnt,
                   Findings& out);
  void accumulate_gaps(double pause_s, const Population& population);
  void accumulate_channels(const traffic::Event& event);
  bool count_new_channels(const traffic::Event& event, Stamp now);
  bool count_connect(Stamp now, Contribution& learnt);
  void take_back_connect(Stamp now);
  void note_hour(SteadyTime now);

  // learning.cpp: what the user's reference and the population learn.
  void note_habits(const traffic::Event& event, const Message& message, float suspicion);
  /// A size that was learnt as `counted` is `whole`, both as logarithms.
  void correct_size(double counted,
                    double whole,
                    float suspicion,
                    const Population& population,
                    Contribution& learnt);
  void contribute_size(double log_bytes,
                       float suspicion,
                       const Population& population,
                       Contribution& learnt) const;
  void contribute(const traffic::Event& event,
                  Stamp now,
                  const Message& message,
                  const Judgement& judgement,
                  const Population& population,
                  Contribution& learnt);
  void learn_signal(const traffic::Event& event,
                    Stamp now,
                    const Message& message,
                    const Population& population,
                    Contribution& learnt);
  void contribute_activity(const traffic::Event& event,
                           Stamp now,
                           const Message& message,
                           const Population& population,
                           Contribution& learnt);
  void contribute_contents(Contribution& learnt) const;
  void contribute_ordinary(const traffic::Event& event,
                           Stamp now,
                           const Message& message,
                           const Judgement& judgement,
                           const Population& population,
                           Contribution& learnt);

  // judgement.cpp: scores, of what was counted.
  [[nodiscard]] Expected expect(const Population& population) const;
  void judge_message(Judgement& judgement,
                     Stamp now,
                     const Options& options,
                     const Population& population) const;
  /// How surprising a busy user's last 10 s are among the same user's last 5 minutes: nat. Where
  /// users send several messages a second these tell more than any reference.
  [[nodiscard]] double jump(Stamp now) const;
  void judge_rates(Judgement& judgement,
                   Stamp now,
                   const Options& options,
                   const Population& population) const;
  void judge_evidence(Judgement& judgement,
                      Stamp now,
                      const Options& options,
                      const Population& population) const;
  void judge_takeover(Judgement& judgement,
                      Stamp now,
                      double regular,
                      const Options& options,
                      const Population& population) const;
  void judge_reconnects(Judgement& judgement,
                        const Options& options,
                        const Population& population) const;
  void judge_channels(Judgement& judgement, const Options& options) const;
  void judge_hour(Judgement& judgement, SteadyTime now, const Options& options) const;
  [[nodiscard]] double regularity(const Population& population) const;

  // report.cpp: findings, of scores.
  void report(const Judgement& judgement,
              const Options& options,
              const Population& population,
              double log_bytes,
              Findings& out) const;
  void explain(traffic::Finding& finding,
               const Judgement& judgement,
               const Population& population,
               double log_bytes) const;
  void explain_takeover(traffic::Finding& finding, const Judgement& judgement) const;
  [[nodiscard]] traffic::FindingType type_of(traffic::Detector detector) const;

  template <class Self, class Visit>
  static void numbers(Self& self, Visit&& visit);

  SteadyTime born_{}, last_message_{};
  SteadyTime last_own_{};  // the last message that was not what clients say by themselves
  Reference reference_;
  std::array<float, kWindows> counts_{};
  float rate_cusum_ = 0, error_cusum_ = 0, repeat_cusum_ = 0;
  float size_up_ = 0;               // against the user and the population
  float larger_ = 0, smaller_ = 0;  // against the user alone
  float steady_cusum_ = 0;          // gaps near the median one
  float signals_ = 0;               // decayed count of what clients say by themselves
  float unseen_channels_ = 0;
  float new_channels_ = 0;
  float light_messages_ = 0, light_errors_ = 0;  // own share of the population's present rate
  float rejoins_60s_ = 0, rejoins_300s_ = 0;
  std::array<std::uint16_t, 16> contents_{};  // a ring of fingerprints
  Pulse pulse_;
  Gaps gaps_;
  ChannelFilter channels_;
  std::uint32_t address_ = 0, last_address_ = 0;  // the lower halves of their hashes
  Stamp address_changed_, no_errors_at_, active_at_, gap_contributed_at_;
  Stamp channel_at_, rejoined_at_;
  std::array<Stamp, kWindows> contributed_at_{};
  std::array<std::uint8_t, 24> hours_{};  // in how many of these hours the user was active
  std::uint8_t next_content_ = 0;
  std::uint8_t over_ = 0;  // bits: rate statistics exceeded since `active_at_`
  bool seen_ = false, sent_ = false, connected_ = false;
  bool pulsed_ = false;  // sent something common since it is known to be
};

}  // namespace liminal::detect
