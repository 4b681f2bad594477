#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/novelty/batch.hpp"
#include "core/stats/trend.hpp"
#include "io/files/file_system.hpp"
#include "server/signals/state_file.hpp"

namespace liminal::signals {

/// When metrics reach the limits that were declared for them: a disk its end, a certificate its
/// day, a leak its machine. Kept across restarts; a restart of less than ten minutes is no gap.
///
/// Thread-safe by its own lock, which is held for some µs. Memory: 2 KB a limit.
class Limits {
 public:
  struct Options {
    std::size_t limits_max = 1000;
    std::string folder;
  };
  /// The file, and what lies in it: the format before, without days, is read too.
  static constexpr std::string_view kFile = "limits.snapshot";
  static constexpr std::uint64_t kFormat = 0x6c696d2d6c696d32ULL;
  static constexpr std::uint64_t kFormatBefore = 0x6c696d2d6c696d31ULL;
  /// How far ahead the probability looks.
  static constexpr double kWithinS = 7 * 86'400;

  struct Line {
    std::string source, metric;
    stats::Limit limit;
    double value = 0;                              ///< the last one; NaN before the first
    std::optional<stats::Trend::Passage> passage;  ///< none before two hours
  };

  Limits(Options options, files::FileSystem& files)
      : options_(std::move(options)),
        file_(files, options_.folder, kFile, kFormat, {kFormatBefore}) {}

  /// Reads what was saved; kMissing when there was nothing. A file that makes no sense is set aside
  /// (state_file.hpp). After kIo the file is left as it is: `declare` and `save` fail with kIo.
  [[nodiscard]] Result<void> load();

  /// Sets or takes away a limit; durable when it returns, blocks on the disk. kTooLarge: there are
  /// too many. `beside` is what must succeed too, after the limit was written: where it fails, its
  /// error is returned and all is as it was before, but for the file until the next `save`.
  [[nodiscard]] Result<void> declare(
      const std::string& source,
      const std::string& metric,
      std::optional<stats::Limit> limit,
      const std::function<Result<void>()>& beside = [] { return Result<void>{}; });
  /// Takes away the limit of a metric, or all of a source; durable when it returns, blocks on the
  /// disk. Gives whether there was one.
  [[nodiscard]] Result<bool> forget(const std::string& source,
                                    const std::optional<std::string>& metric);
  /// Sets a limit of the program's own, unless the metric has one: what was declared over the API
  /// and read by `load` holds, before or after.
  void declare_own(const std::string& source, const std::string& metric, stats::Limit limit);

  void observe(const novelty::Batch& batch);
  void observe(const std::string& source, const std::string& metric, double value, EventTime at);

  /// Writes what changed since the last time, if anything did; one thread, blocks on the disk.
  [[nodiscard]] Result<void> save();

  [[nodiscard]] std::optional<Line> line(const std::string& source,
                                         const std::string& metric) const;
  /// Those of `first` come first, then by source and metric.
  [[nodiscard]] std::vector<Line> lines(std::size_t count_max, const std::string& first) const;

 private:
  struct Entry {
    explicit Entry(stats::Limit of) : limit(of), trend(of.side) {}
    stats::Limit limit;
    stats::Trend trend;
    std::int64_t minute = std::numeric_limits<std::int64_t>::min();
    double value = std::numeric_limits<double>::quiet_NaN();
  };
  using Metrics = std::map<std::string, Entry, std::less<>>;

  static void take(Entry& entry, double value, EventTime at);
  [[nodiscard]] Result<void> take(std::string_view bytes, std::uint64_t format);
  void put(const std::string& source, const std::string& metric, stats::Limit limit);
  void erase(const std::string& source, const std::string& metric);
  [[nodiscard]] Result<void> write();
  [[nodiscard]] static Line line_of(const std::string& source,
                                    const std::string& metric,
                                    const Entry& entry);

  const Options options_;
  StateFile file_;
  std::mutex writing_;        ///< taken before `mutex_`, while the file is written
  mutable std::mutex mutex_;  // of what follows
  std::map<std::string, Metrics, std::less<>> sources_;
  std::size_t count_ = 0;
  bool changed_ = false;
};

}  // namespace liminal::signals
