#include "server/journal/entry.hpp"

#include <gtest/gtest.h>

#include <vector>

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
  EXPECT_EQ(error(std::string("\x02\x00", 2)), ErrorCode::kUnsupported);
  EXPECT_EQ(error(std::string("\x01\x41", 2)), ErrorCode::kMalformed);
  EXPECT_EQ(error(std::string("\x01\x00\x09\x01", 4)), ErrorCode::kMalformed);
}

}  // namespace
}  // namespace liminal::journal
