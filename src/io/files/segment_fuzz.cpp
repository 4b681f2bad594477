// Any bytes as a segment: the reader gives records that, written again, are the same bytes.
#include <cstdint>
#include <string>

#include "core/base/check.hpp"
#include "io/files/segment.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Result<files::SegmentHeader> header = files::read_segment_header(bytes);
  // A header that is not one is replaced, so that the records are tried all the same.
  const files::SegmentHeader used = header.value_or(files::SegmentHeader{});
  std::string again;
  files::append_segment_header(used, again);
  if (header) LIMINAL_CHECK(bytes.starts_with(again));
  files::RecordReader reader(used, bytes);
  std::uint64_t number = used.first_number;
  while (const auto payload = reader.next()) files::append_record(number++, *payload, again);
  LIMINAL_CHECK(reader.next_number() == number);
  LIMINAL_CHECK(reader.position() == again.size());
  if (size >= files::kSegmentHeaderBytes) {
    const std::string_view records = std::string_view(again).substr(files::kSegmentHeaderBytes);
    LIMINAL_CHECK(bytes.substr(files::kSegmentHeaderBytes).starts_with(records));
  }
  return 0;
}
