#include "core/learn/drift.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/learn/tails.hpp"

namespace liminal::learn {
namespace {

constexpr std::size_t kMissing = 0;
constexpr std::size_t kParts = Reference::kBinsMax - 3;  ///< without missing, below and above
constexpr std::size_t kBatches = 25;
constexpr double kBatchesByChance = 1.79;  ///< chi-square of 24 degrees over 24, once in a hundred
constexpr double kBatchesMargin = 1.5;
constexpr double kIndependentMin = 20;
/// Of exceeding PSI's line when the window has just enough rows; later the line is far beyond it.
constexpr double kStabilityChance = 1e-4;

/// Σ over clusters of (Σ of their rows)², over Σ of rows².
template <class Sums>
double ratio_of(const Sums& sums, double squares) {
  double sum = 0;
  for (const double each : sums) sum += each * each;
  return squares > 0 ? sum / squares : 1;
}

}  // namespace

double dependence_of(std::span<const double> centred, const Order& order) {
  double squares = 0, dependence = 1;
  for (const double value : centred) squares += value * value;
  if (!order.groups.empty()) {
    LIMINAL_CHECK(order.groups.size() == centred.size());
    // Sums are added in the order of the rows: the same bits everywhere.
    std::unordered_map<std::uint64_t, std::size_t> place;
    std::vector<double> sums;
    for (std::size_t i = 0; i < centred.size(); ++i) {
      const auto [found, added] = place.emplace(order.groups[i], sums.size());
      if (added) sums.push_back(0);
      sums[found->second] += centred[i];
    }
    dependence = std::max(dependence, ratio_of(sums, squares));
  }
  if (order.times_s.empty() || centred.size() < 4 * kBatches) return dependence;
  LIMINAL_CHECK(order.times_s.size() == centred.size());
  std::vector<std::uint32_t> by_time(centred.size());
  std::iota(by_time.begin(), by_time.end(), 0U);
  std::stable_sort(by_time.begin(), by_time.end(), [&](std::uint32_t a, std::uint32_t b) {
    return order.times_s[a] < order.times_s[b];
  });
  std::vector<double> sums(kBatches);
  for (std::size_t i = 0; i < by_time.size(); ++i)
    sums[i * kBatches / by_time.size()] += centred[by_time[i]];
  const double batches = ratio_of(sums, squares);
  return batches > kBatchesByChance ? std::max(dependence, kBatchesMargin * batches) : dependence;
}

Reference Reference::learn(std::span<const float> values, const Order& order) {
  Reference reference;
  if (values.empty()) return reference;
  std::vector<float> sorted;
  for (const float value : values)
    if (std::isfinite(value)) sorted.push_back(value);
  std::sort(sorted.begin(), sorted.end());
  if (!sorted.empty()) {
    reference.edges_.push_back(sorted.front());
    for (std::size_t b = 1; b < kParts; ++b) {
      const float edge = sorted[sorted.size() * b / kParts];
      // A value that fills several parts makes one.
      if (edge > reference.edges_.back()) reference.edges_.push_back(edge);
    }
    // Nothing finite lies above the largest number there is.
    const float above = std::nextafter(sorted.back(), std::numeric_limits<float>::infinity());
    if (std::isfinite(above)) reference.edges_.push_back(above);
  }
  reference.shares_.assign(reference.edges_.size() + 2, 0);
  for (const float value : values) reference.shares_[reference.bin(value)] += 1;
  for (double& share : reference.shares_) share /= static_cast<double>(values.size());
  reference.work_out();
  reference.rows_ = static_cast<double>(values.size());
  std::vector<double> centred;
  centred.reserve(values.size());
  for (const float value : values) centred.push_back(reference.rank(reference.bin(value)) - .5);
  reference.dependence_ = dependence_of(centred, order);
  return reference;
}

void Reference::work_out() {
  ranks_.assign(shares_.size(), 0);
  double below = 0, variance = 0;
  for (std::size_t b = 0; b < shares_.size(); ++b) {
    ranks_[b] = below + shares_[b] / 2;
    below += shares_[b];
    variance += shares_[b] * (ranks_[b] - .5) * (ranks_[b] - .5);
  }
  deviation_ = sqrt(std::max(variance, 0.));
}

std::size_t Reference::bin(float value) const {
  if (std::isnan(value)) return kMissing;
  return 1 + static_cast<std::size_t>(std::upper_bound(edges_.begin(), edges_.end(), value) -
                                      edges_.begin());
}

void Reference::save(Writer& out) const {
  out.put_varint(shares_.size());
  if (shares_.empty()) return;
  for (const float edge : edges_) out.put(edge);
  for (const double share : shares_) out.put(share);
  out.put(rows_);
  out.put(dependence_);
}

void Reference::load(Reader& in) {
  const std::uint64_t bins = in.get_varint();
  if (bins == 1 || bins > kBinsMax) in.fail();
  *this = {};
  if (!in.ok() || bins == 0) return;
  edges_.resize(bins - 2);
  shares_.resize(bins);
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    in.get(edges_[i]);
    if (!std::isfinite(edges_[i]) || (i > 0 && !(edges_[i - 1] < edges_[i]))) in.fail();
  }
  double sum = 0;
  for (double& share : shares_) {
    in.get(share);
    if (!(share >= 0 && share <= 1)) in.fail();
    sum += share;
  }
  if (!(std::abs(sum - 1) < 1e-6)) in.fail();
  in.get(rows_);
  in.get(dependence_);
  if (!(rows_ > 0 && dependence_ >= 1 && std::isfinite(rows_ + dependence_))) in.fail();
  if (!in.ok()) {
    *this = {};
    return;
  }
  work_out();
}

