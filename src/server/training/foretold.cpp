#include "server/training/foretold.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "server/training/rows.hpp"

namespace liminal::training {

std::optional<learn::UserGroup> group_of(const learn::ModelDefinition& definition,
                                         const models::Scorer& scorer,
                                         std::uint32_t version,
                                         const traffic::Features& features) {
  if (!of_users(definition) || scorer.evaluator() == nullptr ||
      scorer.metadata().task != models::Task::kClustering)
    return std::nullopt;
  const std::vector<float> row = user_row(definition, features);
  const models::Prediction said = scorer.evaluator()->predict(row);
  return learn::UserGroup{
      said.cluster,
      std::string(fact(scorer.metadata(), "cluster." + std::to_string(said.cluster))),
      said.score,
      version};
}

std::optional<learn::LoadForecast> load_after(const learn::ModelDefinition& definition,
                                              const models::Scorer& scorer,
                                              std::uint32_t version,
                                              const learn::MinuteTotal& total) {
  const std::vector<float> row = minute_row(definition, total);
  models::Prediction said;
  if (!scorer.predict(row, {&said, 1})) return std::nullopt;
  learn::LoadForecast forecast;
  forecast.messages_per_second = std::max(said.score, 0.);
  if (const auto half = half_width(scorer.metadata())) {
    forecast.low = std::max(said.score - *half, 0.);
    forecast.high = std::max(said.score + *half, 0.);
  }
  forecast.version = version;
  forecast.time = SteadyTime{std::chrono::minutes{total.minute + kLoadHorizonMinutes}};
  return forecast;
}

}  // namespace liminal::training
