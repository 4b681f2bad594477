#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"

namespace liminal::api {

/// Reads the parameters of a query strictly: a value out of its range, one given twice and one that
/// is not asked for is a problem with its name.
class Query {
 public:
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  explicit Query(const Pairs& pairs);

  std::optional<std::string> text(std::string_view name,
                                  std::size_t bytes_min,
                                  std::size_t bytes_max);
  [[nodiscard]] std::uint64_t whole(std::string_view name,
                                    std::uint64_t fallback,
                                    std::uint64_t low,
                                    std::uint64_t high);
  [[nodiscard]] double number(std::string_view name, double fallback, double low, double high);
  /// RFC 3339, or seconds since the epoch.
  [[nodiscard]] std::optional<EventTime> time(std::string_view name);
  /// "?name", "?name=1", "?name=true"; absent, 0 and false are false.
  [[nodiscard]] bool flag(std::string_view name);

  template <class T, class ByName>
  T one_of(std::string_view name, T fallback, ByName by_name, std::string_view words) {
    const std::string* given = find(name);
    if (given == nullptr) return fallback;
    if (const auto known = by_name(*given)) return *known;
    wrong(name, "must be " + std::string(words));
    return fallback;
  }

  /// Everything wrong, also what nobody asked for.
  [[nodiscard]] Problems finish();

 private:
  const std::string* find(std::string_view name);
  void wrong(std::string_view name, std::string text);

  const Pairs& pairs_;
  std::set<std::string_view> read_;
  Problems problems_;
};

}  // namespace liminal::api
