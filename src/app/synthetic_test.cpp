#include "app/synthetic.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "app/trace.hpp"
#include "io/json/event_reader.hpp"

namespace liminal::app {
namespace {

using namespace std::chrono_literals;
using traffic::EventKind;

std::string trace_of(const SyntheticOptions& options) {
  SyntheticDay day(options);
  std::string trace;
  while (const auto event = day.next()) write_trace_line(*event, trace);
  return trace;
}

TEST(SyntheticDay, IsTheSameForTheSameSeedAndAnotherForAnother) {
  const SyntheticOptions options{.length = 1h};
  EXPECT_EQ(trace_of(options), trace_of(options));
  EXPECT_NE(trace_of(options), trace_of({.seed = 2, .length = 1h}));
}

TEST(SyntheticDay, IsInOrderAndEveryConnectionIsOpenedUsedAndClosedByOneUser) {
  SyntheticDay day({.length = 6h});
  std::map<std::uint64_t, std::string> open;
  EventTime last{};
  while (const auto event = day.next()) {
    EXPECT_GE(event->time, last);
    last = event->time;
    ASSERT_NE(event->connection, 0u);
    if (event->kind == EventKind::kConnect) {
      EXPECT_TRUE(open.emplace(event->connection, event->user.text).second);
    } else {
      const auto found = open.find(event->connection);
      ASSERT_NE(found, open.end());
      EXPECT_EQ(found->second, event->user.text);
      if (event->kind == EventKind::kDisconnect) open.erase(found);
    }
  }
}

TEST(SyntheticDay, HasEveryKindOfAbuseWithinItsFirstHour) {
  SyntheticDay day({.length = 24h});
  std::set<Abuse> kinds;
  for (const Episode& episode : day.episodes()) {
    EXPECT_GE(episode.from, 10min);
    if (episode.from < 1h) kinds.insert(episode.abuse);
  }
  EXPECT_EQ(kinds.size(), kAbuses);
}

TEST(SyntheticDay, WithoutEpisodesNobodyDoesWrong) {
  EXPECT_TRUE(SyntheticDay({.episode_interval = 0s}).episodes().empty());
}

/// What real chat shows of 5,700 people (docs/detections.md): the generator must not be an easier
/// or a stranger world than that.
TEST(SyntheticDay, OrdinaryPeopleTalkLikePeople) {
  SyntheticDay day({.episode_interval = 0s});
  std::map<std::string, std::vector<double>> times;
  std::vector<std::uint32_t> sizes;
  std::size_t errors = 0;
  while (const auto event = day.next()) {
    if (event->kind != EventKind::kMessage) continue;
    times[std::string(event->user.text)].push_back(seconds(event->time.time_since_epoch()));
    sizes.push_back(event->bytes);
    errors += event->error ? 1U : 0U;
  }
  std::size_t most_in_ten_seconds = 0, most_in_five_minutes = 0;
  for (const auto& [user, at] : times) {
    for (std::size_t i = 0, ten = 0, five = 0; i < at.size(); ++i) {
      while (at[i] - at[ten] > 10) ++ten;
      while (at[i] - at[five] > 300) ++five;
      most_in_ten_seconds = std::max(most_in_ten_seconds, i - ten + 1);
      most_in_five_minutes = std::max(most_in_five_minutes, i - five + 1);
    }
  }
  std::sort(sizes.begin(), sizes.end());
  EXPECT_GT(sizes.size(), 5'000u);
  EXPECT_LE(most_in_ten_seconds, 6u);
  EXPECT_LE(most_in_five_minutes, 45u);
  EXPECT_NEAR(sizes[sizes.size() / 2], 42, 15);
  EXPECT_LT(sizes[sizes.size() * 999 / 1000], 800u);
  EXPECT_LT(static_cast<double>(errors) / static_cast<double>(sizes.size()), .02);
}

TEST(SyntheticDay, AFloodIsSeveralMessagesASecondByItsUser) {
  SyntheticDay day({.length = 2h});
  const Episode flood = day.episodes()[0];
  ASSERT_EQ(flood.abuse, Abuse::kFlood);
  std::size_t messages = 0;
  while (const auto event = day.next()) {
    const Duration at = event->time.time_since_epoch();
    if (event->user.text == flood.users[0] && event->kind == EventKind::kMessage &&
        at >= flood.from && at <= flood.to)
      ++messages;
  }
  EXPECT_GT(messages, 150u);
}

TEST(TraceLine, IsReadBackAsTheSameEvent) {
  SyntheticDay day({.length = 30min});
  json::EventReader reader;
  std::string line;
  while (const auto event = day.next()) {
    line.clear();
    write_trace_line(*event, line);
    line.pop_back();
    const auto read = reader.read(line);
    ASSERT_TRUE(read) << line << json::text(read.error());
    EXPECT_EQ(read->user.text, event->user.text);
    EXPECT_EQ(read->address.text, event->address.text);
    EXPECT_EQ(read->kind, event->kind);
    EXPECT_EQ(read->error, event->error);
    EXPECT_EQ(read->bytes, event->bytes);
    EXPECT_EQ(read->content_hash, event->content_hash) << line;
    EXPECT_EQ(read->channels.size(), event->channels.size());
    EXPECT_LT(event->time - read->time, 2us);
  }
}

TEST(TraceLine, EscapesWhatJsonDoesNotTake) {
  traffic::Event event;
  event.user = traffic::Name("a\"b\\c\n");
  std::string line;
  write_trace_line(event, line);
  json::EventReader reader;
  const auto read = reader.read(line);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->user.text, event.user.text);
  EXPECT_TRUE(read->address.empty());
}

}  // namespace
}  // namespace liminal::app
