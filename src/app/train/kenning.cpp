#include "server/training/kenning.hpp"

#include <fmt/core.h>
#include <stdlib.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "app/train/train.hpp"
#include "io/onnx/foreign.hpp"
#include "server/registry/foreign.hpp"
#include "server/training/report_page.hpp"

namespace liminal::app {
namespace {

volatile std::sig_atomic_t interrupted = 0;
void interrupt(int /*signal*/) { interrupted = 1; }

/// While it lives, an interrupt is a wish: Kenning's processes, which the terminal does not reach,
/// must end first.
class Interrupts {
 public:
  Interrupts()
      : on_int_(std::signal(SIGINT, interrupt)), on_term_(std::signal(SIGTERM, interrupt)) {
    interrupted = 0;
  }
  ~Interrupts() {
    (void)std::signal(SIGINT, on_int_);
    (void)std::signal(SIGTERM, on_term_);
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

 private:
  using Handler = void (*)(int);
  Handler on_int_, on_term_;
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    std::string name =
        (std::filesystem::temp_directory_path(error) / "liminal-kenning-XXXXXX").string();
    if (!error && mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

training::BuiltinOptions options_of(const TrainArguments& arguments, const learn::Table& table) {
  training::BuiltinOptions options;
  options.definition.name = std::filesystem::path(arguments.file).stem().string();
  options.definition.task = models::Task::kClassification;
  options.definition.target = arguments.choice.target;
  for (const learn::Feature& feature : table.features)
    options.definition.features.push_back(feature.name);
  options.request.model = options.definition.name;
  options.request.source = learn::DataSource::kFile;
  options.request.file = arguments.file;
  options.request.trainer = "kenning";
  options.request.budget_s = arguments.wish.time_budget_s;
  options.request.fits_max = arguments.wish.fits_max;
  options.request.seed = arguments.wish.seed;
  options.workers = arguments.wish.workers;
  options.gate.latency_us_max = arguments.wish.latency_us;
  options.gate.memory_bytes_max = arguments.wish.size_mib * 1024 * 1024;
  return options;
}

/// What keeps Kenning from learning of a table.
std::string trouble_of(const training::CsvTable& read) {
  if (!read.classes) return "the target has not just two values, as kenning needs";
  for (const learn::Feature& feature : read.table.features)
    if (feature.category()) return feature.name + " holds texts: kenning takes numbers";
  return {};
}

bool write_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  return static_cast<bool>(file);
}

std::string text_of(const learn::Refusal& refusal) {
  std::string text = refusal.text;
  for (const Problem& problem : refusal.problems)
    text += (text.empty() ? "" : "; ") + problem.key + " " + problem.text;
  return text;
}

void summarize(const learn::TrainedModel& made, std::FILE* out) {
  for (const std::string& note : training::notes_of(made.report)) fmt::print(out, "{}\n", note);
  for (const learn::JobLine& line : made.leaderboard)
    fmt::print(out, "{:.4f}  {}, F1 on the rows that it had\n", line.score, line.recipe);
  for (const auto& [name, value] : made.metrics) fmt::print(out, "{:<21}{:.6g}\n", name, value);
  for (const std::string& reason : made.reasons)
    fmt::print(out, "gate                 {}\n", reason);
}

}  // namespace

ExitCode run_kenning(const TrainArguments& arguments,
                     training::CsvTable read,
                     std::FILE* out,
                     std::FILE* complaints) {
  const auto fail = [&](const std::string& why) {
    fmt::print(complaints, "liminal: {}\n", why);
    return ExitCode::kFailed;
  };
  if (const std::string trouble = trouble_of(read); !trouble.empty())
    return fail(arguments.file + ": " + trouble);
  const TemporaryFolder folder;
  if (folder.path().empty()) return fail("no temporary folder can be made");
  const training::BuiltinOptions options = options_of(arguments, read.table);
  const registry::ForeignRuntime runtime{{}};
  if (const auto ready = runtime.ready(); !ready) return fail(ready.error().text);
  const training::KenningOptions kenning{
      arguments.kenning, folder.path(), [&](std::string_view file, models::Metadata metadata) {
        return runtime.open(file, std::move(metadata));
      }};
  const bool shown = !arguments.quiet && isatty(fileno(complaints)) == 1;
  const Interrupts interrupts;
  training::Rows rows;
  rows.table = std::move(read.table);
  rows.notes = std::move(read.notes);
  const auto made =
      training::train_kenning(std::move(rows),
                              options,
                              kenning,
                              {[] { return interrupted != 0; },
                               [&](double progress, const std::vector<learn::JobLine>&) {
                                 if (shown) fmt::print(complaints, "\r{:3.0f} %", 100 * progress);
                               }});
  if (shown) fmt::print(complaints, "\r      \r");
  if (!made) return fail(text_of(made.error()));
  summarize(*made, out);
  if (!arguments.json.empty() && !write_file(arguments.json, made->report))
    return fail(arguments.json + ": cannot be written");
  if (arguments.out.empty()) return ExitCode::kDone;
  const auto bytes = onnx::describe(made->foreign, made->model.metadata);
  if (!bytes) return fail(bytes.error().text);
  if (!write_file(arguments.out, *bytes)) return fail(arguments.out + ": cannot be written");
  fmt::print(out, "model                {}\n", arguments.out);
  return ExitCode::kDone;
}

}  // namespace liminal::app
