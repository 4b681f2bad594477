#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/forecast/timed_forecaster.hpp"
#include "core/novelty/batch.hpp"
#include "io/files/file_system.hpp"
#include "server/signals/state_file.hpp"

namespace liminal::signals {

/// Series that are forecast as they go, without being asked, kept across restarts.
///
/// What is told is learnt at once by whoever tells it; refits and forecasts are made by `Run`, one
/// at a time and for one series each, on copies, when a step of a series has ended. What was said
/// last is there for whoever asks.
///
/// Bounded: beyond `series_max`, and `own_max` of the program's own, which are counted apart, a new
/// series takes the place of one of its kind that nothing was told of for `silent`, or is not
/// taken, and counted. That is by the time at which it was told, `now`, not by the times that
/// points have: those are of other clocks.
///
/// Thread-safe by its own lock, which is held for some µs, a fraction of a millisecond where a week
/// is told at once. Memory: TimedForecaster's and 4 KB a series. A crash loses what was learnt
/// since `save`.
class Forecasts {
 public:
  /// The file, and what lies in it: another format is not read.
  static constexpr std::string_view kFile = "forecasts.snapshot";
  static constexpr std::uint64_t kFormat = 0x6c696d2d66637331ULL;

  struct Options {
    std::size_t series_max = 256;  ///< as many as services are kept by default
    std::size_t own_max = 256;     ///< 12 and, of each of 16 upstreams, 8 are told at once
    Duration silent = std::chrono::hours{24};
    bool (*is_own)(std::string_view source) = nullptr;  ///< the program's; none: no source is
    std::string folder;
    /// How a copy is refitted, without the lock.
    std::function<Result<void>(forecast::Forecaster&)> refit = &forecast::Forecaster::refit;
  };
  /// Has a task done elsewhere; false when too much waits there, and it is tried again later.
  using Run = std::function<bool(std::function<void()>)>;

  struct Counters {
    std::uint64_t series = 0, bytes = 0;
    std::uint64_t points = 0;  ///< steps that ended
    std::uint64_t refits = 0, refits_failed = 0;
    double refit_seconds = 0;   ///< that both took
    std::uint64_t refused = 0;  ///< series for which there was no room, each time that they came
  };

  struct Line {
    std::string source, metric;
    Duration lacks{};  ///< what must be told of until there is enough
    std::uint64_t points = 0;
    std::shared_ptr<const forecast::Outlook> outlook{};  ///< null: there is none yet
    EventTime heard{};                                   ///< `now` when it was told of last
  };

  struct Point {
    EventTime at;
    double value = 0;
  };

  Forecasts(Options options, files::FileSystem& files, Run run)
      : options_(std::move(options)),
        file_(files, options_.folder, kFile, kFormat),
        run_(std::move(run)) {}

  /// Reads what was saved; kMissing when there was nothing. A file that makes no sense is set aside
  /// (state_file.hpp). After kIo the file is left as it is: `save` fails with kIo.
  [[nodiscard]] Result<void> load();

  /// Learns every value of the rows.
  void observe(const novelty::Batch& batch, EventTime now);
  /// Learns what is later than the last of the series, or, `anew`, all instead of what is known.
  void observe(const std::string& source,
               const std::string& metric,
               std::span<const Point> points,
               bool anew,
               EventTime now);
  /// Forgets a series, if it is known; for good with the next `save`.
  void forget(const std::string& source, const std::string& metric);

  /// Writes what changed since the last time, if anything did; one thread, blocks on the disk.
  /// Gives the file's size, 0 when there was nothing to do.
  [[nodiscard]] Result<std::uint64_t> save(EventTime now);

  [[nodiscard]] std::optional<Line> line(const std::string& source,
                                         const std::string& metric) const;
  /// The program's own first, then by source and metric.
  [[nodiscard]] std::vector<Line> lines() const;
  [[nodiscard]] Counters counters() const;

 private:
  using Name = std::pair<std::string, std::string>;
  struct Entry {
    bool own = false;
    std::uint64_t life = 0;  ///< another one whenever the series begins anew
    EventTime heard{};
    forecast::TimedForecaster series{};
    bool due = false;  ///< a step ended since `outlook`
    std::shared_ptr<const forecast::Outlook> outlook{};
  };
  /// A series on its way to being forecast.
  struct Task {
    Name name;
    std::uint64_t life = 0;
    forecast::Forecaster forecaster;
    EventTime begins{};
    std::optional<bool> refitted{};  ///< none: it was not due
    double refit_seconds = 0;
  };

  [[nodiscard]] bool is_own(std::string_view source) const {
    return options_.is_own != nullptr && options_.is_own(source);
  }
  Entry* find_or_add(const Name& name, EventTime now);
  [[nodiscard]] bool make_room(bool own, EventTime now);
  void learn(Entry& entry, const Point& point);
  void wake();
  void work();
  [[nodiscard]] std::optional<Task> next();
  void refit(Task& task) const;
  void finish(Task task, const Result<forecast::Outlook>& outlook);
  [[nodiscard]] Result<void> take(std::string_view bytes);
  [[nodiscard]] static std::size_t bytes_of(const Entry& entry);
  [[nodiscard]] static Line line_of(const Name& name, const Entry& entry);

  const Options options_;
  StateFile file_;
  const Run run_;
  mutable std::mutex mutex_;  // of what follows
  std::map<Name, Entry> series_;
  std::uint64_t lives_ = 0;
  bool working_ = false;  ///< a task waits or is under way
  bool changed_ = false;
  std::uint64_t saved_bytes_ = 0;  ///< of the thread that saves
  Counters counters_;              ///< but for series and bytes
};

}  // namespace liminal::signals
