#include "io/files/segment_log.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace liminal::files {
namespace {

constexpr std::string_view kSuffix = ".log";
constexpr std::size_t kDigits = 16;
/// A segment holds a buffer more than its size, and the buffer a record more.
constexpr std::size_t kSegmentReadBytesMax = std::size_t{1} << 31;

std::string file_name(const std::string& name, std::uint64_t first_number) {
  char digits[kDigits];
  const char* end = std::to_chars(digits, digits + kDigits, first_number, 16).ptr;
  const auto count = static_cast<std::size_t>(end - digits);
  return name + "-" + std::string(kDigits - count, '0') + std::string(digits, count) +
         std::string(kSuffix);
}

std::optional<std::uint64_t> first_number_of(std::string_view file, const std::string& name) {
  if (file.size() != name.size() + 1 + kDigits + kSuffix.size()) return std::nullopt;
  if (!file.starts_with(name) || file[name.size()] != '-' || !file.ends_with(kSuffix))
    return std::nullopt;
  std::uint64_t number = 0;
  const char* begin = file.data() + name.size() + 1;
  const auto [end, error] = std::from_chars(begin, begin + kDigits, number, 16);
  if (error != std::errc() || end != begin + kDigits) return std::nullopt;
  return number;
}

struct Found {
  std::uint64_t first_number;
  std::string path;
  std::uint64_t bytes;
};

/// A log's files, oldest first (their names sort so).
Result<std::vector<Found>> find_files(FileSystem& system,
                                      const std::string& folder,
                                      const std::string& name) {
  const Result<std::vector<FileEntry>> entries = system.list(folder);
  if (!entries) return tl::unexpected(entries.error());
  std::vector<Found> found;
  for (const FileEntry& entry : *entries)
    if (const auto number = first_number_of(entry.name, name))
      found.push_back({*number, folder + "/" + entry.name, entry.bytes});
  return found;
}

/// The header, none when it is not one of the file so named.
Result<std::optional<SegmentHeader>> header_of(FileSystem& system, const Found& file) {
  const Result<std::string> head = system.read_head(file.path, kSegmentHeaderBytes);
  if (!head) return tl::unexpected(head.error());
  const Result<SegmentHeader> header = read_segment_header(*head);
  if (!header || header->first_number != file.first_number) return std::nullopt;
  return *header;
}

}  // namespace

Problems validate(const SegmentLogOptions& options, std::string_view at) {
  Problems found;
  const auto require = [&](bool right, std::string_view key, std::string text) {
    if (!right) found.push_back({std::string(at) + "." + std::string(key), std::move(text)});
  };
  constexpr std::uint64_t kSegmentBytesMax = 1U << 30;
  require(!options.folder.empty(), "folder", "must not be empty");
  require(!options.name.empty() && options.name.find('/') == std::string::npos,
          "name",
          "must be the first part of a file's name");
  require(options.segment_bytes_max >= 4096 && options.segment_bytes_max <= kSegmentBytesMax,
          "segment_bytes_max",
          "must be 4 KiB to 1 GiB");
  require(options.total_bytes_max >= options.segment_bytes_max,
          "total_bytes_max",
          "must be at least segment_bytes_max");
  require(options.age_max > Duration::zero(), "age_max", "must be longer than zero");
  require(options.buffer_bytes_max <= options.segment_bytes_max,
          "buffer_bytes_max",
          "must not exceed segment_bytes_max");
  return found;
}

Result<SegmentLog> SegmentLog::open(FileSystem& system, SegmentLogOptions options, SteadyTime now) {
  SegmentLog log(system, std::move(options));
  Result<void> opened = system.create_folder(log.options_.folder)
                            .and_then([&] { return log.find_segments(); })
                            .and_then([&] { return log.resume_last(); });
  if (!opened) return tl::unexpected(opened.error());
  log.retain(now);
  return log;
}

