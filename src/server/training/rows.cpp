#include "server/training/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>

#include "core/base/hash.hpp"
#include "core/learn/metrics.hpp"
#include "server/training/ranking.hpp"

namespace liminal::training {
namespace {

using traffic::FeatureId;
using traffic::FeedbackVerdict;
using traffic::Signal;

constexpr std::size_t kOfEachClass = 40;
constexpr std::size_t kValues = 60;
constexpr std::size_t kClusterRows = 40;
/// Of which the strangest hundredth alarms.
constexpr std::size_t kAnomalyRows = 200;

/// The features that show what a statistic looks at.
std::vector<FeatureId> features_behind(Signal signal) {
  using enum FeatureId;
  const auto number = static_cast<std::size_t>(signal);
  if (number < traffic::kFeatureCount) return {FeatureId(number)};
  switch (signal) {
    case Signal::kMessages10s:
    case Signal::kMessages60s:
    case Signal::kMessages300s:
    case Signal::kMessages900s:
    case Signal::kActiveUsersRatio:
      return {kMessagesPerMinute,
              kBytesPerMinute,
              kMessagesPerMinute5m,
              kMessagesPerMinute1h,
              kBurstiness};
    case Signal::kErrorEvidence:
      return {kErrorRate};
    case Signal::kRepeatEvidence:
    case Signal::kSharedContent:
      return {kSameContentRatio};
    case Signal::kSizeEvidence:
    case Signal::kMessageBytes:
    case Signal::kSizeLikeness:
      return {kAvgMessageSize, kMessageSizeSpread, kBytesPerMinute};
    case Signal::kReconnects300s:
      return {kReconnectsPerMinute, kConnectionDuration, kOpenConnections};
    case Signal::kNewChannels120s:
    case Signal::kUnseenChannels:
      return {kNewChannelsPerMinute, kChannelsCount};
    case Signal::kGapSpread:
      return {kBurstiness};
    case Signal::kNewUsers600s:
    case Signal::kNewAddress:
      return {kDistinctAddresses};
    case Signal::kModelScore:
    case Signal::kModelRowSeconds:
    case Signal::kModelFailures:
      return {};
  }
  return {};
}

/// What alerts say of one row.
struct Word {
  bool positive = false;
  bool judged = false;
  bool left_out = false;
};

class Labeller {
 public:
  explicit Labeller(std::span<const traffic::Alert> alerts) {
    for (const traffic::Alert& alert : alerts) {
      // A model is not to learn from its own alerts.
      const bool by_model = alert.type == traffic::FindingType::kModelAnomaly ||
                            alert.type == traffic::FindingType::kModelUnavailable;
      if (!by_model || alert.feedback != FeedbackVerdict::kNone)
        by_user_[alert.user].push_back(&alert);
    }
  }

  Word word(const traffic::FeatureRow& row) {
    Word word;
    bool said_true = false, said_false = false, weak = false, mild = false;
    const auto found = by_user_.find(row.user);
    if (found == by_user_.end()) return word;
    for (const traffic::Alert* alert : found->second) {
      if (row.time < alert->first_seen || row.time > alert->last_seen + kSpanSlack) continue;
      switch (alert->feedback) {
        case FeedbackVerdict::kTruePositive:
          said_true = true;
          break;
        case FeedbackVerdict::kFalsePositive:
        case FeedbackVerdict::kExpected:
          said_false = true;
          break;
        case FeedbackVerdict::kNone:
          (alert->severity >= traffic::Severity::kMedium ? weak : mild) = true;
          break;
      }
      if (alert->severity >= traffic::Severity::kMedium || said_true) used_.insert(alert);
    }
    word.judged = said_true || said_false;
    word.positive = said_true || (!said_false && weak);
    word.left_out = !word.judged && !weak && mild;
    return word;
  }

