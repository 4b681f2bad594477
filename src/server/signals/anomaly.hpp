#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/novelty/batch.hpp"
#include "core/novelty/series_status.hpp"
#include "io/files/file_system.hpp"
#include "server/signals/state_file.hpp"

namespace liminal::signals {

/// The metric streams of all sources, judged, learnt and kept across restarts.
///
/// Bounded: when there are more than `series_max` series, the sources that sent nothing for the
/// longest time are forgotten and counted; those of which something was told, and then the
/// program's own, only when there is no other. When `metrics_max` becomes smaller, by a reload or
/// while the program did not run, the series of a source that are silent for longest leave, those
/// of which something was told last, and are counted. In a full source the series that is silent
/// for longest, a day at least while others came, gives its place to a new one, unless something
/// was told of it. Settings that were declared are kept in a file of their own, durable when
/// `declare` returns; what was learnt goes into a snapshot (`save`), so that a crash loses what was
/// learnt since.
///
/// Thread-safe by its own lock, which is held for some hundred values at a time: a large batch does
/// not hold up others. Time is given by the callers.
///
/// Memory: `Source`'s, and 200 bytes a source and its name. Cost: `Source`'s.
class Anomaly {
 public:
  static constexpr std::string_view kSourcesFile = "anomaly.snapshot";
  static constexpr std::uint64_t kSourcesFormat = 0x6c696d2d616e6f32ULL;  ///< as it is written
  /// Read still: it had not counted what sources emitted.
  static constexpr std::uint64_t kSourcesFormat1 = 0x6c696d2d616e6f31ULL;
  static constexpr std::string_view kSettingsFile = "anomaly-settings.snapshot";
  static constexpr std::uint64_t kSettingsFormat = 0x6c696d2d73657433ULL;  ///< as it is written
  /// Read still: whoever told anything had told the kind, too.
  static constexpr std::uint64_t kSettingsFormat2 = 0x6c696d2d73657432ULL;
  /// And this one, which had no `suppress_until`.
  static constexpr std::uint64_t kSettingsFormat1 = 0x6c696d2d73657431ULL;

  /// What a reload may change.
  struct Bounds {
    std::uint32_t metrics_max = 1024;  ///< of one source
    /// Alarms a week that are wanted of a source as a whole; 0: as many as its own line means.
    double alarms_per_week = 0;
  };

  struct Options {
    std::size_t series_max = 100'000;
    Bounds bounds{};
    std::size_t settings_max = 10'000;
    /// Series whose values `exported` shows: those of which something was told, then those that
    /// came first.
    std::size_t exported_max = 100;
    std::string folder;                                 ///< where the two files lie
    bool (*is_own)(std::string_view source) = nullptr;  ///< the program's; none: no source is
  };

  struct Counters {
    std::uint64_t rows = 0;
    std::uint64_t rows_late = 0;  ///< before their source's last row, counted at its time
    std::uint64_t anomalies = 0;
    std::uint64_t sources_evicted = 0;
    std::uint64_t series_evicted = 0;  ///< that gave their place in a full source to another
    std::uint64_t sources = 0;
    std::uint64_t series = 0;
    std::uint64_t bytes = 0;  ///< of the sources, their series and names
  };

  /// The present state of one series.
  struct Exported {
    std::string source;
    std::string metric;
    /// The last one, of a counter its rate; NaN when it was missing or lies before a restart.
    double value = 0;
    double score = 0;  ///< on the scale of the alarm line, whether or not it is news; NaN likewise
    std::optional<novelty::Range> expected{};
  };

  /// What is known of one series.
  struct Described {
    novelty::SeriesStatus status{};
    std::optional<novelty::SeriesSettings> told{};  ///< by its owner
    bool sent_as_counter = false;                   ///< by its sender
  };

  /// Called with every row that alarms, under no lock.
  using OnAnomaly = std::function<void(const novelty::Batch&, const novelty::RowScore&)>;

  Anomaly(Options options, files::FileSystem& files, OnAnomaly on_anomaly = {});

