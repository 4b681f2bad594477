#include "server/training/incidents.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "server/training/rows.hpp"

namespace liminal::training {
namespace {

using traffic::Alert;

constexpr Duration kMinute = std::chrono::minutes{1};

bool confirmed(const Alert& alert) {
  return alert.feedback == traffic::FeedbackVerdict::kTruePositive;
}

bool within(const traffic::FeatureRow& row, const Alert& alert) {
  return row.time >= alert.first_seen && row.time <= alert.last_seen + kSpanSlack;
}

}  // namespace

std::size_t leave_out_incidents(const learn::ModelDefinition& definition,
                                std::vector<traffic::FeatureRow>& rows,
                                std::span<const Alert> alerts) {
  const bool classes = definition.task == models::Task::kClassification;
  std::map<std::string, std::vector<const Alert*>, std::less<>> spoilt;
  std::set<std::string, std::less<>> alerted;
  for (const Alert& alert : alerts) {
    alerted.insert(alert.user);
    const std::string& key = classes ? alert.address : alert.user;
    if (confirmed(alert) && !key.empty()) spoilt[key].push_back(&alert);
  }
  return std::erase_if(rows, [&](const traffic::FeatureRow& row) {
    if (classes && alerted.contains(row.user)) return false;
    const auto found = spoilt.find(classes ? row.address : row.user);
    return found != spoilt.end() &&
           std::any_of(found->second.begin(), found->second.end(), [&](const Alert* alert) {
             return within(row, *alert);
           });
  });
}

std::size_t leave_out_incidents(std::vector<learn::MinuteTotal>& minutes,
                                std::span<const Alert> alerts) {
  std::set<std::int64_t> spoilt;
  for (const Alert& alert : alerts) {
    if (!confirmed(alert)) continue;
    const auto last = alert.last_seen.time_since_epoch() / kMinute;
    for (auto minute = alert.first_seen.time_since_epoch() / kMinute; minute <= last; ++minute)
      spoilt.insert(minute);
  }
  return std::erase_if(
      minutes, [&](const learn::MinuteTotal& total) { return spoilt.contains(total.minute); });
}

}  // namespace liminal::training
