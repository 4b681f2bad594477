#include "server/training/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/random.hpp"
#include "io/json/value.hpp"
#include "server/training/runner.hpp"

namespace liminal::training {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

learn::Table made_up(std::uint64_t seed, std::size_t rows, double shift = 0) {
  Random random(seed);
  learn::Table table;
  table.features = {{"signal", "", {}}, {"<noise>", "", {}}};
  for (std::size_t i = 0; i < rows; ++i) {
    const double a = random.normal() + shift;
    table.values.push_back(static_cast<float>(a));
    table.values.push_back(static_cast<float>(random.normal()));
    table.labels.push_back(random.chance(1 / (1 + std::exp(-2 * a))) ? 1.F : 0.F);
  }
  return table;
}

class TrainingReport : public ::testing::Test {
 protected:
  TrainingReport() {
    learn::SearchOptions options;
    options.fits_max = 12;
    Runner runner(learn::Search(made_up(1, 500), {}, options), fitters_here(), {});
    outcome_ = *runner.outcome();
    report_.facts.name = "a & b";
    report_.facts.target = "y";
    report_.table = &table_;
    report_.outcome = &outcome_;
    report_.notes = {"column id is left out"};
    report_.importance = importance_of(table_, outcome_, report_.facts);
  }
  const learn::Table table_ = made_up(1, 500);
  learn::Outcome outcome_;
  Report report_;
};

TEST_F(TrainingReport, RanksFeaturesByWhatIsLostWithoutThem) {
  ASSERT_EQ(report_.importance.size(), 2U);
  EXPECT_EQ(report_.importance[0].feature, "signal");
  EXPECT_GT(report_.importance[0].loss, .2);
  EXPECT_LT(report_.importance[1].loss, .05);
}

TEST_F(TrainingReport, IsJson) {
  const auto parsed = json::parse(report_json(report_));
  ASSERT_TRUE(parsed);
  const auto* members = parsed->as<json::Value::Object>();
  ASSERT_NE(members, nullptr);
  std::vector<std::string> keys;
  for (const auto& [key, value] : *members) keys.push_back(key);
  for (const char* key : {"data",
                          "validation",
                          "best",
                          "champion",
                          "leaderboard",
                          "calibration",
                          "importance",
                          "drift",
                          "positives_needed",
                          "next_steps"})
    EXPECT_THAT(keys, Contains(key));
}

TEST_F(TrainingReport, IsAPageThatNeedsNothingElse) {
  const std::string page = report_html(report_);
  EXPECT_THAT(page, HasSubstr("<h1>Training of a &amp; b</h1>"));
  EXPECT_THAT(page, HasSubstr("&lt;noise&gt;"));
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
  EXPECT_THAT(page, Not(HasSubstr("<?xml")));
}

TEST_F(TrainingReport, SaysWhatToDoNext) {
  EXPECT_THAT(next_steps(report_), Contains(HasSubstr("Collect labels")));
  report_.drift = drift_between(made_up(2, 500), made_up(3, 500, 1));
  ASSERT_EQ(report_.drift.size(), 2U);
  EXPECT_EQ(report_.drift[0].feature, "signal");
  EXPECT_THAT(next_steps(report_), Contains(HasSubstr("why signal changed")));
  EXPECT_THAT(next_steps(report_), Not(Contains(HasSubstr("why <noise> changed"))));
}

}  // namespace
}  // namespace liminal::training
