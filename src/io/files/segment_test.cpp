#include "io/files/segment.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace liminal::files {
namespace {

const SegmentHeader kHeader{.first_number = 41, .begin = SteadyTime{std::chrono::hours{1}}};

std::string segment(const std::vector<std::string>& payloads) {
  std::string bytes;
  append_segment_header(kHeader, bytes);
  std::uint64_t number = kHeader.first_number;
  for (const std::string& payload : payloads) append_record(number++, payload, bytes);
  return bytes;
}

std::vector<std::string> read_all(std::string_view bytes) {
  std::vector<std::string> payloads;
  RecordReader reader(kHeader, bytes);
  while (const auto payload = reader.next()) payloads.emplace_back(*payload);
  return payloads;
}

TEST(Segment, HasAHeaderOfTheDocumentedForm) {
  const std::string bytes = segment({"ab"});
  EXPECT_EQ(bytes.size(), kSegmentHeaderBytes + kRecordHeaderBytes + 2);
  EXPECT_EQ(bytes.substr(0, 12), std::string("LIMINSEG\x01\0\0\0", 12));
  EXPECT_EQ(bytes.substr(12, 8), std::string("\x29\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(bytes.substr(32, 4), std::string("\x02\0\0\0", 4));
  EXPECT_EQ(read_segment_header(bytes).value(), kHeader);
}

TEST(Segment, RefusesOtherFilesAndOtherVersions) {
  std::string bytes = segment({});
  EXPECT_EQ(read_segment_header("short").error().code, ErrorCode::kTruncated);
  EXPECT_EQ(read_segment_header(std::string(32, 'x')).error().code, ErrorCode::kMalformed);
  bytes[8] = 2;
  EXPECT_EQ(read_segment_header(bytes).error().code, ErrorCode::kUnsupported);
  bytes[8] = 1;
  bytes[20] = 'x';
  EXPECT_EQ(read_segment_header(bytes).error().code, ErrorCode::kChecksum);
}

TEST(Segment, ZerosAreNoRecord) {
  const std::string bytes = segment({}) + std::string(100, '\0');
  RecordReader reader(kHeader, bytes);
  EXPECT_FALSE(reader.next());
}

TEST(Segment, ARecordOfAnotherPlaceIsNoRecord) {
  std::string bytes;
  append_segment_header(kHeader, bytes);
  append_record(40, "stale", bytes);
  RecordReader reader(kHeader, bytes);
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.torn());
}

RC_GTEST_PROP(Segment, GivesBackItsRecords, (const std::vector<std::string>& payloads)) {
  const std::string bytes = segment(payloads);
  RC_ASSERT(read_all(bytes) == payloads);
}

RC_GTEST_PROP(Segment,
              CutAnywhereGivesTheRecordsBeforeTheCut,
              (const std::vector<std::string>& payloads)) {
  const std::string bytes = segment(payloads);
  const auto cut = *rc::gen::inRange(kSegmentHeaderBytes, bytes.size() + 1);
  const std::vector<std::string> read = read_all(std::string_view(bytes).substr(0, cut));
  RC_ASSERT(read.size() <= payloads.size());
  RC_ASSERT(std::equal(read.begin(), read.end(), payloads.begin()));
  std::size_t whole = kSegmentHeaderBytes;
  std::size_t count = 0;
  for (; count < payloads.size(); ++count) {
    whole += kRecordHeaderBytes + payloads[count].size();
    if (whole > cut) break;
  }
  RC_ASSERT(read.size() == count);
}

RC_GTEST_PROP(Segment, ABitThatFlipsNeverMakesAnotherRecord, ()) {
  const auto payloads = *rc::gen::nonEmpty<std::vector<std::string>>();
  std::string bytes = segment(payloads);
  const auto at = *rc::gen::inRange(kSegmentHeaderBytes, bytes.size());
  bytes[at] ^= static_cast<char>(1U << *rc::gen::inRange(0U, 8U));
  const std::vector<std::string> read = read_all(bytes);
  RC_ASSERT(read.size() < payloads.size());
  RC_ASSERT(std::equal(read.begin(), read.end(), payloads.begin()));
}

}  // namespace
}  // namespace liminal::files
