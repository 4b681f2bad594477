#include "core/learn/registered.hpp"

#include <algorithm>
#include <array>

namespace liminal::learn {
namespace {

constexpr std::array<std::string_view, 2> kAliases{"champion", "challenger"};
constexpr std::array<std::string_view, 3> kSources{"recent_features", "store", "file"};
constexpr std::array<std::string_view, 5> kStates{
    "queued", "running", "succeeded", "failed", "cancelled"};

template <class T, std::size_t n>
std::optional<T> by_name(const std::array<std::string_view, n>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return T(found - names.begin());
}

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(by), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

}  // namespace

std::string_view name(Alias alias) { return kAliases[static_cast<std::size_t>(alias)]; }
std::optional<Alias> alias_by_name(std::string_view name) { return by_name<Alias>(kAliases, name); }
std::string_view name(DataSource source) { return kSources[static_cast<std::size_t>(source)]; }
std::optional<DataSource> data_source_by_name(std::string_view name) {
  return by_name<DataSource>(kSources, name);
}
std::string_view name(JobState state) { return kStates[static_cast<std::size_t>(state)]; }
std::optional<JobState> job_state_by_name(std::string_view name) {
  return by_name<JobState>(kStates, name);
}

std::optional<models::Task> task_by_name(std::string_view name) {
  using enum models::Task;
  for (const models::Task task : {kClassification, kRegression, kClustering, kAnomaly})
    if (models::name(task) == name) return task;
  return std::nullopt;
}

std::vector<ModelDefinition> first_models() {
  using enum models::Task;
  return {{std::string(kAnomalyDetection),
           kClassification,
           {"messages_per_minute", "avg_message_size", "error_rate", "rate_limit_violations"},
           "is_anomaly"},
          {std::string(kLoadPrediction),
           kRegression,
           {"messages_per_minute", "connection_duration", "channels_count"},
           "messages_per_second_in_5_minutes"},
          {std::string(kUserBehavior),
           kClustering,
           {"messages_per_minute", "channels_count", "connection_duration"},
           ""}};
}

Problems validate(const ModelDefinition& definition) {
  Problems problems;
  if (!is_name(definition.name))
    problems.push_back({"name", "must be 1 to 64 letters, digits, \"_\" and \"-\""});
  if (definition.name == kAllModels)
    problems.push_back({"name", "must not be \"all\", which stands for the first three models"});
  if (definition.features.empty() || definition.features.size() > 256)
    problems.push_back({"features", "must be 1 to 256"});
  std::vector<std::string> sorted = definition.features;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    problems.push_back({"features", "has a name twice"});
  const bool supervised = definition.task == models::Task::kClassification ||
                          definition.task == models::Task::kRegression;
  if (supervised && definition.target.empty())
    problems.push_back({"target", "is needed for classification and regression"});
  if (!supervised && !definition.target.empty())
    problems.push_back({"target", "is for classification and regression alone"});
  return problems;
}

std::optional<ModelDefinition> parse_definition(std::string_view text) {
  const std::vector<std::string> parts = split(text, ' ');
  if (parts.size() != 4) return std::nullopt;
  const auto task = task_by_name(parts[1]);
  if (!task) return std::nullopt;
  ModelDefinition definition{parts[0], *task, split(parts[3], ','), parts[2]};
  if (definition.target == "-") definition.target.clear();
  if (!validate(definition).empty()) return std::nullopt;
  return definition;
}

}  // namespace liminal::learn