Result<void> SegmentLog::find_segments() {
  const Result<std::vector<Found>> files = find_files(*system_, options_.folder, options_.name);
  if (!files) return tl::unexpected(files.error());
  for (const Found& file : *files) {
    const Result<std::optional<SegmentHeader>> header = header_of(*system_, file);
    if (!header) return tl::unexpected(header.error());
    if (*header) {
      segments_.push_back({**header, file.bytes});
    } else {
      // Nobody can read it; the last one is so when the crash came while it was begun.
      (void)system_->remove(file.path);
      folder_changed_ = true;
      ++counters_.removed_segments;
      ++counters_.unreadable_segments;
      next_number_ = file.first_number;
    }
  }
  return {};
}

Result<void> SegmentLog::resume_last() {
  if (segments_.empty()) return {};
  Segment& last = segments_.back();
  const Result<std::string> bytes = system_->read(path(last), kSegmentReadBytesMax);
  if (!bytes) return tl::unexpected(bytes.error());
  RecordReader reader(last.header, *bytes);
  while (reader.next()) {
  }
  next_number_ = std::max(next_number_, reader.next_number());
  last.bytes = reader.position();
  counters_.torn_bytes = bytes->size() - reader.position();
  if (reader.torn() && !system_->truncate(path(last), last.bytes)) return {};  // left as it is
  const bool goes_on =
      next_number_ == reader.next_number() && last.bytes < options_.segment_bytes_max;
  if (!goes_on) return {};
  Result<std::unique_ptr<WritableFile>> file = system_->append_to(path(last));
  if (file) file_ = std::move(*file);
  return {};
}

Result<std::uint64_t> SegmentLog::append(std::string_view payload, SteadyTime now) {
  if (payload.size() > kRecordBytesMax) return failure(ErrorCode::kTooLarge, payload.size());
  const std::uint64_t number = next_number_++;
  append_record(number, payload, pending_);
  ++pending_records_;
  ++counters_.appended_records;
  if (pending_.size() >= options_.buffer_bytes_max) {
    const Result<void> flushed = flush(now);
    if (!flushed) return tl::unexpected(flushed.error());
  }
  return number;
}

Result<void> SegmentLog::flush(SteadyTime now) {
  Result<void> written;
  if (pending_records_ > 0) {
    written = write_pending(now);
    if (!written) {
      ++counters_.write_failures;
      give_up_segment();
      drop_pending();
    } else if (segments_.back().bytes >= options_.segment_bytes_max) {
      written = end_segment();
    }
  }
  if (!written) unconfirmed_ = written.error();
  retain(now);
  return written;
}

Result<void> SegmentLog::write_pending(SteadyTime now) {
  if (file_ == nullptr)
    if (Result<void> begun = begin_segment(now); !begun) return begun;
  if (Result<void> written = write_all(*file_, pending_); !written) return written;
  segments_.back().bytes += pending_.size();
  pending_.clear();
  pending_records_ = 0;
  return {};
}

Result<void> SegmentLog::begin_segment(SteadyTime now) {
  const Segment segment{{next_number_ - pending_records_, now}, kSegmentHeaderBytes};
  Result<std::unique_ptr<WritableFile>> file = system_->create(path(segment));
  if (!file) return tl::unexpected(file.error());
  folder_changed_ = true;
  std::string header;
  append_segment_header(segment.header, header);
  if (Result<void> written = write_all(**file, header); !written) {
    (void)system_->remove(path(segment));
    return written;
  }
  file_ = std::move(*file);
  segments_.push_back(segment);
  return {};
}

Result<void> SegmentLog::end_segment() {
  Result<void> synced = file_->sync();
  if (!synced) ++counters_.sync_failures;
  file_.reset();
  return synced;
}

/// Leaves a segment that did not take a write, cut back to what it held before. One that holds
/// nothing goes at once: a full disk must not fill up with headers.
void SegmentLog::give_up_segment() {
  if (file_ == nullptr) return;
  const Segment& last = segments_.back();
  (void)system_->truncate(path(last), last.bytes);
  const bool empty = last.bytes == kSegmentHeaderBytes;
  (void)end_segment();
  if (empty && system_->remove(path(last))) segments_.pop_back();
}

