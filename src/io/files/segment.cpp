#include "io/files/segment.hpp"

#include <algorithm>

#include "core/base/check.hpp"
#include "core/base/codec.hpp"
#include "io/files/crc32c.hpp"

namespace liminal::files {
namespace {

constexpr std::string_view kMagic = "LIMINSEG";

std::uint32_t record_checksum(std::uint64_t number, std::string_view payload) {
  Writer place;
  place.put(number);
  place.put(static_cast<std::uint32_t>(payload.size()));
  return crc32c(crc32c(0, place.bytes()), payload);
}

}  // namespace

void append_segment_header(const SegmentHeader& header, std::string& out) {
  Writer fields;
  for (const char letter : kMagic) fields.put(letter);
  fields.put(kSegmentFormat);
  fields.put(header.first_number);
  fields.put(nanoseconds(header.begin));
  fields.put(crc32c(0, fields.bytes()));
  out += fields.bytes();
}

void append_record(std::uint64_t number, std::string_view payload, std::string& out) {
  LIMINAL_CHECK(payload.size() <= kRecordBytesMax);
  Writer header;
  header.put(static_cast<std::uint32_t>(payload.size()));
  header.put(record_checksum(number, payload));
  out += header.bytes();
  out += payload;
}

Result<SegmentHeader> read_segment_header(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return failure(ErrorCode::kTruncated, bytes.size());
  if (!bytes.starts_with(kMagic)) return failure(ErrorCode::kMalformed);
  Reader in(bytes.substr(kMagic.size()));
  const auto format = in.get<std::uint32_t>();
  SegmentHeader header;
  in.get(header.first_number);
  header.begin = SteadyTime{Duration{in.get<Duration::rep>()}};
  const auto checksum = in.get<std::uint32_t>();
  if (format != kSegmentFormat) return failure(ErrorCode::kUnsupported, kMagic.size());
  if (checksum != crc32c(0, bytes.substr(0, kSegmentHeaderBytes - sizeof checksum)))
    return failure(ErrorCode::kChecksum, kSegmentHeaderBytes - sizeof checksum);
  return header;
}

std::optional<std::string_view> RecordReader::next() {
  const std::string_view rest = bytes_.substr(std::min(position_, bytes_.size()));
  Reader in(rest);
  const auto length = in.get<std::uint32_t>();
  const auto checksum = in.get<std::uint32_t>();
  if (!in.ok() || length > kRecordBytesMax || length > in.remaining()) return std::nullopt;
  const std::string_view payload = rest.substr(kRecordHeaderBytes, length);
  if (record_checksum(next_number_, payload) != checksum) return std::nullopt;
  position_ += kRecordHeaderBytes + length;
  ++next_number_;
  return payload;
}

}  // namespace liminal::files
