#include "app/train/train.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "app/table_file.hpp"
#include "core/models/evaluator.hpp"
#include "io/csv/number.hpp"
#include "io/onnx/write.hpp"
#include "server/training/model_facts.hpp"
#include "server/training/report.hpp"
#include "server/training/runner.hpp"

namespace liminal::app {
namespace {

namespace fs = std::filesystem;
using learn::Loss;
using learn::Objective;

/// The search's loss and objective for what was asked; a text when that does not go together.
struct Aim {
  Loss loss;
  Objective objective = Objective::kRocAuc;
};

tl::expected<Aim, std::string> aim_of(const TrainArguments& arguments, bool two_values) {
  const bool classes = arguments.task == "classification" ||
                       (arguments.task == "auto" && two_values && arguments.quantile == 0);
  const std::string& wanted = arguments.objective;
  if (classes) {
    if (!two_values) return tl::unexpected<std::string>("the target has not just two values");
    if (wanted == "auto" || wanted == "roc-auc") return Aim{};
    if (wanted == "pr-auc") return Aim{{}, Objective::kAveragePrecision};
    if (wanted == "log-loss") return Aim{{}, Objective::kLogLoss};
    return tl::unexpected<std::string>("--objective " + wanted + " is for values, not for classes");
  }
  if (arguments.quantile != 0) {
    if (!(arguments.quantile > 0 && arguments.quantile < 1))
      return tl::unexpected<std::string>("--quantile must lie between 0 and 1");
    return Aim{{Loss::Kind::kPinball, arguments.quantile}, Objective::kPinball};
  }
  if (wanted == "auto" || wanted == "squared")
    return Aim{{Loss::Kind::kSquared, .5}, Objective::kSquaredError};
  if (wanted == "absolute") return Aim{{Loss::Kind::kPinball, .5}, Objective::kPinball};
  return tl::unexpected<std::string>("--objective " + wanted + " is for classes, not for values");
}

/// Where the model for the path of messages goes when it is not the one for batches.
std::string champion_path(const std::string& path) {
  const fs::path whole(path);
  return (whole.parent_path() / (whole.stem().string() + ".champion" + whole.extension().string()))
      .string();
}

class TrainRun {
 public:
  TrainRun(const TrainArguments& arguments, std::FILE* out, std::FILE* complaints)
      : arguments_(arguments), out_(out), complaints_(complaints) {}

  ExitCode run() {
    const auto begun = std::chrono::steady_clock::now();
    auto read = this->read(arguments_.file);
    if (!read) return fail(read.error());
    note_facts(*read);
    if (arguments_.task == "anomaly" || arguments_.task == "clustering")
      return run_unsupervised(arguments_, *read, out_, complaints_);
    if (arguments_.choice.target.empty()) return usage("--target is needed for this task");
    const auto aim = aim_of(arguments_, read->classes);
    if (!aim) return usage(aim.error());
    facts_.loss = aim->loss;
    facts_.objective = aim->objective;
    if (aim->loss.classes()) {
      facts_.negative = read->negative;
      facts_.positive = read->positive;
    } else if (read->classes) {
      if (!to_numbers(*read)) return fail(arguments_.file + ": the target is no number");
    }
    if (const auto wrong = refusal(read->table)) return fail(*wrong);
    learn::SearchOptions options;
    options.objective = aim->objective;
    options.budget_s = arguments_.time_budget_s;
    options.fits_max = arguments_.fits_max;
    options.seed = arguments_.seed;
    options.workers = arguments_.workers;
    options.champion = {arguments_.latency_us, arguments_.size_mib * 1024 * 1024};
    learn::Search search(std::move(read->table), aim->loss, options);
    if (!search.problems().empty()) {
      const Problem& problem = search.problems().front();
      return fail(arguments_.file + ": " + problem.key + " " + problem.text);
    }
    training::Runner runner(std::move(search),
                            training::xgboost_boosters(),
                            {.workers = arguments_.workers, .begun = begun});
    watch(runner);
    const auto outcome = runner.outcome();
    if (!outcome) return fail(arguments_.file + ": no model could be fitted in this budget");
    facts_.validation = runner.validation();
    facts_.elapsed_s = runner.elapsed_s();
    return finish(runner.material(), *outcome);
  }

 private:
  ExitCode fail(const std::string& why) {
    fmt::print(complaints_, "liminal: {}\n", why);
    return ExitCode::kFailed;
  }
  ExitCode usage(const std::string& why) {
    fmt::print(complaints_, "liminal: {}\n", why);
    return ExitCode::kUsage;
  }

  tl::expected<training::CsvTable, std::string> read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in || (in.peek(), in.bad())) return tl::unexpected<std::string>(path + ": cannot be read");
    in.clear();
    return training::read_csv_table(in, path, arguments_.choice);
  }

