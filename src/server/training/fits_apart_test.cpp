#include "server/training/fits_apart.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>

#include "core/base/random.hpp"
#include "server/training/builtin.hpp"
#include "server/training/runner.hpp"
#include "server/training/table_run.hpp"

namespace liminal::training {
namespace {

constexpr double kEver = std::numeric_limits<double>::infinity();

/// Rows with everything that a table can have; labels of two classes or values.
learn::Table made_up(std::size_t rows, bool classes) {
  Random random(9);
  learn::Table table;
  table.features = {{"a", "s", {}}, {"b", "", {}}, {"kind", "", {"x", "y", "z"}}};
  for (std::size_t i = 0; i < rows; ++i) {
    const double a = random.normal(), b = random.normal();
    const auto kind = static_cast<float>(random.below(3));
    const float maybe = random.chance(.05) ? std::nanf("") : static_cast<float>(b);
    for (const float v : {static_cast<float>(a), maybe, kind}) table.values.push_back(v);
    const double margin = 2 * a * b + (kind == 1 ? 1 : 0);
    table.labels.push_back(classes ? (random.chance(1 / (1 + std::exp(-margin))) ? 1.F : 0.F)
                                   : static_cast<float>(margin + random.normal() / 4));
    table.weights.push_back(i % 2 == 0 ? 1.F : .3F);
    table.groups.push_back(i % 40);
  }
  return table;
}

/// Fits that go through bytes, as between processes; counts them.
Fitting through_bytes(std::shared_ptr<std::atomic<int>> fits) {
  return [fits](const FitSource& source) -> MakeFitter {
    return [fits, bytes = encode(source)] {
      auto apart = std::make_shared<FitsApart>(*FitsApart::prepare(bytes));
      return [fits, apart](const learn::Material& material,
                           const learn::FitJob& job,
                           double left_s,
                           const learn::Stop&) -> Result<learn::Fit> {
        ++*fits;
        const auto fit = apart->fit(encode(job), left_s);
        if (!fit) return tl::unexpected(fit.error());
        return decode_fit(*fit, material, job);
      };
    };
  };
}

learn::SearchOptions counted(std::uint32_t fits) {
  learn::SearchOptions options;
  options.fits_max = fits;
  return options;
}

TEST(FitsApart, ASearchFindsTheSameModelsAsHere) {
  const auto fits = std::make_shared<std::atomic<int>>(0);
  for (const bool classes : {true, false}) {
    CsvTable read;
    read.table = made_up(300, classes);
    read.classes = classes;
    read.negative = "no";
    read.positive = "yes";
    TableWish wish;
    wish.name = "wanted";
    wish.target = "y";
    wish.fits_max = 12;
    if (!classes) wish.quantile = .9;
    auto here = TableRun::begin(read, wish);
    auto apart = TableRun::begin(read, wish, TableRun::Clock::now(), through_bytes(fits));
    ASSERT_TRUE(here && apart);
    ASSERT_TRUE((*here)->finish() && (*apart)->finish());
    const auto ours = (*here)->model((*here)->outcome().best);
    const auto theirs = (*apart)->model((*apart)->outcome().best);
    ASSERT_TRUE(ours && theirs);
    EXPECT_EQ(*ours, *theirs);
    EXPECT_GE(fits->exchange(0), 8) << "of at most 12, all went through bytes";
  }
}

TEST(FitsApart, ATrainingOfTheServerIsTheSameAsHere) {
  const auto fits = std::make_shared<std::atomic<int>>(0);
  Rows rows;
  rows.table = made_up(1200, true);
  rows.table.features.pop_back();
  rows.table.values.clear();
  Random random(4);
  for (std::size_t i = 0; i < rows.table.labels.size(); ++i) {
    rows.table.values.push_back(static_cast<float>(random.normal()) + rows.table.labels[i]);
    rows.table.values.push_back(static_cast<float>(random.normal()));
    rows.table.times_s.push_back(static_cast<double>(i));
  }
  BuiltinOptions options;
  options.definition = {"abuse", models::Task::kClassification, {"a", "b"}, "y"};
  options.request.model = "abuse";
  options.request.fits_max = 8;
  options.request.source = learn::DataSource::kFile;
  const Telling nobody{[] { return false; }, [](double, std::vector<learn::JobLine>) {}};
  const auto here = train_builtin(rows, options, nobody);
  options.fitting = through_bytes(fits);
  const auto apart = train_builtin(rows, options, nobody);
  ASSERT_TRUE(here && apart) << here.error().text;
  EXPECT_EQ(here->model, apart->model);
  EXPECT_GE(*fits, 6);
}

TEST(FitsApart, EndsWhenItsTimeIsOver) {
  const learn::Table table = made_up(400, true);
  auto apart = FitsApart::prepare(encode({table, learn::Loss{}, counted(10)}));
  ASSERT_TRUE(apart);
  learn::FitJob job;
  job.recipe = learn::BoosterRecipe{};
  job.rounds_max = 3;
  const auto late = apart->fit(encode(job), 0);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(apart->fit(encode(job), kEver));
}

TEST(FitsApart, RefusesWhatIsNoSourceNoJobAndNoFit) {
  const learn::Table table = made_up(200, true);
  const learn::Loss loss;
  const learn::SearchOptions options = counted(10);
  const std::string source = encode({table, loss, options});
  for (std::size_t length = 0; length < source.size(); length += 1 + length / 8)
    EXPECT_FALSE(FitsApart::prepare(std::string_view(source).substr(0, length)));
  EXPECT_FALSE(FitsApart::prepare(source + "x"));
  learn::Table few = made_up(200, true);
  std::fill(few.labels.begin(), few.labels.end(), 0.F);
  EXPECT_FALSE(FitsApart::prepare(encode({few, loss, options})));

  auto apart = FitsApart::prepare(source);
  ASSERT_TRUE(apart);
  const learn::Search search(table, loss, options);
  learn::FitJob job;
  job.valid = 1;
  for (const learn::Recipe& recipe : {learn::Recipe{learn::BoosterRecipe{.depth = 2}},
                                      learn::Recipe{learn::ForestRecipe{.trees = 3}},
                                      learn::Recipe{learn::LinearRecipe{}}}) {
    job.recipe = recipe;
    job.rounds_max = 5;
    const std::string asked = encode(job);
    for (std::size_t length = 0; length < asked.size(); ++length)
      EXPECT_FALSE(apart->fit(std::string_view(asked).substr(0, length), kEver));
    const auto fit = apart->fit(asked, kEver);
    ASSERT_TRUE(fit);
    EXPECT_TRUE(decode_fit(*fit, search.material(), job));
    for (std::size_t length = 0; length < fit->size(); length += 1 + length / 8)
      EXPECT_FALSE(decode_fit(std::string_view(*fit).substr(0, length), search.material(), job));
  }
  job.train = 99;
  EXPECT_FALSE(apart->fit(encode(job), kEver));
}

}  // namespace
}  // namespace liminal::training
