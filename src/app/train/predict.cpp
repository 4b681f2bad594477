#include <fmt/core.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <system_error>
#include <unordered_map>

#include "app/serve/model_keeper.hpp"
#include "app/table_file.hpp"
#include "app/train/train.hpp"
#include "core/models/scorer.hpp"
#include "io/csv/number.hpp"
#include "io/csv/table.hpp"
#include "io/files/file_system.hpp"
#include "io/json/value.hpp"
#include "io/onnx/foreign.hpp"
#include "io/onnx/read.hpp"
#include "server/registry/foreign.hpp"
#include "server/registry/registry.hpp"
#include "server/training/model_facts.hpp"

namespace liminal::app {
namespace {

using models::Task;

std::optional<std::string> bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  return in.bad() ? std::nullopt : std::optional(std::move(bytes));
}

/// Reads the features of a model from rows of a file.
class FeatureColumns {
 public:
  /// A text when a feature has no column.
  static tl::expected<FeatureColumns, std::string> find(const csv::Table& table,
                                                        const models::Metadata& metadata) {
    FeatureColumns columns;
    std::string absent;
    for (const models::Feature& feature : metadata.features) {
      const auto place = table.find(feature.name);
      if (!place) {
        absent += (absent.empty() ? "" : ", ") + feature.name;
        continue;
      }
      One one{*place, {}};
      const auto levels = training::levels_of(metadata, feature.name);
      for (std::size_t level = 0; level < levels.size(); ++level)
        one.codes[levels[level]] = static_cast<float>(level);
      columns.all_.push_back(std::move(one));
    }
    if (!absent.empty()) return tl::unexpected<std::string>("has no column " + absent);
    return columns;
  }

  /// The row's features; the column that is no number otherwise. A text that the model never saw is
  /// missing.
  tl::expected<void, std::size_t> read(const csv::Table& table, std::vector<float>& row) const {
    for (const One& one : all_) {
      const std::string_view field = table.field(one.column);
      if (one.codes.empty()) {
        const auto number = csv::number(field);
        if (!number) return tl::unexpected(one.column);
        row.push_back(static_cast<float>(*number));
      } else {
        const auto code = one.codes.find(std::string(field));
        row.push_back(code == one.codes.end() ? models::kMissing : code->second);
      }
    }
    return {};
  }

 private:
  struct One {
    std::size_t column;
    std::unordered_map<std::string, float> codes;
  };
  std::vector<One> all_;
};

class PredictRun {
 public:
  PredictRun(const PredictArguments& arguments, std::FILE* out, std::FILE* complaints)
      : arguments_(arguments), out_(out), complaints_(complaints) {}

  ExitCode run() {
    if (arguments_.version > 0 && !arguments_.by_name)
      return fail("--version is of a model by name, which needs --data or --config");
    const auto scorer = arguments_.by_name ? kept_scorer() : scorer_of_file();
    if (!scorer) return fail(arguments_.model + ": " + scorer.error());
    metadata_ = (*scorer)->metadata();
    read_classes();
    auto file = open_table_file(arguments_.file);
    if (!file) return ExitCode::kFailed;
    auto table = open_table(*file);
    if (!table) return fail(csv::text(table.error(), file->name));
    return answer(*table, file->name, **scorer);
  }

 private:
  using ScorerPtr = std::shared_ptr<const models::Scorer>;

  ExitCode fail(const std::string& why) {
    fmt::print(complaints_, "liminal: {}\n", why);
    return ExitCode::kFailed;
  }

  [[nodiscard]] tl::expected<ScorerPtr, std::string> kept_scorer() const {
    const auto loaded = load_or_complain(arguments_.configuration);
    if (!loaded) return tl::unexpected<std::string>("the configuration is wrong");
    registry::Registry::Options options = registry_options(loaded->configuration);
    options.read_only = true;
    if (!arguments_.onnxruntime.empty()) options.foreign.library = arguments_.onnxruntime;
    files::PosixFileSystem system;
    const auto registry = registry::Registry::open(system, std::move(options), SteadyTime{});
    if (!registry) return tl::unexpected(registry.error());
    std::optional<std::uint32_t> version;
    if (arguments_.version > 0) version = arguments_.version;
    const auto served = (*registry)->served(arguments_.model, version);
    if (!served) return tl::unexpected(served.error().text);
    return (*served)->scorer;
  }

  [[nodiscard]] tl::expected<ScorerPtr, std::string> scorer_of_file() const {
    const auto bytes = bytes_of(arguments_.model);
    if (!bytes) return tl::unexpected<std::string>("cannot be read");
    auto described = onnx::description_of(*bytes);
    if (described && *described) {
      const registry::ForeignRuntime runtime({.library = arguments_.onnxruntime});
      auto opened = runtime.open(*bytes, std::move(**described));
      if (!opened) return tl::unexpected(opened.error().text);
      return std::move(*opened);
    }
    auto model = onnx::read(*bytes);
    if (!model) {
      const bool foreign = model.error().kind == onnx::Refusal::Kind::kUnsupported;
      return tl::unexpected(
          model.error().text +
          (foreign ? "; `liminal models add` makes a version of such a file" : ""));
    }
    auto scorer = models::Scorer::own(std::move(*model));
    if (!scorer) return tl::unexpected(scorer.error().front().text);
    return std::move(*scorer);
  }

