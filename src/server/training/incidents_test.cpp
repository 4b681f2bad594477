#include "server/training/incidents.hpp"

#include <gtest/gtest.h>

namespace liminal::training {
namespace {

using traffic::Alert;
using traffic::FeedbackVerdict;

SteadyTime at(int s) { return SteadyTime{std::chrono::seconds{1'800'000'000 + s}}; }

traffic::FeatureRow row(const char* user, const char* address, int second) {
  return {user, address, at(second), {}};
}

Alert alert(const char* user, const char* address, FeedbackVerdict said) {
  Alert made;
  made.user = user;
  made.address = address;
  made.feedback = said;
  made.first_seen = at(100);
  made.last_seen = at(200);
  return made;
}

std::vector<std::string> users(const std::vector<traffic::FeatureRow>& rows) {
  std::vector<std::string> names;
  for (const auto& each : rows) names.push_back(each.user);
  return names;
}

TEST(LeaveOutIncidents, TakesUnnamedNeighboursOfAnAbuserFromAModelOfClasses) {
  const std::vector<Alert> alerts{alert("abuser", "10.0.0.1", FeedbackVerdict::kTruePositive),
                                  alert("other", "10.0.0.2", FeedbackVerdict::kFalsePositive),
                                  alert("third", "10.0.0.1", FeedbackVerdict::kNone)};
  std::vector<traffic::FeatureRow> rows{row("abuser", "10.0.0.1", 150),
                                        row("neighbour", "10.0.0.1", 150),
                                        row("early", "10.0.0.1", 99),
                                        row("late", "10.0.0.1", 211),
                                        row("third", "10.0.0.1", 150),
                                        row("friend", "10.0.0.2", 150)};
  EXPECT_EQ(leave_out_incidents(learn::first_models()[0], rows, alerts), 1U);
  EXPECT_EQ(users(rows), (std::vector<std::string>{"abuser", "early", "late", "third", "friend"}));
}

TEST(LeaveOutIncidents, TakesTheAbusersRowsFromOtherModels) {
  const std::vector<Alert> alerts{alert("abuser", "10.0.0.1", FeedbackVerdict::kTruePositive),
                                  alert("other", "10.0.0.2", FeedbackVerdict::kExpected)};
  std::vector<traffic::FeatureRow> rows{row("abuser", "10.0.0.9", 150),
                                        row("abuser", "10.0.0.1", 300),
                                        row("neighbour", "10.0.0.1", 150),
                                        row("other", "10.0.0.2", 150)};
  EXPECT_EQ(leave_out_incidents(learn::first_models()[2], rows, alerts), 1U);
  EXPECT_EQ(users(rows), (std::vector<std::string>{"abuser", "neighbour", "other"}));
}

TEST(LeaveOutIncidents, TakesMinutesThatAConfirmedAlertOverlaps) {
  const std::int64_t first = 1'800'000'000 / 60;
  std::vector<learn::MinuteTotal> minutes;
  for (int i = 0; i < 6; ++i) minutes.push_back({first + i, 10, {}, {}});
  const std::vector<Alert> alerts{alert("abuser", "", FeedbackVerdict::kTruePositive)};
  EXPECT_EQ(leave_out_incidents(minutes, alerts), 3U);  // seconds 60 to 240
  ASSERT_EQ(minutes.size(), 3U);
  EXPECT_EQ(minutes[1].minute, first + 4);
  const std::vector<Alert> others{alert("friend", "", FeedbackVerdict::kFalsePositive)};
  EXPECT_EQ(leave_out_incidents(minutes, others), 0U);
}

}  // namespace
}  // namespace liminal::training
