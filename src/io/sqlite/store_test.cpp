#include "io/sqlite/store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "io/sqlite/test_records.hpp"

namespace liminal::sqlite {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using traffic::FeedbackVerdict;

void expect_same(const traffic::Finding& a, const traffic::Finding& b) {
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.detector, b.detector);
  EXPECT_EQ(a.severity, b.severity);
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.action, b.action);
  EXPECT_EQ(a.rule, b.rule);
  EXPECT_EQ(a.score, b.score);
  EXPECT_EQ(a.confidence, b.confidence);
  EXPECT_TRUE(std::ranges::equal(a.lines(), b.lines()));
}

void expect_same(const traffic::Alert& a, const traffic::Alert& b) {
  EXPECT_EQ(traffic::alert_id(a), traffic::alert_id(b));
  EXPECT_EQ(a.user, b.user);
  EXPECT_EQ(a.address, b.address);
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.severity, b.severity);
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.feedback, b.feedback);
  EXPECT_EQ(a.first_seen, b.first_seen);
  EXPECT_EQ(a.last_seen, b.last_seen);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.detectors_agreeing, b.detectors_agreeing);
  EXPECT_EQ(a.features, b.features);
  EXPECT_EQ(a.input, b.input);
  expect_same(a.first, b.first);
  expect_same(a.worst, b.worst);
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() { reopen(); }

  void reopen() {
    store_.reset();
    auto opened = Store::open(options());
    ASSERT_TRUE(opened);
    store_ = *std::move(opened);
  }
  [[nodiscard]] Store::Options options() const {
    Store::Options options;
    options.directory = directory_.path() + "/data";
    return options;
  }
  template <class... Writes>
  Result<void> commit(Writes... writes) {
    std::vector<Write> all;
    (all.emplace_back(std::move(writes)), ...);
    return store_->commit(std::move(all)).get();
  }
  [[nodiscard]] std::vector<std::string> ids(const AlertQuery& query) {
    std::vector<std::string> found;
    const auto alerts = store_->alerts(query);
    for (const traffic::Alert& alert : alerts.value()) found.push_back(traffic::alert_id(alert));
    return found;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, GivesBackAWholeAlertAlsoAfterReopening) {
  const traffic::Alert alert = an_alert(63, kAlertNumberMax);
  ASSERT_TRUE(commit(alert));
  expect_same(**store_->alert(alert.shard, alert.number), alert);
  reopen();
  expect_same(**store_->alert(alert.shard, alert.number), alert);
  EXPECT_FALSE(store_->alert(ShardId{1}, 1)->has_value());
}

TEST_F(StoreTest, AnAlertReplacesItsEarlierState) {
  traffic::Alert alert = an_alert(1, 1);
  ASSERT_TRUE(commit(alert));
  alert.count = 99;
  alert.status = traffic::AlertStatus::kResolved;
  alert.worst = a_finding(9);
  ASSERT_TRUE(commit(alert));
  expect_same(**store_->alert(ShardId{1}, 1), alert);
  EXPECT_EQ(store_->counts()->alerts, 1u);
}

TEST_F(StoreTest, AnAlertThatDoesNotKnowItsFeedbackLeavesIt) {
  ASSERT_TRUE(commit(an_alert(1, 1)));
  const Feedback feedback{ShardId{1}, 1, FeedbackVerdict::kFalsePositive, "a bot", "api", at_s(5)};
  ASSERT_TRUE(commit(feedback));
  ASSERT_TRUE(commit(an_alert(1, 1)));
  EXPECT_EQ((*store_->alert(ShardId{1}, 1))->feedback, FeedbackVerdict::kFalsePositive);
  EXPECT_THAT(*store_->feedback(10), ElementsAre(feedback));
  EXPECT_THAT(*store_->feedback(10, at_s(6)), IsEmpty());
}

