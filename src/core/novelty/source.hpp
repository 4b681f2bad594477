#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"
#include "core/novelty/entity.hpp"
#include "core/novelty/interval.hpp"
#include "core/novelty/metric_series.hpp"

namespace liminal::novelty {

/// How a row of metrics stands to what is ordinary.
struct RowScore {
  /// One metric's part in its row.
  struct Part {
    std::uint32_t metric = 0;
    SeriesScore own;                  ///< judged alone, on its own line
    float contribution = 0;           ///< its share of the row's rarity; all add up to it
    std::optional<Range> expected{};  ///< before the row was learnt; when asked for
  };

  MetricScore::State state = MetricScore::State::kLearning;
  float score = 0;    ///< emitted; 1 = the alarm line
  float rarity = 0;   ///< the same, whether or not there is something new to say
  float novelty = 0;  ///< raw: of one metric its novelty, of several the sum of their evidence
  /// 0 to 1. Of an alarm: how sure to be of it by its score, a judgement that was not measured; of
  /// anything else: how far the metrics are known.
  float confidence = 0;
  std::vector<Part> parts;  ///< in the order of the row

  [[nodiscard]] bool is_anomaly() const { return score >= 1; }
};

/// The metrics of one host, service or whatever sends rows of them, judged together.
///
/// A source of one metric is judged by that metric's line; one of several by the line of the whole
/// (entity.hpp), and by the own line of each metric whose owner said how often it may alarm; in its
/// first 1,500 rows, of which the whole can tell little, by that of each metric that lies far out.
/// What the whole alarmed at is an alarm again when the own incident of a metric that gave at least
/// half as much evidence as any comes back (metric_series.hpp): by then its levels are known to the
/// whole.
///
/// Metrics that know few levels (metric_detector.hpp) count as one: when those that were constant
/// move together, nothing tells that this is rarer than that one of them moves.
///
/// What a metric whose owner suppresses it does is no evidence for the whole, which learns it as
/// little as if it were missing; the metric learns it.
///
/// The whole is judged by the metrics that are in the row: those that are silent take no part.
///
/// Rows are learnt in order; of one that comes late each metric's time stands still while it lies
/// before that metric's last. Metrics may come and go; a missing value changes nothing. Bounded by
/// `metrics_max`: what was saved when that was larger, up to `kMetricsMax`, is loaded and stays.
///
/// A source keeps to a budget of alarms: of its own accord (entity.hpp), or to as many a week as
/// were told; one of a single metric to what was told of that, then to what was told of the source.
/// What a metric says by itself is beside it: by a budget of its own, early, or of an incident that
/// comes back.
///
/// Memory: some 850 bytes and its name a metric, and 650 bytes. Cost: about 190 ns a metric and
/// row, 1 µs more with expected ranges.
class Source {
 public:
  struct Value {
    std::uint32_t metric = 0;
    double value = 0;
  };
  static constexpr std::uint32_t kMetricsMax = 4096;

  explicit Source(std::uint32_t metrics_max = kMetricsMax) : metrics_max_(metrics_max) {}

  /// The number of a metric; nothing when there is no such.
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const;
  /// The same, making it known; nothing when there are too many.
  std::optional<std::uint32_t> find_or_add(std::string_view name);
  /// Makes room for so many metrics, and no more, in one piece.
  void reserve(std::size_t metrics);
  [[nodiscard]] std::size_t metrics() const { return series_.size(); }
  [[nodiscard]] const std::string& name(std::uint32_t metric) const { return names_[metric]; }
  [[nodiscard]] const MetricSeries& series(std::uint32_t metric) const { return series_[metric]; }

  /// How many there may be from now on; those that are there stay.
  void set_metrics_max(std::uint32_t metrics_max) { metrics_max_ = metrics_max; }

  /// Forgets a metric; the last one gets its number.
  void remove(std::uint32_t metric);
  /// Forgets metrics, told by rising numbers, in one pass; those behind move up.
  void remove(std::span<const std::uint32_t> metrics);

  void configure(std::uint32_t metric, const SeriesSettings& settings);
  /// MetricSeries::mark_as_counter.
  void mark_as_counter(std::uint32_t metric);
  /// How many alarms a week are wanted of the whole, at most about; 0: the source's own line. Not
  /// saved.
  void set_alarms_per_week(double wanted) { alarms_per_week_ = wanted; }
  /// The score that the whole's rows must reach, in units of the line of all, by its budget.
  [[nodiscard]] double line() const {
    return static_cast<double>(series_.size() == 1 ? series_.front().line() : entity_.line());
  }

  /// The sender's clock was ahead of `at`, which is now the latest row's: time goes on from there.
  void restart_clock(EventTime at);

  /// Scores a row, then learns it. A metric occurs once; `expected`: ranges are wanted.
  /// `out` is overwritten, so that its memory is used again.
  void step(std::span<const Value> row, EventTime at, bool expected, RowScore& out);

  /// Of the latest row, or the epoch.
  [[nodiscard]] EventTime last() const { return last_; }
  [[nodiscard]] std::size_t memory_bytes() const;

  void save(Writer& out) const;
  /// `counted`: what was emitted was saved with it, as `save` does now.
  [[nodiscard]] Result<void> load(Reader& in, bool counted = true);
  [[nodiscard]] std::uint64_t state_hash() const;

 private:
  static constexpr std::uint32_t kFree = ~std::uint32_t{0};
  /// Where the name's number stands, or may be put.
  [[nodiscard]] std::size_t slot_of(std::string_view name) const;
  void grow_slots();
  void fill_slots();
  [[nodiscard]] bool is_by_itself(const RowScore::Part& part) const;
  [[nodiscard]] bool speaks(const RowScore::Part& part, EventTime at) const;

  std::uint32_t metrics_max_;
  std::vector<MetricSeries> series_;  ///< grows by an eighth, not to twice its size
  std::vector<std::string> names_;
  std::vector<std::uint32_t> slots_;  ///< numbers by their name's hash, open addressing
  Entity entity_;
  EventTime last_{};
  Interval interval_;
  double alarms_per_week_ = 0;
};

}  // namespace liminal::novelty
