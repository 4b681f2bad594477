#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/base/time.hpp"

namespace liminal::files {

/// One file of a segment log (docs/formats/segment-log.md): a header, then records one after the
/// other. The number of a record follows from its place and is part of its checksum, so that a
/// record never counts as another one.
struct SegmentHeader {
  std::uint64_t first_number = 0;  ///< of its first record
  SteadyTime begin;                ///< when it was begun: none of its records is older
  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

inline constexpr std::size_t kSegmentHeaderBytes = 32;
inline constexpr std::size_t kRecordHeaderBytes = 8;
inline constexpr std::size_t kRecordBytesMax = 16 << 20;
inline constexpr std::uint32_t kSegmentFormat = 1;

void append_segment_header(const SegmentHeader& header, std::string& out);

/// `payload` at most `kRecordBytesMax`.
void append_record(std::uint64_t number, std::string_view payload, std::string& out);

/// Fails with `kTruncated`, `kMalformed` (not a segment), `kUnsupported` (another version) or
/// `kChecksum`.
[[nodiscard]] Result<SegmentHeader> read_segment_header(std::string_view bytes);

/// Reads the records of a segment up to its end or to the first that is not whole: a torn tail and
/// a damaged record look the same from there on.
class RecordReader {
 public:
  /// `bytes` is a whole segment with a good header, which must outlive this.
  RecordReader(const SegmentHeader& header, std::string_view bytes)
      : bytes_(bytes), next_number_(header.first_number) {}

  /// The next record; none at the end of what is whole. Points into the bytes.
  [[nodiscard]] std::optional<std::string_view> next();

  /// Of the record that `next` would give.
  [[nodiscard]] std::uint64_t next_number() const { return next_number_; }
  /// Up to which the segment is whole, as far as it was read.
  [[nodiscard]] std::size_t position() const { return position_; }
  /// Whether bytes are left that are no record.
  [[nodiscard]] bool torn() const { return position_ < bytes_.size(); }

 private:
  std::string_view bytes_;
  std::size_t position_ = kSegmentHeaderBytes;
  std::uint64_t next_number_;
};

}  // namespace liminal::files