TEST_F(StoreTest, KnowsWhichGatewayToldOfAnAlert) {
  traffic::Alert told = an_alert(0, 7);
  told.shard = kOfGateways;
  told.origin = {"north", ShardId{63}, kAlertNumberMax};
  ASSERT_TRUE(commit(told, an_alert(63, 7)));
  reopen();
  EXPECT_EQ((*store_->alert(kOfGateways, 7))->origin, told.origin);
  EXPECT_EQ((*store_->alert(ShardId{63}, 7))->origin, traffic::Alert::Origin{});
  EXPECT_THAT(ids({.of_gateways = true}), ElementsAre("64-7"));
  EXPECT_THAT(ids({}), ::testing::UnorderedElementsAre("64-7", "63-7"));
  EXPECT_EQ((*store_->alert_numbers())[63], 7U);
}

TEST_F(StoreTest, OfAGatewaysAlertKeepsTheYoungestOfWhatComes) {
  const auto word = [](FeedbackVerdict verdict, int second) {
    return Feedback{kOfGateways, 7, verdict, "", "api", at_s(second)};
  };
  traffic::Alert told = an_alert(0, 7);
  told.shard = kOfGateways;
  told.origin = {"north", ShardId{63}, 7};
  told.count = 5;
  traffic::Alert late = told;
  late.count = 4;
  const Feedback young = word(FeedbackVerdict::kExpected, 9);
  ASSERT_TRUE(commit(told, young));
  ASSERT_TRUE(commit(late, word(FeedbackVerdict::kTruePositive, 8)));
  EXPECT_EQ((*store_->alert(kOfGateways, 7))->count, 5U);
  EXPECT_EQ((*store_->alert(kOfGateways, 7))->feedback, FeedbackVerdict::kExpected);
  EXPECT_EQ(*store_->last_feedback(kOfGateways, 7), young);
  EXPECT_EQ(*store_->last_feedback(kOfGateways, 8), std::nullopt);
  ASSERT_TRUE(commit(word(FeedbackVerdict::kFalsePositive, 10)));
  EXPECT_EQ((*store_->alert(kOfGateways, 7))->feedback, FeedbackVerdict::kFalsePositive);
}

TEST_F(StoreTest, GivesWhatWasSaidAfterANumber) {
  const auto word = [](std::uint64_t alert) {
    return Feedback{ShardId{1}, alert, FeedbackVerdict::kExpected, "", "api", at_s(5)};
  };
  ASSERT_TRUE(commit(word(4), word(2), word(3)));
  const auto all = *store_->feedback_after(0, 10);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].said, word(4));
  EXPECT_EQ(all[2].said, word(3));
  EXPECT_THAT(*store_->feedback_after(all[0].number, 1), ElementsAre(all[1]));
  EXPECT_THAT(*store_->feedback_after(all[2].number, 10), IsEmpty());
  EXPECT_EQ(*store_->count_feedback_after(all[0].number), 2U);
}

TEST_F(StoreTest, FiltersAndOrdersAlerts) {
  for (std::uint64_t number = 1; number <= 4; ++number) {
    traffic::Alert alert = an_alert(0, number, number == 3 ? "bob" : "ann");
    if (number == 2) alert.severity = traffic::Severity::kLow;
    if (number == 4) alert.status = traffic::AlertStatus::kResolved;
    ASSERT_TRUE(commit(alert));
  }
  EXPECT_THAT(ids({}), ElementsAre("0-4", "0-3", "0-2", "0-1"));
  EXPECT_THAT(ids({.limit = 2}), ElementsAre("0-4", "0-3"));
  EXPECT_THAT(ids({.min_severity = traffic::Severity::kMedium}), ElementsAre("0-4", "0-3", "0-1"));
  EXPECT_THAT(ids({.status = traffic::AlertStatus::kOpen}), ElementsAre("0-3", "0-2", "0-1"));
  EXPECT_THAT(ids({.since = at_s(3)}), ElementsAre("0-4", "0-3"));
  EXPECT_THAT(ids({.user = "ann"}), ElementsAre("0-4", "0-2", "0-1"));
  EXPECT_THAT(ids({.min_severity = traffic::Severity::kHigh,
                   .status = traffic::AlertStatus::kOpen,
                   .since = at_s(1),
                   .user = "ann"}),
              ElementsAre("0-1"));
}

