#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/ids.hpp"
#include "core/engine/call.hpp"
#include "core/engine/commons.hpp"
#include "core/engine/effects.hpp"
#include "core/engine/enforcement_log.hpp"
#include "core/engine/options.hpp"
#include "core/engine/shard.hpp"
#include "core/traffic/event.hpp"
#include "io/epoll/loop.hpp"
#include "io/prometheus/histogram.hpp"
#include "server/shards/clock.hpp"
#include "server/shards/model_thread.hpp"

namespace liminal::shards {

/// Where effects go: the store, webhooks, logs. One object for all threads.
class Sink {
 public:
  virtual ~Sink() = default;
  /// What the shards of one thread bring about within a turn of its loop, in their order. Called on
  /// shard threads, several at once: must not block, and bounds what it keeps.
  virtual void deliver(engine::Effects& effects) = 0;
};

/// Sees every input of the engine before it is carried out, for the journal. One object for all
/// threads, called on the thread that owns the shard: must not block.
class Recorder {
 public:
  virtual ~Recorder() = default;
  virtual void event(ShardId shard, std::uint64_t input, const traffic::Event& event) = 0;
  /// Shards tick and absorb in between, each on its thread.
  virtual void tick(ShardId shard, std::uint64_t input, SteadyTime now) = 0;
  virtual void absorb(ShardId shard, std::uint64_t input, const engine::Exchange& exchange) = 0;
  virtual void call(ShardId shard, std::uint64_t input, const engine::Call& call) = 0;
};

/// One shard on its own thread, for who asks it something or decides something about it. What
/// changes it goes through `carry_out`, so that no input misses the journal.
class OwnedShard {
 public:
  /// What it brings about goes into `effects`.
  OwnedShard(engine::Shard& shard, Recorder* recorder, engine::Effects& effects)
      : shard_(shard), recorder_(recorder), effects_(effects) {}

  [[nodiscard]] const engine::Shard& operator*() const { return shard_; }
  [[nodiscard]] const engine::Shard* operator->() const { return &shard_; }

  /// Gives what `engine::carry_out` does.
  std::uint64_t carry_out(const engine::Call& call);

 private:
  engine::Shard& shard_;
  Recorder* recorder_;
  engine::Effects& effects_;
};

/// What a shard was between two of its inputs, in the bytes that it loads.
struct SavedShard {
  SteadyTime time;            ///< the shard's
  std::uint64_t input = 0;    ///< the last one in it
  std::uint64_t changes = 0;  ///< inputs so far that were neither tick nor exchange
  std::shared_ptr<const engine::Settings> settings;
  std::string bytes;  ///< empty: nobody did anything since
};

struct Options {
  std::uint32_t threads = 0;  ///< 1 to 64; 0: one for each CPU
  std::size_t mailbox_max = 65'536;
  /// Events from `submit` that may be under way; more are refused.
  std::uint32_t submitted_max = 262'144;
  engine::CommonsOptions commons = {};
  InferenceOptions inference = {};
  /// Told once of each model that was taken out of the path, on a thread of the shards.
  std::function<void(const engine::ModelFault& fault)> on_model_fault = {};
};
[[nodiscard]] Problems validate(const Options& options);

class Runtime;

/// A thread's part of the engine: the path of a message, without a lock or a queue. For the
/// thread's own loop only.
class Worker {
 public:
  Worker(Runtime& runtime, std::size_t index, const Options& options);

  /// What to do about an event of a user whose shard this thread owns.
  [[nodiscard]] traffic::Verdict step(const traffic::Event& event);
  /// Whether an override blocks the event's user, whose shard this thread owns.
  [[nodiscard]] bool blocks(const traffic::Event& event) const;
  /// For the audit log: what a gateway did about an event beyond the engine's verdict, which no
  /// input of the engine says.
  void note(const traffic::Event& event, const traffic::Verdict& done);
  [[nodiscard]] SteadyTime now() const;
  [[nodiscard]] std::size_t index() const { return index_; }
  [[nodiscard]] epoll::Loop& loop() { return loop_; }

