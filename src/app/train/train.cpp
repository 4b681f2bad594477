#include "app/train/train.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>

#include "app/table_file.hpp"
#include "io/onnx/write.hpp"

namespace liminal::app {
namespace {

namespace fs = std::filesystem;

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
    // Not after an hour of training.
    for (const std::string& path : {arguments_.out, arguments_.report, arguments_.json})
      if (!path.empty() && !can_be_written(path)) return fail(path + ": cannot be written");
    auto read = this->read(arguments_.file);
    if (!read) return fail(read.error());
    for (const std::string& note : read->notes) fmt::print(complaints_, "{}\n", note);
    training::TableWish wish = arguments_.wish;
    wish.name = fs::path(arguments_.file).stem().string();
    wish.target = arguments_.choice.target;
    const bool kenning = arguments_.trainer == "kenning";
    if (kenning && wish.task != "auto" && wish.task != "classification")
      return usage("--trainer kenning is for classification");
    if (wish.unsupervised()) return run_unsupervised(arguments_, wish, *read, out_, complaints_);
    if (wish.target.empty()) return usage("--target is needed for this task");
    if (kenning && !(arguments_.report + arguments_.last).empty())
      return usage("--report and --last are for the builtin trainer; --json is for both");
    if (kenning && (wish.objective != "auto" || wish.quantile > 0))
      return usage("--objective and --quantile are for the builtin trainer");
    if (kenning) return run_kenning(arguments_, std::move(*read), out_, complaints_);
    const auto run = training::TableRun::begin(std::move(*read), wish, begun);
    if (!run) {
      return run.error().by_wish ? usage(run.error().text)
                                 : fail(arguments_.file + ": " + run.error().text);
    }
    watch((*run)->runner());
    if (!(*run)->finish())
      return fail(arguments_.file + ": no model could be fitted in this budget");
    return finish(**run);
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

  ExitCode finish(const training::TableRun& run) {
    summarize(run);
    const ExitCode written = write_models(run);
    return written == ExitCode::kDone ? write_reports(run) : written;
  }

  /// Leaves what is there as it is, and nothing where there was nothing.
  static bool can_be_written(const std::string& path) {
    std::error_code error;
    const bool was_there = fs::exists(path, error);
    const bool opened = std::ofstream(path, std::ios::binary | std::ios::app).is_open();
    if (opened && !was_there) fs::remove(path, error);
    return opened;
  }

  bool write_file(const std::string& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary);
    file << bytes;
    file.close();
    if (!file) fail(path + ": cannot be written");
    return static_cast<bool>(file);
  }

  ExitCode write_reports(const training::TableRun& run) {
    if (arguments_.report.empty() && arguments_.json.empty()) return ExitCode::kDone;
    training::Report report = run.report();
    if (!arguments_.last.empty()) {
      const auto last = this->read(arguments_.last);
      if (!last) return fail(last.error());
      report.drift = training::drift_between(last->table, run.table());
    }
    bool all = true;
    if (!arguments_.report.empty())
      all &= write_file(arguments_.report, training::report_html(report));
    if (!arguments_.json.empty()) all &= write_file(arguments_.json, training::report_json(report));
    return all ? ExitCode::kDone : ExitCode::kFailed;
  }

