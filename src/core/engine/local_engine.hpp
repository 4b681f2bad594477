#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/ids.hpp"
#include "core/engine/champion.hpp"
#include "core/engine/commons.hpp"
#include "core/engine/options.hpp"
#include "core/engine/shard.hpp"

namespace liminal::engine {

/// The whole engine in one thread: all shards and the commons, driven by the events' own time. What
/// `liminal replay`, tests and programs that embed the engine use; a server spreads the same shards
/// over threads (server/shards).
///
/// Before an event the engine's time is brought up to it second by second: each shard ticks, the
/// commons advance, each shard absorbs. Gaps of more than an hour are crossed in one step once
/// every alert that could be resolved in them is.
class LocalEngine {
 public:
  /// `options` must be valid.
  explicit LocalEngine(const Options& options);

  /// Counts an event, after the seconds that passed before it. Effects of these come first; the
  /// verdict is the event's. An event before the engine's time counts as late.
  void feed(const traffic::Event& event, Effects& out);

  /// From now on this model is asked, and answers at once; null: none. One that fails is taken out
  /// and reported. To be given again after `load`.
  void use(std::shared_ptr<const Champion> champion, Effects& out);

  /// Lets time pass to `now` without an event.
  void advance(SteadyTime now, Effects& out);

  // The two halves of a second, for programs that spread the shards over several engines and have
  // one `Commons` beside them: each engine steps, tells and absorbs for its own shards. Such an
  // engine's time moves by these alone: events go to `shard(…).step`.

  /// Every shard ticks; what each tells is in its place of what is given.
  [[nodiscard]] const Second& begin_second(SteadyTime now, Effects& out);
  /// Every shard absorbs.
  void end_second(const Exchange& exchange, Effects& out);

  /// From the next input on these hold, in all shards.
  void set_settings(std::shared_ptr<const Settings> settings);
  [[nodiscard]] const std::shared_ptr<const Settings>& settings() const { return settings_; }

  [[nodiscard]] Shard& shard(ShardId id) { return shards_[index(id)]; }
  [[nodiscard]] const Shard& shard(ShardId id) const { return shards_[index(id)]; }
  [[nodiscard]] const Shard& shard_of_user(std::string_view user) const {
    return shard(shard_of(traffic::Name(user).hash));
  }
  [[nodiscard]] const Commons& commons() const { return commons_; }
  [[nodiscard]] SteadyTime now() const { return now_; }
  [[nodiscard]] Counters counters() const;
  [[nodiscard]] std::size_t users() const;
  [[nodiscard]] std::size_t memory_bytes() const;

  /// Over all shards and the commons: equal for equal histories, on every compiler and CPU.
  [[nodiscard]] std::uint64_t state_hash() const;

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  void second(SteadyTime now, Effects& out);
  void answer(Effects& out);
  void use(const ChampionInfo& info, const std::optional<ModelFault>& fault, Effects& out);

  std::shared_ptr<const Settings> settings_;
  std::vector<Shard> shards_;
  Commons commons_;
  std::shared_ptr<const Champion> champion_;
  Second told_;
  Exchange exchange_;
  SteadyTime now_{};
  bool started_ = false;
};

}  // namespace liminal::engine
