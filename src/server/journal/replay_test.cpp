#include "server/journal/replay.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "core/base/random.hpp"
#include "io/files/memory_file_system.hpp"
#include "io/files/snapshot_folder.hpp"
#include "server/journal/checkpoint.hpp"
#include "server/journal/journal.hpp"

namespace liminal::journal {
namespace {

using std::chrono::seconds;
using Settings = std::shared_ptr<const engine::Settings>;

const SteadyTime kStart{seconds{1'700'000'000}};
constexpr ShardId kShard{11};
constexpr const char* kFolder = "data/snapshots";

/// Settings by a word, as the program has them by a text.
Settings settings(std::string_view word) {
  engine::Options options;
  if (word == "strict") {
    options.limits.mode = traffic::Mode::kEnforce;
    options.limits.user.messages = {.per_second = 2, .burst = 3};
  } else if (word != "usual") {
    return nullptr;
  }
  return std::make_shared<const engine::Settings>(std::move(options));
}

std::string word_of(const engine::Settings& settings) {
  return settings.options.limits.mode == traffic::Mode::kEnforce ? "strict" : "usual";
}

/// Users of this shard.
std::string user(int number) {
  for (int i = 0, found = 0;; ++i) {
    std::string name = "user" + std::to_string(i);
    if (shard_of(hash64(name)) == kShard && found++ == number) return name;
  }
}

/// One shard as a server runs it: journalled, saved now and then, killed and started again.
class Server {
 public:
  explicit Server(files::MemoryFileSystem& system, std::uint64_t seed = 7)
      : system_(system), random_(seed) {
    for (int i = 0; i < 12; ++i) users_.push_back(user(i));
  }

  /// From `before` where it is given, else from the newest snapshot.
  void start(std::string_view word, std::optional<engine::Shard> before = {}) {
    Options options;
    options.log.folder = "data/journal";
    options.interval = options.sync_interval = std::chrono::hours{1};
    options.describe = word_of;
    journal_ = std::move(*Journal::open(system_, options, now_));
    folder_.emplace(std::move(*files::SnapshotFolder::open(system_, {.folder = kFolder})));
    shard_.emplace(kShard, settings(word), now_);
    if (before) {
      Writer state;
      before->save(state);
      Reader in(state.bytes());
      ASSERT_TRUE(shard_->load(in));
    } else if (const auto loaded = folder_->load(kShard)) {
      Reader in(open_checkpoint(loaded->payload())->state);
      ASSERT_TRUE(shard_->load(in));
    }
    const std::uint64_t first = highest_ + 1'000;
    carry_out(engine::Resume{shard_->inputs(), first, shard_->now(), settings(word)}, first);
    kept_ = false;
  }

  void carry_out(const engine::Call& call, std::uint64_t number = 0) {
    journal_->call(kShard, number != 0 ? number : shard_->inputs() + 1, call);
    engine::Effects effects;
    (void)engine::carry_out(call, *shard_, effects);
    note();
  }

  void live(int length) {
    for (int second = 0; second < length; ++second) {
      now_ += seconds{1};
      for (const std::string& name : users_)
        if (random_.chance(.3)) message(name);
      for (int i = 0; i < 4; ++i) message(users_[0]);  // who floods
      journal_->tick(kShard, shard_->inputs() + 1, now_);
      shard_->tick(now_, told_, effects_);
      note();
      commons_.advance(told_, now_, engine::Options{}.detect, exchange_);
      journal_->absorb(kShard, shard_->inputs() + 1, exchange_);
      shard_->absorb(exchange_, effects_);
      note();
    }
  }

  void save() {
    Writer out;
    shard_->save(out);
    const std::string payload = seal_checkpoint({word_of(shard_->settings()), out.bytes()});
    ASSERT_TRUE(folder_->save({.shard = kShard,
                               .engine_time = shard_->now(),
                               .input = shard_->inputs(),
                               .schema_hash = traffic::schema_hash()},
                              payload,
                              !kept_));
    kept_ = true;
  }

  /// One that the journal does not get.
  void forget_input() {
    shard_->tick(now_, told_, effects_);
    note();
  }

  /// The journal writes what it has: a kill comes after that.
  void kill() {
    journal_.reset();
    shard_.reset();
  }

  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& states() const { return states_; }
  [[nodiscard]] const engine::Shard& shard() const { return *shard_; }

 private:
  void message(const std::string& name) {
    traffic::Event event;
    event.user = traffic::Name(name);
    event.address = traffic::Name("10.0.0.1");
    event.bytes = static_cast<std::uint32_t>(random_.below(500));
    event.error = random_.chance(.1);
    event.time = EventTime{now_.time_since_epoch()};
    journal_->event(kShard, shard_->inputs() + 1, event);
    shard_->step(event, effects_);
    note();
  }

  /// Every input's state, to compare with.
  void note() {
    highest_ = std::max(highest_, shard_->inputs());
    states_[shard_->inputs()] = shard_->state_hash();
    effects_.clear();
  }

  files::MemoryFileSystem& system_;
  Random random_;
  std::vector<std::string> users_;
  SteadyTime now_ = kStart;
  std::unique_ptr<Journal> journal_;
  std::optional<files::SnapshotFolder> folder_;
  std::optional<engine::Shard> shard_;
  bool kept_ = false;
  std::uint64_t highest_ = 0;
  engine::Second told_;
  engine::Effects effects_;
  engine::Commons commons_{engine::Options{}.detect.profile};
  engine::Exchange exchange_;
  std::map<std::uint64_t, std::uint64_t> states_;
};

Replayed replay(files::MemoryFileSystem& system, std::uint64_t input) {
  const ReplaySources sources{system, {.folder = "data/journal"}, kFolder, settings};
  return std::move(*replay_to(sources, kShard, input));
}

TEST(Replay, FromAFreshStartGivesEveryStateAgain) {
  files::MemoryFileSystem system;
  Server server(system);
  server.start("usual");
  server.live(20);
  server.kill();
  for (const auto& [input, state] : server.states()) {
    const Replayed again = replay(system, input);
    ASSERT_EQ(again.ending, Ending::kReached) << input;
    EXPECT_EQ(again.shard->state_hash(), state) << input;
  }
}

TEST(Replay, CrossesWhatOperatorsDecidedAndRestarts) {
  files::MemoryFileSystem system;
  Server server(system);
  server.start("usual");
  server.live(5);
  server.save();
  server.carry_out(engine::UseSettings{settings("strict")});
  server.live(5);
  traffic::Override decision;
  decision.user = user(0);
  decision.kind = traffic::Override::Kind::kBlock;
  decision.reason = "test";
  server.carry_out(engine::SetOverride{decision});
  server.carry_out(engine::CountFeedback{traffic::FindingType::kMessageFlood,
                                         traffic::FeedbackVerdict::kFalsePositive});
  server.live(5);
  server.save();
  server.live(3);  // lost by the kill, but in the journal
  server.kill();

  server.start("usual");
  server.carry_out(engine::RemoveOverride{user(0)});
  server.live(5);
  server.kill();  // before anything was saved

  server.start("strict");
  server.carry_out(engine::CleanUp{Duration::zero()});
  server.live(5);
  server.save();
  server.live(2);
  server.kill();

  std::uint64_t lives = 0;
  for (const auto& [input, state] : server.states()) {
    const Replayed again = replay(system, input);
    ASSERT_EQ(again.ending, Ending::kReached) << input;
    EXPECT_EQ(again.shard->state_hash(), state) << input;
    lives = std::max(lives, again.lives);
  }
  EXPECT_GE(lives, 1u);
}

TEST(Replay, SaysWhyItCannot) {
  files::MemoryFileSystem system;
  Server server(system);
  server.start("usual");
  server.live(5);
  const std::uint64_t early = server.shard().inputs();
  server.save();
  server.live(5);
  const std::uint64_t late = server.shard().inputs();
  server.kill();
  EXPECT_EQ(replay(system, late + 1).ending, Ending::kNotYet);

  // The journal's only segment goes; the snapshot stays.
  const auto segments = system.list("data/journal");
  for (const files::FileEntry& file : segments.value())
    ASSERT_TRUE(system.remove("data/journal/" + file.name));
  EXPECT_EQ(replay(system, early).ending, Ending::kNoSnapshot);
  EXPECT_EQ(replay(system, late).ending, Ending::kNotYet);
  EXPECT_EQ(replay(system, late).from_input, early);
}

TEST(Replay, WithoutTheSettingsOfThatTimeGivesNoAnswer) {
  files::MemoryFileSystem system;
  Server server(system);
  server.start("usual");
  server.live(2);
  const std::uint64_t input = server.shard().inputs();
  server.kill();
  const ReplaySources sources{
      system, {.folder = "data/journal"}, kFolder, [](std::string_view) { return nullptr; }};
  EXPECT_EQ(replay_to(sources, kShard, input)->ending, Ending::kSettings);
}

/// The shard as a start finds it: from its newest snapshot, lived on.
struct Found {
  LivedOn lived;
  std::optional<engine::Shard> shard;
};

Found live_on_from_disk(
    files::MemoryFileSystem& system,
    std::optional<SteadyTime> since = {},
    const std::function<bool()>& late = [] { return false; }) {
  const ReplaySources sources{system, {.folder = "data/journal"}, kFolder, settings};
  std::vector<std::optional<engine::Shard>> shards(kShards);
  if (const auto snapshot = files::load_snapshot(system, kFolder, kShard))
    shards[index(kShard)] = shard_of_snapshot(*snapshot, settings);
  const auto courses = read_courses(system, sources.log, since);
  Found found;
  found.lived = *live_on(sources, *courses, shards, late);
  found.shard = std::exchange(shards[index(kShard)], std::nullopt);
  for (const auto& other : shards) EXPECT_FALSE(other);
  return found;
}

TEST(LiveOn, GivesWhatWasThereBeforeTheKillToTheBit) {
  files::MemoryFileSystem system;
  Server server(system);
  server.start("usual");
  server.live(5);
  std::uint64_t state = server.shard().state_hash();
  server.kill();
  Found found = live_on_from_disk(system);
  ASSERT_TRUE(found.shard) << "one that never had a snapshot";
  EXPECT_EQ(found.shard->state_hash(), state);

  server.start("usual");  // from nothing: what was before is passed over
  server.live(5);
  server.save();
  const SteadyTime saved = server.shard().now();
  server.carry_out(engine::UseSettings{settings("strict")});
  server.live(30);
  state = server.shard().state_hash();
  const std::uint64_t inputs = server.shard().inputs();
  server.kill();
  for (const std::optional<SteadyTime> since :
       {std::optional<SteadyTime>(), std::optional(saved)}) {
    found = live_on_from_disk(system, since);
    EXPECT_EQ(found.shard->state_hash(), state);
    EXPECT_EQ(found.shard->inputs(), inputs);
    EXPECT_GT(found.lived.inputs, 100u);
    EXPECT_EQ(found.lived.broken_off, 0u);
    EXPECT_FALSE(found.lived.late);
  }
}

TEST(LiveOn, GoesOnAcrossLives) {
  files::MemoryFileSystem system;
  Server server(system);
  server.start("usual");
  server.live(3);
  server.save();
  for (int life = 0; life < 3; ++life) {
    server.live(3);
    server.kill();
    Found found = live_on_from_disk(system);
    server.start("usual", std::move(found.shard));
    server.live(2);
  }
  const std::uint64_t state = server.shard().state_hash();
  server.kill();
  const Found found = live_on_from_disk(system);
  EXPECT_EQ(found.shard->state_hash(), state);
  EXPECT_EQ(found.lived.broken_off, 0u);
}

TEST(LiveOn, EndsAtAGapAndWhenItIsLate) {
  files::MemoryFileSystem system;
  Server server(system);
  server.start("usual");
  server.live(2);
  server.save();
  server.live(50);
  server.kill();
  const Found late = live_on_from_disk(system, {}, [] { return true; });
  EXPECT_TRUE(late.lived.late);
  EXPECT_EQ(late.lived.broken_off, 1u);
  EXPECT_EQ(late.shard->state_hash(), server.states().at(late.shard->inputs()));

  server.start("usual", live_on_from_disk(system).shard);
  server.live(2);
  server.forget_input();
  server.live(2);
  server.kill();
  const Found gap = live_on_from_disk(system);
  EXPECT_EQ(gap.lived.broken_off, 1u);
  EXPECT_EQ(gap.shard->state_hash(), server.states().at(gap.shard->inputs()));
}

TEST(Stretches, LeadBackThroughTheLivesThatCount) {
  const auto life = [](std::uint64_t base, std::uint64_t first) {
    return engine::Resume{base, first, {}, {}};
  };
  // Started twice from input 50, then from 2,500.
  const std::vector<engine::Resume> lives{
      life(0, 10), life(50, 1'000), life(50, 2'000), life(2'500, 3'000)};
  using List = std::vector<Stretch>;
  EXPECT_EQ(stretches_to(40, lives), (List{{10, 40}}));
  EXPECT_EQ(stretches_to(1'100, lives), (List{{1'000, 1'100}, {10, 50}}));
  EXPECT_EQ(stretches_to(3'100, lives), (List{{3'000, 3'100}, {2'000, 2'500}, {10, 50}}));
  EXPECT_EQ(stretches_to(7, {}), (List{{1, 7}}));
}

}  // namespace
}  // namespace liminal::journal
