#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/random.hpp"
#include "core/novelty/batch.hpp"
#include "core/traffic/record.hpp"
#include "io/http/retry.hpp"
#include "server/uplink/options.hpp"

namespace liminal::uplink {

/// What became of rows; each ends in exactly one of the last three.
struct Counters {
  std::uint64_t waiting = 0;
  std::uint64_t sent = 0;      ///< the cluster took them
  std::uint64_t dropped = 0;   ///< pushed out by younger ones
  std::uint64_t rejected = 0;  ///< the cluster refuses them
};

/// One request to the cluster's API.
struct Parcel {
  enum class Kind : std::uint8_t { kRows, kMetrics };
  Kind kind = Kind::kRows;
  std::vector<traffic::FeatureRow> features;  ///< of `kRows`
  novelty::Batch metrics;                     ///< of `kMetrics`
  std::uint64_t rows = 0;
  std::string key;  ///< the same for every attempt: the cluster takes it once
};
[[nodiscard]] std::string_view target_of(Parcel::Kind kind);
/// As JSON; sources of metrics are called `gateway`/source.
[[nodiscard]] std::string body_of(const Parcel& parcel, const std::string& gateway);

/// What waits to be sent, and when the next attempt is due: the pure part, told the time.
///
/// Rows go out in the order in which they came, one parcel at a time; one that failed is tried
/// again before any other, with the same key. The pause after a failure is uniform in [d/2, d], d
/// that of `http::Backoff` over the failures in a row, and no shorter than the cluster asked for
/// (up to `retry_max`). Memory: bounded by `rows_max` and `metric_rows_max`. Not thread-safe.
class Outbound {
 public:
  /// `options` must be valid.
  Outbound(const Options& options, std::uint64_t seed);

  void push(traffic::FeatureRow row);
  /// What the cluster's API would refuse is left out: names of more than 128 bytes. Batches of more
  /// metrics than it takes go in parts.
  void push(const novelty::Batch& batch);

  /// What is to be sent now, if anything; `settle` must follow.
  [[nodiscard]] std::optional<Parcel> take(SteadyTime now);
  void settle(Parcel parcel, const http::Outcome& outcome, SteadyTime now);

  /// How a request went that is no parcel's.
  void note(http::Outcome::Kind kind, Duration retry_after, SteadyTime now);
  /// When something may be asked again.
  [[nodiscard]] SteadyTime not_before() const { return not_before_; }

  [[nodiscard]] Counters rows() const;
  [[nodiscard]] Counters metrics() const;

 private:
  void queue(novelty::Batch batch);
  [[nodiscard]] Parcel pack_rows();
  [[nodiscard]] Parcel pack_metrics();
  [[nodiscard]] std::string next_key();
  Counters& of(Parcel::Kind kind) {
    return kind == Parcel::Kind::kRows ? rows_done_ : metrics_done_;
  }

  Options options_;
  Random random_;
  std::uint64_t keys_, parcels_ = 0;
  std::deque<traffic::FeatureRow> rows_;
  std::deque<novelty::Batch> batches_;
  std::uint64_t metric_rows_ = 0;  ///< of `batches_`
  std::optional<Parcel> again_;
  Counters rows_done_, metrics_done_;
  std::uint32_t failures_ = 0;
  SteadyTime not_before_{};
  bool metrics_next_ = false;  ///< they take turns
};

}  // namespace liminal::uplink
