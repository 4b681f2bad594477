#include "server/replay/replay.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace liminal::replay {
namespace {

/// Runs texts as traces; what was written, line by line.
struct Outcome {
  Summary summary;
  std::vector<nlohmann::json> lines;
  std::string complaints;
};

std::string content(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = 0; (c = std::fgetc(file)) != EOF;) text.push_back(static_cast<char>(c));
  return text;
}

Outcome outcome_of(const std::vector<std::string>& traces) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::tmpfile(), std::fclose);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> complaints(std::tmpfile(), std::fclose);
  std::vector<Trace> inputs;
  for (const std::string& trace : traces)
    inputs.push_back(
        {"trace" + std::to_string(inputs.size()), std::make_unique<std::istringstream>(trace)});
  Outcome outcome;
  outcome.summary = Replay(engine::Options{}, out.get(), complaints.get()).run(std::move(inputs));
  std::istringstream written(content(out.get()));
  for (std::string line; std::getline(written, line);)
    outcome.lines.push_back(nlohmann::json::parse(line));
  outcome.complaints = content(complaints.get());
  return outcome;
}

std::string message(double t, const std::string& user) {
  return R"({"t":)" + std::to_string(t) + R"(,"user":")" + user +
         R"(","kind":"message","bytes":40,"ip":"10.0.0.1"})" + "\n";
}

std::string flood(const std::string& user, double from, int count) {
  std::string trace;
  for (int i = 0; i < count; ++i) trace += message(from + i * .05, user);
  return trace;
}

TEST(Replay, WritesEachAlertOnceAsItStoodInTheEndAndThenASummary) {
  const Outcome outcome = outcome_of({flood("eve", 1000, 400)});
  ASSERT_GE(outcome.lines.size(), 2u);
  const auto& alert = outcome.lines.front();
  EXPECT_EQ(alert["user_id"], "eve");
  EXPECT_EQ(alert["ip_address"], "10.0.0.1");
  EXPECT_GE(alert["t"], 1000);
  EXPECT_GE(alert["score"], 1);
  EXPECT_GE(alert["count"], 1);
  for (const char* key : {"type", "severity", "confidence", "explanation"})
    EXPECT_TRUE(alert.contains(key)) << key;
  const auto& summary = outcome.lines.back()["summary"];
  EXPECT_EQ(summary["events"], 400);
  EXPECT_EQ(summary["users"], 1);
  EXPECT_EQ(summary["alerts"], outcome.lines.size() - 1);
  EXPECT_EQ(summary["state_hash"].get<std::string>().size(), 16u);
}

TEST(Replay, WritesTimesAsTheTraceHasThem) {
  // 59,625 s in nanoseconds times 1e-9 is 59625.00000000001.
  std::string trace;
  for (int i = 0; i < 400; ++i)
    trace += message(59'625 + i * .05, "eve") + (i == 200 ? message(59'635.000001, "bob") : "");
  const Outcome outcome = outcome_of({trace});
  ASSERT_GE(outcome.lines.size(), 2u);
  EXPECT_EQ(outcome.lines.back()["summary"]["first_s"].dump(), "59625");
  EXPECT_EQ(outcome.lines.back()["summary"]["last_s"].dump(), "59644.95");
  for (const char* key : {"t", "t_last"}) {
    const std::string digits = outcome.lines[0][key].dump();
    EXPECT_LE(digits.size(), std::string("59634.123456").size()) << digits;
  }
}

TEST(Replay, MergesFilesInTheOrderOfTime) {
  const std::string a = message(1, "a") + message(3, "b"), b = message(2, "b") + message(4, "a");
  const Outcome two = outcome_of({a, b});
  const Outcome one =
      outcome_of({message(1, "a") + message(2, "b") + message(3, "b") + message(4, "a")});
  EXPECT_EQ(two.summary.state_hash, one.summary.state_hash);
  EXPECT_EQ(two.summary.events, 4u);
}

TEST(Replay, NamesBadLinesAndGoesOn) {
  const Outcome outcome =
      outcome_of({message(1, "a") + "{\"t\":2,\"user\":\"b\"}\n\nnonsense\n" + message(3, "c")});
  EXPECT_EQ(outcome.summary.events, 2u);
  EXPECT_EQ(outcome.summary.rejected, 2u);
  EXPECT_NE(outcome.complaints.find("trace0:2: kind"), std::string::npos) << outcome.complaints;
  EXPECT_NE(outcome.complaints.find("trace0:4: "), std::string::npos) << outcome.complaints;
}

TEST(Replay, OfNothingIsASummary) {
  const Outcome outcome = outcome_of({""});
  ASSERT_EQ(outcome.lines.size(), 1u);
  EXPECT_EQ(outcome.lines[0]["summary"]["events"], 0);
}

}  // namespace
}  // namespace liminal::replay