  ExitCode write_models(const training::TableRun& run) {
    if (arguments_.out.empty()) return ExitCode::kDone;
    const learn::Outcome& outcome = run.outcome();
    const auto write = [&](const learn::Trained& trained, const std::string& path) {
      const auto model = run.model(trained);
      if (!model) {
        fail("the model is not sound: " + model.error());
        return false;
      }
      const auto bytes = onnx::write(*model);
      if (!bytes) {
        fail(path + ": " + bytes.error().text);
        return false;
      }
      return write_file(path, *bytes);
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

  void summarize_model(const char* what, const learn::Trained& trained, const learn::Loss& loss) {
    const learn::Figures& f = trained.figures;
    fmt::print(out_, "{:<17}", what);
    if (loss.classes()) {
      fmt::print(out_,
                 "ROC-AUC {:.4f}, PR-AUC {:.4f}, Brier {:.4f}, recall {:.3f} at 1 % alerts",
                 f.roc_auc,
                 f.pr_auc,
                 f.brier,
                 f.recall_at_alerts);
    } else if (loss.lopsided()) {
      fmt::print(out_,
                 "pinball loss {:.6g} at {:g}, {:.1f} % of the truth at or below",
                 f.pinball,
                 loss.level,
                 100 * f.at_or_below);
    } else {
      fmt::print(out_, "mean absolute error {:.6g}, root mean square {:.6g}", f.mae, f.rmse);
    }
    fmt::print(out_,
               "; {:.2f} µs a row, {:.2f} MiB\n",
               trained.cost.us_row,
               trained.cost.memory_bytes / 1024 / 1024);
  }

  void summarize(const training::TableRun& run) {
    const learn::Outcome& outcome = run.outcome();
    const training::RunFacts& facts = run.facts();
    fmt::print(out_,
               "{} rows, validated by {}, {:.1f} s\n",
               facts.rows,
               learn::name(facts.validation),
               facts.elapsed_s);
    summarize_model("best", outcome.best, facts.loss);
    if (!outcome.best_is_champion && outcome.champion)
      summarize_model("for each message", *outcome.champion, facts.loss);
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
};

}  // namespace

ExitCode run_train(const TrainArguments& arguments, std::FILE* out, std::FILE* complaints) {
  return TrainRun(arguments, out, complaints).run();
}

void add_train(CLI::App& parent, Run& chosen) {
  auto* command = parent.add_subcommand("train", "Train a model from a file of rows");
  auto arguments = std::make_shared<TrainArguments>();
  training::CsvChoice& choice = arguments->choice;
  training::TableWish& wish = arguments->wish;
  command->add_option("FILE", arguments->file, "Rows as CSV with a header")->required();
  command->add_option("--target", choice.target, "The column to foretell: two values, or numbers");
  command->add_option("--time", choice.time, "A column of times: the last quarter is held out");
  command->add_option(
      "--group", choice.group, "A column of users: each is on one side of the split");
  command->add_option("--weight", choice.weight, "A column of rows' weights");
  command->add_option("--ignore", choice.ignored, "A column not to learn from");
  command->add_option("--task", wish.task, "What is foretold")
      ->check(CLI::IsMember({"auto", "classification", "regression", "anomaly", "clustering"}));
  command->add_option("--objective", wish.objective, "What is made best")
      ->check(CLI::IsMember({"auto", "roc-auc", "pr-auc", "log-loss", "squared", "absolute"}));
  command->add_option("--quantile", wish.quantile, "Foretell this quantile of the target (.9)");
  command->add_option("--time-budget", wish.time_budget_s, "Seconds")
      ->check(CLI::Range(1., 864'000.));
  command
      ->add_option(
          "--fits-max", wish.fits_max, "Fits instead of seconds: the same result every time")
      ->check(CLI::Range(8, 100'000));
  command->add_option("--seed", wish.seed, "Of everything that is drawn at random");
  command->add_option("--workers", wish.workers, "Fits at a time")->check(CLI::Range(1, 64));
  command
      ->add_option(
          "--latency-us", wish.latency_us, "What a model may cost that is asked for every message")
      ->check(CLI::Range(.01, 1e6));
  command->add_option("--size-mib", wish.size_mib, "And what memory it may take")
      ->check(CLI::Range(.001, 1e5));
  command->add_option("--out",
                      arguments->out,
                      "Write the best model here, as ONNX; if it costs too much for every message, "
                      "the best that does not beside it");
  command->add_option("--alert-ratio", wish.alert_ratio, "The share of anomalies that alarm")
      ->check(CLI::Range(.0001, .5));
  command->add_option("--report", arguments->report, "Write a report here, as one HTML page");
  command->add_option("--json", arguments->json, "Write the report here, as JSON");
  command->add_option(
      "--last", arguments->last, "The rows of the last training: the report says what changed");
  command->add_flag("--quiet", arguments->quiet, "No progress");
  command->add_option("--trainer", arguments->trainer, "Who trains (docs/kenning.md)")
      ->check(CLI::IsMember({"builtin", "kenning"}));
  command->add_option(
      "--kenning", arguments->kenning, "Kenning's program: a path, or a name in PATH");
  command->footer("\n  liminal train rows.csv --target label --time-budget 60 --out model.onnx\n");
  command->callback([&chosen, arguments] {
    chosen = [arguments] { return run_train(*arguments, stdout, stderr); };
  });
}

}  // namespace liminal::app
