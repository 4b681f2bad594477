#include "io/remote_write/request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>

#include "io/remote_write/testing.hpp"

namespace liminal::remote_write {
namespace {

using testing::compressed;
using testing::delimited;
using testing::sample;
using testing::series;
using testing::varint;

const testing::Labels kUp{{"__name__", "up"}, {"instance", "a:1"}, {"job", "node"}};

ErrorCode code_of(std::string_view message, const Limits& limits = {}) {
  const auto request = read(message, limits);
  EXPECT_FALSE(request);
  return request ? ErrorCode::kIo : request.error().code;
}

TEST(RemoteWrite, ReadsLabelsAndSamples) {
  const std::string message = series(kUp, sample(1, 1000) + sample(-.5, 2000)) +
                              series({{"z", "1"}, {"a", "é"}, {"__name__", "x"}}, sample(3, -7)) +
                              delimited(3, "help");
  const auto request = read(message);
  ASSERT_TRUE(request);
  ASSERT_EQ(request->series.size(), 2U);
  EXPECT_EQ(request->series[0].label("__name__"), "up");
  EXPECT_EQ(request->series[0].label("job"), "node");
  EXPECT_EQ(request->series[0].label("none"), "");
  ASSERT_EQ(request->series[0].samples.size(), 2U);
  EXPECT_EQ(request->series[0].samples[1].timestamp_ms, 2000);
  EXPECT_EQ(request->series[0].samples[1].value, -.5);
  EXPECT_EQ(request->series[1].samples[0].timestamp_ms, -7);
  EXPECT_THAT(request->series[1].labels,
              ::testing::ElementsAre(Label{"__name__", "x"}, Label{"a", "é"}, Label{"z", "1"}))
      << "by name";
  EXPECT_EQ(request->metadata, 1U);
}

TEST(RemoteWrite, AnEmptyMessageIsAnEmptyRequest) {
  const auto request = read("");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->series.empty());
}

TEST(RemoteWrite, CountsWhatItDoesNotLearnAndPassesOverWhatItDoesNotKnow) {
  const std::string message =
      series(kUp, sample(1, 1) + delimited(3, "exemplar") + delimited(4, "h") + delimited(4, "h")) +
      delimited(9, "later") + varint(10 << 3) + varint(7);
  const auto request = read(message);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->exemplars, 1U);
  EXPECT_EQ(request->histograms, 2U);
  EXPECT_EQ(request->series.size(), 1U);
}

TEST(RemoteWrite, ReadsTheMarkThatASeriesEndedAsNoNumber) {
  // Prometheus, model/value, StaleNaN.
  const auto stale = std::bit_cast<double>(std::uint64_t{0x7ff0000000000002});
  const std::string message = series(kUp, sample(stale, 1));
  const auto request = read(message);
  ASSERT_TRUE(request);
  EXPECT_TRUE(std::isnan(request->series[0].samples[0].value));
}

