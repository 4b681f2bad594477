#include "io/kenning/statistics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace liminal::kenning {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 3> kNoNumbers{"-Infinity", "Infinity", "NaN"};

/// JSON out of Python's: numbers that JSON has no word for become null.
std::string strict(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool quoted = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (quoted && c == '\\') {
      out += text.substr(at, 2);
      at += 2;
      continue;
    }
    if (c == '"') quoted = !quoted;
    const auto word = std::find_if(kNoNumbers.begin(), kNoNumbers.end(), [&](std::string_view w) {
      return text.substr(at).starts_with(w);
    });
    if (!quoted && word != kNoNumbers.end()) {
      out += "null";
      at += word->size();
      continue;
    }
    out += c;
    ++at;
  }
  return out;
}

std::uint64_t count(const json& info, const char* key) {
  const auto found = info.find(key);
  return found != info.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::optional<double> figure(const json& model, const char* part, const std::string& metric) {
  const auto figures = model.find(part);
  if (figures == model.end() || !figures->is_object()) return std::nullopt;
  const auto found = figures->find(metric);
  if (found == figures->end() || !found->is_number()) return std::nullopt;
  const double value = found->get<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

void read_models(const json& models, Statistics& statistics) {
  for (const auto& [key, model] : models.items()) {
    if (statistics.models.size() == Statistics::kLinesMax) break;
    Statistics::Line line;
    const char* const end = key.data() + key.size();
    const auto [at, error] = std::from_chars(key.data(), end, line.number);
    if (error != std::errc{} || at != end || !model.is_object()) continue;
    line.train = figure(model, "train", statistics.metric);
    line.chosen = figure(model, "opt", statistics.metric);
    line.test = figure(model, "test", statistics.metric);
    statistics.models.push_back(line);
  }
  std::sort(statistics.models.begin(), statistics.models.end(), [](const auto& a, const auto& b) {
    return a.number < b.number;
  });
}

}  // namespace

Result<Statistics> read_statistics(std::string_view text) {
  if (text.size() > kStatisticsBytesMax) return failure(ErrorCode::kTooLarge);
  const json all = json::parse(strict(text), nullptr, false);
  if (!all.is_object()) return failure(ErrorCode::kMalformed);
  Statistics statistics;
  if (const auto info = all.find("general_info"); info != all.end() && info->is_object()) {
    const auto metric = info->find("Optimized metric");
    if (metric != info->end() && metric->is_string())
      statistics.metric = metric->get<std::string>();
    statistics.generated = count(*info, "The number of generated models");
    statistics.successful = count(*info, "The number of successful training processes");
    statistics.evaluated = count(*info, "The number of trained and evaluated models");
    statistics.crashed = count(*info, "The number of models that caused a crash");
    statistics.timed_out = count(*info, "The number of models that failed due to the timeout");
    statistics.too_large =
        count(*info, "The number of models that failed due to the too large size");
    statistics.incompatible =
        count(*info, "The number of models that failed due to incompatibility");
  }
  if (const auto models = all.find("trained_model_metrics");
      models != all.end() && models->is_object())
    read_models(*models, statistics);
  return statistics;
}

}  // namespace liminal::kenning