 private:
  friend class Runtime;
  [[nodiscard]] engine::Shard& shard(ShardId id);
  void tick(SteadyTime now);
  void absorb(const engine::Exchange& exchange);
  void deliver();
  void deliver_if_many();
  /// runtime_model.cpp: answers what steps have asked since the last time, in their order.
  void answer_asks();
  void answer_now(float score, const engine::Ask& ask);
  void take(ShardId id, engine::Answer answer);
  void use(std::shared_ptr<const engine::Champion> champion,
           const std::optional<engine::ModelFault>& fault);

  Runtime& runtime_;
  const std::size_t index_;
  /// One step in so many is timed: the clock would cost a good part of a step.
  static constexpr std::uint32_t kStepsPerTiming = 64;

  epoll::Loop loop_;
  engine::Effects effects_;  ///< of this turn
  engine::EnforcementLog of_gateway_{"gateway"};
  std::uint32_t steps_ = 0;
  prometheus::LiveHistogram step_seconds_;

  std::shared_ptr<const engine::Champion> champion_;  ///< null: nobody is asked
  BudgetWatch watch_;
  std::vector<engine::Ask> asks_;  ///< in hand
  std::vector<float> scores_;      ///< of them
  prometheus::LiveHistogram inference_seconds_;
};

/// Runs the engine: threads with a loop each, the 64 shards spread over them, the commons on the
/// first, and the second's exchange between them.
///
/// Once a second of the engine's time every shard ticks, the commons learn what all told, every
/// shard absorbs it; messages go on meanwhile. The threads wait for each other by messages, never
/// by a lock. Who owns what decides nothing: the same inputs give the same answers with any number
/// of threads.
///
///     Runtime runtime(options, settings, clock, sink);
///     for (i…) gateway[i] = …(runtime.worker(i).loop(), …);
///     runtime.start();      // threads run from here
///     runtime.stop();       // and are gone after this
class Runtime {
 public:
  Runtime(const Options& options,
          std::shared_ptr<const engine::Settings> settings,
          const EngineClock& clock,
          Sink& sink,
          Recorder* recorder = nullptr);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  [[nodiscard]] std::size_t threads() const { return workers_.size(); }
  [[nodiscard]] std::size_t owner(ShardId shard) const { return index(shard) % workers_.size(); }
  [[nodiscard]] Worker& worker(std::size_t thread) { return *workers_[thread]; }
  [[nodiscard]] const EngineClock& clock() const { return clock_; }

  // What follows is for before `start` and after `stop`.

  [[nodiscard]] const engine::Shard& shard(ShardId id) const;
  /// One that was made elsewhere, under settings that are equal to the runtime's.
  void put_shard(engine::Shard shard);
  [[nodiscard]] const engine::Settings& settings() const { return *settings_; }
  /// From snapshots. One that fails leaves its part as new.
  [[nodiscard]] Result<void> load_shard(ShardId shard, std::string_view bytes);
  [[nodiscard]] Result<void> load_commons(std::string_view bytes);
  /// The state of everything: equal for equal histories.
  [[nodiscard]] std::string save() const;

  /// Begins a life, after loading: nobody is connected, and every shard's inputs count on from
  /// `first` or from what it loaded, whichever is higher.
  void resume(std::uint64_t first);
  /// Decides about a shard at once.
  std::uint64_t carry_out(ShardId shard, const engine::Call& call);

  void start();
  /// Ends the threads after what they are at; delivers what is left.
  void stop();

  /// Calls `question` with the shard on its own thread, where it may ask and change it. False when
  /// that thread has too much waiting. Any thread.
  using Question = std::function<void(OwnedShard&)>;
  [[nodiscard]] bool ask(ShardId shard, Question question);

  /// The same for all shards in turn, each on its thread; then `done`, on the thread of the last
  /// one. Questions run on several threads at once.
  [[nodiscard]] bool ask_all(Question question, std::function<void()> done);

