#include "core/scaling/peak_residuals.hpp"

#include <algorithm>
#include <cmath>

namespace liminal::scaling {
namespace {

/// Keys lie in [-1, 4] and are kept to 1/12,800.
constexpr double kKeyLow = -1, kKeyCells = 12'800;
/// What a bin's own residuals must outweigh.
constexpr double kShrink = 50;
constexpr std::uint32_t kEdgeMinutes = 7 * 1440;

}  // namespace

std::uint16_t PeakResiduals::on_grid(double key) {
  return static_cast<std::uint16_t>(std::clamp((key - kKeyLow) * kKeyCells, 0., 65'534.));
}

std::size_t PeakResiduals::bin(std::uint16_t key) const {
  std::size_t at = 0;
  while (at < edges_.size() && key > edges_[at]) ++at;
  return at;
}

void PeakResiduals::expect(double key) {
  skip();
  kept_[(count_ - 1) % kKept].key = on_grid(key);
}

void PeakResiduals::skip() {
  constexpr Kept kNone{kMissing, kMissing};
  if (kept_.size() < kKept) {
    if (kept_.size() == kept_.capacity())
      kept_.reserve(std::clamp<std::size_t>(2 * kept_.size(), 64, kKept));
    kept_.push_back(kNone);
  } else {
    kept_[count_ % kKept] = kNone;
  }
  ++count_;
}

void PeakResiduals::observe(std::uint32_t ago, double residual) {
  if (ago >= count_ || ago >= kKept) return;
  Kept& kept = kept_[(count_ - 1 - ago) % kKept];
  if (kept.key == kMissing) return;
  const double cell = std::clamp((residual - kLow) / kStep, 0., double{kCells - 1});
  kept.cell = static_cast<std::uint16_t>(cell);
  const std::size_t at = bin(kept.key);
  bins_[at][kept.cell] += 1;
  weights_[at] += 1;
  all_[kept.cell] += 1;
  total_ += 1;
}

void PeakResiduals::decay(double factor) {
  const auto by = static_cast<float>(factor);
  for (Histogram& histogram : bins_) {
    for (float& cell : histogram) cell *= by;
  }
  for (float& cell : all_) cell *= by;
  for (double& weight : weights_) weight *= factor;
  total_ *= factor;
}

void PeakResiduals::cut(double decay_per_minute) {
  std::vector<std::uint16_t> keys;
  const std::uint64_t back = std::min<std::uint64_t>(count_, kEdgeMinutes);
  keys.reserve(back);
  for (std::uint64_t ago = 0; ago < back; ++ago) {
    const Kept& kept = kept_[(count_ - 1 - ago) % kKept];
    if (kept.key != kMissing) keys.push_back(kept.key);
  }
  if (keys.empty()) return;
  std::sort(keys.begin(), keys.end());
  double above = .5;
  for (std::size_t k = 0; k < edges_.size(); ++k) {
    if (k >= kBins / 2) above /= 2;
    const double share = k < kBins / 2 ? static_cast<double>(k + 1) / kBins : 1 - above;
    edges_[k] = keys[std::min(static_cast<std::size_t>(share * static_cast<double>(keys.size())),
                              keys.size() - 1)];
  }
  for (Histogram& histogram : bins_) histogram.fill(0);
  weights_.fill(0);
  double weight = 1;
  for (std::uint64_t ago = 0; ago < kept_.size(); ++ago, weight *= decay_per_minute) {
    const Kept& kept = kept_[(count_ - 1 - ago) % kKept];
    if (kept.cell == kMissing) continue;
    const std::size_t at = bin(kept.key);
    bins_[at][kept.cell] += static_cast<float>(weight);
    weights_[at] += weight;
  }
}

double PeakResiduals::upper(double key, double probability) const {
  const std::size_t at = bin(on_grid(key));
  const double shrink = kShrink / (weights_[at] + kShrink);
  const double own = (1 - shrink) / std::max(weights_[at], 1e-9);
  const double common = shrink / std::max(total_, 1e-9);
  const Histogram& histogram = bins_[at];
  double above = 0;
  for (std::size_t cell = kCells; cell-- > 0;) {
    above += own * static_cast<double>(histogram[cell]) + common * static_cast<double>(all_[cell]);
    if (above >= probability) return kLow + static_cast<double>(cell + 1) * kStep;
  }
  return kLow + kStep;
}

std::size_t PeakResiduals::memory_bytes() const {
  return sizeof *this + kept_.capacity() * sizeof(Kept) + bins_.capacity() * sizeof(Histogram);
}

void PeakResiduals::save(Writer& out) const {
  out.put(count_);
  out.put_varint(kept_.size());
  for (const Kept& kept : kept_) {
    out.put(kept.key);
    out.put(kept.cell);
  }
  for (const std::uint16_t edge : edges_) out.put(edge);
  for (const Histogram& histogram : bins_) {
    for (const float cell : histogram) out.put(cell);
  }
  for (const double weight : weights_) out.put(weight);
  for (const float cell : all_) out.put(cell);
  out.put(total_);
}

Result<void> PeakResiduals::load(Reader& in) {
  in.get(count_);
  const std::uint64_t size = in.get_varint();
  if (size != std::min<std::uint64_t>(count_, kKept) || size > in.remaining() / sizeof(Kept))
    in.fail();
  kept_.clear();
  for (std::uint64_t i = 0; in.ok() && i < size; ++i) {
    Kept kept{};
    in.get(kept.key);
    in.get(kept.cell);
    if (kept.cell != kMissing && (kept.cell >= kCells || kept.key == kMissing)) in.fail();
    kept_.push_back(kept);
  }
  for (std::uint16_t& edge : edges_) in.get(edge);
  if (!std::is_sorted(edges_.begin(), edges_.end())) in.fail();
  const auto weight = [&in](auto& value) {
    in.get(value);
    if (!(value >= 0) || !std::isfinite(value)) in.fail();
  };
  for (Histogram& histogram : bins_) {
    for (float& cell : histogram) weight(cell);
  }
  for (double& value : weights_) weight(value);
  for (float& cell : all_) weight(cell);
  weight(total_);
  return in.finish();
}

}  // namespace liminal::scaling
