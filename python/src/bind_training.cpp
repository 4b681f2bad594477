#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bind.hpp"
#include "core/base/hash.hpp"
#include "io/onnx/write.hpp"
#include "remote_fits.hpp"
#include "server/training/fits_apart.hpp"
#include "server/training/table_run.hpp"

namespace liminal::python {
namespace {

using namespace nb::literals;

using Rows = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using MaybeColumn = std::optional<Column<T>>;

template <class T, class Value>
void take(const MaybeColumn<T>& column,
          std::size_t rows,
          const char* field,
          std::vector<Value>& to) {
  if (!column) return;
  if (column->shape(0) != rows)
    raise_value(field, "must have a value for each of " + std::to_string(rows) + " rows");
  to.assign(column->data(), column->data() + rows);
}

/// A table that Python holds, before it is trained on. Its rows are copied once.
training::CsvTable table_of(const Rows& values,
                            const std::vector<std::string>& names,
                            std::vector<std::vector<std::string>> levels,
                            const MaybeColumn<float>& labels,
                            const std::optional<std::pair<std::string, std::string>>& classes,
                            const MaybeColumn<float>& weights,
                            const MaybeColumn<double>& times,
                            const std::vector<std::string>& groups,
                            const MaybeColumn<std::int32_t>& group,
                            std::vector<std::string> notes) {
  const std::size_t rows = values.shape(0);
  if (rows > learn::Table::kRowsMax)
    raise_value("rows", "must be at most " + std::to_string(learn::Table::kRowsMax));
  if (names.size() != values.shape(1) || levels.size() != names.size())
    raise_value("features", "must name every column");
  training::CsvTable read;
  learn::Table& table = read.table;
  for (std::size_t f = 0; f < names.size(); ++f)
    table.features.push_back({names[f], "", std::move(levels[f])});
  table.values.assign(values.data(), values.data() + values.size());
  table.drop_infinities();
  take(labels, rows, "target", table.labels);
  take(weights, rows, "weight", table.weights);
  take(times, rows, "time", table.times_s);
  std::vector<std::int32_t> places;
  take(group, rows, "group", places);
  for (const std::int32_t place : places) {
    const bool nobody = place < 0 || groups[static_cast<std::size_t>(place)].empty();
    table.groups.push_back(nobody ? learn::Table::group_of_its_own(table.groups.size())
                                  : hash64(groups[static_cast<std::size_t>(place)]));
  }
  if (classes) {
    read.classes = true;
    read.negative = classes->first;
    read.positive = classes->second;
  }
  read.notes = std::move(notes);
  return read;
}

training::TableWish wish_of(const nb::dict& said) {
  training::TableWish wish;
  const auto get = [&](const char* key, auto& to) {
    to = nb::cast<std::decay_t<decltype(to)>>(said[key]);
  };
  get("name", wish.name);
  get("target", wish.target);
  get("task", wish.task);
  get("objective", wish.objective);
  get("quantile", wish.quantile);
  get("alert_ratio", wish.alert_ratio);
  get("time_budget_s", wish.time_budget_s);
  get("fits_max", wish.fits_max);
  get("seed", wish.seed);
  get("workers", wish.workers);
  get("latency_us", wish.latency_us);
  get("size_mib", wish.size_mib);
  return wish;
}

nb::object bytes_of(const models::Model& model) {
  const auto bytes = onnx::write(model);
  if (!bytes) throw nb::value_error(bytes.error().text.c_str());
  return nb::bytes(bytes->data(), bytes->size());
}

nb::object text_of(const std::string& text) { return nb::str(text.data(), text.size()); }

/// Waits for the end of the search, and meanwhile tells how far it is and lets itself be
/// interrupted.
void wait(training::Runner& runner, nb::handle progress) {
  for (;;) {
    bool done = false;
    {
      const nb::gil_scoped_release release;
      done = runner.wait_for(std::chrono::milliseconds(100));
    }
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (!progress.is_none()) {
      const auto lines = runner.leaderboard();
      const nb::object best =
          lines.empty() ? nb::object(nb::none()) : nb::object(nb::float_(lines[0].score));
      if (progress(runner.progress(), lines.size(), best).is(nb::handle(Py_False))) runner.cancel();
    }
    if (done) return;
  }
}

nb::dict told_of(training::TableRun& run) {
  tl::expected<models::Model, std::string> best, champion;
  std::string report, page;
  const bool apart = run.outcome().champion && !run.outcome().best_is_champion;
  {
    const nb::gil_scoped_release release;
    best = run.model(run.outcome().best);
    if (apart) champion = run.model(*run.outcome().champion);
    const training::Report all = run.report();
    report = training::report_json(all);
    page = training::report_html(all);
  }
  if (!best) raise_value("model", best.error());
  if (!champion) raise_value("model", champion.error());
  nb::dict out;
  out["model"] = bytes_of(*best);
  out["champion"] = apart ? bytes_of(*champion) : nb::none();
  out["best_is_champion"] = run.outcome().best_is_champion;
  out["report"] = from_json(report);
  out["html"] = text_of(page);
  return out;
}

nb::dict train(training::CsvTable& read,
               const training::TableWish& wish,
               nb::handle progress,
               const training::Fitting& fitting) {
  auto run = [&] {
    const nb::gil_scoped_release release;
    return training::TableRun::begin(
        std::move(read), wish, training::TableRun::Clock::now(), fitting);
  }();
  if (!run) raise_value("", run.error().text);
  try {
    wait((*run)->runner(), progress);
  } catch (...) {
    // Its fits end within a round; whoever interrupts must not wait for the interpreter's lock.
    const nb::gil_scoped_release release;
    run->reset();
    throw;
  }
  bool fitted = false;
  {
    const nb::gil_scoped_release release;
    fitted = (*run)->finish();
  }
  if (!fitted) raise_value("", "no model could be fitted in this budget");
  nb::dict out = told_of(**run);
  const nb::gil_scoped_release release;
  run->reset();
  return out;
}

nb::dict train_unsupervised(const training::CsvTable& read, const training::TableWish& wish) {
  auto trained = [&] {
    const nb::gil_scoped_release release;
    return training::train_unsupervised(read.table, wish);
  }();
  if (!trained) raise_value("", trained.error());
  nb::dict report;
  if (const auto* anomalies = std::get_if<learn::AnomalyModel>(&trained->found)) {
    report["line"] = anomalies->line;
  } else {
    const auto& found = std::get<learn::Clustering>(trained->found);
    nb::list clusters;
    for (const learn::Cluster& cluster : found.clusters) {
      nb::dict one;
      one["rows"] = cluster.rows;
      one["words"] = text_of(cluster.words);
      clusters.append(one);
    }
    report["clusters"] = clusters;
    report["found"] = found.found;
  }
  nb::dict out;
  out["model"] = bytes_of(trained->model);
  out["champion"] = nb::none();
  out["best_is_champion"] = true;
  out["report"] = report;
  out["html"] = nb::none();
  return out;
}

}  // namespace

void bind_training(nb::module_& module) {
  module.def(
      "_train",
      [](const Rows& values,
         const std::vector<std::string>& names,
         std::vector<std::vector<std::string>> levels,
         const MaybeColumn<float>& labels,
         const std::optional<std::pair<std::string, std::string>>& classes,
         const MaybeColumn<float>& weights,
         const MaybeColumn<double>& times,
         const std::vector<std::string>& groups,
         const MaybeColumn<std::int32_t>& group,
         std::vector<std::string> notes,
         const nb::dict& wish,
         nb::handle progress,
         nb::object fits) {
        training::CsvTable read = table_of(values,
                                           names,
                                           std::move(levels),
                                           labels,
                                           classes,
                                           weights,
                                           times,
                                           groups,
                                           group,
                                           std::move(notes));
        const training::TableWish wished = wish_of(wish);
        if (wished.unsupervised()) return train_unsupervised(read, wished);
        if (fits.is_none()) return train(read, wished, progress, training::fitting_here());
        const RemoteFits apart(fits);
        try {
          return train(read, wished, progress, apart.fitting());
        } catch (const nb::builtin_exception& refused) {
          if (apart.complaint().empty()) throw;
          raise_value(
              "", std::string(refused.what()) + "; the cluster said last: " + apart.complaint());
        }
      },
      "values"_a,
      "names"_a,
      "levels"_a,
      "labels"_a.none(),
      "classes"_a.none(),
      "weights"_a.none(),
      "times"_a.none(),
      "groups"_a,
      "group"_a.none(),
      "notes"_a,
      "wish"_a,
      "progress"_a.none(),
      "fits"_a.none());
  nb::class_<Guarded<training::FitsApart>>(
      module, "FitsApart", "A search's source as a worker has it, prepared to be fitted to.")
      .def(
          "__init__",
          [](Guarded<training::FitsApart>* self, const Column<std::uint8_t>& source) {
            auto prepared = [&] {
              const nb::gil_scoped_release release;
              return training::FitsApart::prepare(
                  {reinterpret_cast<const char*>(source.data()), source.size()});
            }();
            if (!prepared) raise_error("source", prepared.error());
            new (self) Guarded<training::FitsApart>(std::move(*prepared));
          },
          "source"_a,
          "source: the bytes of one, uint8 of shape (n,). Raises ValueError.")
      .def(
          "fit",
          [](Guarded<training::FitsApart>& apart,
             const nb::bytes& job,
             double left_s) -> nb::object {
            const std::string_view asked(job.c_str(), job.size());
            const auto fit = apart.without_interpreter(
                [&](training::FitsApart& held) { return held.fit(asked, left_s); });
            if (fit) return nb::bytes(fit->data(), fit->size());
            if (fit.error().code != ErrorCode::kUnavailable) raise_error("job", fit.error());
            return nb::none();
          },
          "job"_a,
          "left_s"_a,
          "Carries out a job for at most so many seconds: the bytes of the fit; None when nothing "
          "was done by then.");
}

}  // namespace liminal::python
