#include "core/stats/trend.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "core/base/math.hpp"
#include "core/stats/normal.hpp"
#include "core/stats/reaching.hpp"

namespace liminal::stats {
namespace {

constexpr std::uint32_t kBlocksMin = 12;
/// A change so many times as large as they are on average may be another beginning.
constexpr double kJump = 16;
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

void Trend::Range::add(float value) {
  low = std::min(low, value);
  high = std::max(high, value);
}

double Trend::Range::towards(Side side) const {
  return side == Side::kAbove ? static_cast<double>(high) : -static_cast<double>(low);
}

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

bool Trend::is_jump_away(double mean) const {
  if (!renewed_from_ || blocks_known_ <= kBlocksMin) return false;
  const double away = *renewed_from_ == Side::kAbove ? at(0) - mean : mean - at(0);
  double moved = 0;
  for (std::uint32_t i = 0; i + 1 < blocks_known_; ++i) moved += std::abs(at(i) - at(i + 1));
  return away > kJump * moved / (blocks_known_ - 1);
}

/// Further from the limit than all that was seen before it jumped.
bool Trend::is_beyond(double mean) const {
  return *renewed_from_ == Side::kAbove ? mean < static_cast<double>(before_.low)
                                        : mean > static_cast<double>(before_.high);
}

Trend::Range Trend::range() const {
  const auto last = static_cast<float>(at(0));
  Range out{last, last};
  const auto add = [&out](const Range& of) {
    out.add(of.low);
    out.add(of.high);
  };
  for (std::uint32_t i = 1; i < blocks_known_; ++i) out.add(static_cast<float>(at(i)));
  for (std::uint32_t i = 0; i < std::min(days_known_, kDays); ++i) add(days_[i]);
  if (day_blocks_ > 0) add(day_);
  return out;
}

void Trend::forget() {
  blocks_known_ = 0;
  days_known_ = 0;
  day_blocks_ = 0;
}

void Trend::take(float mean) {
  blocks_[place(block_, kBlocks)] = mean;
  blocks_known_ = std::min<std::uint32_t>(blocks_known_ + 1, kBlocks);
  if (day_blocks_ == 0) day_ = {mean, mean};
  day_.add(mean);
  if (++day_blocks_ < kBlocksOfDay) return;
  days_[days_known_ % kDays] = day_;
  // Only its rest matters from then on.
  days_known_ = days_known_ + 1 < 2 * kDays ? days_known_ + 1 : kDays;
  day_blocks_ = 0;
}

void Trend::close_block(std::int64_t next) {
  if (block_count_ > 0) {
    const double mean = block_sum_ / static_cast<double>(block_count_);
    if (jumped_) {
      // The block in which it happened has something of both: this one tells whether it lasts.
      if (is_beyond(mean)) forget();
      jumped_ = false;
    } else if (is_jump_away(mean)) {
      before_ = range();
      jumped_ = true;
    }
    take(static_cast<float>(mean));
  }
  // Growth across a gap is none.
  if (next != block_ + 1) {
    blocks_known_ = 0;
    jumped_ = false;
  }
  block_ = next;
  block_sum_ = 0;
  block_count_ = 0;
}

void Trend::add_days(Side side, std::uint32_t ago_min, std::vector<double>& out) const {
  for (std::uint32_t i = 0; i < std::min(days_known_, kDays); ++i) {
    if (day_blocks_ + i * kBlocksOfDay >= ago_min)
      out.push_back(days_[(days_known_ - 1 - i) % kDays].towards(side));
  }
}

std::optional<Trend::Passage> Trend::passage(double limit, double within_s, Side side) const {
  // While it is not known whether a jump lasts, it is as it was before.
  const std::uint32_t newest = jumped_ ? 1 : 0;
  if (blocks_known_ <= kBlocksMin + newest) return std::nullopt;
  const double sign = side == Side::kAbove ? 1 : -1;
  std::vector<double> values;
  values.reserve(blocks_known_);
  for (std::uint32_t i = blocks_known_; i-- > newest;) values.push_back(sign * at(i));
  const double far = sign * limit;
  if (values.back() >= far) return Passage{0., 1};
  Seen seen{values, {}, {}, 0};
  add_days(side, 0, seen.days);
  for (std::size_t i = 0; i < kDepartures.size(); ++i) {
    std::vector<double> highs, lows;
    add_days(side, kDepartures[i], highs);
    add_days(side == Side::kAbove ? Side::kBelow : Side::kAbove, kDepartures[i], lows);
    for (const double high : highs) seen.before[i].high = std::max(seen.before[i].high, high);
    for (const double low : lows) seen.before[i].low = std::min(seen.before[i].low, -low);
  }
  const std::uint32_t known = std::min(days_known_, kDays) * kBlocksOfDay + day_blocks_;
  seen.blocks = std::max<double>(known, static_cast<double>(values.size()));
  constexpr double kBlockS = 60. * kBlockMinutes;
  const Reaching found = reaching(seen, far, within_s / kBlockS);
  Passage out;
  if (found.expected_blocks) out.expected_s = *found.expected_blocks * kBlockS;
  out.probability = found.probability;
  return out;
}

void Trend::save(Writer& out) const {
  for (const float block : blocks_) out.put(block);
  out.put(blocks_known_);
  out.put(block_);
  out.put(block_sum_);
  out.put(block_count_);
  const auto put = [&out](const Range& range) {
    out.put(range.low);
    out.put(range.high);
  };
  out.put(days_known_);
  for (const Range& day : days_) put(day);
  put(day_);
  out.put(day_blocks_);
  out.put(jumped_);
  put(before_);
}

Result<void> Trend::load_blocks(Reader& in) {
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
  days_known_ = day_blocks_ = 0;
  jumped_ = false;
  return in.finish();
}

Result<void> Trend::load(Reader& in) {
  if (const auto loaded = load_blocks(in); !loaded) return loaded;
  const auto get = [&in](Range& range) {
    in.get(range.low);
    in.get(range.high);
    if (!std::isfinite(range.low) || !std::isfinite(range.high)) in.fail();
  };
  in.get(days_known_);
  for (Range& day : days_) get(day);
  get(day_);
  in.get(day_blocks_);
  jumped_ = in.get<std::uint8_t>() != 0;
  get(before_);
  if (days_known_ >= 2 * kDays || day_blocks_ >= kBlocksOfDay || (jumped_ && !renewed_from_))
    in.fail();
  return in.finish();
}

}  // namespace liminal::stats
