#include "io/sqlite/encoding.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "io/sqlite/test_records.hpp"

namespace liminal::sqlite {
namespace {

TEST(FindingEncoding, IsTheDocumentedFormat) {
  traffic::Finding finding;
  finding.type = traffic::FindingType::kErrorSpike;
  finding.detector = traffic::Detector::kErrorCusum;
  finding.severity = traffic::Severity::kCritical;
  finding.mode = traffic::Mode::kEnforce;
  finding.action = traffic::Action::kClose;
  finding.score = 1;
  finding.confidence = .5F;
  finding.add({traffic::Signal::kErrorEvidence, 2, 0, 1, 1});
  const std::string expected(
      "\x01\x02\x06\x03\x02\x03\xff\x00\x00\x80\x3f\x00\x00\x00\x3f\x01"
      "\x15\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x80\x3f",
      33);
  EXPECT_EQ(encode(finding), expected);
}

TEST(FindingEncoding, RefusesWhatItDoesNotKnow) {
  const std::string good = encode(a_finding(2));
  ASSERT_TRUE(decode_finding(good));
  EXPECT_EQ(decode_finding("").error().code, ErrorCode::kTruncated);
  for (std::size_t size = 1; size < good.size(); ++size)
    EXPECT_FALSE(decode_finding(std::string_view(good).substr(0, size)));
  std::string bad = good;
  bad[0] = 2;
  EXPECT_EQ(decode_finding(bad).error().code, ErrorCode::kUnsupported);
  for (const std::size_t enumeration : {1U, 2U, 3U, 4U, 5U, 15U, 16U}) {
    bad = good;
    bad[enumeration] = '\x7f';
    EXPECT_EQ(decode_finding(bad).error().code, ErrorCode::kOutOfRange) << enumeration;
  }
}

RC_GTEST_PROP(FindingEncoding, GivesBackWhatItTook, (float score, std::uint8_t lines)) {
  traffic::Finding finding = a_finding(score);
  for (std::uint8_t i = 0; i < lines % 8; ++i)
    finding.add({traffic::Signal{static_cast<std::uint8_t>(i + 3)}, score, score, score, score});
  const auto decoded = decode_finding(encode(finding));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(encode(*decoded) == encode(finding));
}

TEST(FeatureMapping, ReadsThisProgramsFeatures) {
  const traffic::Features features = some_features(3);
  EXPECT_EQ(FeatureMapping::by_names(feature_names()).decode(encode(features)), features);
}

TEST(FeatureMapping, FindsFeaturesOfAnotherSchemaByName) {
  const auto mapping = FeatureMapping::by_names("error_rate\nno_more\nmessages_per_minute\n");
  const std::string blob("\0\0\0\x3f\0\0\x80\x3f\0\0\0\x40", 12);  // .5, 1, 2
  const traffic::Features features = *mapping.decode(blob);
  EXPECT_EQ(features[traffic::FeatureId::kErrorRate], .5F);
  EXPECT_EQ(features[traffic::FeatureId::kMessagesPerMinute], 2);
  EXPECT_EQ(features[traffic::FeatureId::kChannelsCount], 0);
  EXPECT_FALSE(mapping.decode("four"));
}

}  // namespace
}  // namespace liminal::sqlite
