#include "core/novelty/alarm_line.hpp"

#include <algorithm>

#include "core/base/math.hpp"

namespace liminal::novelty {
namespace {

constexpr double kLn2 = 0.69314718055994530942;
/// Where bin 0 begins: 2^-10.
constexpr int kBinOfOne = 30;
/// Counts are rescaled before the weight of a new point exceeds it: floats keep their digits.
constexpr float kWeightMax = 1e6F;

}  // namespace

double score_max(double points, double deviation, double enough) {
  constexpr double kOrdinary = 3;
  const double known = points / enough;
  if (known >= 1) return kScoreMax;
  const double far = std::max(0., deviation - kOrdinary);
  return std::min(kScoreMax, std::max(known * known * known * known, known * far * far));
}

int AlarmLine::bin(double novelty) {
  const double octaves = log(novelty) / kLn2;
  const double position = 3 * octaves + kBinOfOne;
  if (!(position > 0)) return 0;
  return std::min(kBins - 1, static_cast<int>(position));
}

double AlarmLine::score(double novelty, const Shape& shape) const {
  if (!(novelty > 0)) return 0;
  const double k = shape.tail_exponent;
  const double prior =
      shape.prior_points * std::min(1e9, exp(k * log(shape.prior_novelty / novelty)));
  const int at = bin(novelty);
  double seen = 0;
  for (int i = kBins - 1; i >= at; --i) seen += counts_[static_cast<std::size_t>(i)];
  // What lies in lower bins would exceed this novelty with the tail's probability.
  const double step = exp(-k * kLn2 / 3);
  double share = exp(k * (kLn2 * (at - .5 - kBinOfOne) / 3 - log(novelty)));
  for (int i = at - 1; i >= 0 && share > 1e-4; --i, share *= step)
    seen += counts_[static_cast<std::size_t>(i)] * share;
  const double rate = (prior + seen / weight_) / (shape.prior_points + points_);
  return 1 / (rate * shape.budget);
}

void AlarmLine::learn(double novelty, const Shape& shape) {
  const auto decay = static_cast<float>(1 - 1 / shape.decay_points);
  points_ = points_ * decay + 1;
  weight_ /= decay;
  if (weight_ > kWeightMax) {
    for (float& count : counts_) count /= weight_;
    weight_ = 1;
  }
  if (novelty > 0) counts_[static_cast<std::size_t>(bin(novelty))] += weight_;
}

void AlarmLine::save(Writer& out) const {
  for (const float count : counts_) out.put(count);
  out.put(points_);
  out.put(weight_);
}

void AlarmLine::load(Reader& in) {
  for (float& count : counts_) {
    in.get(count);
    if (!(count >= 0 && count < 1e30F)) in.fail();
  }
  in.get(points_);
  in.get(weight_);
  if (!(points_ >= 0 && points_ < 1e9F) || !(weight_ >= 1 && weight_ <= kWeightMax)) in.fail();
}

}  // namespace liminal::novelty