double stability(const Reference& reference, std::span<const double> counts) {
  LIMINAL_CHECK(counts.size() == reference.bins());
  double rows = 0;
  for (const double count : counts) rows += count;
  if (!(rows > 0)) return 0;
  const auto bins = static_cast<double>(counts.size());
  double sum = 0;
  for (std::size_t b = 0; b < counts.size(); ++b) {
    const double p = (reference.share(b) * rows + .5) / (rows + .5 * bins);
    const double q = (counts[b] + .5) / (rows + .5 * bins);
    sum += (q - p) * log(q / p);
  }
  return sum;
}

double stability(const Reference& reference, std::span<const float> values) {
  std::vector<double> counts(reference.bins());
  if (counts.empty()) return 0;
  for (const float value : values) counts[reference.bin(value)] += 1;
  return stability(reference, counts);
}

double stability_by_chance(std::size_t bins, double before, double now, double alpha) {
  if (bins < 2) return 0;
  const double freedom = static_cast<double>(bins) - 1;
  const double part = 2 / (9 * freedom);
  const double root = 1 - part + normal_tail_quantile(alpha) * sqrt(part);
  return freedom * root * root * root * (1 / before + 1 / now);
}

Problems Drift::Options::validate() const {
  Problems problems;
  const auto require = [&](bool right, const char* key, const char* text) {
    if (!right) problems.push_back({key, text});
  };
  require(window_rows >= 10 && window_rows <= 1e9, "window_rows", "must lie within 10 and 1e9");
  require(stability_max > 0, "stability_max", "must be above 0");
  require(cusum_slack >= 0, "cusum_slack", "must be 0 or more");
  require(cusum_max > 0, "cusum_max", "must be above 0");
  return problems;
}

Drift::Drift(Reference reference, Options options)
    : reference_(std::move(reference)), options_(options) {
  LIMINAL_CHECK(options_.validate().empty());
  plan();
}

void Drift::plan() {
  const double dependence = reference_.dependence();
  const double independent = reference_.rows() / dependence;
  counts_.assign(independent >= kIndependentMin ? reference_.bins() : 0, 0);
  window_ = options_.window_rows * dependence;
  slack_ = options_.cusum_slack + (counts_.empty() ? 0 : 2 / sqrt(independent));
}

void Drift::observe(float value) {
  if (counts_.empty()) return;
  const double kept = 1 - 1 / window_;
  const std::size_t bin = reference_.bin(value);
  for (double& count : counts_) count *= kept;
  counts_[bin] += 1;
  rows_ = rows_ * kept + 1;
  // A reference of one value has no deviation: what lies beside it is then three of them away.
  const double deviation = std::max(reference_.rank_deviation(), 1. / 6);
  const double z = (reference_.rank(bin) - .5) / deviation;
  above_ = std::max(0., above_ + z - slack_);
  below_ = std::max(0., below_ - z - slack_);
}

double Drift::stability() const {
  return counts_.empty() ? 0 : learn::stability(reference_, counts_);
}

double Drift::stability_line() const {
  if (counts_.empty() || rows_ < .1 * window_) return std::numeric_limits<double>::infinity();
  const double dependence = reference_.dependence();
  return std::max(
      options_.stability_max,
      stability_by_chance(
          counts_.size(), reference_.rows() / dependence, rows_ / dependence, kStabilityChance));
}

double Drift::score() const {
  return std::max(cusum() / cusum_line(), stability() / stability_line());
}

void Drift::calm() {
  std::fill(counts_.begin(), counts_.end(), 0.);
  rows_ = above_ = below_ = 0;
}

void Drift::save(Writer& out) const {
  reference_.save(out);
  for (const double count : counts_) out.put(count);
  out.put(rows_);
  out.put(above_);
  out.put(below_);
}

void Drift::load(Reader& in) {
  reference_.load(in);
  plan();
  for (double& count : counts_) {
    in.get(count);
    if (!(count >= 0 && std::isfinite(count))) in.fail();
  }
  for (double* number : {&rows_, &above_, &below_}) {
    in.get(*number);
    if (!(*number >= 0 && std::isfinite(*number))) in.fail();
  }
  if (!in.ok()) *this = Drift({}, options_);
}

}  // namespace liminal::learn
