#include "core/models/model.hpp"

#include <array>
#include <charconv>
#include <system_error>

#include "core/base/math.hpp"

namespace liminal::models {

float expected_path(std::uint64_t rows) {
  if (rows < 2) return 0;
  const std::uint64_t last = rows - 1;
  double harmonic = 0;
  if (last < 64) {
    for (std::uint64_t i = 1; i <= last; ++i) harmonic += 1 / static_cast<double>(i);
  } else {
    constexpr double kEuler = .57721566490153286061;
    const auto n = static_cast<double>(last);
    harmonic = log(n) + kEuler + 1 / (2 * n) - 1 / (12 * n * n);
  }
  return static_cast<float>(2 * harmonic -
                            2 * static_cast<double>(last) / static_cast<double>(rows));
}

const std::string* find_fact(const Metadata& metadata, std::string_view key) {
  for (const auto& [name, value] : metadata.facts)
    if (name == key) return &value;
  return nullptr;
}

std::string_view fact(const Metadata& metadata, std::string_view key) {
  const std::string* const found = find_fact(metadata, key);
  return found != nullptr ? std::string_view(*found) : std::string_view();
}

std::optional<double> number_fact(const Metadata& metadata, std::string_view key) {
  const std::string_view text = fact(metadata, key);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> half_width(const Metadata& metadata) {
  return number_fact(metadata, "half_width.0.9");
}

std::string_view kind(const Predictor& predictor) {
  constexpr std::array<std::string_view, 6> kNames{
      "trees", "linear", "mlp", "kmeans", "isolation_forest", "blend"};
  static_assert(std::variant_size_v<Predictor> == kNames.size());
  return kNames[predictor.index()];
}

std::string_view name(Task task) {
  switch (task) {
    case Task::kClassification:
      return "classification";
    case Task::kRegression:
      return "regression";
    case Task::kClustering:
      return "clustering";
    case Task::kAnomaly:
      return "anomaly";
  }
  return "unknown";
}

}  // namespace liminal::models
