#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace liminal::salience {

/// What an event may say of itself. Fractions are 0–1 and clipped to that; times are seconds.
enum class Field : std::uint8_t {
  kSeverity,  ///< as log-odds already: `severity_log_odds`
  kFailureSeverity,
  kBusinessCriticality,
  kUserImpact,
  kTaskRisk,
  kErrorRate,
  kValue,
  kFrequency,
  kEngagement,
  kSystemLoad,
  kCpuUsage,
  kMemoryUsage,
  kResponseTime,
  kDuration,
};
inline constexpr std::size_t kFields = 14;
[[nodiscard]] std::string_view name(Field field);
[[nodiscard]] std::optional<Field> field_by_name(std::string_view name);

/// Log-odds of a severity in words: info −1.5, low −.75, medium (warning) 0, high (error) 1,
/// critical (fatal) 2, in capitals or not. None for another word.
[[nodiscard]] std::optional<double> severity_log_odds(std::string_view severity);
/// The same of a severity as a number 0–1, clipped: from −1.5 to 2.
[[nodiscard]] double severity_log_odds(double severity);

/// The fields of one event; NaN where it does not say.
struct Fields {
  std::array<double, kFields> values;
  Fields() { values.fill(std::numeric_limits<double>::quiet_NaN()); }
  double& operator[](Field field) { return values[static_cast<std::size_t>(field)]; }
  double operator[](Field field) const { return values[static_cast<std::size_t>(field)]; }
};

/// What one field adds to the log-odds.
struct PriorTerm {
  Field field{};
  double log_odds = 0;
};

/// How salient an event is that comes without history.
struct Prior {
  double log_odds = 0;
  std::array<PriorTerm, kFields> terms;  ///< the first `count`, in the order of the fields
  std::size_t count = 0;
  [[nodiscard]] std::span<const PriorTerm> lines() const { return {terms.data(), count}; }
};

/// Adds up what the fields say, about a base of −1: additive, each term monotone and bounded. Of
/// readings that go together (load, CPU, memory; response time, error rate) only the worst counts.
/// NaN and what is absent add nothing. A judgement and not a measurement (docs/salience.md).
[[nodiscard]] Prior prior(const Fields& fields);

/// 1 / (1 + e^−x).
[[nodiscard]] double logistic(double log_odds);

}  // namespace liminal::salience
