#include "core/engine/enforcement_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>

namespace liminal::engine {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using traffic::AuditEntry;
using traffic::Decision;

SteadyTime at(Duration since) { return SteadyTime{1'800'000'000s + since}; }

struct Driver {
  EnforcementLog log;
  std::vector<AuditEntry> out;

  void enforce(std::string_view user, Decision decision, Duration when) {
    traffic::Event event;
    event.user = traffic::Name(user);
    traffic::Verdict verdict;
    verdict.decision = verdict.shadow = decision;
    verdict.reason = traffic::Reason::kUserMessages;
    log.note(event, verdict, at(when), out);
  }
  /// What was noted since the last time, as "action user: detail".
  std::vector<std::string> said() {
    std::vector<std::string> all;
    for (const AuditEntry& entry : std::exchange(out, {}))
      all.push_back(entry.action + " " + entry.subject + ": " + entry.detail);
    return all;
  }
};

TEST(EnforcementLog, NotesTheFirstOfAStretchAndThenHowMany) {
  Driver driver;
  driver.enforce("eve", Decision::kDrop, 0s);
  EXPECT_THAT(driver.said(), ElementsAre("drop eve: message: user_messages"));
  for (int i = 1; i <= 12; ++i) driver.enforce("eve", Decision::kDrop, i * 1s);
  driver.enforce("eve", Decision::kDelay, 20s);
  driver.log.tick(at(59s), driver.out);
  EXPECT_THAT(driver.said(), IsEmpty());
  driver.log.tick(at(60s), driver.out);
  EXPECT_THAT(driver.said(),
              ElementsAre("drop eve: 12 dropped, 1 delayed since the last entry, the last by "
                          "user_messages"));
  driver.enforce("eve", Decision::kDelay, 90s);
  driver.log.tick(at(120s), driver.out);
  EXPECT_THAT(driver.said(),
              ElementsAre("delay eve: 1 delayed since the last entry, the last by user_messages"));
  driver.log.tick(at(180s), driver.out);
  EXPECT_THAT(driver.said(), IsEmpty()) << "it was all told";
  EXPECT_EQ(driver.log.memory_bytes(), 0u);
  driver.enforce("eve", Decision::kDrop, 200s);
  EXPECT_THAT(driver.said(), ElementsAre("drop eve: message: user_messages"));
}

TEST(EnforcementLog, NotesWhatIsHarsherThanWhatWasBefore) {
  Driver driver;
  driver.enforce("eve", Decision::kDelay, 0s);
  for (int i = 0; i < 3; ++i) driver.enforce("eve", Decision::kDelay, 1s);
  driver.enforce("eve", Decision::kDrop, 2s);
  driver.enforce("eve", Decision::kClose, 3s);
  driver.enforce("eve", Decision::kDrop, 4s);
  driver.enforce("eve", Decision::kClose, 5s);
  EXPECT_THAT(driver.said(),
              ElementsAre("delay eve: message: user_messages",
                          "drop eve: message: user_messages; 3 delayed since the last entry",
                          "close eve: message: user_messages"));
  driver.log.tick(at(63s), driver.out);
  EXPECT_THAT(driver.said(),
              ElementsAre("close eve: 1 closed, 1 dropped since the last entry, the last by "
                          "user_messages"));
}

TEST(EnforcementLog, SaysWhoEnforcedAndTellsWhatIsLeftAtTheEnd) {
  Driver driver{.log = EnforcementLog("gateway"), .out = {}};
  driver.enforce("eve", Decision::kDrop, 0s);
  driver.enforce("eve", Decision::kDrop, 1s);
  driver.enforce("ann", Decision::kClose, 1s);
  driver.log.finish(at(2s), driver.out);
  driver.log.finish(at(3s), driver.out);
  for (const AuditEntry& entry : driver.out) EXPECT_EQ(entry.actor, "gateway");
  EXPECT_THAT(driver.said(),
              ElementsAre("drop eve: message: user_messages",
                          "close ann: message: user_messages",
                          "drop eve: 1 dropped since the last entry, the last by user_messages"));
}

TEST(EnforcementLog, IsBounded) {
  Driver driver;
  for (std::size_t i = 0; i < EnforcementLog::kUsersMax + 5; ++i)
    driver.enforce("user" + std::to_string(i), Decision::kDrop, 0s);
  EXPECT_EQ(driver.out.size(), EnforcementLog::kUsersMax);
  EXPECT_LT(driver.log.memory_bytes(), EnforcementLog::kUsersMax * 200);
}

/// How many enforcements an entry tells of.
std::uint64_t told(const AuditEntry& entry) {
  std::uint64_t count = entry.detail.rfind("message: ", 0) == 0 ? 1 : 0;
  for (const char* what : {" closed", " dropped", " delayed"}) {
    const std::size_t end = entry.detail.find(what);
    if (end == std::string::npos) continue;
    const std::size_t begin = entry.detail.find_last_of(" ", end - 1) + 1;
    count += std::strtoull(entry.detail.c_str() + begin, nullptr, 10);
  }
  return count;
}

RC_GTEST_PROP(EnforcementLog, TellsOfEveryEnforcementAlsoAfterARestart, ()) {
  Driver driver;
  std::uint64_t enforced = 0, noted = 0;
  Duration now{};
  const auto steps = *rc::gen::container<std::vector<int>>(200, rc::gen::inRange(0, 40));
  for (const int step : steps) {
    now += std::chrono::seconds{step};
    if (step % 5 == 0) {
      driver.log.tick(at(now), driver.out);
    } else if (step % 7 == 0) {
      Writer out;
      driver.log.save(out);
      Reader in(out.bytes());
      RC_ASSERT(driver.log.load(in));
      RC_ASSERT(in.at_end());
    } else {
      ++enforced;
      driver.enforce(step % 2 == 0 ? "ann" : "bob",
                     step % 11 == 0  ? Decision::kClose
                     : step % 3 == 0 ? Decision::kDelay
                                     : Decision::kDrop,
                     now);
    }
  }
  for (int i = 0; i < 3; ++i) driver.log.tick(at(now += 60s), driver.out);
  for (const AuditEntry& entry : driver.out) noted += told(entry);
  RC_ASSERT(noted == enforced);
  RC_ASSERT(driver.log.memory_bytes() == 0);
}

TEST(EnforcementLog, DoesNotLoadNonsense) {
  for (const std::string_view bytes :
       {std::string_view("\x05", 1), std::string_view("\xff\xff\xff\x7f", 4)}) {
    Reader in(bytes);
    EXPECT_FALSE(EnforcementLog().load(in));
  }
}

}  // namespace
}  // namespace liminal::engine
