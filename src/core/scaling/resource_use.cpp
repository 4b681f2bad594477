#include "core/scaling/resource_use.hpp"

#include <algorithm>
#include <cmath>

#include "core/scaling/capacity.hpp"

namespace liminal::scaling {
namespace {

constexpr double kDecayPerMinute = 1 - 1. / 2880;
constexpr double kWeightMin = 360;
constexpr double kMemoryMargin = 1.15;
/// Memory that is likely to run out by then has no size.
constexpr double kSoonS = 7 * 86'400., kLikely = .5;

RightSize sized(double ratio) { return {ratio, 1 - ratio}; }

}  // namespace

void ResourceUse::observe(std::int64_t minute, double use_ratio) {
  for (float& cell : cells_) cell *= static_cast<float>(kDecayPerMinute);
  weight_ = weight_ * kDecayPerMinute + 1;
  cells_[static_cast<std::size_t>(std::clamp(use_ratio / kCell, 0., double{kCells - 1}))] += 1;
  trend_.observe(minute, use_ratio);
}

double ResourceUse::quantile(double part) const {
  double below = 0;
  if (weight_ <= 0) return 0;
  for (std::size_t i = 0; i < kCells; ++i) {
    below += static_cast<double>(cells_[i]);
    if (below >= part * weight_) return static_cast<double>(i + 1) * kCell;
  }
  return kCells * kCell;
}

std::optional<RightSize> right_size_cpu(const ResourceUse& use, double use_max) {
  if (use.weight() < kWeightMin) return std::nullopt;
  return sized(use.quantile(.95) / use_max);
}

std::optional<RightSize> right_size_memory(const ResourceUse& use) {
  if (use.weight() < kWeightMin) return std::nullopt;
  const auto ends = use.passage(1, kSoonS);
  if (ends && ends->probability >= kLikely) return std::nullopt;
  return sized(kMemoryMargin * use.quantile(.999));
}

void ResourceUse::save(Writer& out) const {
  for (const float cell : cells_) out.put(cell);
  out.put(weight_);
  trend_.save(out);
}

Result<void> ResourceUse::load_cells(Reader& in) {
  const auto sensible = [&in](auto& value) {
    in.get(value);
    if (!(value >= 0) || !std::isfinite(value)) in.fail();
  };
  for (float& cell : cells_) sensible(cell);
  sensible(weight_);
  return in.finish();
}

Result<void> ResourceUse::load(Reader& in) {
  if (const auto loaded = load_cells(in); !loaded) return loaded;
  return trend_.load(in);
}

Result<void> ResourceUse::load_before(Reader& in) {
  if (const auto loaded = load_cells(in); !loaded) return loaded;
  return trend_.load_blocks(in);
}

}  // namespace liminal::scaling
