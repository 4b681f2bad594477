#include "io/xgboost/trainer.hpp"

#include <dlfcn.h>
#include <xgboost/c_api.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/learn/metrics.hpp"

namespace liminal::xgboost {
namespace {

using learn::BoosterRecipe;
using learn::FitJob;
using learn::Loss;
using learn::Material;

constexpr int kMarginOnly = 1;  ///< option of XGBoosterPredict
constexpr double kGainMin = 1e-6;

/// Some steps of XGBoost take as many threads as OpenMP has, whatever it was told. OpenMP's number
/// belongs to the calling thread.
void one_thread() {
  using Set = void (*)(int);
  if (const auto set = reinterpret_cast<Set>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) set(1);
}

using Parameters = std::vector<std::pair<std::string, std::string>>;

std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.9g", value);
  return buffer;
}

Parameters parameters_of(const FitJob& job, const BoosterRecipe& recipe, const Loss& loss) {
  Parameters all{{"tree_method", "hist"},
                 {"max_bin", "256"},
                 {"nthread", "1"},
                 {"verbosity", "0"},
                 {"objective", loss.classes() ? "binary:logistic" : "reg:squarederror"},
                 {"disable_default_eval_metric", "1"},
                 {"seed", std::to_string(job.seed & 0x7fffffffU)},
                 {"eta", text(recipe.eta)},
                 {"min_child_weight", text(recipe.child_weight)},
                 {"subsample", text(recipe.rows_ratio)},
                 {"lambda", text(recipe.l2)},
                 {"alpha", text(recipe.l1)},
                 {"gamma", text(recipe.gain_min)},
                 {"num_parallel_tree", std::to_string(recipe.parallel)}};
  all.emplace_back(recipe.parallel > 1 ? "colsample_bynode" : "colsample_bytree",
                   text(recipe.columns_ratio));
  if (recipe.leaves > 0) {
    all.emplace_back("grow_policy", "lossguide");
    all.emplace_back("max_leaves", std::to_string(recipe.leaves));
    all.emplace_back("max_depth", "0");
  } else {
    all.emplace_back("max_depth", std::to_string(recipe.depth));
  }
  return all;
}

/// Where boosting begins: even odds, the mean, or the quantile that is asked for.
double start_of(const Loss& loss, std::vector<float> labels) {
  if (loss.classes() || labels.empty()) return .5;
  if (loss.kind == Loss::Kind::kSquared) {
    double sum = 0;
    for (const float label : labels) sum += static_cast<double>(label);
    return sum / static_cast<double>(labels.size());
  }
  const auto place = std::min(
      static_cast<std::size_t>(loss.level * static_cast<double>(labels.size())), labels.size() - 1);
  std::nth_element(
      labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(place), labels.end());
  return static_cast<double>(labels[place]);
}

double loss_of(const Loss& loss, std::span<const float> margins, std::span<const float> labels) {
  switch (loss.kind) {
    case Loss::Kind::kLogistic:
      return learn::margin_log_loss(margins, labels);
    case Loss::Kind::kSquared:
      return learn::root_mean_square_error(margins, labels);
    case Loss::Kind::kPinball:
      return learn::pinball(margins, labels, loss.level);
  }
  return 0;
}

/// A booster of XGBoost, freed at its end.
class Handle {
 public:
  Handle(std::vector<DMatrixHandle> data) {
    ok_ = XGBoosterCreate(data.data(), data.size(), &handle_) == 0;
  }
  ~Handle() {
    if (handle_ != nullptr) XGBoosterFree(handle_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  [[nodiscard]] bool ok() const { return ok_; }
  void set(const std::string& name, const std::string& value) {
    ok_ = ok_ && XGBoosterSetParam(handle_, name.c_str(), value.c_str()) == 0;
  }
  void update(DMatrixHandle data, int round) {
    ok_ = ok_ && XGBoosterUpdateOneIter(handle_, round, data) == 0;
  }
  void boost(DMatrixHandle data, std::vector<float>& gradients, std::vector<float>& curvatures) {
    ok_ = ok_ && XGBoosterBoostOneIter(
                     handle_, data, gradients.data(), curvatures.data(), gradients.size()) == 0;
  }
  [[nodiscard]] std::span<const float> margins(DMatrixHandle data, bool training) {
    bst_ulong count = 0;
    const float* values = nullptr;
    ok_ = ok_ &&
          XGBoosterPredict(handle_, data, kMarginOnly, 0, training ? 1 : 0, &count, &values) == 0;
    return ok_ ? std::span(values, count) : std::span<const float>{};
  }
  [[nodiscard]] std::string_view save() {
    bst_ulong count = 0;
    const char* bytes = nullptr;
    ok_ = ok_ && XGBoosterSaveModelToBuffer(handle_, R"({"format": "ubj"})", &count, &bytes) == 0;
    return ok_ ? std::string_view(bytes, count) : std::string_view{};
  }

 private:
  BoosterHandle handle_ = nullptr;
  bool ok_ = false;
};

/// Gradients of the pinball loss, with curvature 1: its own is 0 almost everywhere.
void pinball_gradients(std::span<const float> margins,
                       std::span<const float> labels,
                       std::span<const float> weights,
                       double level,
                       std::vector<float>& gradients,
                       std::vector<float>& curvatures) {
  gradients.resize(labels.size());
  curvatures.resize(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const float weight = weights.empty() ? 1.F : weights[i];
    const auto pull = static_cast<float>(labels[i] > margins[i] ? -level : 1 - level);
    gradients[i] = weight * pull;
    curvatures[i] = weight;
  }
}

}  // namespace

/// The rows of a set as XGBoost holds them. Zeros of indicators are left out, as if missing: with
/// many levels most of a row is zeros, and rounds take a third less time.
class Trainer::Rows {
 public:
  Rows(const Material& material, std::uint32_t set, std::span<const std::uint8_t> indicators)
      : labels(material.labels(set)), weights(material.weights(set)) {
    const learn::Matrix matrix = material.matrix(material.encoding.trees, set);
    std::vector<std::size_t> ends{0};
    std::vector<unsigned> columns;
    std::vector<float> values;
    for (std::size_t i = 0; i < matrix.rows; ++i) {
      const auto row = matrix.row(i);
      for (std::size_t k = 0; k < row.size(); ++k) {
        if (std::isnan(row[k]) || (indicators[k] != 0 && row[k] == 0)) continue;
        columns.push_back(static_cast<unsigned>(k));
        values.push_back(row[k]);
      }
      ends.push_back(values.size());
    }
    ok_ = XGDMatrixCreateFromCSREx(ends.data(),
                                   columns.data(),
                                   values.data(),
                                   ends.size(),
                                   values.size(),
                                   matrix.columns,
                                   &handle_) == 0 &&
          XGDMatrixSetFloatInfo(handle_, "label", labels.data(), labels.size()) == 0;
    if (ok_ && !weights.empty())
      ok_ = XGDMatrixSetFloatInfo(handle_, "weight", weights.data(), weights.size()) == 0;
  }
  ~Rows() {
    if (handle_ != nullptr) XGDMatrixFree(handle_);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] DMatrixHandle handle() const { return handle_; }

