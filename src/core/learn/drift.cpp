#include "core/learn/drift.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/learn/metrics.hpp"

namespace liminal::learn {
namespace {

constexpr std::size_t kMissing = 0;
constexpr std::size_t kParts = Reference::kBinsMax - 3;  ///< without missing, below and above

}  // namespace

Reference Reference::learn(std::span<const float> values) {
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
  for (const float value : values)
    reference.shares_[reference.bin(value)] += 1 / static_cast<double>(values.size());
  reference.work_out();
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
  for (const float edge : edges_) out.put(edge);
  for (const double share : shares_) out.put(share);
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
    : reference_(std::move(reference)), options_(options), counts_(reference_.bins()) {
  LIMINAL_CHECK(options_.validate().empty());
}

void Drift::observe(float value) {
  if (counts_.empty()) return;
  const double kept = 1 - 1 / options_.window_rows;
  const std::size_t bin = reference_.bin(value);
  for (double& count : counts_) count *= kept;
  counts_[bin] += 1;
  rows_ = rows_ * kept + 1;
  // A reference of one value has no deviation: what lies beside it is then three of them away.
  const double deviation = std::max(reference_.rank_deviation(), 1. / 6);
  const double z = (reference_.rank(bin) - .5) / deviation;
  above_ = std::max(0., above_ + z - options_.cusum_slack);
  below_ = std::max(0., below_ - z - options_.cusum_slack);
}

double Drift::stability() const { return learn::stability(reference_, counts_); }

bool Drift::drifted() const {
  if (cusum() > options_.cusum_max) return true;
  if (rows_ < .1 * options_.window_rows) return false;
  // Without drift PSI is about chi-square of bins − 1 degrees, over the rows.
  const auto freedom = static_cast<double>(counts_.size()) - 1;
  const double chance = (freedom + 5 * sqrt(2 * freedom)) / rows_;
  return stability() > std::max(options_.stability_max, chance);
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
  counts_.assign(reference_.bins(), 0);
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
