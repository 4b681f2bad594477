#include "core/novelty/alarm_budget.hpp"

#include <algorithm>

#include "core/base/math.hpp"

namespace liminal::novelty {
namespace {

constexpr double kMemoryWeeks = 8;
constexpr double kPriorWeeks = 1;
/// Far above what the memory comes to: only a damaged state is there.
constexpr float kWeeksMax = 1e3F;
/// The rate of emissions above s falls as s^-.34: 62 % at four times the line.
constexpr double kTail = .34;
/// Where bin 0 begins: 2^-4.
constexpr int kBinOfOne = 8;
constexpr double kHalfOctave = .34657359027997264;

double lower_end(int bin) { return exp(kHalfOctave * (bin - kBinOfOne)); }

}  // namespace

void AlarmBudget::learn(double emitted, double weeks) {
  weeks_ = std::min(weeks_ + static_cast<float>(weeks), kWeeksMax);
  undecayed_ += static_cast<float>(weeks);
  // A week at a time: the counts need no more.
  if (undecayed_ >= 1) {
    const auto kept = static_cast<float>(exp(-static_cast<double>(undecayed_) / kMemoryWeeks));
    for (float& count : counts_) count *= kept;
    weeks_ *= kept;
    undecayed_ = 0;
  }
  if (!(emitted >= lower_end(0))) return;
  const double bin = log(emitted) / kHalfOctave + kBinOfOne;
  counts_[static_cast<std::size_t>(std::clamp(bin, 0., kBins - 1.))] += 1;
}

double AlarmBudget::line(double alarms_per_week) const {
  double seen = 0;
  int bin = kBins;
  // Down from the highest: the first line that would have given too many is too low.
  while (bin > 0) {
    const double at = lower_end(bin - 1);
    const double with = seen + static_cast<double>(counts_[static_cast<std::size_t>(bin - 1)]);
    const double prior = kPriorWeeks * alarms_per_week * exp(-kTail * log(at));
    const double rate = (with + prior) / (static_cast<double>(weeks_) + kPriorWeeks);
    if (rate > alarms_per_week * (1 + 1e-9)) break;
    seen = with;
    --bin;
  }
  return lower_end(bin);
}

double AlarmBudget::observed(double line) const {
  if (!(weeks_ > 0)) return 0;
  double seen = 0;
  for (int bin = 0; bin < kBins; ++bin) {
    // Lines are single precision where they are kept.
    if (lower_end(bin) >= line * (1 - 1e-6))
      seen += static_cast<double>(counts_[static_cast<std::size_t>(bin)]);
  }
  return seen / static_cast<double>(weeks_);
}

void AlarmBudget::save(Writer& out) const {
  for (const float count : counts_) out.put(count);
  out.put(weeks_);
  out.put(undecayed_);
}

void AlarmBudget::load(Reader& in) {
  for (float& count : counts_) {
    in.get(count);
    if (!(count >= 0 && count < 1e9F)) in.fail();
  }
  in.get(weeks_);
  in.get(undecayed_);
  if (!(weeks_ >= 0 && weeks_ <= kWeeksMax) || !(undecayed_ >= 0 && undecayed_ < 1)) in.fail();
}

}  // namespace liminal::novelty
