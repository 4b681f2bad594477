#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/result.hpp"
#include "core/scaling/backtest.hpp"
#include "core/scaling/report.hpp"
#include "io/files/file_system.hpp"
#include "server/signals/work_thread.hpp"

namespace liminal::signals {

struct ScalingOptions {
  std::string folder = "data/scaling";  ///< where services are kept
  /// Beyond, the service that was told of least recently is forgotten, and counted; not one that
  /// somebody made settings for. Some 250 KB each after a week.
  std::size_t services_max = 256;
  std::vector<std::string> kept = {};  ///< services that are not forgotten either (and `keep`)
  /// A service that changed is saved no more often.
  std::chrono::seconds save_interval{5};
  /// Of each second, what saving may take of the thread for long work, and write: one service at
  /// least.
  std::chrono::milliseconds save_time{200};
  std::size_t save_bytes = 8 << 20;
  std::size_t work_max = 256;  ///< tasks of either thread that wait; beyond: kUnavailable
};
[[nodiscard]] Problems validate(const ScalingOptions& options, std::string_view at = "scaling");

/// Keeps the services of which loads are told, by name: learns reports, gives advice, saves what
/// changed and loads it at the start.
///
/// Thread-safe. Short work is done by whoever calls; long work (reports of many rows, saving) on
/// one thread of its own and back-tests on another, so that it holds up nobody: `done` is called
/// from any of them. Guarantee: a service is saved whole, the old or the new version
/// (io/files/replace.hpp); after a crash what is missing of it are at most the last seconds:
/// save_interval, and while more changes than is saved in a second (save_time, save_bytes), as long
/// as a round of all that changed takes. A file that is damaged is set aside
/// (io/files/replace.hpp), counted, and its service begins anew; of one whose service another
/// version of the program wrote, the settings are taken. Of more files than services may
/// be kept those are loaded that have settings, then those that were written last; of the others,
/// which are counted, each is read when somebody tells or asks of its service. A file that could
/// not be read just now, or not be set aside, is counted (the latter once more) and left as it is
/// until the next start: what is told of its service is not saved, nor settings taken for it.
class Scaling {
 public:
  /// What a service's file begins with: these, then the CRC-32C of the rest.
  static constexpr std::uint32_t kMagic = 0x4353'4d4c;  // "LMSC"
  static constexpr std::uint32_t kFormat = 1;

  template <class T>
  using Done = std::function<void(Result<T>)>;

  struct Counters {
    std::uint64_t services = 0, evicted = 0, bytes = 0;
    std::uint64_t rows = 0, rows_late = 0;  ///< learnt; of minutes that were closed
    std::uint64_t advices[4] = {};          ///< by scaling::Action
    std::uint64_t saved = 0, save_errors = 0, load_errors = 0;
    std::uint64_t left_out = 0;  ///< files that lie there and are not loaded
    std::uint64_t refused = 0;   ///< because too much waited
  };

  /// The load of a minute that is over.
  struct LoadMinute {
    EventTime ends;
    double load = 0;
  };
  /// Called with the minutes of a service's load that were not told before, in order, under the
  /// service's lock; `anew` when they take the place of what was told, now or of a service of that
  /// name that is forgotten: none when it was just forgotten. After a start the first time with all
  /// that are known.
  using OnLoad =
      std::function<void(const std::string& service, std::span<const LoadMinute>, bool anew)>;

  /// Blocks while it loads.
  Scaling(ScalingOptions options, files::FileSystem& file_system);
  /// Finishes, then saves.
  ~Scaling();
  Scaling(const Scaling&) = delete;
  Scaling& operator=(const Scaling&) = delete;

  /// Names services that are not forgotten for others, beside those of the options, in place of
  /// those that were named before.
  void keep(std::vector<std::string> names);

  /// Who hears of loads. Before the first report.
  void on_load(OnLoad heard) { on_load_ = std::move(heard); }

  bool run(std::function<void()> work);
  /// kTooLarge when the service is not known and no other may be forgotten for it; kUnavailable
  /// when it lies on the disk, which does not give it.
  void advise(scaling::Report report, Done<scaling::Advice> done);
  /// Where a service is kept.
  [[nodiscard]] static std::string path(const std::string& folder, std::string_view service);

