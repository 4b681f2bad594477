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

TEST(IncidentOptions, NamesAllItsProblems) {
  EXPECT_TRUE(validate(IncidentOptions{}).empty());
  EXPECT_EQ(validate({Duration::zero(), Duration::zero(), -minutes{1}, 0, 0, 0, 0}).size(), 7u);
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
