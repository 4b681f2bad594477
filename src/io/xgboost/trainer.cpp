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

/// `slope`: what penalties on slopes are in parts of.
Parameters parameters_of(const FitJob& job,
                         const BoosterRecipe& recipe,
                         const Loss& loss,
                         double slope) {
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
                 {"alpha", text(slope * recipe.l1)},
                 {"gamma", text(slope * slope * recipe.gain_min)},
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

/// The middle one of |label − margin|; their mean where most are 0.
double spread_of(std::vector<float> residuals) {
  if (residuals.empty()) return 0;
  double sum = 0;
  for (float& residual : residuals) {
    residual = std::abs(residual);
    sum += static_cast<double>(residual);
  }
  const auto middle = residuals.begin() + static_cast<std::ptrdiff_t>(residuals.size() / 2);
  std::nth_element(residuals.begin(), middle, residuals.end());
  return *middle > 0 ? static_cast<double>(*middle) : sum / static_cast<double>(residuals.size());
}

std::vector<float> residuals_of(std::span<const float> margins, std::span<const float> labels) {
  std::vector<float> residuals(labels.begin(), labels.end());
  for (std::size_t i = 0; i < residuals.size(); ++i) residuals[i] -= margins[i];
  return residuals;
}

double spread_around(double start, std::vector<float> labels) {
  for (float& label : labels) label -= static_cast<float>(start);
  return spread_of(std::move(labels));
}

/// Slopes and curvatures of the parabola that touches the pinball loss where a margin is and lies
/// above it elsewhere: the loss has no curvature of its own. Scaled to a curvature of 1/4, that of
/// an even chance, for a residual of the middle size: what recipes say of weights and penalties is
/// meant for such.
///
/// Source: Hunter and Lange 2000, "Quantile regression via an MM algorithm".
void pinball_gradients(const std::vector<float>& residuals,
                       std::span<const float> weights,
                       double level,
                       double blunt,
                       std::vector<float>& gradients,
                       std::vector<float>& curvatures) {
  constexpr double kLeast = 1e-30;
  const double spread = std::max(spread_of(residuals), kLeast);
  const double least = blunt * spread, scale = .25 * std::max(blunt, 1.) * spread;
  const double tilt = scale * (2 * level - 1);
  gradients.resize(residuals.size());
  curvatures.resize(residuals.size());
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    const double r = static_cast<double>(residuals[i]);
    const double weight = weights.empty() ? 1 : static_cast<double>(weights[i]);
    const double curvature = scale / std::max(std::abs(r), least);
    gradients[i] = static_cast<float>(-weight * (curvature * r + tilt));
    curvatures[i] = static_cast<float>(weight * curvature);
  }
}

}  // namespace

/// The rows of a set as XGBoost holds them. Zeros of indicators are left out, as if missing: with
/// many levels most of a row is zeros, and rounds take a third less time.
class Trainer::Rows {
 public:
  Rows(const Material& material, std::uint32_t set, std::span<const std::uint8_t> indicators)
      : labels(material.unit_labels(set)), weights(material.weights(set)) {
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
  const double start = start_of(material.loss, (*train)->labels);
  const bool pinball = material.loss.kind == Loss::Kind::kPinball;
  const double slope = pinball ? spread_around(start, (*train)->labels) : 1;
  for (const auto& [name, value] : parameters_of(job, recipe, material.loss, slope))
    booster.set(name, value);
  booster.set("base_score", text(start));

  learn::Fit fit;
  fit.complete = false;
  const auto patience = static_cast<std::uint32_t>(std::max(20., 3 / recipe.eta));
  // Small steps change little: looking at each would take a quarter of the time.
  const auto stride = static_cast<std::uint32_t>(std::clamp(.2 / recipe.eta, 1., 10.));
  double best = std::numeric_limits<double>::infinity();
  std::vector<float> gradients, curvatures;
  while (fit.built < job.rounds_max && booster.ok() && !stop()) {
    if (pinball) {
      const auto before = booster.margins((*train)->handle(), true);
      if (!booster.ok()) break;
      pinball_gradients(residuals_of(before, (*train)->labels),
                        (*train)->weights,
                        material.loss.level,
                        recipe.blunt,
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