TEST_F(StoreTest, KnowsTheLargestAlertNumberOfEachShard) {
  ASSERT_TRUE(commit(an_alert(0, 7), an_alert(0, 3), an_alert(63, 12)));
  const AlertNumbers numbers = *store_->alert_numbers();
  EXPECT_EQ(numbers[0], 7u);
  EXPECT_EQ(numbers[1], 0u);
  EXPECT_EQ(numbers[63], 12u);
}

TEST_F(StoreTest, CountsWhatItCommitsByTable) {
  ASSERT_TRUE(commit(an_alert(1, 1), an_alert(1, 2), OverrideRemoved{"ann"}));
  const auto counters = store_->counters().writer;
  EXPECT_THAT(counters.writes_committed, ElementsAre(2, 0, 0, 1, 0, 0, 0, 0, 0));
  EXPECT_EQ(table_of(0), "alerts");
  EXPECT_EQ(table_of(3), "overrides");
  EXPECT_EQ(counters.commits, 1u);
}

TEST_F(StoreTest, CommitsAGroupWholeOrNotAtAll) {
  traffic::Override without_reason = a_rate("bob");
  without_reason.reason.clear();
  const Result<void> refused = commit(an_alert(1, 1), without_reason);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_FALSE(store_->alert(ShardId{1}, 1)->has_value());
  EXPECT_EQ(store_->counters().writer.groups_rejected, 1u);
  EXPECT_TRUE(commit(an_alert(1, 1)));
}

TEST_F(StoreTest, ARefusedGroupDoesNotHarmItsNeighbours) {
  traffic::Override without_reason = a_rate("bob");
  without_reason.reason.clear();
  std::vector<std::future<Result<void>>> outcomes;
  for (std::uint64_t number = 1; number <= 100; ++number) {
    outcomes.push_back(number % 10 == 0 ? store_->commit({without_reason})
                                        : store_->commit({an_alert(1, number)}));
  }
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    EXPECT_EQ(outcomes[i].get().has_value(), (i + 1) % 10 != 0);
  EXPECT_EQ(store_->counts()->alerts, 90u);
}

TEST_F(StoreTest, KeepsOverridesUntilTheyExpireOrAreRemoved) {
  ASSERT_TRUE(commit(a_rate("ann"), a_rate("bob", at_s(10)), a_rate("cid")));
  ASSERT_TRUE(commit(OverrideRemoved{"cid"}));
  reopen();
  const auto before = *store_->overrides(at_s(9));
  ASSERT_THAT(before, SizeIs(2));
  EXPECT_EQ(before[0].user, "ann");
  EXPECT_EQ(before[0].messages_per_second, 2.5);
  EXPECT_EQ(before[0].burst, 7u);
  EXPECT_EQ(before[0].reason, "asked by support");
  EXPECT_EQ(before[0].created, at_s(1));
  EXPECT_EQ(before[0].expires, std::nullopt);
  EXPECT_EQ(before[1].expires, at_s(10));
  EXPECT_THAT(*store_->overrides(at_s(10)), SizeIs(1));
}

TEST_F(StoreTest, KeepsPoliciesThatAreJson) {
  const Policy policy{"limits", R"({"user":{"burst":20}})", at_s(1)};
  ASSERT_TRUE(commit(policy));
  EXPECT_EQ(**store_->policy("limits"), policy);
  EXPECT_FALSE(store_->policy("other")->has_value());
  EXPECT_EQ(commit(Policy{"limits", "{", at_s(2)}).error().code, ErrorCode::kConflict);
  EXPECT_EQ(**store_->policy("limits"), policy);
  ASSERT_TRUE(commit(PolicyRemoved{"limits"}));
  EXPECT_FALSE(store_->policy("limits")->has_value());
}

TEST_F(StoreTest, TakesTextsAsTheyAre) {
  const std::string nasty = "'); DROP TABLE alerts; -- \" \\ \n %s \xF0\x9F\x98\x80";
  ASSERT_TRUE(commit(an_alert(1, 1, nasty)));
  EXPECT_EQ((*store_->alert(ShardId{1}, 1))->user, nasty);
  EXPECT_THAT(ids({.user = nasty}), ElementsAre("1-1"));
}

