#include "server/training/file_column.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "io/csv/number.hpp"

namespace liminal::training {

TwoClasses two_classes(std::string_view one, std::string_view other) {
  const auto a = csv::number(one), b = csv::number(other);
  const bool swap = a && b ? *a > *b : one > other;
  return swap ? TwoClasses{std::string(other), std::string(one)}
              : TwoClasses{std::string(one), std::string(other)};
}

void Precision::add(double number) {
  if (seen_.size() < kSeenMax && std::isfinite(number)) seen_.push_back(number);
}

std::optional<std::string> Precision::note(std::string_view column) const {
  constexpr double kLost = .01;
  std::vector<double> different = seen_;
  std::sort(different.begin(), different.end());
  different.erase(std::unique(different.begin(), different.end()), different.end());
  std::vector<float> kept;
  for (const double number : different) {
    const auto near = static_cast<float>(number);
    if (kept.empty() || kept.back() != near) kept.push_back(near);
  }
  if (!(static_cast<double>(kept.size()) < (1 - kLost) * static_cast<double>(different.size())))
    return std::nullopt;
  const double largest = std::max(std::abs(different.front()), std::abs(different.back()));
  const auto above =
      std::nextafter(static_cast<float>(largest), std::numeric_limits<float>::infinity());
  return fmt::format(
      "column {}: {} different numbers are {} as 32-bit numbers, which lie {:g} apart at {:g}: "
      "take something off them, or a difference of two times",
      column,
      different.size(),
      kept.size(),
      static_cast<double>(above) - static_cast<double>(static_cast<float>(largest)),
      largest);
}

}  // namespace liminal::training