  /// Of the alerts that gave positive labels.
  [[nodiscard]] std::set<FeatureId> features() const {
    std::set<FeatureId> ids;
    for (const traffic::Alert* alert : used_) {
      for (const traffic::Finding* finding : {&alert->first, &alert->worst})
        for (const traffic::Evidence& line : finding->lines())
          for (const FeatureId id : features_behind(line.signal)) ids.insert(id);
    }
    return ids;
  }

 private:
  std::map<std::string, std::vector<const traffic::Alert*>, std::less<>> by_user_;
  std::set<const traffic::Alert*> used_;
};

}  // namespace

std::vector<FeatureId> feature_columns(const learn::ModelDefinition& definition,
                                       learn::Table& table) {
  std::vector<FeatureId> ids;
  for (const std::string& name : definition.features) {
    const auto id = traffic::feature_by_name(name);
    if (!id) continue;  // such a model is trained from files alone
    ids.push_back(*id);
    table.features.push_back({name, std::string(traffic::info(*id).unit), {}});
  }
  return ids;
}

Rows labelled_rows(const learn::ModelDefinition& definition,
                   std::span<const traffic::FeatureRow> rows,
                   std::span<const traffic::Alert> alerts) {
  Rows found;
  learn::Table& table = found.table;
  const auto ids = feature_columns(definition, table);
  Labeller labeller(alerts);
  std::size_t left_out = 0, judged = 0;
  for (const traffic::FeatureRow& row : rows) {
    const Word word = labeller.word(row);
    if (word.left_out) {
      ++left_out;
      continue;
    }
    for (const FeatureId id : ids) table.values.push_back(row.features[id]);
    table.labels.push_back(word.positive ? 1.F : 0.F);
    table.weights.push_back(word.judged ? 1.F : kWeakWeight);
    table.times_s.push_back(seconds(row.time.time_since_epoch()));
    table.groups.push_back(hash64(row.user));
    found.judged.push_back(word.judged ? 1 : 0);
    judged += word.judged ? 1U : 0U;
  }
  const auto behind = labeller.features();
  for (const FeatureId id : ids)
    if (behind.contains(id)) found.rule_features.emplace_back(traffic::info(id).name);
  found.notes.push_back(fmt::format(
      "{} rows of users' features; labels of {} by people's feedback (weight 1), of the others by "
      "rules' alerts or their absence (weight {})",
      table.labels.size(),
      judged,
      kWeakWeight));
  if (left_out > 0)
    found.notes.push_back(
        fmt::format("{} rows within mild alerts that nobody judged are left out", left_out));
  return found;
}

Rows user_rows(const learn::ModelDefinition& definition,
               std::span<const traffic::FeatureRow> rows) {
  Rows found;
  const auto ids = feature_columns(definition, found.table);
  struct Sum {
    std::vector<double> values;
    double rows = 0;
  };
  std::map<std::string, Sum> users;
  for (const traffic::FeatureRow& row : rows) {
    Sum& sum = users[row.user];
    sum.values.resize(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i)
      sum.values[i] += static_cast<double>(row.features[ids[i]]);
    ++sum.rows;
  }
  for (const auto& [user, sum] : users)
    for (const double value : sum.values)
      found.table.values.push_back(static_cast<float>(value / sum.rows));
  found.notes.push_back(
      fmt::format("{} users, each by the mean of its rows ({} in all)", users.size(), rows.size()));
  return found;
}

bool of_users(const learn::ModelDefinition& definition) {
  return definition.name != learn::kLoadPrediction &&
         std::all_of(definition.features.begin(),
                     definition.features.end(),
                     [](const std::string& feature) { return traffic::feature_by_name(feature); });
}

bool cluster_trains(const learn::ModelDefinition& definition) {
  const bool searched = definition.task == models::Task::kClassification ||
                        definition.task == models::Task::kRegression;
  return searched && definition.name != kSalienceRanking;
}

std::vector<float> user_row(const learn::ModelDefinition& definition,
                            const traffic::Features& features) {
  std::vector<float> values;
  for (const std::string& feature : definition.features)
    if (const auto id = traffic::feature_by_name(feature)) values.push_back(features[*id]);
  return values;
}

std::vector<float> minute_row(const learn::ModelDefinition& definition,
                              const learn::MinuteTotal& total) {
  std::vector<float> row;
  for (const std::string& feature : definition.features) {
    const auto value = feature == "messages_per_minute"
                           ? std::optional(static_cast<double>(total.messages))
                       : feature == "connection_duration" ? total.connection_duration
                       : feature == "channels_count"      ? total.channels_count
                                                          : std::nullopt;
    row.push_back(value ? static_cast<float>(*value) : models::kMissing);
  }
  return row;
}

Rows load_rows(const learn::ModelDefinition& definition,
               std::span<const learn::MinuteTotal> minutes) {
  Rows found;
  learn::Table& table = found.table;
  (void)feature_columns(definition, table);
  std::map<std::int64_t, std::uint64_t> messages;
  for (const learn::MinuteTotal& total : minutes) messages[total.minute] = total.messages;
  for (const learn::MinuteTotal& total : minutes) {
    const auto later = messages.find(total.minute + kLoadHorizonMinutes);
    if (later == messages.end()) continue;
    for (const float value : minute_row(definition, total)) table.values.push_back(value);
    table.labels.push_back(static_cast<float>(static_cast<double>(later->second) / 60));
    table.times_s.push_back(static_cast<double>(total.minute) * 60);
    found.baseline.push_back(static_cast<float>(static_cast<double>(total.messages) / 60));
  }
  found.notes.push_back(fmt::format(
      "{} minutes of the server's own totals, counted when messages came in; connection_duration "
      "and channels_count are means over the users whose features were sampled in the minute",
      minutes.size()));
  return found;
}

std::optional<learn::Refusal> too_few(const learn::ModelDefinition& definition, const Rows& rows) {
  const auto refuse = [](std::size_t missing, std::string text) {
    return learn::Refusal{ErrorCode::kConflict, std::move(text), {}, missing};
  };
  const learn::Table& table = rows.table;
  if (definition.task == models::Task::kClassification) {
    const std::size_t positive = learn::positives(table.labels);
    const std::size_t negative = table.labels.size() - positive;
    const auto lacking = [](std::size_t have) {
      return kOfEachClass - std::min(have, kOfEachClass);
    };
    if (lacking(positive) + lacking(negative) == 0) return std::nullopt;
    std::vector<std::string> needed;
    for (const auto& [have, which] :
         {std::pair{positive, "anomalous"}, std::pair{negative, "ordinary"}})
      if (lacking(have) > 0) needed.push_back(fmt::format("{} more {}", lacking(have), which));
    return refuse(lacking(positive) + lacking(negative),
                  fmt::format("too few rows: {} anomalous and {} ordinary ones; {} ones are needed",
                              positive,
                              negative,
                              fmt::join(needed, " and ")));
  }
  const std::size_t needed = definition.task == models::Task::kRegression ? kValues
                             : definition.task == models::Task::kAnomaly  ? kAnomalyRows
                                                                          : kClusterRows;
  if (table.rows() >= needed) return std::nullopt;
  return refuse(
      needed - table.rows(),
      fmt::format("too few rows: {}; {} more are needed", table.rows(), needed - table.rows()));
}

std::string fingerprint_of(const learn::Table& table) {
  const auto bytes = [](const auto& values) {
    return std::string_view(reinterpret_cast<const char*>(values.data()),
                            values.size() * sizeof values[0]);
  };
  std::uint64_t hash = hash64(bytes(table.values));
  for (const std::uint64_t part : {hash64(bytes(table.labels)), hash64(bytes(table.weights))})
    hash = mix64(hash ^ part);
  for (const learn::Feature& feature : table.features) hash = mix64(hash ^ hash64(feature.name));
  return fmt::format("{:016x}", hash);
}

}  // namespace liminal::training