TEST_F(StoreTest, AnswersARepeatedRequestUntilTheKeyExpires) {
  const Answer answer{
      "k1", 0xfedcba9876543210U, 202, "Location: /x", std::string("a\0b", 3), at_s(60)};
  ASSERT_TRUE(commit(answer));
  reopen();
  EXPECT_EQ(**store_->answer("k1", at_s(59)), answer);
  EXPECT_FALSE(store_->answer("k1", at_s(60))->has_value());
  EXPECT_FALSE(store_->answer("k2", at_s(0))->has_value());
}

TEST_F(StoreTest, RemembersFactsAndTheEnginesClock) {
  EXPECT_FALSE(store_->clock()->has_value());
  ASSERT_TRUE(commit(Meta{"instance", "a"}, Meta{"instance", "b"}));
  store_->advance(at_s(100));
  // The clock is saved with the next turn of the writer; closing makes one.
  reopen();
  EXPECT_EQ(*store_->meta("instance"), "b");
  EXPECT_FALSE(store_->meta("feature_rows")->has_value());
  EXPECT_EQ(*store_->clock(), at_s(100));
}

TEST_F(StoreTest, KeepsSampledFeatureRowsNewestFirst) {
  EXPECT_TRUE(store_->put_row(a_row("ann", at_s(0))));
  EXPECT_FALSE(store_->put_row(a_row("ann", at_s(9))));
  EXPECT_TRUE(store_->put_row(a_row("bob", at_s(9))));
  EXPECT_TRUE(store_->put_row(a_row("ann", at_s(10))));
  reopen();
  const auto rows = *store_->feature_rows({});
  ASSERT_THAT(rows, SizeIs(3));
  EXPECT_EQ(rows[0].user, "ann");
  EXPECT_EQ(rows[0].time, at_s(10));
  EXPECT_EQ(rows[0].address, "2001:db8::1");
  EXPECT_EQ(rows[0].features, a_row("ann", at_s(10)).features);
  EXPECT_EQ(rows[1].user, "bob");
  EXPECT_THAT(*store_->feature_rows({.limit = 1}), SizeIs(1));
  EXPECT_THAT(*store_->feature_rows({.user = "ann"}), SizeIs(2));
  EXPECT_THAT(*store_->feature_rows({.since = at_s(10)}), SizeIs(1));
  EXPECT_THAT(*store_->feature_rows({.since = at_s(1), .user = "ann"}), SizeIs(1));
  EXPECT_EQ(store_->counts()->feature_rows, 3u);
}

