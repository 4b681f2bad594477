#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "bind.hpp"
#include "core/models/evaluator.hpp"
#include "core/models/explain.hpp"
#include "io/onnx/read.hpp"
#include "io/onnx/write.hpp"

namespace liminal::python {
namespace {

using namespace nb::literals;

using Rows = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

/// A model that was read and found right, and what computes it. Immutable.
class LoadedModel {
 public:
  LoadedModel(models::Model model, models::Evaluator evaluator)
      : model_(std::move(model)), evaluator_(std::move(evaluator)) {}

  [[nodiscard]] const models::Model& model() const { return model_; }
  [[nodiscard]] const models::Evaluator& evaluator() const { return evaluator_; }
  [[nodiscard]] std::size_t features() const { return evaluator_.features(); }

 private:
  models::Model model_;
  models::Evaluator evaluator_;
};

/// Reads a file's bytes; the interpreter is free meanwhile.
LoadedModel load(std::string_view bytes) {
  std::optional<LoadedModel> loaded;
  std::string wrong;
  {
    nb::gil_scoped_release release;
    auto model = onnx::read(bytes);
    if (!model) {
      wrong = model.error().text;
    } else {
      auto evaluator = models::Evaluator::create(*model);
      if (evaluator) {
        loaded.emplace(std::move(*model), std::move(*evaluator));
      } else {
        wrong = evaluator.error().front().key + ": " + evaluator.error().front().text;
      }
    }
  }
  if (!loaded) raise_value("model", wrong);
  return std::move(*loaded);
}

[[noreturn]] void raise_of(PyObject* kind, const std::string& words) {
  PyErr_SetString(kind, words.c_str());
  throw nb::python_error();
}

/// What `open` takes: a text or an os.PathLike.
LoadedModel load_file(const nb::object& path) {
  const auto text = nb::steal<nb::object>(PyOS_FSPath(path.ptr()));
  if (!text.is_valid()) throw nb::python_error();
  std::string name;
  if (!nb::try_cast(text, name)) raise_value("path", "must be a text or a path");
  if (std::filesystem::is_directory(name))
    raise_of(PyExc_IsADirectoryError, name + ": is a folder");
  std::ifstream in(name, std::ios::binary);
  if (!in) raise_of(PyExc_FileNotFoundError, name + ": cannot be opened");
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  return load(bytes);
}

LoadedModel load_bytes(const nb::object& bytes) {
  if (nb::isinstance<nb::bytes>(bytes)) {
    const auto held = nb::borrow<nb::bytes>(bytes);
    return load({held.c_str(), held.size()});
  }
  if (PyObject_CheckBuffer(bytes.ptr()) == 0) raise_value("bytes", "must be bytes");
  const auto copied = nb::steal<nb::bytes>(PyBytes_FromObject(bytes.ptr()));
  if (!copied.is_valid()) throw nb::python_error();
  return load({copied.c_str(), copied.size()});
}

/// Values as float32 of a shape: as they are where they are that, else what NumPy makes of them.
template <class T>
T floats(const nb::object& values, std::string_view field, std::string_view shape) {
  T taken;
  if (nb::try_cast(values, taken, false)) return taken;
  try {
    const nb::object made = nb::module_::import_("numpy").attr("ascontiguousarray")(
        values, nb::arg("dtype") = "float32");
    if (nb::try_cast(made, taken, false)) return taken;
  } catch (nb::python_error& wrong) {
    if (!wrong.matches(PyExc_TypeError) && !wrong.matches(PyExc_ValueError)) throw;
  }
  raise_value(field, "must be numbers of shape " + std::string(shape));
}

/// Numbers in the model's order, by the names that a table or a row has; what has none as it is.
nb::object by_name(const char* function,
                   const LoadedModel& model,
                   const nb::object& values,
                   std::string_view field) {
  return nb::module_::import_("liminal._tables")
      .attr(function)(nb::find(model), values, nb::str(field.data(), field.size()));
}

Rows rows_of(const LoadedModel& model, const nb::object& values, std::string_view field = "rows") {
  Rows taken;
  if (nb::try_cast(values, taken, false)) return taken;
  return floats<Rows>(by_name("rows_by_name", model, values, field), field, "(n, features)");
}

void check_width(const LoadedModel& model, std::size_t columns) {
  if (columns != model.features()) {
    raise_value("rows",
                "must have " + std::to_string(model.features()) + " columns, not " +
                    std::to_string(columns));
  }
}

std::vector<models::Prediction> predictions(const LoadedModel& model, const Rows& rows) {
  check_width(model, rows.shape(1));
  std::vector<models::Prediction> out(rows.shape(0));
  const nb::gil_scoped_release release;
  model.evaluator().predict_batch({rows.data(), rows.size()}, out);
  return out;
}

Array<double> predict(const LoadedModel& model, const nb::object& rows) {
  const auto predicted = predictions(model, rows_of(model, rows));
  std::vector<double> scores;
  scores.reserve(predicted.size());
  for (const models::Prediction& one : predicted) scores.push_back(one.score);
  return to_array(std::move(scores));
}

Array<std::uint32_t> clusters(const LoadedModel& model, const nb::object& rows) {
  if (model.model().metadata.task != models::Task::kClustering)
    raise_value("model", "has no clusters: its task is another");
  const auto predicted = predictions(model, rows_of(model, rows));
  std::vector<std::uint32_t> nearest;
  nearest.reserve(predicted.size());
  for (const models::Prediction& one : predicted) nearest.push_back(one.cluster);
  return to_array(std::move(nearest));
}

nb::dict explain(const LoadedModel& model,
                 const nb::object& values,
                 const nb::object& usual,
                 std::uint64_t seed) {
  constexpr std::size_t kBackgroundMax = 100;
  const auto row =
      floats<Column<float>>(by_name("row_by_name", model, values, "row"), "row", "(features,)");
  std::optional<Rows> background;
  if (!usual.is_none()) background = rows_of(model, usual, "background");
  check_width(model, row.shape(0));
  models::ExplainOptions options;
  options.seed = seed;
  if (background) {
    check_width(model, background->shape(1));
    if (background->shape(0) > kBackgroundMax)
      raise_value("background", "must have at most 100 rows");
    options.background = {background->data(), background->size()};
  }
  models::Explanation explanation;
  {
    const nb::gil_scoped_release release;
    explanation = models::explain(model.model(), {row.data(), row.size()}, options);
  }
  const std::string_view exactness = models::name(explanation.exactness);
  nb::dict out;
  out["margin"] = explanation.margin;
  out["expectation"] = explanation.expectation;
  out["contributions"] = to_array(std::move(explanation.contributions));
  out["exactness"] = exactness;
  return out;
}

nb::list feature_names(const LoadedModel& model) {
  nb::list names;
  for (const models::Feature& feature : model.model().metadata.features)
    names.append(nb::str(feature.name.data(), feature.name.size()));
  return names;
}

nb::dict facts(const LoadedModel& model) {
  nb::dict out;
  for (const auto& [key, value] : model.model().metadata.facts)
    out[nb::str(key.data(), key.size())] = nb::str(value.data(), value.size());
  return out;
}

nb::bytes to_onnx(const LoadedModel& model) {
  onnx::Read<std::string> bytes;
  {
    const nb::gil_scoped_release release;
    bytes = onnx::write(model.model());
  }
  if (!bytes) throw nb::value_error(bytes.error().text.c_str());
  return nb::bytes(bytes->data(), bytes->size());
}

}  // namespace

void bind_models(nb::module_& module) {
  nb::class_<LoadedModel>(
      module,
      "Model",
      R"(A trained model, read from an ONNX file and computed by Liminal's own evaluators.

Files that Liminal wrote give the same bits as in the gateway; of others, tree ensembles and linear
models as scikit-learn's, XGBoost's and LightGBM's converters write them. Anything else is a ValueError
that names the operator: ONNX Runtime may run it. Immutable: any number of threads may use it. Copies and
pickles are its ONNX file.)")
      .def_static("load",
                  &load_file,
                  "path"_a.none(),
                  "Reads a file. Raises FileNotFoundError, IsADirectoryError, and ValueError for "
                  "what is no "
                  "such model.")
      .def_static(
          "loads", &load_bytes, "bytes"_a, "The same of a file's bytes, or whatever has some.")
      .def("predict",
           &predict,
           "rows"_a.none(),
           R"(Scores of rows: float32 of shape (n, features), not copied, to float64 of shape (n,).

Other numbers in rows (lists, another type) are copied; columns are the model's features in its order. Of a
table (DataFrame, Arrow, a dictionary of columns) they are taken by their names, whatever its order; one that
the model has not is refused, as is one that is missing, and texts, of which ``encode_rows`` makes numbers. A
probability, a value, the distance to the nearest centroid or an anomaly score, as the task says. NaN is
a missing value. The interpreter is free meanwhile. Raises ValueError for another
shape, and for what is no number.)")
      .def("clusters",
           &clusters,
           "rows"_a.none(),
           "The nearest centroid of each row, uint32 of shape (n,). ValueError when the task is "
           "another.")
      .def("explain",
           &explain,
           "row"_a.none(),
           "background"_a.none() = nb::none(),
           "seed"_a = 1,
           R"(Why a row has the score it has: ``margin = expectation + sum(contributions)``.

row: float32 of shape (features,); of a pandas Series or a dictionary by the names. background: up to 100
rows that stand for what is usual, for models that are explained by sampling. Returns ``{"margin", "expectation", "contributions": (features,),
"exactness": "exact", "scaled" or "sampled"}``.)")
      .def("to_onnx", &to_onnx, "The model as a standard ONNX file, as bytes.")
      .def("__getstate__", &to_onnx)
      .def("__setstate__",
           [](LoadedModel& model, const nb::bytes& bytes) {
             new (&model) LoadedModel(load({bytes.c_str(), bytes.size()}));
           })
      .def("__repr__",
           [](const LoadedModel& model) {
             const models::Metadata& of = model.model().metadata;
             std::string text = "<liminal.Model";
             if (!of.name.empty()) text += " " + of.name;
             return text.append(": ")
                 .append(models::name(of.task))
                 .append(" by ")
                 .append(models::kind(model.model().predictor))
                 .append(", ")
                 .append(std::to_string(model.features()))
                 .append(" features>");
           })
      .def_prop_ro("name", [](const LoadedModel& model) { return model.model().metadata.name; })
      .def_prop_ro(
          "task",
          [](const LoadedModel& model) { return models::name(model.model().metadata.task); })
      .def_prop_ro("kind",
                   [](const LoadedModel& model) { return models::kind(model.model().predictor); })
      .def_prop_ro("features", &feature_names, "Names of a row's columns, in its order.")
      .def_prop_ro(
          "line",
          [](const LoadedModel& model) { return model.model().metadata.line; },
          "The score from which on the answer is the second class, or an alarm.")
      .def_prop_ro("trainer",
                   [](const LoadedModel& model) { return model.model().metadata.trainer; })
      .def_prop_ro("facts", &facts, "What training wanted to be remembered.")
      .def_prop_ro("memory_bytes",
                   [](const LoadedModel& model) { return model.evaluator().memory_bytes(); });
}

}  // namespace liminal::python
