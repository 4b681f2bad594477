#include "io/svg/chart.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace liminal::svg {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

Chart simple() {
  Chart chart;
  chart.title = "Load";
  chart.x.label = "step";
  chart.y.label = "requests";
  chart.lines.push_back({"seen", {0, 1, 2, 3}, {1, 2, 4, 3}, kInk, Stroke::kSolid});
  chart.bands.push_back({"95 %", {2, 3}, {3, 2}, {5, 4}, {1}});
  return chart;
}

TEST(Chart, ShowsTitleLabelsAxesLegendLinesAndBands) {
  const std::string svg = simple().svg();
  for (const char* part :
       {">Load<", ">step<", ">requests<", ">seen<", ">95 %<", "<polyline", "<polygon"})
    EXPECT_THAT(svg, HasSubstr(part));
  EXPECT_THAT(svg, ::testing::StartsWith("<svg "));
  EXPECT_THAT(svg, ::testing::EndsWith("</svg>\n"));
}

TEST(Chart, InterruptsALineWhereAValueIsMissing) {
  Chart chart = simple();
  chart.lines[0].x = {0, 1, 2, 3, 4};
  chart.lines[0].y = {1, 2, kNan, 4, 5};
  EXPECT_EQ(count(chart.svg(), "<polyline"), 2U);
  chart.lines[0].y = {1, 2, kNan, 4, kNan};
  EXPECT_EQ(count(chart.svg(), "<circle"), 1U) << "a lone point is a dot";
}

TEST(Chart, IsWholeWithoutAnythingToShow) {
  EXPECT_THAT(Chart{}.svg(), HasSubstr("</svg>"));
  Chart chart;
  chart.y.kind = AxisKind::kLog;
  chart.lines.push_back({"none", {1, 2}, {0, kNan}, kInk, Stroke::kSolid});
  chart.lines.push_back({"constant", {1, 1}, {5, 5}, kInk, Stroke::kDashed});
  const std::string svg = chart.svg();
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(Chart, WritesNamesAsTextAndNeverAsMarkup) {
  Chart chart = simple();
  chart.title = "a<b> & \"c\"\x01";
  EXPECT_THAT(chart.svg(), HasSubstr(">a&lt;b&gt; &amp; &quot;c&quot; <"));
}

TEST(Chart, StaysSmallForManyPointsAndKeepsTheirExtremes) {
  Chart chart = simple();
  Line& line = chart.lines[0];
  line.x.clear();
  line.y.clear();
  for (int i = 0; i < 500'000; ++i) {
    line.x.push_back(i);
    line.y.push_back(i == 250'000 ? 100 : std::sin(i * .1));
  }
  chart.bands.clear();
  const std::string svg = chart.svg();
  EXPECT_LT(svg.size(), 60'000U);
  Chart without = chart;
  without.lines[0].y[250'000] = 0;
  EXPECT_NE(svg, without.svg());
}

}  // namespace
}  // namespace liminal::svg
