// One table, split into two files, learnt and asked; README.md has the method.
#include <fmt/core.h>
#include <sys/resource.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <unordered_map>

#include "core/learn/outcome.hpp"
#include "core/learn/remake.hpp"
#include "core/models/evaluator.hpp"
#include "io/csv/number.hpp"
#include "io/csv/table.hpp"
#include "io/xgboost/trainer.hpp"
#include "server/training/csv_table.hpp"
#include "server/training/model_facts.hpp"
#include "server/training/runner.hpp"

namespace {

using namespace liminal;

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<double>(use.ru_utime.tv_sec) +
         1e-6 * static_cast<double>(use.ru_utime.tv_usec);
}

/// Rows of another file with the features, levels and classes of a table.
struct TestRows {
  std::vector<float> values, labels;
};

TestRows read_test(const std::string& path,
                   const training::CsvTable& like,
                   const std::string& target,
                   bool classes) {
  std::ifstream in(path, std::ios::binary);
  auto table = csv::Table::open(in);
  TestRows rows;
  std::vector<std::size_t> places;
  std::vector<std::unordered_map<std::string, float>> codes;
  for (const learn::Feature& feature : like.table.features) {
    places.push_back(*table->find(feature.name));
    codes.emplace_back();
    for (std::size_t i = 0; i < feature.levels.size(); ++i)
      codes.back()[feature.levels[i]] = static_cast<float>(i);
  }
  const std::size_t label = *table->find(target);
  while (*table->next()) {
    for (std::size_t f = 0; f < places.size(); ++f) {
      const std::string field(table->field(places[f]));
      const auto code = codes[f].find(field);
      rows.values.push_back(codes[f].empty()         ? static_cast<float>(*csv::number(field))
                            : code == codes[f].end() ? NAN
                                                     : code->second);
    }
    const std::string_view truth = table->field(label);
    rows.labels.push_back(classes ? (truth == like.positive ? 1.F : 0.F)
                                  : static_cast<float>(*csv::number(truth)));
  }
  return rows;
}

void report(const char* what,
            const std::string& name,
            const learn::Loss& loss,
            const models::Model& model,
            const TestRows& test,
            double seconds,
            double cpu_s,
            double promised) {
  const auto evaluator = models::Evaluator::create(model);
  if (!evaluator) {
    fmt::print(stderr, "{}: {} {}\n", what, evaluator.error()[0].key, evaluator.error()[0].text);
    return;
  }
  std::vector<models::Prediction> said(test.labels.size());
  const double begin = cpu_seconds();
  evaluator->predict_batch(test.values, said);
  const double us = 1e6 * (cpu_seconds() - begin) / static_cast<double>(said.size());
  std::vector<float> scores;
  for (const auto& one : said) scores.push_back(static_cast<float>(one.score));
  const learn::Figures figures = learn::figures_of(scores, test.labels, loss);
  const bool classes = loss.classes();
  fmt::print("{},{},{:.6g},{:.6g},{:.5f},{:.2f},{:.2f},{:.3f},{:.3f},{:.6g}\n",
             name,
             what,
             classes ? figures.roc_auc : figures.mae,
             classes ? figures.pr_auc : figures.rmse,
             classes ? figures.log_loss : NAN,
             seconds,
             cpu_s,
             us,
             static_cast<double>(evaluator->memory_bytes()) / 1024 / 1024,
             promised);
}

/// What is learnt: classes, or values by absolute or squared error.
struct Aim {
  learn::Loss loss;
  learn::Objective objective = learn::Objective::kRocAuc;
};

Aim aim_of(std::string_view task) {
  using Kind = learn::Loss::Kind;
  if (task == "absolute") return {{Kind::kPinball, .5}, learn::Objective::kPinball};
  if (task == "squared") return {{Kind::kSquared, .5}, learn::Objective::kSquaredError};
  return {};
}

