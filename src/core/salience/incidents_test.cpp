#include "core/salience/incidents.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace liminal::salience {
namespace {

using std::chrono::minutes;

SteadyTime at(int minute) { return SteadyTime{minutes{minute}}; }

IncidentEvent event(std::uint64_t id, std::string_view type, std::string_view source, int minute) {
  return {id, type, source, at(minute), 0, 0};
}

const Incident& only(const Incidents& incidents, Scope scope) {
  return *incidents.best(scope, 1).front();
}

TEST(Incidents, JoinWhatFollowsCloselyAndPartWhatDoesNot) {
  Incidents incidents;
  incidents.add(event(1, "flood", "ann", 0));
  incidents.add(event(2, "errors", "bob", 15));
  EXPECT_EQ(incidents.size(Scope::kGlobal), 1u);
  EXPECT_EQ(incidents.size(Scope::kSource), 2u);
  incidents.add(event(3, "flood", "ann", 31));
  EXPECT_EQ(incidents.size(Scope::kGlobal), 2u);
  EXPECT_EQ(incidents.size(Scope::kSource), 3u);
}

TEST(Incidents, SayWhichOneAnEventBelongsTo) {
  Incidents incidents;
  EXPECT_EQ(incidents.of("ann", at(0)), nullptr);
  incidents.add(event(1, "flood", "ann", 5));
  ASSERT_NE(incidents.of("ann", at(14)), nullptr);
  EXPECT_EQ(incidents.of("ann", at(14))->scope, Scope::kSource);
  EXPECT_EQ(incidents.of("ann", at(16)), nullptr) << "silent for too long";
  EXPECT_EQ(incidents.of("ann", at(4)), nullptr) << "it had not begun";
  EXPECT_EQ(incidents.of("bob", at(9)), nullptr);
  incidents.add(event(2, "errors", "ann", 17));
  EXPECT_EQ(incidents.of("ann", at(5))->ids, std::vector<std::uint64_t>{1}) << "the earlier story";
  EXPECT_EQ(incidents.of("ann", at(17))->ids, std::vector<std::uint64_t>{2});
}

TEST(Incidents, EndAfterTheirLongestTimeHoweverBusy) {
  Incidents incidents;
  for (int minute = 0; minute < 10 * 60; ++minute)
    incidents.add(event(static_cast<std::uint64_t>(minute), "flood", "ann", minute));
  EXPECT_EQ(incidents.size(Scope::kGlobal), 3u);
}

TEST(Incidents, CountAMemberOnceAndItsEventsEachTime) {
  Incidents incidents;
  for (int i = 0; i < 5; ++i) incidents.add(event(7, "flood", "ann", i));
  incidents.add(event(8, "flood", "bob", 5));
  const Incident& whole = only(incidents, Scope::kGlobal);
  EXPECT_EQ(whole.members, 2u);
  EXPECT_EQ(whole.events, 6u);
  EXPECT_EQ(whole.entities, 2u);
  EXPECT_EQ(whole.ids, (std::vector<std::uint64_t>{7, 8}));
  EXPECT_EQ(whole.last_seen, at(5));
}

TEST(Incidents, DistinctRarePhasesCountRepetitionsDoNot) {
  Incidents attack, storm;
  for (const char* phase : {"scan", "login", "shell"}) {
    IncidentEvent step = event(1, phase, "web", 0);
    step.type_excess = 2;
    attack.add(step);
  }
  IncidentEvent again = event(1, "scan", "web", 0);
  again.type_excess = 2;
  for (int i = 0; i < 100; ++i) storm.add(again);
  EXPECT_DOUBLE_EQ(only(attack, Scope::kGlobal).excess, 6);
  EXPECT_DOUBLE_EQ(only(storm, Scope::kGlobal).excess, 2);
  EXPECT_GT(only(attack, Scope::kGlobal).salience, only(storm, Scope::kGlobal).salience);
}

TEST(Incidents, TakeTheFinalScoreOfAMemberWhenItIsHigher) {
  Incidents incidents;
  incidents.add(event(1, "flood", "ann", 0));
  incidents.raise("ann", at(0), 3);
  incidents.raise("ann", at(0), 2);
  incidents.raise("bob", at(0) - minutes{5}, 9);
  for (const Scope scope : {Scope::kGlobal, Scope::kSource})
    EXPECT_EQ(only(incidents, scope).log_odds, 3);
}

TEST(Incidents, SayWhatTheyAreAbout) {
  Incidents incidents;
  IncidentEvent rare = event(1, "takeover", "ann", 1);
  rare.type_excess = 1.5;
  incidents.add(event(2, "flood", "bob", 0));
  incidents.add(rare);
  EXPECT_EQ(only(incidents, Scope::kGlobal).title(), "takeover and 1 more kind, bob and 1 other");
  EXPECT_NE(only(incidents, Scope::kGlobal).explanation().find("takeover +1.50"),
            std::string::npos);
  EXPECT_EQ(incidents.find(Scope::kSource, 2)->title(), "takeover, ann");
}

TEST(Incidents, AreBoundedAndForgetTheLeastSalient) {
  IncidentOptions options;
  options.incidents_max = 3;
  options.members_max = options.types_max = options.entities_max = 2;
  Incidents incidents(options);
  for (int i = 0; i < 10; ++i) {
    IncidentEvent one = event(static_cast<std::uint64_t>(i), "flood", "ann", i * 60);
    one.log_odds = i == 4 ? 5 : -i;
    incidents.add(one);
  }
  EXPECT_EQ(incidents.size(Scope::kGlobal), 3u);
  EXPECT_EQ(only(incidents, Scope::kSource).log_odds, 5);
  const std::array<std::string, 5> names{"a", "b", "c", "d", "e"};
  for (std::size_t i = 0; i < names.size(); ++i)
    incidents.add(event(100 + i, names[i], names[i], 10'000));
  const Incident* newest = incidents.find(Scope::kGlobal, 11);
  ASSERT_NE(newest, nullptr);
  EXPECT_EQ(newest->members, 5u);
  EXPECT_EQ(newest->ids.size(), 2u);
  EXPECT_EQ(newest->parts.size(), 2u);
  EXPECT_EQ(newest->sources.size(), 2u);
}

IncidentEvent strong(std::uint64_t id, std::string_view source, int minute, double log_odds) {
  IncidentEvent one = event(id, "flood", source, minute);
  one.log_odds = log_odds;
  return one;
}

TEST(Incidents, ComeOpenOnesFirstAndThenByWhatTheyCountForByNow) {
  Incidents incidents;
  const int day = 24 * 60;
  incidents.add(strong(1, "ann", 0, 3));
  incidents.add(strong(2, "bob", 2 * day, 1));
  incidents.add(strong(3, "eve", 2 * day + 60, -2));
  const IncidentQuery query{.scope = Scope::kSource};
  const auto then = incidents.present(query, at(2 * day + 61));
  ASSERT_EQ(then.size(), 3u);
  EXPECT_EQ(then[0].sources.front(), "eve");
  EXPECT_EQ(then[0].status, IncidentStatus::kOpen);
  EXPECT_EQ(then[1].sources.front(), "bob");
  EXPECT_EQ(then[1].status, IncidentStatus::kEnded);
  EXPECT_EQ(then[2].sources.front(), "ann");
  EXPECT_NEAR(then[2].salience_now, then[2].salience / 4, .01) << "two days";
  EXPECT_EQ(incidents.present(query, at(2 * day + 80))[0].sources.front(), "bob")
      << "the last alert is resolved: nothing is open";
}

TEST(Incidents, AreListedByStatusAndTime) {
  Incidents incidents;
  incidents.add(event(1, "flood", "ann", 0));
  incidents.add(event(2, "flood", "bob", 100));
  const auto count = [&](const IncidentQuery& query) {
    return incidents.present(query, at(101)).size();
  };
  EXPECT_EQ(count({}), 4u);
  EXPECT_EQ(count({.status = IncidentStatus::kOpen}), 2u);
  EXPECT_EQ(count({.status = IncidentStatus::kEnded}), 2u);
  EXPECT_EQ(count({.since = at(100)}), 2u);
  EXPECT_EQ(count({.since = at(101)}), 0u);
  EXPECT_EQ(count({.count = 3}), 3u);
  incidents.forget(at(50));
  EXPECT_EQ(count({}), 2u);
  incidents.add(event(3, "flood", "ann", 101));
  EXPECT_EQ(incidents.size(Scope::kSource), 2u);
}

TEST(Incidents, EndWhenAllOfTheirAlertsWereJudgedToBeNothing) {
  Incidents incidents;
  incidents.add(strong(1, "ann", 0, 3));
  incidents.add(strong(2, "ann", 1, 3));
  incidents.add(strong(3, "bob", 2, 1));
  const auto first = [&] { return incidents.present({.scope = Scope::kSource}, at(3)).front(); };
  incidents.dismiss(1, true);
  incidents.dismiss(1, true);
  EXPECT_EQ(first().sources.front(), "ann");
  EXPECT_EQ(first().dismissed.size(), 1u);
  incidents.dismiss(2, true);
  EXPECT_EQ(first().sources.front(), "bob");
  const Incident ann = incidents.present({.scope = Scope::kSource}, at(3))[1];
  EXPECT_EQ(ann.status, IncidentStatus::kEnded);
  EXPECT_NE(ann.explanation().find("judged"), std::string::npos);
  incidents.dismiss(2, false);
  EXPECT_EQ(first().sources.front(), "ann") << "it was taken back";
  IncidentEvent another = strong(4, "cid", 3, 5);
  another.dismissed = true;
  incidents.add(another);
  EXPECT_EQ(first().sources.front(), "ann");
}

TEST(Incidents, ThatAreOldMakeRoomForThoseOfNow) {
  IncidentOptions options;
  options.incidents_max = 3;
  Incidents incidents(options);
  const int day = 24 * 60;
  for (int i = 0; i < 3; ++i)
    incidents.add(strong(static_cast<std::uint64_t>(i), "ann", i * 60, 5));
  for (int i = 0; i < 3; ++i)
    incidents.add(strong(static_cast<std::uint64_t>(9 + i), "bob", 30 * day + i * 60, -2));
  for (const Incident& one : incidents.present({}, at(31 * day)))
    EXPECT_EQ(one.sources.front(), "bob");
}

TEST(IncidentOptions, NamesAllItsProblems) {
  EXPECT_TRUE(validate(IncidentOptions{}).empty());
  EXPECT_EQ(validate({Duration::zero(),
                      Duration::zero(),
                      -minutes{1},
                      Duration::zero(),
                      Duration::zero(),
                      0,
                      0,
                      0,
                      0})
                .size(),
            9u);
}

rc::Gen<std::vector<std::array<int, 4>>> some_events() {
  return rc::gen::container<std::vector<std::array<int, 4>>>(
      rc::gen::construct<std::array<int, 4>>(rc::gen::inRange(0, 6),
                                             rc::gen::inRange(0, 4),
                                             rc::gen::inRange(0, 4),
                                             rc::gen::inRange(0, 30)));
}

void feed(Incidents& incidents, const std::vector<std::array<int, 4>>& all, int& minute) {
  constexpr std::array<const char*, 4> kNames{"a", "b", "c", "d"};
  for (const auto& [id, type, source, pause] : all) {
    minute += pause;
    IncidentEvent one = event(static_cast<std::uint64_t>(id),
                              kNames[static_cast<std::size_t>(type)],
                              kNames[static_cast<std::size_t>(source)],
                              minute);
    one.log_odds = type - 2;
    one.type_excess = source;
    incidents.add(one);
  }
}

RC_GTEST_PROP(Incidents, SavedAndLoadedHaveTheSameFuture, ()) {
  int minute = 0;
  Incidents incidents;
  feed(incidents, *some_events(), minute);
  Writer saved;
  incidents.save(saved);
  Incidents loaded;
  Reader in(saved.bytes());
  RC_ASSERT(loaded.load(in).has_value());
  RC_ASSERT(in.at_end());
  const auto future = *some_events();
  int again = minute;
  feed(incidents, future, minute);
  feed(loaded, future, again);
  Writer a, b;
  incidents.save(a);
  loaded.save(b);
  RC_ASSERT(a.bytes() == b.bytes());
}

RC_GTEST_PROP(Incidents, SurviveDamagedBytes, ()) {
  int minute = 0;
  Incidents incidents;
  feed(incidents, *some_events(), minute);
  Writer saved;
  incidents.save(saved);
  std::string bytes = saved.take();
  bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] ^= *rc::gen::inRange<char>(1, 127);
  Reader in(bytes);
  Incidents loaded;
  if (loaded.load(in)) feed(loaded, *some_events(), minute);
}

}  // namespace
}  // namespace liminal::salience
