#include "server/registry/foreign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "io/json/fields.hpp"
#include "io/json/writer.hpp"
#include "io/onnx/foreign.hpp"
#include "io/onnx/read.hpp"

namespace liminal::registry {
namespace {

using learn::Asked;
using learn::refusal;
using onnxruntime::Failure;
using onnxruntime::Session;
using onnxruntime::Tensor;

constexpr std::string_view kOutput = "output", kColumn = "column", kUsual = "usual";

ErrorCode code_of(Failure::Kind kind) {
  switch (kind) {
    case Failure::Kind::kAbsent:
    case Failure::Kind::kVersion:
    case Failure::Kind::kProvider:
      return ErrorCode::kUnavailable;
    case Failure::Kind::kModel:
    case Failure::Kind::kInput:
    case Failure::Kind::kRun:
      break;
  }
  return ErrorCode::kUnsupported;
}

tl::unexpected<learn::Refusal> refused(const Failure& failure) {
  return refusal(code_of(failure.kind), failure.text);
}

std::vector<float> usual_of(const models::Metadata& metadata) {
  std::vector<float> row;
  const std::string* const text = find_fact(metadata, kUsual);
  if (text == nullptr) return row;
  const auto parsed = json::parse(*text);
  const auto* const list = parsed ? parsed->as<json::Value::Array>() : nullptr;
  if (list == nullptr || list->size() != metadata.features.size()) return row;
  for (const json::Value& value : *list)
    row.push_back(static_cast<float>(json::as_number(value).value_or(0)));
  return row;
}

bool is_float(std::string_view type) { return type == "float" || type == "double"; }

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// What an output has for each row.
struct Columns {
  std::string name;
  bool floats = false;
  std::size_t count = 0;
};

/// Where in the outputs an answer is.
struct Place {
  std::size_t output = 0;
  std::size_t column = 0;
  std::size_t width = 1;                   ///< values a row of that output
  bool nearest = false;                    ///< the least of the row's values is the cluster
  std::size_t distance = ~std::size_t{0};  ///< output with the clusters' distances
  std::size_t distances = 0;               ///< values a row of it
};

std::vector<Columns> columns_of(const Session& session,
                                const std::vector<Tensor>& made,
                                std::size_t rows) {
  std::vector<Columns> found;
  for (const Tensor& tensor : made) {
    const auto port = std::find_if(session.outputs().begin(),
                                   session.outputs().end(),
                                   [&](const auto& each) { return each.name == tensor.name; });
    const bool even = tensor.values.size() % rows == 0;
    found.push_back({tensor.name,
                     port != session.outputs().end() && is_float(port->type),
                     even ? tensor.values.size() / rows : 0});
  }
  return found;
}

std::string listed(const std::vector<Columns>& outputs) {
  std::vector<std::string> texts;
  for (const Columns& output : outputs)
    texts.push_back(fmt::format(
        "{} ({} {} a row)", output.name, output.count, output.floats ? "floats" : "whole numbers"));
  return joined(texts);
}

template <class Is>
std::optional<std::size_t> first_of(const std::vector<Columns>& outputs, Is is) {
  const auto found = std::find_if(outputs.begin(), outputs.end(), is);
  if (found == outputs.end()) return std::nullopt;
  return static_cast<std::size_t>(found - outputs.begin());
}

std::optional<Place> cluster_place(const std::vector<Columns>& outputs) {
  const auto whole = first_of(outputs, [](const Columns& c) { return !c.floats && c.count == 1; });
  const auto distances =
      first_of(outputs, [](const Columns& c) { return c.floats && c.count > 0; });
  if (whole) {
    Place place{*whole, 0, 1};
    if (distances) {
      place.distance = *distances;
      place.distances = outputs[*distances].count;
    }
    return place;
  }
  if (!distances || outputs[*distances].count < 2) return std::nullopt;
  return Place{*distances, 0, outputs[*distances].count, true};
}

std::optional<Place> usual_place(const std::vector<Columns>& outputs, models::Task task) {
  if (task == models::Task::kClustering) return cluster_place(outputs);
  if (task == models::Task::kClassification) {
    if (const auto two =
            first_of(outputs, [](const Columns& c) { return c.floats && c.count == 2; }))
      return Place{*two, 1, 2};
  }
  for (const bool floats : {true, false}) {
    if (const auto one =
            first_of(outputs, [&](const Columns& c) { return c.floats == floats && c.count == 1; }))
      return Place{*one, 0, 1};
  }
  return std::nullopt;
}

/// The place that the metadata name, or the usual one.
Asked<Place> place_of(const std::vector<Columns>& outputs, const models::Metadata& metadata) {
  const std::string* const name = find_fact(metadata, kOutput);
  const std::string* const column = find_fact(metadata, kColumn);
  if (name == nullptr && column == nullptr) {
    if (const auto place = usual_place(outputs, metadata.task)) return *place;
    return refusal(ErrorCode::kUnsupported,
                   fmt::format("none of its outputs is an answer for {}: {}; name one",
                               models::name(metadata.task),
                               listed(outputs)));
  }
  Place place;
  if (name != nullptr) {
    const auto found = first_of(outputs, [&](const Columns& c) { return c.name == *name; });
    if (!found)
      return refusal(ErrorCode::kUnsupported,
                     "it has no output " + *name + ", only " + listed(outputs));
    place.output = *found;
  }
  place.width = outputs[place.output].count;
  place.column = place.width == 2 && metadata.task == models::Task::kClassification ? 1 : 0;
  if (column != nullptr)
    (void)std::from_chars(column->data(), column->data() + column->size(), place.column);
  if (place.column >= place.width)
    return refusal(ErrorCode::kUnsupported,
                   fmt::format("its output {} has {} values a row, no column {}",
                               outputs[place.output].name,
                               place.width,
                               place.column));
  return place;
}

void read_answers(const std::vector<Tensor>& made,
                  const Place& place,
                  models::Task task,
                  std::span<models::Prediction> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto row = [&](std::size_t output, std::size_t width) {
      return made[output].values.begin() + static_cast<std::ptrdiff_t>(i * width);
    };
    const auto values = row(place.output, place.width);
    out[i].score = values[static_cast<std::ptrdiff_t>(place.column)];
    if (task != models::Task::kClustering) continue;
    if (place.nearest) {
      const auto least =
          std::min_element(values, values + static_cast<std::ptrdiff_t>(place.width));
      out[i].cluster = static_cast<std::uint32_t>(least - values);
      out[i].score = *least;
      continue;
    }
    out[i].cluster = static_cast<std::uint32_t>(std::clamp(out[i].score, 0., 4e9));
    out[i].score = 0;
    if (place.distances > 0) {
      const auto distances = row(place.distance, place.distances);
      out[i].score =
          *std::min_element(distances, distances + static_cast<std::ptrdiff_t>(place.distances));
    }
  }
}

/// A session that is asked for rows of any number.
class Asker {
 public:
  Asker(Session session, std::size_t width) : session_(std::move(session)), width_(width) {
    const std::int64_t fixed = session_.input().shape.front();
    rows_a_call_ = fixed > 1 ? static_cast<std::size_t>(fixed) : 1;
  }

