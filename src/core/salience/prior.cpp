#include "core/salience/prior.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/math.hpp"

namespace liminal::salience {
namespace {

constexpr double kBase = -1;

enum class Shape : std::uint8_t { kFraction, kSaturating };
/// Fields of one group say the same thing: their worst counts once.
enum class Group : std::uint8_t { kNone, kLoad, kService };
constexpr std::size_t kGroups = 3;

struct Weight {
  std::string_view name;
  double weight, centre;
  Shape shape;
  double half;  ///< seconds at which a saturating field counts half
  Group group;
};

constexpr std::array<Weight, kFields> kWeights{{
    {"severity", 1, 0, Shape::kFraction, 0, Group::kNone},  // has log-odds of its own
    {"failure_severity", 2, .5, Shape::kFraction, 0, Group::kNone},
    {"business_criticality", 1.5, .5, Shape::kFraction, 0, Group::kNone},
    {"user_impact", 1.5, .5, Shape::kFraction, 0, Group::kNone},
    {"task_risk", 1.5, .5, Shape::kFraction, 0, Group::kNone},
    {"error_rate", 2, .05, Shape::kFraction, 0, Group::kService},
    {"value", 1, .5, Shape::kFraction, 0, Group::kNone},
    {"frequency", .5, .5, Shape::kFraction, 0, Group::kNone},
    {"engagement", .5, .5, Shape::kFraction, 0, Group::kNone},
    {"system_load", 1, .7, Shape::kFraction, 0, Group::kLoad},
    {"cpu_usage", 1, .7, Shape::kFraction, 0, Group::kLoad},
    {"memory_usage", 1, .7, Shape::kFraction, 0, Group::kLoad},
    {"response_time", 1, .5, Shape::kSaturating, 1, Group::kService},
    {"duration", .5, .5, Shape::kSaturating, 300, Group::kNone},
}};

double shaped(const Weight& weight, double value) {
  if (weight.shape == Shape::kFraction) return std::clamp(value, 0., 1.);
  const double positive = std::max(0., value);
  return std::isinf(positive) ? 1 : positive / (positive + weight.half);
}

double log_odds_of(Field field, double value) {
  const Weight& weight = kWeights[static_cast<std::size_t>(field)];
  if (field == Field::kSeverity) return std::clamp(value, -1.5, 2.);
  return weight.weight * (shaped(weight, value) - weight.centre);
}

}  // namespace

std::string_view name(Field field) { return kWeights[static_cast<std::size_t>(field)].name; }

std::optional<Field> field_by_name(std::string_view name) {
  for (std::size_t i = 0; i < kFields; ++i) {
    if (kWeights[i].name == name) return Field{static_cast<std::uint8_t>(i)};
  }
  return std::nullopt;
}

std::optional<double> severity_log_odds(std::string_view severity) {
  struct Word {
    std::string_view word;
    double log_odds;
  };
  constexpr Word kWords[] = {{"info", -1.5},
                             {"low", -.75},
                             {"medium", 0},
                             {"warning", 0},
                             {"high", 1},
                             {"error", 1},
                             {"critical", 2},
                             {"fatal", 2}};
  const auto same = [](char small, char given) {
    return small == (given >= 'A' && given <= 'Z' ? given - 'A' + 'a' : given);
  };
  for (const Word& known : kWords) {
    if (std::equal(known.word.begin(), known.word.end(), severity.begin(), severity.end(), same))
      return known.log_odds;
  }
  return std::nullopt;
}

double severity_log_odds(double severity) { return 3.5 * std::clamp(severity, 0., 1.) - 1.5; }

double logistic(double log_odds) { return 1 / (1 + exp(-log_odds)); }

Prior prior(const Fields& fields) {
  std::array<double, kFields> terms{};
  std::array<std::size_t, kGroups> worst;
  worst.fill(kFields);
  for (std::size_t i = 0; i < kFields; ++i) {
    if (std::isnan(fields.values[i])) continue;
    terms[i] = log_odds_of(Field{static_cast<std::uint8_t>(i)}, fields.values[i]);
    std::size_t& best = worst[static_cast<std::size_t>(kWeights[i].group)];
    if (best == kFields || terms[i] > terms[best]) best = i;
  }
  Prior result;
  result.log_odds = kBase;
  for (std::size_t i = 0; i < kFields; ++i) {
    if (std::isnan(fields.values[i])) continue;
    const Group group = kWeights[i].group;
    if (group != Group::kNone && worst[static_cast<std::size_t>(group)] != i) continue;
    result.terms[result.count++] = {Field{static_cast<std::uint8_t>(i)}, terms[i]};
    result.log_odds += terms[i];
  }
  return result;
}

}  // namespace liminal::salience