  using OnUnreadable = std::function<void(std::string_view file, const Error&)>;
  /// Reads what was saved. A file that cannot be read is told of, set aside (state_file.hpp) and
  /// left out, as far as it was not read. kMissing when there was no snapshot, the last error else.
  /// One that is told of with kIo is left as it is: `declare` or `save`, which would write it,
  /// fails with kIo.
  [[nodiscard]] Result<void> load(const OnUnreadable& on_unreadable = {});

  /// Whether `score` would take these rows as things are: its errors, found before anything is
  /// learnt. Of a batch that is scored in parts, this is asked of the whole.
  [[nodiscard]] Result<void> admits(const novelty::Batch& batch) const;

  /// Holds from now on. What is beyond it goes a source at a time, each in one pass, so that nobody
  /// waits for longer than the largest takes.
  void set_bounds(const Bounds& bounds);

  /// Judges and learns rows in order; `RowScore::Part::metric` is a place in `batch.metrics`.
  /// kTooLarge: the source would have too many metrics, and nothing was learnt. kConflict: a
  /// thousand rows in a row were late. A hundred of them in order, later twice as many each time,
  /// are taken for a clock that was set back: the source's time goes on from there.
  [[nodiscard]] Result<std::vector<novelty::RowScore>> score(const novelty::Batch& batch,
                                                             bool expected);

  /// Judges and learns rows whose sender repeats itself and whose metrics come on several ways, as
  /// Prometheus' shards do: a value is learnt when it is after the last one of its own series.
  /// A value that is late for a series whose last one lies more than `kAheadMax` after `date`, the
  /// machine's, comes of a clock that was set back: the source's time goes on from there. Metrics
  /// for which the source has no room are left out.
  novelty::Intake learn(const novelty::Batch& batch, EventTime date);
  static constexpr Duration kAheadMax = std::chrono::minutes{5};

  /// Sets what an owner tells of a series, or that nothing is told of it any more; true when
  /// nothing was told before. Blocks on the disk. kTooLarge: too many were told.
  [[nodiscard]] Result<bool> declare(const std::string& source,
                                     const std::string& metric,
                                     const std::optional<novelty::SeriesSettings>& settings);

  /// Forgets a series, or all of a source: what was told, durably, and what was learnt, which the
  /// next snapshot no longer has. Blocks on the disk. kMissing: nothing was known of it.
  [[nodiscard]] Result<void> forget(const std::string& source,
                                    const std::optional<std::string>& metric);

  /// Writes the snapshot if anything was learnt since the last one. Blocks on the disk; one thread.
  /// Gives its size, 0 when there was nothing to do.
  [[nodiscard]] Result<std::uint64_t> save(EventTime now);

  /// Nothing when it neither sent something nor was declared.
  [[nodiscard]] std::optional<Described> describe(const std::string& source,
                                                  const std::string& metric) const;
  [[nodiscard]] Counters counters() const;
  /// `exported_max` series at most.
  [[nodiscard]] std::vector<Exported> exported() const;

 private:
  /// How a source's rows stand to its clock.
  class Lateness {
   public:
    enum class Verdict : std::uint8_t { kInTime, kLate, kClockSetBack, kTooMany };
    Verdict take(EventTime row, EventTime last);

