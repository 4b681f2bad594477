#include "core/forecast/plan.hpp"

#include <algorithm>

namespace liminal::forecast {
namespace {

constexpr std::uint32_t kCutsMax = 6;
constexpr std::uint32_t kBlockMin = 24;
/// A block is at least so much of the history. Six blocks of a thirty-second are three of sixteen
/// days.
constexpr std::uint64_t kBlockShare = 32;
/// Of a block before those by which members are judged: what is known of how far off forecasts are
/// gains nothing from more, and each costs nine paths. Half as many cover less.
constexpr std::uint32_t kOriginsMax = 48;
constexpr double kMemory = 400;
constexpr double kHoursOfDay = 24;

/// Sorted, each once, from 1 to `most`.
std::vector<std::uint32_t> tidy(std::vector<std::uint32_t> lags, std::uint64_t most) {
  std::sort(lags.begin(), lags.end());
  lags.erase(std::unique(lags.begin(), lags.end()), lags.end());
  std::erase_if(lags, [&](std::uint32_t lag) { return lag == 0 || lag > most; });
  return lags;
}

std::vector<std::uint32_t> wide_lags(Seasons s) {
  if (s.day == 0) return {1, 2, 3, 5, 8};
  std::vector<std::uint32_t> lags{1, 2, 3};
  for (const std::uint32_t days : {1U, 2U})
    lags.insert(lags.end(), {days * s.day - 1, days * s.day, days * s.day + 1});
  lags.insert(lags.end(), {3 * s.day - 1, 3 * s.day, 4 * s.day, 5 * s.day});
  if (s.week == 0) return lags;
  for (const std::uint32_t middle : {s.week - s.day, s.week})
    lags.insert(lags.end(), {middle - 1, middle, middle + 1});
  return lags;
}

std::vector<std::uint32_t> narrow_lags(Seasons s) {
  if (s.day == 0) return {1, 2, 3};
  std::vector<std::uint32_t> lags{
      1, 2, 3, s.day - 1, s.day, s.day + 1, 2 * s.day, 3 * s.day, 5 * s.day};
  if (s.week > 0) lags.insert(lags.end(), {s.week - s.day, s.week - 1, s.week, s.week + 1});
  return lags;
}

}  // namespace

Plan Plan::of(std::uint64_t points, std::uint32_t horizon, Seasons seasons) {
  Plan plan;
  plan.horizon = std::max(1U, horizon);
  if (seasons.day < 2 || points < 5 * std::uint64_t{seasons.day} / 2) seasons = {};
  if (seasons.week <= seasons.day || points < 2 * std::uint64_t{seasons.week} + seasons.day)
    seasons.week = 0;
  plan.seasons = seasons;
  const std::uint64_t eighth = std::max<std::uint64_t>(1, points / 8);
  const std::uint64_t block = std::max(plan.horizon, kBlockMin);
  plan.block = static_cast<std::uint32_t>(std::min(std::max(block, points / kBlockShare), eighth));
  if (seasons.day > kHoursOfDay) plan.memory = kMemory * seasons.day / kHoursOfDay;

  // The oldest refit must still see each lag, three rows a lag, and two of its longest season.
  const std::uint64_t most = seasons.week > 0 ? seasons.week + 1
                             : seasons.day > 0
                                 ? std::max<std::uint64_t>(seasons.day + 1, points / 4)
                                 : std::max<std::uint64_t>(1, points / 8);
  plan.lags = tidy(wide_lags(seasons), most);
  if (seasons.week > 0) plan.day_lags = tidy(wide_lags({seasons.day, 0}), most);
  plan.residual_lags = tidy(narrow_lags(seasons), most);
  std::uint64_t need = plan.lags.back() + std::max<std::uint64_t>(3 * plan.lags.size(), 3);
  if (seasons.day > 0 && points < need + plan.block) {
    // A short season has lags near it that so few points cannot feed: then it is what is looked
    // back to.
    plan.lags = {plan.longest()};
    need = std::max<std::uint64_t>(plan.longest() + 3, 2 * std::uint64_t{plan.longest()});
  }
  const std::uint64_t spare = points > need ? points - need : 0;
  if (spare > 0)
    plan.block = static_cast<std::uint32_t>(std::min<std::uint64_t>(plan.block, spare));
  plan.stride = std::max(1U, std::min(plan.horizon, plan.block) / 4);
  plan.cuts = static_cast<std::uint32_t>(std::min<std::uint64_t>(kCutsMax, spare / plan.block));
  return plan;
}

std::uint32_t Plan::longest() const { return std::max({1U, seasons.day, seasons.week}); }

std::uint32_t Plan::recent() const { return std::min(block, std::max(horizon, kBlockMin)); }

std::uint32_t Plan::stride_at(std::uint64_t before_end) const {
  if (before_end <= std::uint64_t{cuts} * recent()) return stride;
  return std::max(stride, (block + kOriginsMax - 1) / kOriginsMax);
}

std::size_t Plan::reach() const {
  return std::max<std::size_t>(lags.back(), 6 * std::size_t{longest()});
}

void Plan::save(Writer& out) const {
  for (const std::uint32_t number : {horizon, seasons.day, seasons.week, block, cuts, stride})
    out.put(number);
  out.put(memory);
  for (const auto* numbers : {&lags, &day_lags, &residual_lags}) {
    out.put_varint(numbers->size());
    for (const std::uint32_t lag : *numbers) out.put(lag);
  }
}

void Plan::load(Reader& in) {
  for (std::uint32_t* number : {&horizon, &seasons.day, &seasons.week, &block, &cuts, &stride})
    in.get(*number);
  in.get(memory);
  for (auto* numbers : {&lags, &day_lags, &residual_lags}) {
    const std::uint64_t count = in.get_varint();
    if ((count == 0 && numbers != &day_lags) || count > 64) in.fail();
    numbers->resize(in.ok() ? static_cast<std::size_t>(count) : 1);
    for (std::uint32_t& lag : *numbers) in.get(lag);
  }
}

}  // namespace liminal::forecast
