#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/problem.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "io/files/file_system.hpp"
#include "io/files/segment.hpp"

namespace liminal::files {

/// Defaults: the journal of inputs, from which any decision of the last hour can be replayed.
struct SegmentLogOptions {
  std::string folder;
  std::string name = "journal";  ///< files are `folder/name-<number of first record, hex>.log`
  std::uint64_t segment_bytes_max = 8U
                                    << 20;  ///< begins the next segment; one record may exceed it
  std::uint64_t total_bytes_max = 256U << 20;  ///< beyond it the oldest segments go
  Duration age_max = std::chrono::hours{1};    ///< so do those that hold only older records
  std::size_t buffer_bytes_max = 64U << 10;    ///< written without being told beyond it
};

[[nodiscard]] Problems validate(const SegmentLogOptions& options, std::string_view at = "journal");

/// What happened to a log since it was opened: never silent, never fatal.
struct SegmentLogCounters {
  std::uint64_t appended_records = 0;
  std::uint64_t dropped_records = 0;  ///< accepted, but the disk did not take them
  std::uint64_t write_failures = 0;
  std::uint64_t sync_failures = 0;
  std::uint64_t removed_segments = 0;     ///< by retention, or unreadable when opened
  std::uint64_t unreadable_segments = 0;  ///< of these, when opened
  std::uint64_t torn_bytes = 0;           ///< cut off when opened
};

/// An append-only log of numbered records in segments, with retention by age and size.
///
/// Guarantees: records that `sync` confirmed survive a loss of power, until retention; what is read
/// back is what was appended, under its own number, or it is missing; a log opens whatever a crash
/// left. When the disk is full or failing, records are dropped and counted, their numbers stay
/// unused, and a new segment is tried with the next flush: the caller goes on. Memory: the buffer.
///
/// Not thread-safe, and its calls block: for a thread of its own. Its time must not go back by
/// itself (a jump forward ends what is older, as it should).
class SegmentLog {
 public:
  /// Opens or begins a log: finds its segments, cuts off a torn tail, removes what no reader can
  /// read. `system` must outlive it; `options` must be valid. Fails when the folder cannot be read.
  [[nodiscard]] static Result<SegmentLog> open(FileSystem& system,
                                               SegmentLogOptions options,
                                               SteadyTime now);

  /// Takes a record into the buffer and gives its number. `kTooLarge` above `kRecordBytesMax`;
  /// other failures are those of `flush`, and count the record as dropped.
  Result<std::uint64_t> append(std::string_view payload, SteadyTime now);

  /// Hands the buffer to the operating system, begins the next segment when this one is full, and
  /// removes what is too old or too much.
  Result<void> flush(SteadyTime now);

  /// Flushes and makes last all that was appended since the last `sync`. A failure, whether now or
  /// in between, says that some of it may be missing.
  Result<void> sync(SteadyTime now);

  [[nodiscard]] std::uint64_t next_number() const { return next_number_; }
  /// Of the oldest record that may still be there.
  [[nodiscard]] std::uint64_t first_number() const;
  /// When its oldest segment was begun: no record that is there is older. None without any.
  [[nodiscard]] std::optional<SteadyTime> begin() const {
    return segments_.empty() ? std::nullopt : std::optional(segments_.front().header.begin);
  }
  /// On disk.
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::size_t segments() const { return segments_.size(); }
  [[nodiscard]] const SegmentLogCounters& counters() const { return counters_; }

 private:
  struct Segment {
    SegmentHeader header;
    std::uint64_t bytes = 0;
  };

  SegmentLog(FileSystem& system, SegmentLogOptions options)
      : system_(&system), options_(std::move(options)) {}

  [[nodiscard]] Result<void> find_segments();
  [[nodiscard]] Result<void> resume_last();
  [[nodiscard]] Result<void> begin_segment(SteadyTime now);
  [[nodiscard]] Result<void> write_pending(SteadyTime now);
  [[nodiscard]] Result<void> end_segment();
  void give_up_segment();
  void drop_pending();
  void retain(SteadyTime now);
  [[nodiscard]] std::string path(const Segment& segment) const;

  FileSystem* system_;
  SegmentLogOptions options_;
  std::deque<Segment> segments_;        ///< oldest first; the last one is open if `file_` is
  std::unique_ptr<WritableFile> file_;  ///< null: the next flush begins a segment
  std::string pending_;
  std::uint64_t pending_records_ = 0;
  std::uint64_t next_number_ = 0;
  bool folder_changed_ = false;
  std::optional<Error> unconfirmed_;  ///< the last failure since the last `sync`
  SegmentLogCounters counters_;
};

/// What a reading of a log found.
struct SegmentLogSummary {
  std::uint64_t records = 0;      ///< given to the visitor
  std::uint64_t next_number = 0;  ///< after the last
  std::uint64_t missing = 0;      ///< numbers skipped between the first and the last record given
  bool stopped = false;           ///< by the visitor
};

/// Gives the records from number `from` on, in order, until the visitor says false. Whatever is
/// damaged is skipped up to the next segment and counted as missing. May run beside a writer: it
/// sees what was flushed. Fails when the folder or a file cannot be read.
[[nodiscard]] Result<SegmentLogSummary> read_log(
    FileSystem& system,
    const std::string& folder,
    const std::string& name,
    std::uint64_t from,
    const std::function<bool(std::uint64_t number, std::string_view payload)>& visit);

/// From which number on a reading sees every record that was appended at `since` or later: that of
/// the segment which was being written then. Reads headers only.
[[nodiscard]] Result<std::uint64_t> first_number_since(FileSystem& system,
                                                       const std::string& folder,
                                                       const std::string& name,
                                                       SteadyTime since);

}  // namespace liminal::files