  void note_facts(const training::CsvTable& read) {
    for (const std::string& note : read.notes) fmt::print(complaints_, "{}\n", note);
    notes_ = read.notes;
    facts_.name = fs::path(arguments_.file).stem().string();
    facts_.target = arguments_.choice.target;
    facts_.seed = arguments_.seed;
    facts_.rows = read.table.rows();
  }

  /// Two values that are to be foretold as numbers and not as classes; false when they are texts.
  static bool to_numbers(training::CsvTable& read) {
    const auto low = csv::number(read.negative), high = csv::number(read.positive);
    if (!low || !high) return false;
    for (float& label : read.table.labels) label = static_cast<float>(label > .5F ? *high : *low);
    return true;
  }

  std::optional<std::string> refusal(const learn::Table& table) {
    const Problems problems = table.validate(true, facts_.loss.classes());
    if (!problems.empty())
      return fmt::format("{}: {} {}", arguments_.file, problems[0].key, problems[0].text);
    if (const std::size_t missing = learn::Search::rows_missing(table, facts_.loss); missing > 0) {
      return facts_.loss.classes()
                 ? fmt::format("{}: too few rows: {} more of the rarer class are needed",
                               arguments_.file,
                               missing)
                 : fmt::format(
                       "{}: too few rows: {} more are needed", arguments_.file, 2 * missing);
    }
    return std::nullopt;
  }

  void watch(training::Runner& runner) {
    const bool terminal = isatty(fileno(complaints_)) == 1;
    while (!runner.wait_for(std::chrono::milliseconds(500))) {
      if (arguments_.quiet || !terminal) continue;
      const auto lines = runner.leaderboard();
      fmt::print(complaints_,
                 "\r{:3.0f} %  {} candidates, best {}   ",
                 100 * runner.progress(),
                 lines.size(),
                 lines.empty() ? std::string("-") : fmt::format("{:.4f}", lines[0].score));
      std::fflush(complaints_);
    }
    if (terminal && !arguments_.quiet) fmt::print(complaints_, "\r{:60}\r", "");
  }

  ExitCode finish(const learn::Material& material, const learn::Outcome& outcome) {
    summarize(outcome);
    const ExitCode written = write_models(material, outcome);
    return written == ExitCode::kDone ? write_reports(material, outcome) : written;
  }

  bool write_file(const std::string& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary);
    file << bytes;
    file.close();
    if (!file) fail(path + ": cannot be written");
    return static_cast<bool>(file);
  }

  ExitCode write_reports(const learn::Material& material, const learn::Outcome& outcome) {
    if (arguments_.report.empty() && arguments_.json.empty()) return ExitCode::kDone;
    training::Report report;
    report.facts = facts_;
    report.table = &material.table;
    report.outcome = &outcome;
    report.notes = notes_;
    report.importance = training::importance_of(material.table, outcome, facts_);
    if (!arguments_.last.empty()) {
      const auto last = this->read(arguments_.last);
      if (!last) return fail(last.error());
      report.drift = training::drift_between(last->table, material.table);
    }
    bool all = true;
    if (!arguments_.report.empty())
      all &= write_file(arguments_.report, training::report_html(report));
    if (!arguments_.json.empty()) all &= write_file(arguments_.json, training::report_json(report));
    return all ? ExitCode::kDone : ExitCode::kFailed;
  }

  ExitCode write_models(const learn::Material& material, const learn::Outcome& outcome) {
    if (arguments_.out.empty()) return ExitCode::kDone;
    const auto write = [&](const learn::Trained& trained, const std::string& path) {
      const models::Model model = training::model_of(material.table, outcome, trained, facts_);
      if (const Problems problems = models::validate(model); !problems.empty()) {
        fail(fmt::format("the model is not sound: {} {}", problems[0].key, problems[0].text));
        return false;
      }
      return write_file(path, onnx::write(model));
    };
    if (!write(outcome.best, arguments_.out)) return ExitCode::kFailed;
    fmt::print(out_, "model            {}\n", arguments_.out);
    if (outcome.best_is_champion) return ExitCode::kDone;
    if (!outcome.champion) {
      fmt::print(out_, "none is cheap enough to be asked for every message\n");
      return ExitCode::kDone;
    }
    const std::string path = champion_path(arguments_.out);
    if (!write(*outcome.champion, path)) return ExitCode::kFailed;
    fmt::print(out_, "for each message {}\n", path);
    return ExitCode::kDone;
  }

  void summarize_model(const char* what, const learn::Trained& trained) {
    const learn::Figures& f = trained.figures;
    fmt::print(out_, "{:<17}", what);
    if (facts_.loss.classes()) {
      fmt::print(out_,
                 "ROC-AUC {:.4f}, PR-AUC {:.4f}, Brier {:.4f}, recall {:.3f} at 1 % alerts",
                 f.roc_auc,
                 f.pr_auc,
                 f.brier,
                 f.recall_at_alerts);
    } else {
      fmt::print(out_, "mean absolute error {:.6g}, root mean square {:.6g}", f.mae, f.rmse);
    }
    fmt::print(out_,
               "; {:.2f} µs a row, {:.2f} MiB\n",
               trained.cost.us_row,
               trained.cost.memory_bytes / 1024 / 1024);
  }

  void summarize(const learn::Outcome& outcome) {
    fmt::print(out_,
               "{} rows, validated by {}, {:.1f} s\n",
               facts_.rows,
               learn::name(facts_.validation),
               facts_.elapsed_s);
    summarize_model("best", outcome.best);
    if (!outcome.best_is_champion && outcome.champion)
      summarize_model("for each message", *outcome.champion);
    for (const auto& [coverage, half] : outcome.best.intervals)
      fmt::print(out_, "{:<17}± {:.6g} holds {:.0f} %\n", "interval", half, 100 * coverage);
    for (std::size_t i = 0; i < std::min<std::size_t>(5, outcome.leaderboard.size()); ++i) {
      const learn::LeaderboardLine& line = outcome.leaderboard[i];
      fmt::print(out_, "{:>2}. {:.4f}  {}\n", i + 1, line.score, line.recipe);
    }
  }

  const TrainArguments& arguments_;
  std::FILE* out_;
  std::FILE* complaints_;
  training::RunFacts facts_;
  std::vector<std::string> notes_;
};

}  // namespace