TEST(RemoteWrite, NamesWhatIsWrong) {
  EXPECT_EQ(code_of(series({{"__name__", "\xff"}}, "")), ErrorCode::kMalformed);
  EXPECT_EQ(code_of("no message"), ErrorCode::kMalformed);
  EXPECT_EQ(code_of(std::string("\x0a\x05\x00", 3)), ErrorCode::kMalformed) << "cut short";
  EXPECT_EQ(code_of("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), ErrorCode::kMalformed);
}

TEST(RemoteWrite, LeavesOutSeriesThatAreNotNamedAndReadsTheOthers) {
  const auto fault = [](const testing::Labels& labels) {
    const std::string good = series(kUp, sample(1, 1));
    const std::string bad = series(labels, sample(7, 1) + sample(8, 2));
    const auto request = read(good + bad + bad + good);
    EXPECT_TRUE(request && request->invalid);
    if (!request || !request->invalid) return ErrorCode::kIo;
    EXPECT_EQ(request->series.size(), 2U);
    EXPECT_EQ(request->series.back().samples.at(0).value, 1);
    EXPECT_EQ(request->invalid_samples, 4U);
    EXPECT_EQ(request->invalid->position, 1U) << "the first";
    return request->invalid->code;
  };
  EXPECT_EQ(fault({{"instance", "a"}}), ErrorCode::kMissing);
  EXPECT_EQ(fault({}), ErrorCode::kMissing);
  EXPECT_EQ(fault({{"__name__", ""}}), ErrorCode::kConflict);
  EXPECT_EQ(fault({{"__name__", "a"}, {"", "b"}}), ErrorCode::kConflict);
  EXPECT_EQ(fault({{"__name__", "a"}, {"b", "1"}, {"b", "2"}}), ErrorCode::kConflict);
  EXPECT_FALSE(read(series(kUp, sample(1, 1)))->invalid);
  const std::string nameless = series({}, "");
  EXPECT_EQ(code_of(nameless + nameless, {.series_max = 1}), ErrorCode::kTooLarge)
      << "they count for the limits";
}

TEST(RemoteWrite, HoldsToItsLimits) {
  const std::string one = series(kUp, sample(1, 1) + sample(1, 2));
  EXPECT_TRUE(read(one, {.series_max = 1, .labels_max = 3, .samples_max = 2}));
  EXPECT_EQ(code_of(one, {.series_max = 0}), ErrorCode::kTooLarge);
  EXPECT_EQ(code_of(one, {.labels_max = 2}), ErrorCode::kTooLarge);
  EXPECT_EQ(code_of(one, {.samples_max = 1}), ErrorCode::kTooLarge);
  EXPECT_EQ(code_of(one, {.bytes_max = one.size() - 1}), ErrorCode::kTooLarge);
}

TEST(RemoteWrite, DecompressesWhatIsNoBomb) {
  const std::string message(1 << 20, 'a');
  const std::string body = compressed(message);
  EXPECT_LT(body.size(), message.size() / 20);
  EXPECT_EQ(decompress(body, 1 << 20).value(), message);
  EXPECT_EQ(decompress(body, (1 << 20) - 1).error().code, ErrorCode::kTooLarge);
  // Three bytes that say they are 16 MiB.
  EXPECT_EQ(decompress("\x80\x80\x80\x08", 1 << 30).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(decompress("", 1 << 20).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(decompress("\xff\xff\xff\xff\xff\xff", 1 << 20).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(decompress(body.substr(0, body.size() / 2), 1 << 20).error().code,
            ErrorCode::kMalformed);
}

RC_GTEST_PROP(RemoteWrite, ReadsWhatWasWrittenThroughTheCompression, ()) {
  const auto values = *rc::gen::container<std::vector<double>>(rc::gen::arbitrary<double>());
  std::string samples;
  for (std::size_t i = 0; i < values.size(); ++i)
    samples += sample(values[i], static_cast<std::int64_t>(i));
  const auto message = decompress(compressed(series(kUp, samples)), 1 << 24);
  RC_ASSERT(message.has_value());
  const auto request = read(*message);
  RC_ASSERT(request.has_value());
  const auto& read_back = request->series.at(0).samples;
  RC_ASSERT(read_back.size() == values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    RC_ASSERT(std::bit_cast<std::uint64_t>(read_back[i].value) ==
              std::bit_cast<std::uint64_t>(values[i]));
    RC_ASSERT(read_back[i].timestamp_ms == static_cast<std::int64_t>(i));
  }
}

RC_GTEST_PROP(RemoteWrite, EveryCutOfAMessageIsAnErrorOrShorter, ()) {
  const std::string message = series(kUp, sample(1, 1)) + series(kUp, sample(2, 2));
  const auto cut = *rc::gen::inRange<std::size_t>(0, message.size());
  const auto request = read(std::string_view(message).substr(0, cut));
  RC_ASSERT(!request || request->series.size() < 2);
}

}  // namespace
}  // namespace liminal::remote_write