  void read_classes() {
    const auto parsed = json::parse(models::fact(metadata_, "classes"));
    if (!parsed) return;
    const auto* array = parsed->as<json::Value::Array>();
    if (array == nullptr || array->size() != 2) return;
    for (std::size_t i = 0; i < 2; ++i)
      if (const auto* text = (*array)[i].as<std::string>()) classes_[i] = *text;
  }

  void write_header() {
    switch (metadata_.task) {
      case Task::kClassification:
        fmt::print(kept_.get(), "prediction,probability\n");
        return;
      case Task::kRegression:
        fmt::print(kept_.get(), "prediction\n");
        return;
      case Task::kClustering:
        fmt::print(kept_.get(), "cluster,distance\n");
        return;
      case Task::kAnomaly:
        fmt::print(kept_.get(), "is_anomaly,score\n");
        return;
    }
  }

  void write(const models::Prediction& said) {
    const bool above = said.score >= static_cast<double>(metadata_.line);
    switch (metadata_.task) {
      case Task::kClassification:
        fmt::print(kept_.get(), "{},{:.9g}\n", classes_[above ? 1 : 0], said.score);
        return;
      case Task::kRegression:
        fmt::print(kept_.get(), "{:.9g}\n", said.score);
        return;
      case Task::kClustering:
        fmt::print(kept_.get(), "{},{:.9g}\n", said.cluster, said.score);
        return;
      case Task::kAnomaly:
        fmt::print(kept_.get(), "{},{:.9g}\n", above ? 1 : 0, said.score);
        return;
    }
  }

  ExitCode answer(csv::Table& table, const std::string& file, const models::Scorer& scorer) {
    const auto columns = FeatureColumns::find(table, metadata_);
    if (!columns) return fail(file + ": " + columns.error());
    kept_.reset(std::tmpfile());
    if (!kept_) {
      return fail(fmt::format("a temporary file for the answers cannot be made in {}: {}",
                              P_tmpdir,
                              std::generic_category().message(errno)));
    }
    write_header();
    constexpr std::size_t kBatch = 1024;
    std::vector<float> rows;
    std::vector<models::Prediction> said;
    for (bool more = true; more;) {
      rows.clear();
      said.clear();
      while (said.size() < kBatch) {
        const auto next = table.next();
        if (!next) return fail(csv::text(next.error(), file));
        more = *next;
        if (!more) break;
        if (const auto read = columns->read(table, rows); !read) {
          return fail(
              csv::text({ErrorCode::kMalformed, table.line(), read.error() + 1, "is no number"},
                        file,
                        table.name(read.error())));
        }
        said.emplace_back();
      }
      if (const auto done = scorer.predict(rows, said); !done)
        return fail(fmt::format("the model failed to answer ({})", name(done.error().code)));
      for (const models::Prediction& one : said) write(one);
    }
    return hand_out() ? ExitCode::kDone : fail("the answers could not be written");
  }

  /// Answers are handed out when all are there: some of them would look like all.
  bool hand_out() {
    if (std::fflush(kept_.get()) != 0 || std::ferror(kept_.get()) != 0) return false;
    std::rewind(kept_.get());
    std::array<char, 65'536> piece;
    while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), kept_.get()))
      if (std::fwrite(piece.data(), 1, size, out_) != size) return false;
    return std::ferror(kept_.get()) == 0 && std::fflush(out_) == 0;
  }

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  const PredictArguments& arguments_;
  std::FILE* out_;
  std::FILE* complaints_;
  std::unique_ptr<std::FILE, Close> kept_;
  models::Metadata metadata_;
  std::string classes_[2] = {"0", "1"};
};

}  // namespace

ExitCode run_predict(const PredictArguments& arguments, std::FILE* out, std::FILE* complaints) {
  return PredictRun(arguments, out, complaints).run();
}

void add_predict(CLI::App& parent, Run& chosen) {
  auto* command = parent.add_subcommand("predict", "Ask a model for each row of a file");
  auto arguments = std::make_shared<PredictArguments>();
  command
      ->add_option(
          "MODEL",
          arguments->model,
          "An ONNX file, as `liminal train` writes it; with --data or --config the name of "
          "a model whose champion is there")
      ->required();
  command->add_option("FILE", arguments->file, "Rows as CSV or NDJSON; - is the standard input")
      ->required();
  command->add_option(
      "--onnxruntime", arguments->onnxruntime, "The file of ONNX Runtime, for models of others");
  command->footer(
      "\nOne line a row: prediction,probability of classes; prediction of values;\n"
      "cluster,distance; is_anomaly,score. Columns are found by the features' names. When a row\n"
      "cannot be read nothing is written at all.\n"
      "\n  liminal predict model.onnx rows.csv\n"
      "  liminal predict anomaly_detection rows.csv --data /var/lib/liminal\n");
  command->add_option(
      "--version", arguments->version, "Of a model by name, instead of the champion");
  arguments->configuration.add_to(*command);
  command->callback([&chosen, command, arguments] {
    for (const char* const option : {"--data", "--config"})
      arguments->by_name |= command->get_option(option)->count() > 0;
    chosen = [arguments] { return run_predict(*arguments, stdout, stderr); };
  });
}

}  // namespace liminal::app
