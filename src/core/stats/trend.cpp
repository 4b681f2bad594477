#include "core/stats/trend.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/math.hpp"
#include "core/stats/normal.hpp"

namespace liminal::stats {
namespace {

constexpr std::uint32_t kGrowthBlocksMin = 12;
/// Standard errors by which a drift must be above zero before a time is told.
constexpr double kDriftErrors = 2;
/// A change so many times as large as they are on average is another beginning; with fewer blocks
/// there is no average.
constexpr double kRenewal = 16;
constexpr std::uint32_t kRenewalBlocksMin = 3;
/// Blocks are kept as `float`.
constexpr double kValueMax = 1e30;

std::size_t place(std::int64_t block, std::size_t size) {
  const auto by = static_cast<std::int64_t>(size);
  return static_cast<std::size_t>(((block % by) + by) % by);
}

std::int64_t floor_div(std::int64_t value, std::int64_t by) {
  return (value - (((value % by) + by) % by)) / by;
}

}  // namespace

void Trend::observe(std::int64_t minute, double value) {
  const std::int64_t block = floor_div(minute, kBlockMinutes);
  if (block != block_) close_block(block);
  block_sum_ += std::clamp(value, -kValueMax, kValueMax);
  ++block_count_;
}

/// The mean of the block that was closed so many before the last one.
double Trend::at(std::uint32_t ago) const {
  return static_cast<double>(blocks_[place(block_ - 1 - ago, kBlocks)]);
}

bool Trend::is_renewal(double mean) const {
  if (!renewed_from_ || blocks_known_ < kRenewalBlocksMin) return false;
  const double away = *renewed_from_ == Side::kAbove ? at(0) - mean : mean - at(0);
  double moved = 0;
  for (std::uint32_t i = 0; i + 1 < blocks_known_; ++i) moved += std::abs(at(i) - at(i + 1));
  return away > kRenewal * moved / (blocks_known_ - 1);
}

void Trend::close_block(std::int64_t next) {
  if (block_count_ > 0) {
    const double mean = block_sum_ / static_cast<double>(block_count_);
    if (is_renewal(mean)) {
      // The block in which it happened has something of both: what counts begins behind it.
      blocks_known_ = 0;
    } else {
      blocks_[place(block_, kBlocks)] = static_cast<float>(mean);
      blocks_known_ = std::min<std::uint32_t>(blocks_known_ + 1, kBlocks);
    }
  }
  // Growth across a gap is none.
  if (next != block_ + 1) blocks_known_ = 0;
  block_ = next;
  block_sum_ = 0;
  block_count_ = 0;
}

std::optional<Trend::Passage> Trend::passage(double limit, double within_s, Side side) const {
  if (blocks_known_ <= kGrowthBlocksMin) return std::nullopt;
  const double sign = side == Side::kAbove ? 1 : -1;
  const double steps = blocks_known_ - 1;
  const double drift = sign * (at(0) - at(blocks_known_ - 1)) / steps;
  double variance = 0;
  for (std::uint32_t i = 0; i + 1 < blocks_known_; ++i) {
    const double off = sign * (at(i) - at(i + 1)) - drift;
    variance += off * off / (steps - 1);
  }
  const double away = sign * (limit - at(0));
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

void Trend::save(Writer& out) const {
  for (const float block : blocks_) out.put(block);
  out.put(blocks_known_);
  out.put(block_);
  out.put(block_sum_);
  out.put(block_count_);
}

Result<void> Trend::load(Reader& in) {
  const auto finite = [&in](auto& value) {
    in.get(value);
    if (!std::isfinite(value)) in.fail();
  };
  for (float& block : blocks_) finite(block);
  in.get(blocks_known_);
  in.get(block_);
  finite(block_sum_);
  in.get(block_count_);
  constexpr std::int64_t kBlockMax = std::int64_t{1} << 40;
  if (blocks_known_ > kBlocks || block_ > kBlockMax || block_ < -kBlockMax) in.fail();
  return in.finish();
}

}  // namespace liminal::stats