  /// At most `count_max`, those told of most recently; waits for nobody, as `advice`.
  [[nodiscard]] std::vector<scaling::ServiceSummary> services(EventTime now,
                                                              std::size_t count_max) const;
  /// The same; a long list is made on the thread for long work.
  void services(EventTime now,
                std::size_t count_max,
                Done<std::vector<scaling::ServiceSummary>> done);
  /// Waits while a long report of the service is learnt.
  [[nodiscard]] Result<scaling::ServiceState> state(const std::string& service) const;
  /// The same for who must not wait: then `done` is called when that is learnt.
  void state(const std::string& service, Done<scaling::ServiceState> done);
  /// What is advised now; changes and counts nothing. Waits for nobody: while a long report of the
  /// service is learnt it is what was advised last.
  [[nodiscard]] Result<scaling::Advice> advice(const std::string& service, EventTime now) const;
  void backtest(std::string service, Done<scaling::Backtest> done);
  /// Changes what is set for the service, or the defaults of a new one: nothing else changes them
  /// meanwhile. Durable when it returns, blocks on the disk. kIo when they could not be written,
  /// and errors as of `advise`: then nothing was changed.
  Result<scaling::OptionsChanged> change_options(const std::string& service,
                                                 const scaling::ChangeOptions& change);
  /// All of them; true when the service was not known before. They are valid.
  Result<bool> set_options(const std::string& service, const scaling::ServiceOptions& options);
  /// Durable when it returns, blocks on the disk. kMissing; kIo when the file could not be removed:
  /// then the service is there still, or when that may not be durable.
  Result<void> forget(const std::string& service);

  /// Ends the work that is under way and drops what waits; no more is taken.
  void finish();

  /// Once a second: saves what changed, as much as a second has time for.
  void second();
  /// Saves all that changed and has a file that was not left alone. Durable when it returns, blocks
  /// on the disk. kIo when some of it could not be written: it is tried again with the next.
  Result<void> save();
  [[nodiscard]] Counters counters() const;
  /// What is advised for the services that somebody set options for, at most `count_max`.
  struct Line {
    std::string service;
    scaling::Advice advice;
  };
  [[nodiscard]] std::vector<Line> lines(EventTime now, std::size_t count_max = 64) const;

 private:
  /// What was advised, and from what.
  struct Said {
    scaling::Advice advice;
    scaling::ServiceSummary summary;
  };
  struct Entry {
    explicit Entry(std::string by) : name(std::move(by)) {}
    const std::string name;
    mutable std::mutex mutex;  // of what follows; nothing blocks while it is held
    scaling::ServiceOptions options;
    scaling::Service service;
    bool configured = false;  ///< somebody set options
    bool changed = false;
    bool forgotten = false;
    bool begun = false;  ///< since the start, with no file of it
    struct Told {
      std::int64_t first, last;  ///< minutes
      scaling::Service::LoadKind kind;
    };
    std::optional<Told> told;  ///< the history that `on_load_` was told of
    std::chrono::steady_clock::time_point saved_at{};
    mutable std::mutex said_mutex;         ///< of what follows, held for a copy
    mutable std::optional<Said> said;      ///< the latest
    std::atomic<std::uint64_t> bytes = 0;  ///< of the service, when it was last told of
    std::atomic<bool> shown = false;       ///< as `configured`
  };
  using EntryPtr = std::shared_ptr<Entry>;

  [[nodiscard]] EntryPtr find(const std::string& service) const;
  Result<EntryPtr> find_or_add(const std::string& service, bool& is_new);
  EntryPtr take_out(const std::string& service);
  Result<EntryPtr> find_or_peek(const std::string& service) const;
  Result<EntryPtr> read_left_out(const std::string& service) const;
  [[nodiscard]] bool is_kept(const Entry& entry) const;  ///< the table is locked
  [[nodiscard]] std::vector<EntryPtr> entries() const;
  [[nodiscard]] static Said say(const Entry& entry, scaling::Advice advice);
  [[nodiscard]] static Said said_by(const Entry& entry, EventTime now);
  scaling::Advice learn(Entry& entry, const scaling::Report& report);
  void tell_load(Entry& entry, bool learnt_anew) const;
  void tell_forgotten(Entry& entry);
  void remove_file(Entry& entry);
  void drop(Entry& entry);
  [[nodiscard]] EntryPtr read(std::string_view bytes) const;
  void load();
  [[nodiscard]] std::vector<std::string> files_to_load(std::vector<files::FileEntry> listed);
  void load(const std::string& here);
  [[nodiscard]] bool has_settings(const std::string& here) const;
  std::optional<std::size_t> save(Entry& entry);
  void save_changed();
  bool sync_folder();

  const ScalingOptions options_;
  OnLoad on_load_;  ///< may be empty
  files::FileSystem& files_;
  mutable std::mutex mutex_;    // of the table
  std::list<EntryPtr> recent_;  ///< most recently told of first
  std::unordered_map<std::string, std::list<EntryPtr>::iterator> by_name_;
  std::vector<std::string> kept_;
  std::unordered_set<std::string> left_out_;  ///< files that lie there and were not loaded
  /// Files that could be neither read nor set aside at the start; not written later.
  std::unordered_set<std::string> left_alone_;
  std::mutex options_mutex_;       // one changes options at a time; taken before the others
  mutable std::mutex file_mutex_;  // held while a file is written or removed; taken before the
                                   // table's and an entry's
  std::atomic<std::uint64_t> evicted_{0}, rows_{0}, rows_late_{0}, saved_{0}, save_errors_{0};
  mutable std::atomic<std::uint64_t> load_errors_{0};
  std::atomic<std::uint64_t> advices_[4] = {};
  std::atomic<bool> saving_{false};
  WorkThread work_, backtests_;
};

}  // namespace liminal::signals