  const std::vector<float> labels, weights;

 private:
  DMatrixHandle handle_ = nullptr;
  bool ok_ = false;
};

Trainer::Trainer() = default;
Trainer::~Trainer() = default;

Result<Trainer::Rows*> Trainer::rows_of(const Material& material, std::uint32_t set) {
  if (material_ != material.identity.token()) {
    rows_.clear();
    indicators_.clear();
    for (const models::Column& column : material.encoding.trees.columns)
      indicators_.push_back(column.kind == models::Column::Kind::kIndicator);
  }
  material_ = material.identity.token();
  auto& place = rows_[set];
  if (!place) place = std::make_unique<Rows>(material, set, indicators_);
  if (place->ok()) return place.get();
  complaint_ = XGBGetLastError();
  rows_.erase(set);
  return failure(ErrorCode::kUnsupported);
}

Result<learn::Fit> Trainer::train(const Material& material,
                                  const FitJob& job,
                                  const BoosterRecipe& recipe,
                                  const learn::Stop& stop) {
  one_thread();
  const auto train = rows_of(material, job.train);
  if (!train) return tl::unexpected(train.error());
  const bool validated = job.valid != Material::kNoRows;
  Rows* valid = nullptr;
  std::vector<DMatrixHandle> data{(*train)->handle()};
  if (validated) {
    const auto found = rows_of(material, job.valid);
    if (!found) return tl::unexpected(found.error());
    valid = *found;
    data.push_back(valid->handle());
  }
  Handle booster(data);
  for (const auto& [name, value] : parameters_of(job, recipe, material.loss))
    booster.set(name, value);
  booster.set("base_score", text(start_of(material.loss, (*train)->labels)));

  learn::Fit fit;
  fit.complete = false;
  const auto patience = static_cast<std::uint32_t>(std::max(20., 3 / recipe.eta));
  // Small steps change little: looking at each would take a quarter of the time.
  const auto stride = static_cast<std::uint32_t>(std::clamp(.2 / recipe.eta, 1., 10.));
  double best = std::numeric_limits<double>::infinity();
  std::vector<float> gradients, curvatures;
  while (fit.built < job.rounds_max && booster.ok() && !stop()) {
    if (material.loss.kind == Loss::Kind::kPinball) {
      pinball_gradients(booster.margins((*train)->handle(), true),
                        (*train)->labels,
                        (*train)->weights,
                        material.loss.level,
                        gradients,
                        curvatures);
      booster.boost((*train)->handle(), gradients, curvatures);
    } else {
      booster.update((*train)->handle(), static_cast<int>(fit.built));
    }
    ++fit.built;
    if (!validated) fit.rounds = fit.built;
    if (!validated || (fit.built % stride != 0 && fit.built > 1 && fit.built < job.rounds_max))
      continue;
    const auto margins = booster.margins(valid->handle(), false);
    if (!booster.ok()) break;
    const double loss = loss_of(material.loss, margins, valid->labels);
    if (loss < best - kGainMin * (material.loss.classes() ? 1 : loss) || fit.built == 1) {
      best = loss;
      fit.rounds = fit.built;
      fit.margins.assign(margins.begin(), margins.end());
    }
    if (fit.built - fit.rounds > patience) {
      fit.complete = true;
      break;
    }
  }
  if (fit.built == job.rounds_max) fit.complete = true;
  if (booster.ok() && fit.built == 0) return failure(ErrorCode::kUnavailable);
  const std::string_view saved = booster.save();
  if (!booster.ok()) {
    complaint_ = XGBGetLastError();
    return failure(ErrorCode::kUnsupported);
  }
  auto trees = read_trees(saved, fit.rounds, indicators_);
  if (!trees) return tl::unexpected(trees.error());
  trees->inputs = material.encoding.trees;
  fit.model = std::move(*trees);
  return fit;
}

}  // namespace liminal::xgboost
