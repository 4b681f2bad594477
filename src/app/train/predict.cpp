#include <fmt/core.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <optional>
#include <unordered_map>

#include "app/table_file.hpp"
#include "app/train/train.hpp"
#include "core/models/scorer.hpp"
#include "io/csv/number.hpp"
#include "io/csv/table.hpp"
#include "io/json/value.hpp"
#include "io/onnx/foreign.hpp"
#include "io/onnx/read.hpp"
#include "server/registry/foreign.hpp"
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
    const auto bytes = bytes_of(arguments_.model);
    if (!bytes) return fail(arguments_.model + ": cannot be read");
    const auto scorer = scorer_of(*bytes);
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

  [[nodiscard]] tl::expected<ScorerPtr, std::string> scorer_of(const std::string& bytes) const {
    auto described = onnx::description_of(bytes);
    if (described && *described) {
      const registry::ForeignRuntime runtime({.library = arguments_.onnxruntime});
      auto opened = runtime.open(bytes, std::move(**described));
      if (!opened) return tl::unexpected(opened.error().text);
      return std::move(*opened);
    }
    auto model = onnx::read(bytes);
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
    const auto parsed = json::parse(training::fact(metadata_, "classes"));
    if (!parsed) return;
    const auto* array = parsed->as<json::Value::Array>();
    if (array == nullptr || array->size() != 2) return;
    for (std::size_t i = 0; i < 2; ++i)
      if (const auto* text = (*array)[i].as<std::string>()) classes_[i] = *text;
  }

  void write_header() {
    switch (metadata_.task) {
      case Task::kClassification:
        fmt::print(out_, "prediction,probability\n");
        return;
      case Task::kRegression:
        fmt::print(out_, "prediction\n");
        return;
      case Task::kClustering:
        fmt::print(out_, "cluster,distance\n");
        return;
      case Task::kAnomaly:
        fmt::print(out_, "is_anomaly,score\n");
        return;
    }
  }

  void write(const models::Prediction& said) {
    const bool above = said.score >= static_cast<double>(metadata_.line);
    switch (metadata_.task) {
      case Task::kClassification:
        fmt::print(out_, "{},{:.9g}\n", classes_[above ? 1 : 0], said.score);
        return;
      case Task::kRegression:
        fmt::print(out_, "{:.9g}\n", said.score);
        return;
      case Task::kClustering:
        fmt::print(out_, "{},{:.9g}\n", said.cluster, said.score);
        return;
      case Task::kAnomaly:
        fmt::print(out_, "{},{:.9g}\n", above ? 1 : 0, said.score);
        return;
    }
  }

  ExitCode answer(csv::Table& table, const std::string& file, const models::Scorer& scorer) {
    const auto columns = FeatureColumns::find(table, metadata_);
    if (!columns) return fail(file + ": " + columns.error());
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
    if (std::fflush(out_) != 0 || std::ferror(out_) != 0)
      return fail("the answers could not be written");
    return ExitCode::kDone;
  }

  const PredictArguments& arguments_;
  std::FILE* out_;
  std::FILE* complaints_;
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
  command->add_option("MODEL", arguments->model, "An ONNX file, as `liminal train` writes it")
      ->required();
  command->add_option("FILE", arguments->file, "Rows as CSV or NDJSON; - is the standard input")
      ->required();
  command->add_option(
      "--onnxruntime", arguments->onnxruntime, "The file of ONNX Runtime, for models of others");
  command->footer(
      "\nOne line a row: prediction,probability of classes; prediction of values;\n"
      "cluster,distance; is_anomaly,score. Columns are found by the features' names.\n"
      "\n  liminal predict model.onnx rows.csv\n");
  command->callback([&chosen, arguments] {
    chosen = [arguments] { return run_predict(*arguments, stdout, stderr); };
  });
}

}  // namespace liminal::app
