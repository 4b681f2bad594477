#include "core/forecast/profile.hpp"

#include <algorithm>

namespace liminal::forecast {
namespace {

void save_numbers(const std::vector<double>& numbers, Writer& out) {
  out.put_varint(numbers.size());
  for (const double number : numbers) out.put(number);
}

void load_numbers(std::vector<double>& numbers, Reader& in) {
  const std::uint64_t count = in.get_varint();
  if (count > in.remaining() / sizeof(double)) in.fail();
  numbers.resize(in.ok() ? static_cast<std::size_t>(count) : 0);
  for (double& number : numbers) in.get(number);
}

}  // namespace

void Profile::fit(std::span<const double> series,
                  std::span<const double> weights,
                  std::uint64_t first,
                  std::uint32_t day,
                  std::uint32_t week) {
  double total = 0, sum = 0;
  for (std::size_t i = 0; i < series.size(); ++i) {
    total += weights[i];
    sum += weights[i] * series[i];
  }
  level_ = total > 0 ? sum / total : 0;
  day_.assign(day, 0);
  week_.assign(week, 0);
  if (!(total > 0)) return;

  // The weights of a place are counted beside its sum; `shrink` is added to them.
  const auto average = [&](std::vector<double>& places, double shrink, auto value) {
    std::vector<double> weight(places.size(), shrink);
    for (std::size_t i = 0; i < series.size(); ++i) {
      const std::size_t place = (first + i) % places.size();
      places[place] += weights[i] * value(i);
      weight[place] += weights[i];
    }
    for (std::size_t k = 0; k < places.size(); ++k)
      places[k] = weight[k] > 0 ? places[k] / weight[k] : 0;
  };
  if (day > 0) {
    average(day_, 0, [&](std::size_t i) { return series[i] - level_; });
  }
  if (week > 0) {
    average(week_, total / static_cast<double>(series.size()), [&](std::size_t i) {
      return series[i] - level_ - (day > 0 ? day_[(first + i) % day] : 0);
    });
  }
}

void Profile::save(Writer& out) const {
  out.put(level_);
  save_numbers(day_, out);
  save_numbers(week_, out);
}

void Profile::load(Reader& in) {
  in.get(level_);
  load_numbers(day_, in);
  load_numbers(week_, in);
}

}  // namespace liminal::forecast