double promised(const learn::Trained& trained, const learn::Loss& loss) {
  return loss.classes() ? trained.figures.roc_auc : trained.figures.mae;
}

int run(const std::string& name,
        const std::string& train,
        const std::string& test_path,
        const std::string& target,
        double budget_s,
        std::uint64_t seed,
        const Aim& aim,
        bool verbose) {
  std::ifstream in(train, std::ios::binary);
  const auto begun = std::chrono::steady_clock::now();
  auto read = training::read_csv_table(in, train, {.target = target});
  if (!read) {
    fmt::print(stderr, "bench_automl: {}\n", read.error());
    return 1;
  }
  const TestRows test = read_test(test_path, *read, target, aim.loss.classes());
  training::RunFacts facts;
  facts.name = name;
  facts.target = target;
  facts.loss = aim.loss;
  learn::SearchOptions options;
  options.objective = aim.objective;
  options.budget_s = budget_s;
  options.seed = seed;
  options.fresh_ratio = 0;  // the test file is what is fresh
  options.stop_early = std::getenv("BENCH_STOP_EARLY") != nullptr;
  if (const char* const fits = std::getenv("BENCH_FITS"))
    options.fits_max = static_cast<std::uint32_t>(std::atoi(fits));
  learn::Table table = read->table;
  const double cpu_begin = cpu_seconds();
  training::Runner runner(learn::Search(std::move(table), aim.loss, options),
                          training::fitters_here(),
                          {.begun = begun});
  const auto outcome = runner.outcome();
  const double seconds = runner.elapsed_s(), cpu_s = cpu_seconds() - cpu_begin;
  if (!outcome) return 1;
  if (verbose) {
    for (const auto& line : outcome->leaderboard)
      fmt::print(stderr,
                 "{:.5f} {:.3f} {} {} fits {} rounds {:.2f} s {:.2f} us{}\n",
                 line.score,
                 line.weight,
                 line.recipe,
                 line.fits,
                 line.rounds,
                 line.cost_s,
                 line.cost.us_row,
                 line.champion ? " champion" : "");
  }
  const auto& columns = runner.material().table;
  report("liminal",
         name,
         aim.loss,
         training::model_of(columns, *outcome, outcome->best, facts),
         test,
         seconds,
         cpu_s,
         promised(outcome->best, aim.loss));
  if (outcome->champion)
    report("liminal champion",
           name,
           aim.loss,
           training::model_of(columns, *outcome, *outcome->champion, facts),
           test,
           seconds,
           cpu_s,
           promised(*outcome->champion, aim.loss));

  // XGBoost as it comes: 100 rounds of depth 6 at eta .3, on the same columns.
  const learn::Loss usual{
      aim.loss.classes() ? learn::Loss::Kind::kLogistic : learn::Loss::Kind::kSquared, .5};
  const learn::Material all = learn::material_of_all(std::move(read->table), usual, options);
  learn::FitJob job;
  job.rounds_max = 100;
  xgboost::Trainer trainer;
  const double begin = cpu_seconds();
  const auto fit = learn::run_fit(all, job, trainer, [] { return false; });
  if (!fit) return 1;
  learn::Trained plain;
  plain.predictor = std::get<models::Trees>(fit->model);
  const double spent = cpu_seconds() - begin;
  report("xgboost defaults",
         name,
         aim.loss,
         training::model_of(columns, *outcome, plain, facts),
         test,
         spent,
         spent,
         NAN);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    fmt::print(stderr,
               "usage: bench_automl NAME TRAIN.csv TEST.csv TARGET SECONDS SEED "
               "[classes|absolute|squared [-v]]\n");
    return 2;
  }
  return run(argv[1],
             argv[2],
             argv[3],
             argv[4],
             std::atof(argv[5]),
             static_cast<std::uint64_t>(std::atoll(argv[6])),
             aim_of(argc > 7 ? argv[7] : "classes"),
             argc > 8);
}
