#include "io/kenning/statistics.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace liminal::kenning {
namespace {

using ::testing::SizeIs;

TEST(KenningStatistics, AreReadWithNumbersThatJsonHasNoWordFor) {
  const auto read = read_statistics(R"({
    "general_info": {"Optimized metric": "f1", "The number of generated models": 9,
      "The number of trained and evaluated models": 6,
      "The number of successful training processes": 7,
      "The number of models that caused a crash": 1,
      "The number of models that failed due to the timeout": 2,
      "The number of models that failed due to the too large size": 3,
      "The number of models that failed due to incompatibility": 4},
    "trained_model_metrics": {
      "10": {"opt": {"f1": NaN}, "test": {"f1": 0.5, "log_loss": Infinity}},
      "2": {"train": {"f1": 1}, "opt": {"f1": 0.75}},
      "x": {}, "3": 4},
    "training_epochs": {"3": [{"end_time": -Infinity, "said \"Infinity": "NaN \\"}]}})");
  ASSERT_TRUE(read);
  EXPECT_EQ(*read,
            (Statistics{"f1",
                        9,
                        7,
                        6,
                        1,
                        2,
                        3,
                        4,
                        {{2, 1., .75, std::nullopt}, {10, std::nullopt, std::nullopt, .5}}}));
}

TEST(KenningStatistics, WhatIsNotThereIsNothing) {
  EXPECT_EQ(read_statistics("{}"), Statistics{});
  EXPECT_EQ(read_statistics(R"({"general_info": [], "trained_model_metrics": 1})"), Statistics{});
  EXPECT_EQ(read_statistics("").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(read_statistics("[]").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(read_statistics("{\"a\": Infinit}").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(read_statistics(std::string(kStatisticsBytesMax + 1, ' ')).error().code,
            ErrorCode::kTooLarge);
}

TEST(KenningStatistics, OfARealRunAreRead) {
  const std::filesystem::path path =
      std::filesystem::path(LIMINAL_SOURCE) / "../shared/data/kenning/automl_statistics.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no record of a real run at " << path;
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  ASSERT_NE(text.find("Infinity"), std::string::npos);
  const auto read = read_statistics(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->metric, "f1");
  EXPECT_EQ(read->generated, 9U);
  EXPECT_EQ(read->successful, 7U);
  EXPECT_EQ(read->evaluated, 6U);
  EXPECT_EQ(read->crashed, 1U);
  EXPECT_EQ(read->timed_out, 1U);
  ASSERT_THAT(read->models, SizeIs(6));
  EXPECT_EQ(read->models[0].number, 3U);
  EXPECT_NEAR(read->models[0].chosen.value_or(0), .8116, 1e-4);
}

RC_GTEST_PROP(KenningStatistics, TextWithinQuotesStaysAsItIs, (const std::string& word)) {
  std::string quoted;
  for (const char c : word + "Infinity NaN") {
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~') continue;
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  const auto read =
      read_statistics("{\"general_info\": {\"Optimized metric\": \"" + quoted + "\", \"x\": NaN}}");
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->metric.ends_with("Infinity NaN"));
}

}  // namespace
}  // namespace liminal::kenning
