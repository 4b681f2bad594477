#include "server/shards/runtime.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/check.hpp"

namespace liminal::shards {
namespace {

constexpr Duration kSecond = std::chrono::seconds{1};
/// Effects of more changes than this are handed on before the turn ends.
constexpr std::size_t kEffectsPerDelivery = 1024;
/// So are questions to the champion.
constexpr std::size_t kAsksPerBatch = 256;
/// A server that was held up for longer lives the rest in one step.
constexpr Duration kStepwiseMax = std::chrono::hours{1};

std::uint32_t thread_count(const Options& options) {
  if (options.threads != 0) return std::min(options.threads, kShards);
  return std::clamp(std::thread::hardware_concurrency(), 1U, kShards);
}

}  // namespace

Problems validate(const Options& options) {
  Problems problems;
  if (options.threads > kShards)
    problems.push_back({"threads", "must be at most 64: there are no more shards"});
  if (options.mailbox_max < 64) problems.push_back({"mailbox_max", "must be at least 64"});
  if (options.submitted_max == 0) problems.push_back({"submitted_max", "must be at least 1"});
  for (Problem problem : validate(options.inference)) {
    problem.key = "inference." + problem.key;
    problems.push_back(std::move(problem));
  }
  for (Problem problem : engine::validate(options.commons)) {
    problem.key = "commons." + problem.key;
    problems.push_back(std::move(problem));
  }
  return problems;
}

std::uint64_t OwnedShard::carry_out(const engine::Call& call) {
  if (recorder_ != nullptr) {
    const auto* resume = std::get_if<engine::Resume>(&call);
    recorder_->call(shard_.id(), resume != nullptr ? resume->first : shard_.inputs() + 1, call);
  }
  return engine::carry_out(call, shard_, effects_);
}

Worker::Worker(Runtime& runtime, std::size_t index, const Options& options)
    : runtime_(runtime), index_(index), loop_({.mailbox_max = options.mailbox_max, .clock = {}}) {
  loop_.at_turn_end([this] { deliver(); });
}

engine::Shard& Worker::shard(ShardId id) {
  LIMINAL_DCHECK(runtime_.owner(id) == index_);
  return runtime_.shards_[liminal::index(id)];
}

SteadyTime Worker::now() const { return runtime_.clock_.now(); }

traffic::Verdict Worker::step(const traffic::Event& event) {
  const ShardId id = shard_of(event.user.hash);
  engine::Shard& owned = shard(id);
  if (runtime_.recorder_ != nullptr) runtime_.recorder_->event(id, owned.inputs() + 1, event);
  if (steps_++ % kStepsPerTiming == 0) {
    const auto begin = std::chrono::steady_clock::now();
    owned.step(event, effects_);
    step_seconds_.observe(std::chrono::steady_clock::now() - begin);
  } else {
    owned.step(event, effects_);
  }
  const traffic::Verdict verdict = effects_.verdict;
  deliver_if_many();
  return verdict;
}

bool Worker::blocks(const traffic::Event& event) const {
  const ShardId id = shard_of(event.user.hash);
  LIMINAL_DCHECK(runtime_.owner(id) == index_);
  return runtime_.shards_[liminal::index(id)].blocks(event);
}

void Worker::note(const traffic::Event& event, const traffic::Verdict& done) {
  of_gateway_.note(event, done, now(), effects_.audit);
  deliver_if_many();
}

void Worker::tick(SteadyTime now) {
  of_gateway_.tick(now, effects_.audit);
  for (std::size_t i = index_; i < kShards; i += runtime_.threads()) {
    engine::Shard& owned = runtime_.shards_[i];
    if (runtime_.recorder_ != nullptr)
      runtime_.recorder_->tick(owned.id(), owned.inputs() + 1, now);
    owned.tick(now, runtime_.told_, effects_);
    ++runtime_.quiet_inputs_[i];
  }
  deliver_if_many();
}

void Worker::absorb(const engine::Exchange& exchange) {
  for (std::size_t i = index_; i < kShards; i += runtime_.threads()) {
    engine::Shard& owned = runtime_.shards_[i];
    if (runtime_.recorder_ != nullptr)
      runtime_.recorder_->absorb(owned.id(), owned.inputs() + 1, exchange);
    owned.absorb(exchange, effects_);
    ++runtime_.quiet_inputs_[i];
  }
  deliver_if_many();
}

void Worker::deliver() {
  answer_asks();
  if (!effects_.alerts.empty() || !effects_.rows.empty() || !effects_.audit.empty())
    runtime_.sink_.deliver(effects_);
  effects_.clear();
}

void Worker::deliver_if_many() {
  if (effects_.asks.size() >= kAsksPerBatch) answer_asks();
  if (effects_.alerts.size() + effects_.rows.size() + effects_.audit.size() > kEffectsPerDelivery)
    deliver();
}

/// The second's timer, on the first thread's loop.
struct Runtime::Beat final : epoll::Timer {
  explicit Beat(Runtime& r) : runtime(r) {}
  void on_timer() override { runtime.beat(); }
  Runtime& runtime;
};

Runtime::Runtime(const Options& options,
                 std::shared_ptr<const engine::Settings> settings,
                 const EngineClock& clock,
                 Sink& sink,
                 Recorder* recorder)
    : options_(options),
      clock_(clock),
      sink_(sink),
      recorder_(recorder),
      commons_(settings->options.detect.profile, options.commons),
      settings_(settings),
      exchange_(std::make_shared<engine::Exchange>()),
      second_(clock.now()),
      beat_(std::make_unique<Beat>(*this)),
      models_(options.inference, model_callbacks()) {
  shards_.reserve(kShards);
  for (std::uint32_t i = 0; i < kShards; ++i)
    shards_.emplace_back(ShardId{static_cast<std::uint8_t>(i)}, settings, second_);
  const std::uint32_t threads = thread_count(options);
  for (std::uint32_t i = 0; i < threads; ++i)
    workers_.push_back(std::make_unique<Worker>(*this, i, options_));
}

Runtime::~Runtime() { stop(); }

const engine::Shard& Runtime::shard(ShardId id) const {
  LIMINAL_CHECK(threads_.empty());
  return shards_[index(id)];
}

void Runtime::put_shard(engine::Shard shard) {
  LIMINAL_CHECK(threads_.empty());
  shard.settle(settings_);
  shards_[index(shard.id())] = std::move(shard);
}

Result<void> Runtime::load_shard(ShardId shard, std::string_view bytes) {
  LIMINAL_CHECK(threads_.empty());
  Reader in(bytes);
  return shards_[index(shard)].load(in);
}

Result<void> Runtime::load_commons(std::string_view bytes) {
  LIMINAL_CHECK(threads_.empty());
  Reader in(bytes);
  return commons_.load(in);
}

std::string Runtime::save() const {
  LIMINAL_CHECK(threads_.empty());
  Writer out;
  commons_.save(out);
  for (const engine::Shard& shard : shards_) shard.save(out);
  return out.take();
}

void Runtime::resume(std::uint64_t first) {
  LIMINAL_CHECK(threads_.empty());
  commons_.forget_connections();
  for (engine::Shard& shard : shards_) {
    const std::uint64_t base = shard.inputs();
    (void)OwnedShard(shard, recorder_, workers_[owner(shard.id())]->effects_)
        .carry_out(engine::Resume{base, std::max(first, base + 1), shard.now(), settings_});
  }
}

std::uint64_t Runtime::carry_out(ShardId shard, const engine::Call& call) {
  LIMINAL_CHECK(threads_.empty());
  return OwnedShard(shards_[index(shard)], recorder_, workers_[owner(shard)]->effects_)
      .carry_out(call);
}

void Runtime::start() {
  LIMINAL_CHECK(threads_.empty());
  epoll::Loop& first = workers_[0]->loop();
  first.post_reserved([this] { beat(); });
  for (const auto& worker : workers_)
    threads_.emplace_back([&loop = worker->loop()] { loop.run(); });
}

void Runtime::stop() {
  models_.stop();
  for (const auto& worker : workers_) worker->loop().stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (const auto& worker : workers_) {
    worker->of_gateway_.finish(worker->now(), worker->effects_.audit);
    worker->deliver();
  }
}

/// Begins the next second when it is due and nothing is under way, and comes back for the one
/// after.
void Runtime::beat() {
  if (busy_) return;  // the end of the second calls again
  const auto [now, followed] = clock_.moment();
  if (now >= second_ + kSecond) {
    // In one step: seconds that fly by would grant a limit's whole rate where a gap grants a burst.
    const bool jumped = std::exchange(followed_, followed) != followed;
    return begin_second(jumped || now - second_ > kStepwiseMax ? now : second_ + kSecond);
  }
  const double wait = seconds(second_ + kSecond - now) / clock_.scale();
  workers_[0]->loop().arm(*beat_, from_seconds(wait));
}

void Runtime::begin_second(SteadyTime now) {
  busy_ = true;
  models_.look();
  exchange_began_ = std::chrono::steady_clock::now();
  second_ = now;
  waiting_for_ = workers_.size();
  for (const auto& worker : workers_) {
    worker->loop().post_reserved([this, each = worker.get(), now] {
      each->tick(now);
      workers_[0]->loop().post_reserved([this] { told(); });
    });
  }
}

void Runtime::told() {
  if (--waiting_for_ != 0) return;
  // Whoever still holds the last one has not absorbed it: it is never written again.
  auto exchange = exchange_.use_count() == 1 ? exchange_ : std::make_shared<engine::Exchange>();
  commons_.advance(told_, second_, settings_->options.detect, *exchange);
  exchange_ = exchange;
  waiting_for_ = workers_.size();
  for (const auto& worker : workers_) {
    worker->loop().post_reserved([this, each = worker.get(), exchange] {
      each->absorb(*exchange);
      workers_[0]->loop().post_reserved([this] { absorbed(); });
    });
  }
}

void Runtime::absorbed() {
  if (--waiting_for_ != 0) return;
  busy_ = false;
  exchange_seconds_.observe(std::chrono::steady_clock::now() - exchange_began_);
  seconds_.fetch_add(1, kRelaxed);
  beat();
}

bool Runtime::ask(ShardId shard, Question question) {
  Worker& worker = *workers_[owner(shard)];
  return worker.loop().post([&worker, shard, question = std::move(question)] {
    OwnedShard owned(worker.shard(shard), worker.runtime_.recorder_, worker.effects_);
    question(owned);
  });
}

bool Runtime::ask_all(Question question, std::function<void()> done) {
  struct Round {
    Question question;
    std::function<void()> done;
    std::atomic<std::size_t> left;
  };
  auto round = std::make_shared<Round>();
  round->question = std::move(question);
  round->done = std::move(done);
  round->left = workers_.size();
  // Half a round is none: the first thread's mailbox speaks for all, the others' parts are few.
  const auto part = [this, round](Worker& worker) {
    for (std::size_t i = worker.index(); i < kShards; i += threads()) {
      OwnedShard owned(shards_[i], recorder_, worker.effects_);
      round->question(owned);
    }
    if (round->left.fetch_sub(1) == 1 && round->done) round->done();
  };
  return workers_[0]->loop().post([this, part] {
    for (std::size_t i = 1; i < workers_.size(); ++i)
      workers_[i]->loop().post_reserved([part, each = workers_[i].get()] { part(*each); });
    part(*workers_[0]);
  });
}

bool Runtime::ask_commons(std::function<void(engine::Commons&)> question) {
  return workers_[0]->loop().post([this, question = std::move(question)] { question(commons_); });
}

bool Runtime::submit(std::vector<traffic::StoredEvent> events, std::function<void()> done) {
  const auto count = static_cast<std::uint32_t>(
      std::min<std::size_t>(events.size(), options_.submitted_max + std::size_t{1}));
  if (submitted_.fetch_add(count, kRelaxed) + std::uint64_t{count} > options_.submitted_max) {
    submitted_.fetch_sub(count, kRelaxed);
    return false;
  }
  struct Batch {
    std::vector<traffic::StoredEvent> events;
    std::vector<std::vector<std::uint32_t>> of_thread;
    std::function<void()> done;
    std::atomic<std::size_t> left{0};
  };
  auto batch = std::make_shared<Batch>();
  batch->events = std::move(events);
  batch->done = std::move(done);
  batch->of_thread.resize(workers_.size());
  for (std::uint32_t i = 0; i < batch->events.size(); ++i)
    batch->of_thread[owner(shard_of(batch->events[i].view().user.hash))].push_back(i);
  batch->left = workers_.size();
  for (const auto& worker : workers_) {
    worker->loop().post_reserved([this, batch, each = worker.get(), count] {
      for (const std::uint32_t i : batch->of_thread[each->index()])
        (void)each->step(batch->events[i].view());
      if (batch->left.fetch_sub(1) != 1) return;
      submitted_.fetch_sub(count, kRelaxed);
      if (batch->done) batch->done();
    });
  }
  return true;
}

void Runtime::set_settings(std::shared_ptr<const engine::Settings> settings) {
  for (const auto& worker : workers_) {
    worker->loop().post_reserved([this, each = worker.get(), settings] {
      if (each->index() == 0) settings_ = settings;
      for (std::size_t i = each->index(); i < kShards; i += threads())
        (void)OwnedShard(shards_[i], recorder_, each->effects_)
            .carry_out(engine::UseSettings{settings});
    });
  }
}

bool Runtime::save_shard(ShardId shard,
                         std::uint64_t changes,
                         std::function<void(SavedShard)> done) {
  return workers_[owner(shard)]->loop().post(
      [this, shard, changes, done = std::move(done)] { done(save_changed(shard, changes)); });
}

SavedShard Runtime::save_now(ShardId shard, std::uint64_t changes) const {
  LIMINAL_CHECK(threads_.empty());
  return save_changed(shard, changes);
}

std::string Runtime::save_commons_now() const {
  LIMINAL_CHECK(threads_.empty());
  Writer out;
  commons_.save(out);
  return out.take();
}

SavedShard Runtime::save_changed(ShardId id, std::uint64_t changes) const {
  const engine::Shard& shard = shards_[index(id)];
  SavedShard saved;
  saved.time = shard.now();
  saved.input = shard.inputs();
  saved.changes = shard.inputs() - quiet_inputs_[index(id)];
  if (saved.changes == changes) return saved;
  saved.settings = shard.shared_settings();
  Writer out;
  shard.save(out);
  saved.bytes = out.take();
  return saved;
}

prometheus::Histogram Runtime::step_seconds() const {
  prometheus::Histogram all;
  for (const auto& worker : workers_) all.merge(worker->step_seconds_.read());
  return all;
}

void Runtime::wake(std::function<void()> done) {
  workers_[0]->loop().post_reserved([this, done = std::move(done)] {
    beat();
    if (done) done();
  });
}

}  // namespace liminal::shards
