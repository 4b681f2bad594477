#include "core/engine/local_engine.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/hash.hpp"

namespace liminal::engine {
namespace {

constexpr Duration kSecond = std::chrono::seconds{1};
/// Idle time that is still lived through second by second: by then everything that decays fast and
/// every open alert (unless configured otherwise) is at rest.
constexpr Duration kStepwiseMax = std::chrono::hours{1};

}  // namespace

LocalEngine::LocalEngine(const Options& options)
    : settings_(std::make_shared<const Settings>(options)), commons_(options.detect.profile) {
  shards_.reserve(kShards);
  for (std::uint32_t i = 0; i < kShards; ++i)
    shards_.emplace_back(ShardId{static_cast<std::uint8_t>(i)}, settings_, now_);
}

void LocalEngine::feed(const traffic::Event& event, Effects& out) {
  const SteadyTime time{event.time.time_since_epoch()};
  if (!started_ || time >= now_ + kSecond) advance(time, out);
  shard(shard_of(event.user.hash)).step(event, out);
  if (!out.asks.empty()) answer(out);
}

void LocalEngine::use(std::shared_ptr<const Champion> champion, Effects& out) {
  champion_ = std::move(champion);
  use(champion_ != nullptr ? champion_->info() : ChampionInfo{}, std::nullopt, out);
}

void LocalEngine::use(const ChampionInfo& info,
                      const std::optional<ModelFault>& fault,
                      Effects& out) {
  for (Shard& shard : shards_) shard.use_champion(info, fault, out);
}

void LocalEngine::answer(Effects& out) {
  if (champion_ != nullptr) {
    const Ask ask = out.asks.back();  // a step has one question
    if (const std::optional<Answer> answer = champion_->answer(ask)) {
      (void)shard(ask.shard).take(*answer, out);
    } else {
      const ModelFault fault{ModelFault::Kind::kFailed, champion_->info().version, 0, 0};
      champion_ = nullptr;
      use(ChampionInfo{}, fault, out);
    }
  }
  out.asks.clear();
}

void LocalEngine::advance(SteadyTime now, Effects& out) {
  if (!started_) {
    started_ = true;
    second(now, out);
    return;
  }
  const Duration calm = std::max(kStepwiseMax, settings_->options.alerts.calm + kSecond);
  for (Duration lived{}; now_ + kSecond <= now && lived <= calm; lived += kSecond)
    second(now_ + kSecond, out);
  if (now_ + kSecond <= now) second(now, out);
}

void LocalEngine::second(SteadyTime now, Effects& out) {
  commons_.advance(begin_second(now, out), now, settings_->options.detect, exchange_);
  end_second(exchange_, out);
}

const Second& LocalEngine::begin_second(SteadyTime now, Effects& out) {
  now_ = std::max(now_, now);
  for (Shard& shard : shards_) shard.tick(now_, told_, out);
  return told_;
}

void LocalEngine::end_second(const Exchange& exchange, Effects& out) {
  for (Shard& shard : shards_) shard.absorb(exchange, out);
}

void LocalEngine::set_settings(std::shared_ptr<const Settings> settings) {
  settings_ = std::move(settings);
  for (Shard& shard : shards_) shard.set_settings(settings_);
}

Counters LocalEngine::counters() const {
  Counters all;
  for (const Shard& shard : shards_) all += shard.counters();
  return all;
}

std::size_t LocalEngine::users() const {
  std::size_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.users();
  return sum;
}

std::size_t LocalEngine::memory_bytes() const {
  std::size_t sum = commons_.memory_bytes();
  for (const Shard& shard : shards_) sum += shard.memory_bytes();
  return sum;
}

std::uint64_t LocalEngine::state_hash() const {
  std::uint64_t hash = commons_.state_hash();
  for (const Shard& shard : shards_) hash = mix64(hash ^ shard.state_hash());
  return hash;
}

void LocalEngine::save(Writer& out) const {
  out.put(nanoseconds(now_));
  out.put(started_);
  commons_.save(out);
  for (const Shard& shard : shards_) shard.save(out);
}

Result<void> LocalEngine::load(Reader& in) {
  now_ = SteadyTime{Duration{in.get<Duration::rep>()}};
  started_ = in.get<std::uint8_t>() != 0;
  if (const Result<void> read = commons_.load(in); !read) return read;
  for (Shard& shard : shards_) {
    if (const Result<void> read = shard.load(in); !read) return read;
  }
  return {};
}

}  // namespace liminal::engine
