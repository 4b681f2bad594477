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
  if (seen_ == kSeenMax || !std::isfinite(number)) return;
  ++seen_;
  numbers_.insert(number);
  kept_.insert(static_cast<float>(number));
}

std::optional<std::string> Precision::note(std::string_view column) const {
  constexpr double kLost = .01;
  const auto numbers = static_cast<double>(numbers_.size());
  if (!(static_cast<double>(kept_.size()) < (1 - kLost) * numbers)) return std::nullopt;
  const double largest = std::max(std::abs(*numbers_.begin()), std::abs(*numbers_.rbegin()));
  const auto above =
      std::nextafter(static_cast<float>(largest), std::numeric_limits<float>::infinity());
  return fmt::format(
      "column {}: {} different numbers are {} as 32-bit numbers, which lie {:g} apart at {:g}: "
      "take "
      "something off them, or a difference of two times",
      column,
      numbers_.size(),
      kept_.size(),
      static_cast<double>(above) - static_cast<double>(static_cast<float>(largest)),
      largest);
}

}  // namespace liminal::training