TEST_F(StoreTest, ForgetsRowsAndSaysHowMany) {
  for (int user = 0; user < 900; ++user)
    store_->put_row(a_row("u" + std::to_string(user), at_s(user < 400 ? 0 : 5)));
  ASSERT_TRUE(commit());
  const auto removed = std::make_shared<std::promise<Result<std::uint64_t>>>();
  ASSERT_TRUE(store_->forget_rows(at_s(5), [removed](auto count) { removed->set_value(count); }));
  EXPECT_EQ(removed->get_future().get(), 400u);
  EXPECT_EQ(store_->counts()->feature_rows, 500u);
  EXPECT_THAT(*store_->feature_rows({.limit = 10'000}), SizeIs(500));
}

TEST_F(StoreTest, TheAuditLogIsAppendOnly) {
  ASSERT_TRUE(commit(traffic::AuditEntry{at_s(1), "api", "override.set", "ann", "rate 2.5/s"},
                     traffic::AuditEntry{at_s(2), "engine", "drop", "bob", "user_messages"}));
  auto database = Database::open(options().directory + "/liminal.db", {});
  ASSERT_TRUE(database);
  EXPECT_FALSE(database->run("DELETE FROM audit"));
  EXPECT_FALSE(database->run("UPDATE audit SET detail = 'nothing'"));
  const auto entries = *store_->audit({});
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(entries[0].action, "drop");
  EXPECT_EQ(entries[1].detail, "rate 2.5/s");
  EXPECT_THAT(*store_->audit({.subject = "ann"}), SizeIs(1));
  EXPECT_THAT(*store_->audit({.since = at_s(2)}), SizeIs(1));
}

TEST_F(StoreTest, CountsWhatIsThere) {
  traffic::Alert resolved = an_alert(2, 2);
  resolved.status = traffic::AlertStatus::kResolved;
  ASSERT_TRUE(commit(an_alert(1, 1),
                     resolved,
                     a_rate("ann"),
                     Feedback{ShardId{1}, 1, FeedbackVerdict::kExpected, "", "api", at_s(1)}));
  const Counts counts = *store_->counts();
  EXPECT_THAT(counts.open_alerts, ElementsAre(0, 0, 1, 0));
  EXPECT_EQ(counts.alerts, 2u);
  EXPECT_THAT(counts.feedback, ElementsAre(0, 0, 0, 1));
  EXPECT_EQ(counts.overrides, 1u);
  EXPECT_GT(counts.bytes, 0u);
}

TEST_F(StoreTest, RemovesByItselfWhatIsTooOld) {
  ASSERT_TRUE(store_->put_row(a_row("ann", at_s(0))));
  ASSERT_TRUE(commit(an_alert(1, 1)));
  Retention short_lived;
  short_lived.alerts_age = short_lived.rows_age = seconds{60};
  store_->set_retention(short_lived);
  store_->advance(at_s(3'600));
  reopen();  // closing makes the writer take its turn
  EXPECT_EQ(store_->counts()->alerts, 0u);
  EXPECT_EQ(store_->counts()->feature_rows, 0u);
}

TEST_F(StoreTest, ABackupOfTheRunningStoreIsWhole) {
  ASSERT_TRUE(commit(an_alert(1, 1)));
  auto source = Database::open(options().directory + "/liminal.db", {.read_only = true});
  ASSERT_TRUE(source);
  const std::string copy = directory_.path() + "/backup";
  std::filesystem::create_directory(copy);
  ASSERT_TRUE(source->run("VACUUM INTO ?", {copy + "/liminal.db"}));
  Store::Options restored = options();
  restored.directory = copy;
  const auto store = Store::open(restored);
  ASSERT_TRUE(store);
  expect_same(**(*store)->alert(ShardId{1}, 1), an_alert(1, 1));
}

TEST_F(StoreTest, OneProcessHasADirectory) {
  const auto second = Store::open(options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  store_.reset();
  EXPECT_TRUE(Store::open(options()));
}

TEST_F(StoreTest, RefusesADirectoryThatCannotBe) {
  Store::Options elsewhere = options();
  elsewhere.directory = "/dev/null/data";
  const auto opened = Store::open(elsewhere);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kIo);
}

TEST_F(StoreTest, WritesThatNobodyWaitsForAreThereAfterClosing) {
  for (std::uint64_t number = 1; number <= 5'000; ++number)
    ASSERT_TRUE(store_->put(Write{an_alert(1, number)}));
  reopen();
  EXPECT_EQ(store_->counts()->alerts, 5'000u);
}

TEST_F(StoreTest, ManyThreadsWriteAndRead) {
  constexpr int kThreads = 4, kEach = 200;
  std::vector<std::thread> threads;
  std::atomic<int> seen{0};
  for (std::uint8_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread, &seen] {
      for (std::uint64_t number = 1; number <= kEach; ++number) {
        // What was acknowledged is seen by whoever reads then.
        if (store_->commit({an_alert(thread, number)}).get() &&
            store_->alert(ShardId{thread}, number)->has_value())
          ++seen;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, kThreads * kEach);
}

TEST(StoreOptions, NameAllTheirProblems) {
  Store::Options options;
  EXPECT_THAT(Store::validate(options), SizeIs(1));
  options.directory = "data";
  EXPECT_THAT(Store::validate(options), IsEmpty());
  options.retention.bytes = 1;
  options.queue.sampling.rows_per_second = 0;
  ASSERT_THAT(Store::validate(options), SizeIs(2));
  EXPECT_EQ(Store::validate(options)[0].key, "retention.bytes");
}

}  // namespace
}  // namespace liminal::sqlite