ExitCode run_train(const TrainArguments& arguments, std::FILE* out, std::FILE* complaints) {
  return TrainRun(arguments, out, complaints).run();
}

void add_train(CLI::App& parent, Run& chosen) {
  auto* command = parent.add_subcommand("train", "Train a model from a file of rows");
  auto arguments = std::make_shared<TrainArguments>();
  training::CsvChoice& choice = arguments->choice;
  command->add_option("FILE", arguments->file, "Rows as CSV with a header")->required();
  command->add_option("--target", choice.target, "The column to foretell: two values, or numbers");
  command->add_option("--time", choice.time, "A column of times: the last quarter is held out");
  command->add_option(
      "--group", choice.group, "A column of users: each is on one side of the split");
  command->add_option("--weight", choice.weight, "A column of rows' weights");
  command->add_option("--ignore", choice.ignored, "A column not to learn from");
  command->add_option("--task", arguments->task, "What is foretold")
      ->check(CLI::IsMember({"auto", "classification", "regression", "anomaly", "clustering"}));
  command->add_option("--objective", arguments->objective, "What is made best")
      ->check(CLI::IsMember({"auto", "roc-auc", "pr-auc", "log-loss", "squared", "absolute"}));
  command->add_option(
      "--quantile", arguments->quantile, "Foretell this quantile of the target (.9)");
  command->add_option("--time-budget", arguments->time_budget_s, "Seconds")
      ->check(CLI::Range(1., 864'000.));
  command
      ->add_option(
          "--fits-max", arguments->fits_max, "Fits instead of seconds: the same result every time")
      ->check(CLI::Range(1, 100'000));
  command->add_option("--seed", arguments->seed, "Of everything that is drawn at random");
  command->add_option("--workers", arguments->workers, "Fits at a time")->check(CLI::Range(1, 64));
  command
      ->add_option("--latency-us",
                   arguments->latency_us,
                   "What a model may cost that is asked for every message")
      ->check(CLI::Range(.01, 1e6));
  command->add_option("--size-mib", arguments->size_mib, "And what memory it may take")
      ->check(CLI::Range(.001, 1e5));
  command->add_option("--out",
                      arguments->out,
                      "Write the best model here, as ONNX; if it costs too much for every message, "
                      "the best that does not beside it");
  command->add_option("--alert-ratio", arguments->alert_ratio, "The share of anomalies that alarm")
      ->check(CLI::Range(.0001, .5));
  command->add_option("--report", arguments->report, "Write a report here, as one HTML page");
  command->add_option("--json", arguments->json, "Write the report here, as JSON");
  command->add_option(
      "--last", arguments->last, "The rows of the last training: the report says what changed");
  command->add_flag("--quiet", arguments->quiet, "No progress");
  command->footer("\n  liminal train rows.csv --target label --time-budget 60 --out model.onnx\n");
  command->callback([&chosen, arguments] {
    chosen = [arguments] { return run_train(*arguments, stdout, stderr); };
  });
}

}  // namespace liminal::app