  /// The outputs of `rows`, filled up with the last one to what a model takes at a time.
  [[nodiscard]] onnxruntime::Outcome<std::vector<Tensor>> run(std::span<const float> rows) const {
    const std::size_t count = rows.size() / width_;
    const std::size_t missing = (rows_a_call_ - count % rows_a_call_) % rows_a_call_;
    if (missing == 0) return session_.run(rows, count);
    std::vector<float> filled(rows.begin(), rows.end());
    for (std::size_t i = 0; i < missing; ++i)
      filled.insert(filled.end(), rows.end() - static_cast<std::ptrdiff_t>(width_), rows.end());
    return session_.run(filled, count + missing);
  }

  [[nodiscard]] const Session& session() const { return session_; }
  [[nodiscard]] std::size_t rows_made(std::size_t rows) const {
    return (rows + rows_a_call_ - 1) / rows_a_call_ * rows_a_call_;
  }

  /// Whether the outputs are those that it had when it was tried.
  [[nodiscard]] static bool right(const std::vector<Tensor>& made,
                                  const Place& place,
                                  std::size_t rows) {
    if (made.size() <= place.output || made[place.output].values.size() < rows * place.width)
      return false;
    return place.distances == 0 || (place.distance < made.size() &&
                                    made[place.distance].values.size() >= rows * place.distances);
  }

 private:
  Session session_;
  std::size_t width_;
  std::size_t rows_a_call_ = 1;
};

/// Zeros, ones, and rows of a user who does much.
std::vector<float> trial_rows(std::size_t width) {
  std::vector<float> rows;
  for (const float value : {0.F, 1.F, 100.F}) rows.insert(rows.end(), width, value);
  return rows;
}

std::string names_of(const models::Metadata& metadata) {
  std::vector<std::string> names;
  for (const models::Feature& feature : metadata.features) names.push_back(feature.name);
  return joined(names);
}

Asked<void> fits(const Session& session, const models::Metadata& metadata) {
  const std::size_t wanted = metadata.features.size(), taken = session.columns();
  if (taken == 0 || taken == wanted) return {};
  return refusal(ErrorCode::kConflict,
                 fmt::format("it takes {} values a row, {} has {} features: {}",
                             taken,
                             metadata.name,
                             wanted,
                             names_of(metadata)));
}

/// Features that are not named are the definition's: their number alone says nothing against it.
void name_features(const learn::ModelDefinition& definition, models::Metadata& metadata) {
  if (metadata.features.size() != definition.features.size()) return;
  for (std::size_t i = 0; i < metadata.features.size(); ++i)
    if (metadata.features[i].name != "feature_" + std::to_string(i)) return;
  for (std::size_t i = 0; i < metadata.features.size(); ++i)
    metadata.features[i].name = definition.features[i];
}

void set_fact(models::Metadata& metadata, std::string_view key, std::string value) {
  for (auto& [name, known] : metadata.facts) {
    if (name == key) return void(known = std::move(value));
  }
  metadata.facts.emplace_back(key, std::move(value));
}

std::string list_of(const std::vector<float>& row) {
  json::Writer out;
  out.begin_array();
  for (const float value : row) out.value(static_cast<double>(value));
  out.end_array();
  return out.take();
}

/// What a person said, over what the file says.
void say(const learn::Bringing& bringing, models::Metadata& metadata) {
  if (!bringing.output.empty()) set_fact(metadata, kOutput, bringing.output);
  if (bringing.column) set_fact(metadata, kColumn, std::to_string(*bringing.column));
  if (bringing.line) metadata.line = *bringing.line;
  if (!bringing.usual.empty()) set_fact(metadata, kUsual, list_of(bringing.usual));
}

}  // namespace