   private:
    std::uint32_t in_a_row_ = 0, in_order_ = 0;
    std::uint32_t set_back_after_ = 100;   ///< late rows in order; doubled each time
    EventTime latest_ = EventTime::min();  ///< of those in order
  };
  struct Kept {
    std::string name;
    novelty::Source source;
    Lateness lateness{};
    std::size_t bytes = 0;  ///< of it, as far as `counters_` has them
  };
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  using Order = std::list<Kept>;  ///< the longest silent last
  struct Watched {
    std::string source, metric;
    bool told = false;  ///< an owner set something
    double value = kNone, score = kNone;
  };
  /// Where a batch's metric is kept; `kNowhere` in both for none.
  struct Place {
    std::uint32_t series = kUnknown;
    std::uint32_t watched = kNowhere;
  };
  static constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::uint32_t kUnknown = kNowhere - 1;  ///< nobody has looked yet
  /// Where a batch's metrics are kept, found when a row first needs them, for as long as nothing
  /// moved.
  struct Places {
    explicit Places(const novelty::Batch& batch) : of(batch.metrics.size()) {}
    std::vector<Place> of;
    std::uint64_t moves = 0;  ///< `moves_` when they were found
  };
  /// The rows of a batch that are judged under one lock.
  struct Turn {
    const novelty::Batch& batch;
    std::size_t begin = 0, end = 0;
  };
  using SettingsKey = std::pair<std::string, std::string>;
  using SettingsName = std::pair<std::string_view, std::string_view>;
  struct ByName {
    using is_transparent = void;
    bool operator()(const SettingsName& a, const SettingsName& b) const { return a < b; }
  };

  using Settings = std::map<SettingsKey, novelty::SeriesSettings, ByName>;

  Kept& touch(const std::string& name);
  void evict(const Kept& keep);
  [[nodiscard]] Order::iterator least_needed(const Kept& keep);
  void drop(Order::iterator gone);
  void drop(Kept& kept, std::uint32_t metric);
  [[nodiscard]] bool may_go(const Kept& kept, std::uint32_t metric) const;
  [[nodiscard]] std::vector<std::uint32_t> silent(const Kept& kept,
                                                  const novelty::Batch& batch) const;
  void make_room(Kept& kept, const novelty::Batch& batch, std::size_t fresh);
  void let_go(Kept& kept, std::vector<std::uint32_t> gone);
  void shrink(Kept& kept);
  std::size_t adapt(Kept& kept);
  [[nodiscard]] std::uint64_t evicted() const;
  [[nodiscard]] bool has_room(const Kept& kept, const novelty::Batch& batch) const;
  [[nodiscard]] Place place(Kept& kept, const novelty::Batch& batch, std::uint32_t metric);
  void find_places(Kept& kept, const Turn& turn, Places& places);
  void weigh(Kept& kept);
  void forget_if_empty(const Kept& kept);
  [[nodiscard]] static bool is_set_back(const Kept& kept,
                                        const novelty::Batch::Row& row,
                                        const Places& places,
                                        EventTime date);
  void judge(Kept& kept,
             const novelty::Batch::Row& row,
             const Places& places,
             bool expected,
             novelty::RowScore& out);
  [[nodiscard]] static bool is_news(const Kept& kept,
                                    const Place& place,
                                    const novelty::Source::Value& value,
                                    EventTime at,
                                    novelty::Intake& count);
  void tell(const novelty::Batch& batch, std::span<const novelty::RowScore> scores) const;
  void watch(const std::string& source, const std::string& metric, bool told);
  [[nodiscard]] Result<void> take_settings(std::string_view bytes, std::uint64_t format);
  [[nodiscard]] Result<void> take_sources(std::string_view bytes, std::uint64_t format);
  [[nodiscard]] std::string settings_bytes() const;

  const Options options_;
  StateFile settings_file_, sources_file_;
  const OnAnomaly on_anomaly_;
  std::mutex declaring_;  ///< taken before `mutex_`, while the settings are written
  mutable std::mutex mutex_;
  Bounds bounds_;
  Order order_;
  std::unordered_map<std::string_view, Order::iterator> by_name_;  ///< names are those in `order_`
  Settings settings_;
  std::vector<Watched> watched_;
  std::map<SettingsKey, std::uint32_t, ByName> watched_at_;
  /// One more than what had been evicted when no place was free; 0: one may be.
  std::uint64_t watched_full_at_ = 0;
  std::uint64_t moves_ = 1;  ///< grows when a place that was given out may be another's now
  std::vector<novelty::Source::Value> row_;  ///< of `judge`, for its memory
  Counters counters_;
  std::uint64_t learnt_ = 0, saved_ = 0;
  std::uint64_t saved_bytes_ = 0;  ///< of the last snapshot; of the thread that saves
};

}  // namespace liminal::signals
