#include "core/scaling/resource_use.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/math.hpp"
#include "core/scaling/capacity.hpp"

namespace liminal::scaling {
namespace {

constexpr double kDecayPerMinute = 1 - 1. / 2880;
constexpr std::uint32_t kGrowthBlocksMin = 12;
/// Standard errors by which a drift must be above zero before a time is told.
constexpr double kDriftErrors = 2;
constexpr double kWeightMin = 360;
constexpr double kMemoryMargin = 1.15;

std::size_t place(std::int64_t block, std::size_t size) {
  const auto by = static_cast<std::int64_t>(size);
  return static_cast<std::size_t>(((block % by) + by) % by);
}

std::int64_t floor_div(std::int64_t value, std::int64_t by) {
  return (value - (((value % by) + by) % by)) / by;
}

RightSize sized(double ratio) { return {ratio, 1 - ratio}; }

}  // namespace

void ResourceUse::observe(std::int64_t minute, double use_ratio) {
  for (float& cell : cells_) cell *= static_cast<float>(kDecayPerMinute);
  weight_ = weight_ * kDecayPerMinute + 1;
  cells_[static_cast<std::size_t>(std::clamp(use_ratio / kCell, 0., double{kCells - 1}))] += 1;
  const std::int64_t block = floor_div(minute, kBlockMinutes);
  if (block != block_) close_block(block);
  block_sum_ += use_ratio;
  ++block_count_;
}

void ResourceUse::close_block(std::int64_t next) {
  if (block_count_ > 0) {
    blocks_[place(block_, kBlocks)] =
        static_cast<float>(block_sum_ / static_cast<double>(block_count_));
    blocks_known_ = std::min<std::uint32_t>(blocks_known_ + 1, kBlocks);
  }
  // Growth across a gap is none.
  if (next != block_ + 1) blocks_known_ = 0;
  block_ = next;
  block_sum_ = 0;
  block_count_ = 0;
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

std::optional<ResourceUse::Passage> ResourceUse::passage(double limit, double within_s) const {
  if (blocks_known_ <= kGrowthBlocksMin) return std::nullopt;
  const auto at = [this](std::uint32_t ago) {
    return static_cast<double>(blocks_[place(block_ - 1 - ago, kBlocks)]);
  };
  const double steps = blocks_known_ - 1;
  const double drift = (at(0) - at(blocks_known_ - 1)) / steps;
  double variance = 0;
  for (std::uint32_t i = 0; i + 1 < blocks_known_; ++i) {
    const double off = at(i) - at(i + 1) - drift;
    variance += off * off / (steps - 1);
  }
  const double away = limit - at(0);
  if (away <= 0) return Passage{0., 1};
  constexpr double kBlockS = 60. * kBlockMinutes;
  const double time = within_s / kBlockS;
  Passage out;
  if (drift > 0 && drift * drift > kDriftErrors * kDriftErrors * variance / steps)
    out.expected_s = away / drift * kBlockS;
  // The walk's own spread, and that of where its drift leads.
  const double spread = sqrt(variance * time * (1 + time / steps));
  if (!(spread > 0)) {
    out.probability = drift * time >= away ? 1 : 0;
    return out;
  }
  const double effective = spread * spread / time;
  const double mirror = std::min(2 * drift * away / effective, 700.);
  out.probability = std::clamp(normal_below((drift * time - away) / spread) +
                                   exp(mirror) * normal_below((-away - drift * time) / spread),
                               0.,
                               1.);
  return out;
}

std::optional<RightSize> right_size_cpu(const ResourceUse& use, double use_max) {
  if (use.weight() < kWeightMin) return std::nullopt;
  return sized(use.quantile(.95) / use_max);
}

std::optional<RightSize> right_size_memory(const ResourceUse& use) {
  if (use.weight() < kWeightMin) return std::nullopt;
  return sized(kMemoryMargin * use.quantile(.999));
}

void ResourceUse::save(Writer& out) const {
  for (const float cell : cells_) out.put(cell);
  out.put(weight_);
  for (const float block : blocks_) out.put(block);
  out.put(blocks_known_);
  out.put(block_);
  out.put(block_sum_);
  out.put(block_count_);
}

Result<void> ResourceUse::load(Reader& in) {
  const auto sensible = [&in](auto& value) {
    in.get(value);
    if (!(value >= 0) || !std::isfinite(value)) in.fail();
  };
  for (float& cell : cells_) sensible(cell);
  sensible(weight_);
  for (float& block : blocks_) sensible(block);
  in.get(blocks_known_);
  in.get(block_);
  sensible(block_sum_);
  in.get(block_count_);
  constexpr std::int64_t kBlockMax = std::int64_t{1} << 40;
  if (blocks_known_ > kBlocks || block_ > kBlockMax || block_ < -kBlockMax) in.fail();
  return in.finish();
}

}  // namespace liminal::scaling