Asked<std::shared_ptr<const onnxruntime::Library>> ForeignRuntime::library() const {
  const std::lock_guard lock(mutex_);
  if (library_) return library_;
  auto opened = options_.library.empty() ? onnxruntime::Library::open_usual()
                                         : onnxruntime::Library::open(options_.library);
  if (!opened)
    return refusal(code_of(opened.error().kind),
                   "what Liminal does not compute itself is ONNX Runtime's, and that is not to be "
                   "had: " +
                       opened.error().text +
                       ". Install it (tools/install, or the file libonnxruntime.so of PyPI's "
                       "onnxruntime) and name its file in models.onnxruntime");
  library_ = *opened;
  return library_;
}

Asked<void> ForeignRuntime::ready() const {
  const auto library = this->library();
  if (!library) return tl::unexpected(library.error());
  if (auto offered = (*library)->offers(options_.provider); !offered)
    return refused(offered.error());
  return {};
}

Asked<std::shared_ptr<const models::Scorer>> ForeignRuntime::open(std::string_view file,
                                                                  models::Metadata metadata) const {
  auto library = this->library();
  if (!library) return tl::unexpected(library.error());
  auto session =
      Session::create(*library, file, {.provider = options_.provider, .threads = options_.threads});
  if (!session) return refused(session.error());
  if (auto right = fits(*session, metadata); !right) return tl::unexpected(right.error());
  const std::size_t width = metadata.features.size();
  const auto asker = std::make_shared<const Asker>(std::move(*session), width);
  const std::vector<float> trial = trial_rows(width);
  const std::size_t trials = trial.size() / width;
  const auto made = asker->run(trial);
  if (!made) return refused(made.error());
  const auto outputs = columns_of(asker->session(), *made, asker->rows_made(trials));
  const auto place = place_of(outputs, metadata);
  if (!place) return tl::unexpected(place.error());
  const models::Task task = metadata.task;
  std::vector<float> usual = usual_of(metadata);
  auto scorer = models::Scorer::foreign(
      std::move(metadata),
      [asker, place = *place, task](std::span<const float> rows,
                                    std::span<models::Prediction> out) {
        const auto answer = asker->run(rows);
        if (!answer || !Asker::right(*answer, place, out.size())) return false;
        read_answers(*answer, place, task, out);
        return true;
      },
      std::move(usual));
  if (!scorer) {
    const Problem& first = scorer.error().front();
    return refusal(ErrorCode::kUnsupported, first.key + " " + first.text);
  }
  std::vector<models::Prediction> said(trials);
  if (const auto done = (*scorer)->predict(trial, said); !done)
    return refusal(ErrorCode::kUnsupported,
                   fmt::format("its output {} gives what is no {}: name another output",
                               outputs[place->output].name,
                               task == models::Task::kClassification ? "probability" : "number"));
  return *scorer;
}

Asked<learn::TrainedModel> bring(const learn::ModelDefinition& definition,
                                 std::string_view file,
                                 const learn::Bringing& bringing,
                                 const ForeignRuntime& runtime) {
  learn::TrainedModel brought;
  brought.reasons = {"brought as " + bringing.file};
  auto described = onnx::description_of(file);
  if (!described) return refusal(ErrorCode::kMalformed, described.error().text);
  // Whoever names an output means that of the file as it is.
  if (!*described && bringing.output.empty() && !bringing.column) {
    auto own = onnx::read(file);
    if (own) {
      brought.model = std::move(*own);
      name_features(definition, brought.model.metadata);
      if (bringing.line) brought.model.metadata.line = *bringing.line;
      return brought;
    }
    if (own.error().kind == onnx::Refusal::Kind::kBroken)
      return refusal(ErrorCode::kMalformed, own.error().text);
  }
  models::Metadata& metadata = brought.model.metadata;
  if (*described) {
    metadata = std::move(**described);
  } else {
    metadata.name = definition.name;
    metadata.task = definition.task;
    metadata.trainer = "brought";
    for (const std::string& feature : definition.features)
      metadata.features.push_back({feature, ""});
  }
  say(bringing, metadata);
  if (auto opened = runtime.open(file, metadata); !opened) return tl::unexpected(opened.error());
  brought.foreign = file;
  return brought;
}

}  // namespace liminal::registry
