#include "server/journal/entry.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/hash.hpp"

namespace liminal::journal {
namespace {

traffic::Event event() {
  traffic::Event made;
  made.user = traffic::Name("ann");
  made.address = traffic::Name("10.0.0.1");
  made.bytes = 42;
  made.time = EventTime{std::chrono::hours{1}};
  return made;
}

std::string record() {
  Writer out;
  begin_entries(ShardId{7}, out);
  append_event(100, event(), out);
  append_tick(101, SteadyTime{std::chrono::hours{2}}, out);
  append_absorb(102, 5, out);
  return out.take();
}

std::vector<Entry> read_all(EntryReader& reader, std::string_view bytes) {
  std::vector<Entry> entries;
  (void)reader.read(bytes, [&](const Entry& entry) {
    entries.push_back(entry);
    return true;
  });
  return entries;
}

TEST(Entries, AreReadAsTheyWereWritten) {
  engine::Exchange exchange;
  exchange.number = 5;
  Writer kept;
  append_exchange(exchange, kept);

  EntryReader reader;
  EXPECT_TRUE(read_all(reader, kept.bytes()).empty());
  const std::vector<Entry> entries = read_all(reader, record());

  ASSERT_EQ(entries.size(), 3u);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].shard, ShardId{7});
    EXPECT_EQ(entries[i].input, 100 + i);
  }
  EXPECT_EQ(entries[0].event.view().user.text, "ann");
  EXPECT_EQ(entries[0].event.view().bytes, 42u);
  EXPECT_EQ(entries[1].time, SteadyTime{std::chrono::hours{2}});
  ASSERT_NE(entries[2].exchange, nullptr);
  EXPECT_EQ(entries[2].exchange->number, 5u);
}

TEST(Entries, ThatReferToALostExchangeSaySo) {
  EntryReader reader;
  const std::vector<Entry> entries = read_all(reader, record());
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[2].exchange, nullptr);
}

/// One of each kind.
std::vector<engine::Call> calls(const std::shared_ptr<const engine::Settings>& settings) {
  traffic::Override decision;
  decision.user = "ann";
  decision.burst = 3;
  decision.reason = "asked for it";
  decision.expires = SteadyTime{std::chrono::hours{3}};
  traffic::Alert alert;
  alert.number = 17;
  alert.user = "ann";
  return {engine::UseSettings{settings},
          engine::SetOverride{decision},
          engine::RemoveOverride{"ann"},
          engine::RemoveOverrides{},
          engine::GiveFeedback{17, traffic::FeedbackVerdict::kExpected},
          engine::CountFeedback{traffic::FindingType::kErrorSpike,
                                traffic::FeedbackVerdict::kTruePositive},
          engine::CleanUp{std::chrono::hours{24}},
          engine::Adopt{alert},
          engine::Resume{5, 1000, SteadyTime{std::chrono::hours{1}}, settings},
          engine::UseChampion{{3, {1, 2, 3}, .7F, true},
                              engine::ModelFault{engine::ModelFault::Kind::kSlow, 2, .1F, .01F}},
          engine::TakeAnswer{{3,
                              hash64("ann"),
                              SteadyTime{std::chrono::hours{2}},
                              .9F,
                              {{traffic::Signal::kMessages10s, 30, 0, 0, 1.2F}}}}};
}

TEST(Entries, OfCallsAreReadAsTheyWereWritten) {
  const auto settings = std::make_shared<const engine::Settings>(engine::Options{});
  const std::vector<engine::Call> made = calls(settings);
  ASSERT_EQ(made.size(), std::variant_size_v<engine::Call>);
  Writer kept, record;
  append_settings("words", kept);
  begin_entries(ShardId{7}, record);
  for (std::size_t i = 0; i < made.size(); ++i)
    append_call(100 + i, made[i], hash64("words"), record);

  EntryReader reader([&](std::string_view text) {
    EXPECT_EQ(text, "words");
    return settings;
  });
  EXPECT_TRUE(read_all(reader, kept.bytes()).empty());
  const std::vector<Entry> entries = read_all(reader, record.bytes());
  ASSERT_EQ(entries.size(), made.size());
  Writer again;
  begin_entries(ShardId{7}, again);
  for (const Entry& entry : entries) {
    EXPECT_EQ(settings_of(entry.call) != nullptr, settings_of(made[entry.call.index()]) != nullptr);
    append_call(entry.input, entry.call, hash64("words"), again);
  }
  EXPECT_EQ(again.bytes(), record.bytes());

  EntryReader another;  // which never saw the settings
  EXPECT_EQ(settings_of(read_all(another, record.bytes()).front().call), nullptr);
}

TEST(Entries, OfOtherShardsCanBeReadOver) {
  EntryReader reader({}, ShardId{8});
  EXPECT_TRUE(read_all(reader, record()).empty());
}

TEST(Entries, CutAnywhereGiveTheEntriesBeforeTheCut) {
  const std::string whole = record();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EntryReader reader;
    EXPECT_LT(read_all(reader, std::string_view(whole).substr(0, size)).size(), 3u) << size;
  }
}

TEST(Entries, OfOtherSoftwareAreRefused) {
  const auto error = [](std::string bytes) {
    EntryReader reader;
    return reader.read(bytes, [](const Entry&) { return true; }).error().code;
  };
  EXPECT_EQ(error(std::string("\x07\x00", 2)), ErrorCode::kUnsupported);
  EXPECT_EQ(error(std::string("\x01\x42", 2)), ErrorCode::kMalformed);
  EXPECT_EQ(error(std::string("\x01\x00\x09\x01", 4)), ErrorCode::kMalformed);
}

}  // namespace
}  // namespace liminal::journal
