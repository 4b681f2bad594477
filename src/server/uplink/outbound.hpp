#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/random.hpp"
#include "core/novelty/batch.hpp"
#include "core/traffic/alert.hpp"
#include "core/traffic/record.hpp"
#include "io/http/retry.hpp"
#include "server/uplink/options.hpp"

namespace liminal::uplink {

/// What became of rows, alerts or words; each ends in exactly one of the last three.
struct Counters {
  std::uint64_t waiting = 0;
  std::uint64_t sent = 0;      ///< the cluster took them
  std::uint64_t dropped = 0;   ///< pushed out by younger ones
  std::uint64_t rejected = 0;  ///< the cluster refuses them
};

/// What operators said of alerts, as it is kept for good: the cluster has not heard of it.
struct Said {
  /// Each with its alert as it is by now; the oldest first.
  std::vector<traffic::JudgedAlert> words;
  std::uint64_t last = 0;     ///< the number of the last that was looked at; 0: there was none
  std::uint64_t waiting = 0;  ///< all of them
};

/// What was said at the cluster of alerts of this gateway, as GET /ml/anomalies/feedback tells it,
/// the last first. `kMalformed` when the answer is none.
[[nodiscard]] Result<std::vector<traffic::JudgedAlert>> read_words(std::string_view answer);

/// One request to the cluster's API.
struct Parcel {
  enum class Kind : std::uint8_t { kRows, kMetrics, kAlerts, kFeedback };
  Kind kind = Kind::kRows;
  std::vector<traffic::FeatureRow> features;  ///< of `kRows`
  novelty::Batch metrics;                     ///< of `kMetrics`
  std::vector<traffic::JudgedAlert> alerts;   ///< of `kAlerts` and `kFeedback`
  std::uint64_t last = 0;                     ///< of `kFeedback`: as of `Said`
  std::uint64_t rows = 0;
  std::string key;  ///< the same for every attempt: the cluster takes it once
};
[[nodiscard]] std::string_view target_of(Parcel::Kind kind);
inline constexpr std::size_t kParcelKinds = 4;
/// Alerts, or words about them, of a parcel.
inline constexpr std::size_t kAlertsOfAParcel = 100;
/// As JSON; sources of metrics are called `gateway`/source.
[[nodiscard]] std::string body_of(const Parcel& parcel, const std::string& gateway);

/// What waits to be sent, and when the next attempt is due: the pure part, told the time.
///
/// Rows go out in the order in which they came, one parcel at a time; one that failed is tried
/// again before any other, with the same key. Of an alert that changes while it waits the last
/// state goes out, in the first one's place. Words are not pushed but fetched, a parcel at a time,
/// by whoever keeps them for good; what they say is the same however often it arrives. The pause
/// after a failure is uniform in [d/2, d], d that of `http::Backoff` over the failures in a row,
/// and no shorter than the cluster asked for (up to `retry_max`). Memory: bounded by `rows_max`,
/// `metric_rows_max` and `alerts_max`. Not thread-safe.
class Outbound {
 public:
  /// `options` must be valid.
  Outbound(const Options& options, std::uint64_t seed);

  void push(traffic::FeatureRow row);
  /// What the cluster's API would refuse is left out: names of more than 128 bytes. Batches of more
  /// metrics than it takes go in parts.
  void push(const novelty::Batch& batch);
  /// An alert of this gateway, as it is now. What was said of it goes with the words.
  void push(const traffic::Alert& alert);
  /// How many words are wanted: none while some wait here.
  [[nodiscard]] std::size_t words_wanted() const;
  /// What the keeper of words has. Those that do not fit into a parcel are left to it.
  void offer(Said said);

  /// What is to be sent now, if anything; `settle` must follow.
  [[nodiscard]] std::optional<Parcel> take(SteadyTime now);
  void settle(Parcel parcel, const http::Outcome& outcome, SteadyTime now);
  /// Instead of `settle`, where one of its alerts or words cannot be read, so that it takes no
  /// other along: all are sent again, half as many at once; words are wanted again for it. False,
  /// and nothing is done, when that is no way.
  [[nodiscard]] bool halve(Parcel& parcel);

  /// How a request went that is no parcel's.
  void note(http::Outcome::Kind kind, Duration retry_after, SteadyTime now);
  /// When something may be asked again.
  [[nodiscard]] SteadyTime not_before() const { return not_before_; }

  [[nodiscard]] Counters rows() const;
  [[nodiscard]] Counters metrics() const;
  [[nodiscard]] Counters alerts() const;
  [[nodiscard]] Counters feedback() const;

 private:
  using AlertKey = std::pair<ShardId, std::uint64_t>;

  void queue(novelty::Batch batch);
  [[nodiscard]] bool has(Parcel::Kind kind) const;
  [[nodiscard]] Parcel pack(Parcel::Kind kind);
  void pack_rows(Parcel& parcel);
  void pack_metrics(Parcel& parcel);
  void pack_alerts(Parcel& parcel);
  [[nodiscard]] std::string next_key();
  std::size_t& at_once(Parcel::Kind kind) {
    return kind == Parcel::Kind::kAlerts ? alerts_at_once_ : words_at_once_;
  }
  Counters& of(Parcel::Kind kind) { return done_[static_cast<std::size_t>(kind)]; }
  /// What was sent, dropped and rejected, and what waits: `queued`, and what is tried again.
  [[nodiscard]] Counters counters(Parcel::Kind kind, std::uint64_t queued) const;

  Options options_;
  Random random_;
  std::uint64_t keys_, parcels_ = 0;
  std::deque<traffic::FeatureRow> rows_;
  std::deque<novelty::Batch> batches_;
  std::uint64_t metric_rows_ = 0;  ///< of `batches_`
  std::map<AlertKey, traffic::Alert> alerts_;
  std::deque<AlertKey> alerts_order_;  ///< of `alerts_`
  std::size_t alerts_at_once_ = kAlertsOfAParcel, words_at_once_ = kAlertsOfAParcel;
  Said said_;
  std::optional<Parcel> again_;
  std::array<Counters, kParcelKinds> done_{};
  std::uint32_t failures_ = 0;
  SteadyTime not_before_{};
  std::size_t next_ = 0;  ///< kinds take turns
};

}  // namespace liminal::uplink