void SegmentLog::drop_pending() {
  counters_.dropped_records += pending_records_;
  pending_.clear();
  pending_records_ = 0;
}

Result<void> SegmentLog::sync(SteadyTime now) {
  (void)flush(now);
  if (file_ != nullptr) {
    if (const Result<void> synced = file_->sync(); !synced) {
      ++counters_.sync_failures;
      file_.reset();
      unconfirmed_ = synced.error();
    }
  }
  if (folder_changed_) {
    if (const Result<void> synced = system_->sync_folder(options_.folder); !synced) {
      ++counters_.sync_failures;
      unconfirmed_ = synced.error();
    } else {
      folder_changed_ = false;
    }
  }
  const std::optional<Error> error = std::exchange(unconfirmed_, std::nullopt);
  if (error) return tl::unexpected(*error);
  return {};
}

/// The last segment always stays. Another one holds nothing younger than the beginning of the next.
void SegmentLog::retain(SteadyTime now) {
  const auto too_old = [&](const Segment& next) {
    return next.header.begin <= now - options_.age_max;
  };
  while (segments_.size() > 1 && (bytes() > options_.total_bytes_max || too_old(segments_[1]))) {
    const Result<void> removed = system_->remove(path(segments_.front()));
    if (!removed && removed.error().code != ErrorCode::kMissing) return;  // tried again next time
    segments_.pop_front();
    folder_changed_ = true;
    ++counters_.removed_segments;
  }
}

std::uint64_t SegmentLog::first_number() const {
  return segments_.empty() ? next_number_ - pending_records_
                           : segments_.front().header.first_number;
}

std::uint64_t SegmentLog::bytes() const {
  std::uint64_t sum = 0;
  for (const Segment& segment : segments_) sum += segment.bytes;
  return sum;
}

std::string SegmentLog::path(const Segment& segment) const {
  return options_.folder + "/" + file_name(options_.name, segment.header.first_number);
}

Result<SegmentLogSummary> read_log(
    FileSystem& system,
    const std::string& folder,
    const std::string& name,
    std::uint64_t from,
    const std::function<bool(std::uint64_t number, std::string_view payload)>& visit) {
  const Result<std::vector<Found>> files = find_files(system, folder, name);
  if (!files) return tl::unexpected(files.error());
  SegmentLogSummary summary;
  summary.next_number = from;
  for (std::size_t i = 0; i < files->size(); ++i) {
    const bool all_before = i + 1 < files->size() && (*files)[i + 1].first_number <= from;
    if (all_before) continue;
    const Result<std::string> bytes = system.read((*files)[i].path, kSegmentReadBytesMax);
    if (!bytes && bytes.error().code == ErrorCode::kMissing) continue;  // retention was faster
    if (!bytes) return tl::unexpected(bytes.error());
    const Result<SegmentHeader> header = read_segment_header(*bytes);
    if (!header || header->first_number != (*files)[i].first_number) continue;
    RecordReader reader(*header, *bytes);
    for (;;) {
      const std::uint64_t number = reader.next_number();
      const std::optional<std::string_view> payload = reader.next();
      if (!payload) break;
      if (number < summary.next_number) continue;
      if (summary.records > 0) summary.missing += number - summary.next_number;
      ++summary.records;
      summary.next_number = number + 1;
      if (!visit(number, *payload)) {
        summary.stopped = true;
        return summary;
      }
    }
  }
  return summary;
}

Result<std::uint64_t> first_number_since(FileSystem& system,
                                         const std::string& folder,
                                         const std::string& name,
                                         SteadyTime since) {
  const Result<std::vector<Found>> files = find_files(system, folder, name);
  if (!files) return tl::unexpected(files.error());
  for (std::size_t i = files->size(); i-- > 0;) {
    const Result<std::optional<SegmentHeader>> header = header_of(system, (*files)[i]);
    if (header && *header && (*header)->begin < since) return (*files)[i].first_number;
  }
  return 0;
}

}  // namespace liminal::files