  /// Calls `question` on the thread of the commons.
  [[nodiscard]] bool ask_commons(std::function<void(engine::Commons&)> question);

  /// Counts events of servers that have no gateway in front, in order for each user; `done` when
  /// all are counted. Takes all or none: false when too many are under way. Any thread.
  [[nodiscard]] bool submit(std::vector<traffic::StoredEvent> events, std::function<void()> done);

  /// From now on these hold, shard by shard.
  void set_settings(std::shared_ptr<const engine::Settings> settings);

  /// From now on shards ask this model, each from one input to the next: no step fails or waits for
  /// it. Null: none. Any thread; before `start` it holds from the start on. A model that is slower
  /// than its budget, fails or gives what is no number is taken out by itself, with an alert.
  void set_champion(std::shared_ptr<const engine::Champion> champion);
  /// The version that is asked; 0: none.
  [[nodiscard]] std::uint32_t champion_version() const { return champion_version_.load(kRelaxed); }

  /// Saves one shard as it is between two inputs; without bytes when it has had no more than
  /// `changes`. False when that thread has too much waiting. Any thread.
  [[nodiscard]] bool save_shard(ShardId shard,
                                std::uint64_t changes,
                                std::function<void(SavedShard)> done);
  /// The same now, while no thread runs.
  [[nodiscard]] SavedShard save_now(ShardId shard, std::uint64_t changes) const;
  [[nodiscard]] std::string save_commons_now() const;

  /// Looks at the clock now, for tests whose clock does not move by itself; `done` on the first
  /// thread.
  void wake(std::function<void()> done);

  /// How many seconds of the engine have been lived.
  [[nodiscard]] std::uint64_t seconds_lived() const { return seconds_.load(kRelaxed); }

  /// What one event took, of one in 64. Any thread.
  [[nodiscard]] prometheus::Histogram step_seconds() const;
  /// What the exchange took, from the first tick to the last absorption. Any thread.
  [[nodiscard]] prometheus::Histogram exchange_seconds() const { return exchange_seconds_.read(); }
  /// What batches of rows took the champions. Any thread.
  [[nodiscard]] prometheus::Histogram inference_seconds() const;
  /// Asks that nobody answered in time. Any thread.
  [[nodiscard]] std::uint64_t scores_late() const { return models_.late(); }

 private:
  friend class Worker;
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  struct Beat;

  void beat();
  void begin_second(SteadyTime now);
  void told();
  void absorbed();
  [[nodiscard]] ModelThread::Callbacks model_callbacks();
  void take_out(const engine::Champion* champion, const engine::ModelFault& fault);
  [[nodiscard]] SavedShard save_changed(ShardId shard, std::uint64_t changes) const;

  Options options_;
  const EngineClock& clock_;
  Duration followed_{};  ///< of the clock, as far as its gaps were lived
  Sink& sink_;
  Recorder* recorder_;
  std::vector<engine::Shard> shards_;
  /// Ticks and exchanges that each shard has had, of the thread that owns it.
  std::array<std::uint64_t, kShards> quiet_inputs_{};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;

  // Of the first thread, but for the parts of `told_` that belong to a worker's shards.
  engine::Commons commons_;
  engine::Second told_;
  std::shared_ptr<const engine::Settings> settings_;
  std::shared_ptr<engine::Exchange> exchange_;
  SteadyTime second_;
  std::chrono::steady_clock::time_point exchange_began_;
  prometheus::LiveHistogram exchange_seconds_;
  std::size_t waiting_for_ = 0;  ///< threads that have not finished this half of the second
  bool busy_ = false;
  std::unique_ptr<Beat> beat_;

  std::atomic<std::uint64_t> seconds_{0};
  std::atomic<std::uint32_t> submitted_{0};
  std::atomic<std::uint32_t> champion_version_{0};
  ModelThread models_;  ///< ends first: it calls the threads
};

}  // namespace liminal::shards
