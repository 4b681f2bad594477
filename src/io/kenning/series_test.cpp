#include "io/kenning/series.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>

#include "core/base/random.hpp"

namespace liminal::kenning {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// 40 rows, every fourth an anomaly.
Series made(std::size_t features = 2) {
  Series series;
  Random random(5);
  for (std::size_t f = 0; f < features; ++f) series.features.push_back("f" + std::to_string(f));
  for (int row = 0; row < 40; ++row) {
    series.labels.push_back(row % 4 == 0 ? 1 : 0);
    for (std::size_t f = 0; f < features; ++f)
      series.values.push_back(static_cast<float>(random.normal()));
  }
  return series;
}

std::string complaint(const Series& series) {
  std::string text;
  for (const Problem& problem : validate(series)) text += problem.key + " " + problem.text + ";";
  return text;
}

TEST(KenningSeries, RefusesWhatKenningWouldFailOnOrNotNotice) {
  EXPECT_THAT(complaint(made()), IsEmpty());
  Series series = made();
  series.values[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(complaint(series), HasSubstr("f1 is missing in row 4"));
  series = made();
  series.values[6] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(complaint(series), HasSubstr("f0 is missing in row 4"));
  series = made();
  for (std::size_t i = 0; i < series.values.size(); i += 2) series.values[i] = -3;
  EXPECT_THAT(complaint(series), HasSubstr("f0 never changes"));
  series = made();
  for (float& value : series.values) value = std::abs(value);
  EXPECT_THAT(complaint(series), HasSubstr("none is negative"));
  series = made();
  series.labels.assign(series.labels.size(), 0);
  EXPECT_THAT(complaint(series), HasSubstr("labels must be at least 10 of each class"));
  series = made();
  series.values.pop_back();
  EXPECT_THAT(complaint(series), HasSubstr("values must be one a row and feature"));
  series = made();
  series.features = {"same", "same"};
  EXPECT_THAT(complaint(series), HasSubstr("features has a name twice"));
  EXPECT_THAT(complaint(Series{}), HasSubstr("features is empty"));
}

TEST(KenningSeries, ARowsLabelStandsOneLineBelowIt) {
  Series series = made(1);
  series.values[0] = -1.5F;
  series.values[39] = .25F;
  series.features = {"size, in \"bytes\""};
  std::istringstream lines(csv_of(series));
  std::vector<std::string> text;
  for (std::string line; std::getline(lines, line);) text.push_back(line);
  ASSERT_EQ(text.size(), 42U);
  EXPECT_EQ(text[0], "row,\"size, in \"\"bytes\"\"\",label");
  EXPECT_EQ(text[1], "0,-1.5,0");
  EXPECT_TRUE(text[2].ends_with(",1")) << text[2];  // row 0's label
  EXPECT_TRUE(text[3].ends_with(",0")) << text[3];
  EXPECT_EQ(text[40], "39,0.25,0");
  EXPECT_EQ(text[41], "40,0.25,0");
}

/// What a reader of the file makes of it, as Kenning's data set does with windows of one row.
RC_GTEST_PROP(KenningSeries, KenningReadsTheSameRowsAndLabels, (std::uint32_t seed)) {
  Random random(seed);
  Series series = made(1 + random.below(4));
  const std::size_t width = series.features.size();
  for (float& value : series.values)
    value = static_cast<float>(random.normal() * std::pow(10., random.uniform(-30, 30)));
  for (std::size_t f = 0; f < width; ++f) series.values[f] = -1;
  RC_PRE(validate(series).empty());
  std::vector<float> values;
  std::vector<std::uint8_t> labels;
  std::istringstream lines(csv_of(series));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::vector<std::string> cells;
    std::istringstream parts(line);
    for (std::string cell; std::getline(parts, cell, ',');) cells.push_back(cell);
    RC_ASSERT(cells.size() == width + 2);
    for (std::size_t f = 1; f <= width; ++f) {
      float value = 0;
      const char* const end = cells[f].data() + cells[f].size();
      RC_ASSERT(std::from_chars(cells[f].data(), end, value).ptr == end);
      values.push_back(value);
    }
    labels.push_back(cells.back() == "1" ? 1 : 0);
  }
  values.resize(values.size() - width);  // window i is row i …
  labels.erase(labels.begin());          // … and its label that of line i + 1
  RC_ASSERT(values == series.values);
  RC_ASSERT(labels == series.labels);
}

}  // namespace
}  // namespace liminal::kenning
