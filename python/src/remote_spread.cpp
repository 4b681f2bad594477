#include "remote_spread.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <utility>

#include "held.hpp"

namespace liminal::python {
namespace {

using namespace nb::literals;

template <class T, class Value>
void take(const nb::dict& told, const char* key, std::vector<Value>& to) {
  const nb::object given = told[key];
  if (given.is_none()) return;
  const auto column = nb::cast<Column<T>>(given);
  to.assign(column.data(), column.data() + column.shape(0));
}

template <class T>
T number(const nb::dict& told, const char* key) {
  return nb::cast<T>(told[key]);
}

training::SpreadSample sample_of(const nb::dict& told, const learn::ModelDefinition& definition) {
  training::SpreadSample sample;
  sample.table = training::columns_of(definition);
  const auto values =
      nb::cast<nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>>(
          told["values"]);
  sample.table.values.assign(values.data(), values.data() + values.size());
  take<float>(told, "labels", sample.table.labels);
  take<double>(told, "times", sample.table.times_s);
  take<std::uint64_t>(told, "users", sample.table.groups);
  sample.rows = number<std::uint64_t>(told, "rows");
  sample.left_out = number<std::uint64_t>(told, "left_out");
  sample.positives = number<std::uint64_t>(told, "positives");
  sample.notes = nb::cast<std::vector<std::string>>(told["notes"]);
  return sample;
}

training::SpreadFit fit_of(const nb::dict& told) {
  training::SpreadFit fit;
  const auto booster = nb::cast<nb::bytes>(told["booster"]);
  fit.booster.assign(booster.c_str(), booster.size());
  fit.rows = number<std::uint64_t>(told, "rows");
  fit.rounds = number<std::uint32_t>(told, "rounds");
  fit.workers = number<std::uint32_t>(told, "workers");
  fit.score = number<double>(told, "score");
  fit.took_s = number<double>(told, "took_s");
  fit.recipe = nb::cast<std::string>(told["recipe"]);
  fit.notes = nb::cast<std::vector<std::string>>(told["notes"]);
  return fit;
}

nb::dict dict_of(const training::Parting& parting) {
  nb::dict out;
  out["by_users"] = parting.users;
  out["by_values"] = parting.values;
  out["by_time"] = parting.cut.has_value();
  out["begin_s"] = parting.cut ? parting.cut->begin_s : 0.;
  out["gap_s"] = parting.cut ? parting.cut->gap_s : 0.;
  return out;
}

class RemoteSpread final : public training::Spread {
 public:
  RemoteSpread(const nb::object& place, training::SpreadWish wish) : wish_(std::move(wish)) {
    const nb::gil_scoped_acquire acquire;
    there_ = held(place.attr("spread")(wish_.files,
                                       wish_.definition.features,
                                       wish_.definition.target,
                                       wish_.definition.task == models::Task::kClassification,
                                       wish_.workers,
                                       wish_.sample_rows,
                                       wish_.rounds_max,
                                       wish_.budget_s,
                                       wish_.seed));
  }

  ~RemoteSpread() override {
    const nb::gil_scoped_acquire acquire;
    try {
      there_->attr("end")();
    } catch (const std::exception&) {  // the cluster is gone, and what was on it
    }
  }

  learn::Asked<training::SpreadSample> sample(const training::Telling& telling) override {
    return asked<training::SpreadSample>(
        telling,
        [&](nb::object stopped, nb::object tell) { return there_->attr("sample")(stopped, tell); },
        [&](const nb::dict& told) { return sample_of(told, wish_.definition); });
  }

  learn::Asked<training::SpreadFit> grow(const training::Parting& parting,
                                         const training::Telling& telling) override {
    return asked<training::SpreadFit>(
        telling,
        [&](nb::object stopped, nb::object tell) {
          return there_->attr("grow")(dict_of(parting), stopped, tell);
        },
        &fit_of);
  }

 private:
  template <class T, class Ask, class Read>
  static learn::Asked<T> asked(const training::Telling& telling, Ask ask, Read read) {
    const nb::gil_scoped_acquire acquire;
    try {
      const nb::object stopped = nb::cpp_function([&telling] { return telling.cancelled(); });
      const nb::object tell =
          nb::cpp_function([&telling](double progress) { telling.tell(progress, {}); });
      const nb::object told = ask(stopped, tell);
      if (told.is_none()) return learn::refusal(ErrorCode::kUnavailable, "cancelled");
      return read(nb::cast<nb::dict>(told));
    } catch (nb::python_error& raised) {
      return learn::refusal(code_of(raised), words_of(raised));
    } catch (const std::exception& raised) {
      return learn::refusal(ErrorCode::kUnavailable, raised.what());
    }
  }

  static ErrorCode code_of(const nb::python_error& raised) {
    if (raised.matches(PyExc_ValueError)) return ErrorCode::kMalformed;
    if (raised.matches(PyExc_LookupError)) return ErrorCode::kConflict;
    return ErrorCode::kUnavailable;
  }

  static std::string words_of(const nb::python_error& raised) {
    const nb::object arguments = raised.value().attr("args");
    if (nb::len(arguments) > 0) return nb::cast<std::string>(nb::str(arguments[0]));
    return nb::cast<std::string>(nb::str(raised.type().attr("__name__")));
  }

  const training::SpreadWish wish_;
  Held there_;
};

}  // namespace

std::unique_ptr<training::Spread> begin_remote_spread(const nb::object& place,
                                                      const training::SpreadWish& wish) {
  return std::make_unique<RemoteSpread>(place, wish);
}

}  // namespace liminal::python
