#include "server/api/series_change.hpp"

namespace liminal::api {

void SeriesChange::apply(std::optional<novelty::SeriesSettings>& settings,
                         std::optional<stats::Limit>& limit,
                         bool sent_as_counter) const {
  using Side = stats::Trend::Side;
  if (erases) {
    settings.reset();
    limit.reset();
  }
  novelty::SeriesSettings told = settings.value_or(novelty::SeriesSettings{});
  if (counter) {
    if (counter->value_or(sent_as_counter) != told.counter.value_or(sent_as_counter))
      told.range.reset();
    told.counter = *counter;
  }
  if (range) told.range = *range;
  if (alarms_per_week)
    told.alarms_per_week = alarms_per_week->value_or(novelty::SeriesSettings{}.alarms_per_week);
  if (suppress_until) told.suppress_until = *suppress_until;
  settings = told == novelty::SeriesSettings{} ? std::nullopt : std::optional(told);

  const auto move = [&](const std::optional<std::optional<double>>& named, Side side) {
    if (!named) return;
    if (*named) {
      limit = stats::Limit{**named, side};
    } else if (limit && limit->side == side) {
      limit.reset();
    }
  };
  move(lower_limit, Side::kBelow);
  move(upper_limit, Side::kAbove);
}

}  // namespace liminal::api
