#include "server/journal/journal.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "core/base/random.hpp"
#include "io/files/memory_file_system.hpp"

namespace liminal::journal {
namespace {

using std::chrono::seconds;

const SteadyTime kStart{seconds{1'700'000'000}};

Options options() {
  Options o;
  o.log.folder = "data/journal";
  o.interval = std::chrono::hours{1};  // what waits is written at the end alone
  o.sync_interval = o.interval;
  return o;
}

/// All shards and the commons, as a runtime drives them.
class Engine {
 public:
  Engine() {
    const auto settings = std::make_shared<const engine::Settings>(engine::Options{});
    for (std::uint8_t i = 0; i < kShards; ++i) shards.emplace_back(ShardId{i}, settings, kStart);
  }

  /// Lives some seconds of traffic and keeps every input in a journal.
  void live(Journal& journal, std::uint64_t seed, int length) {
    Random random(seed);
    for (int second = 1; second <= length; ++second) {
      const SteadyTime now = kStart + seconds{second};
      for (int i = 0; i < 200; ++i) message(journal, random, now);
      for (engine::Shard& shard : shards) {
        journal.tick(shard.id(), shard.inputs() + 1, now);
        shard.tick(now, told, effects);
      }
      commons.advance(told, now, engine::Options{}.detect, exchange);
      for (engine::Shard& shard : shards) {
        journal.absorb(shard.id(), shard.inputs() + 1, exchange);
        shard.absorb(exchange, effects);
      }
    }
  }

  [[nodiscard]] std::map<std::uint32_t, std::uint64_t> state() const {
    std::map<std::uint32_t, std::uint64_t> hashes;
    for (const engine::Shard& shard : shards) hashes[index(shard.id())] = shard.state_hash();
    return hashes;
  }

  std::vector<engine::Shard> shards;
  engine::Second told;
  engine::Effects effects;

 private:
  void message(Journal& journal, Random& random, SteadyTime now) {
    const std::string user = "user" + std::to_string(random.below(40));
    traffic::Event event;
    event.user = traffic::Name(user);
    event.address = traffic::Name("10.0.0.1");
    event.kind = traffic::EventKind{static_cast<std::uint8_t>(random.below(4))};
    event.bytes = static_cast<std::uint32_t>(random.below(500));
    event.time = EventTime{now.time_since_epoch()};
    engine::Shard& shard = shards[index(shard_of(event.user.hash))];
    journal.event(shard.id(), shard.inputs() + 1, event);
    shard.step(event, effects);
  }

  engine::Commons commons{engine::Options{}.detect.profile};
  engine::Exchange exchange;
};

TEST(JournalOptions, NameTheirProblems) {
  Options wrong = options();
  EXPECT_TRUE(validate(wrong).empty());
  wrong.log.folder = "";
  wrong.shard_bytes_max = 1;
  wrong.interval = {};
  EXPECT_EQ(validate(wrong).size(), 3u);
}

TEST(Journal, LivedThroughAgainGivesTheSameStateBitForBit) {
  files::MemoryFileSystem system;
  Engine lived;
  {
    const auto journal = std::move(*Journal::open(system, options(), kStart));
    lived.live(*journal, 7, 30);
  }

  Engine again;
  const Result<Summary> read =
      read_journal(system, options().log, EntryReader(), [&](const Entry& entry) {
        const Result<void> applied =
            apply(entry, again.shards[index(entry.shard)], again.told, again.effects);
        EXPECT_TRUE(applied);
        return applied.has_value();
      });

  ASSERT_TRUE(read);
  EXPECT_EQ(read->unreadable, 0u);
  EXPECT_EQ(read->entries, 30u * (200 + 2 * kShards));
  EXPECT_EQ(again.state(), lived.state());
}

TEST(Journal, GoesOnFromASnapshotAndPassesOverWhatItHolds) {
  files::MemoryFileSystem system;
  Engine lived;
  Engine again;
  {
    const auto journal = std::move(*Journal::open(system, options(), kStart));
    lived.live(*journal, 7, 5);
    for (std::size_t i = 0; i < kShards; ++i) {
      Writer snapshot;
      lived.shards[i].save(snapshot);
      Reader in(snapshot.bytes());
      ASSERT_TRUE(again.shards[i].load(in));
    }
    lived.live(*journal, 8, 5);
  }
  ASSERT_TRUE(read_journal(system, options().log, EntryReader(), [&](const Entry& entry) {
    return apply(entry, again.shards[index(entry.shard)], again.told, again.effects).has_value();
  }));
  EXPECT_EQ(again.state(), lived.state());
}

TEST(Journal, ADiskThatIsTooSlowLeavesAGapThatAReplaySees) {
  files::MemoryFileSystem system;
  Options small = options();
  small.shard_bytes_max = 4'096;
  Engine lived;
  {
    const auto journal = std::move(*Journal::open(system, small, kStart));
    lived.live(*journal, 7, 60);
    EXPECT_GT(journal->counters().dropped_inputs, 0u);
  }
  // A second life of the journal: behind the gap.
  {
    const auto journal = std::move(*Journal::open(system, small, kStart));
    lived.live(*journal, 8, 1);
  }
  Engine again;
  ErrorCode error{};
  ASSERT_TRUE(read_journal(system, small.log, EntryReader(), [&](const Entry& entry) {
    const Result<void> applied =
        apply(entry, again.shards[index(entry.shard)], again.told, again.effects);
    if (!applied) error = applied.error().code;
    return applied.has_value();
  }));
  EXPECT_EQ(error, ErrorCode::kConflict);
}

TEST(Journal, OnADiskThatFailsGoesOnAndSaysSo) {
  files::MemoryFileSystem system;
  Options quick = options();
  quick.interval = std::chrono::milliseconds{1};
  const auto journal = std::move(*Journal::open(system, quick, kStart));
  // The thread is the only one that touches the system from here on, save for this flag, which is
  // set before there is anything to write.
  system.faults.disk_bytes = 0;
  Engine lived;
  lived.live(*journal, 7, 1);
  while (journal->counters().failures == 0) std::this_thread::yield();
  EXPECT_GT(journal->counters().log.dropped_records, 0u);
}

}  // namespace
}  // namespace liminal::journal
