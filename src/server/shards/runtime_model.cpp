// The runtime and the champion: who answers what the steps ask.
#include <utility>

#include "core/engine/shard.hpp"
#include "server/shards/runtime.hpp"

namespace liminal::shards {

using engine::Ask;
using engine::Champion;
using engine::ModelFault;

void Worker::answer_asks() {
  if (effects_.asks.empty()) return;
  std::swap(asks_, effects_.asks);
  effects_.asks.clear();
  if (champion_ == nullptr) return;
  const auto begin = std::chrono::steady_clock::now();
  if (!champion_->own()) {
    for (const Ask& ask : asks_)
      if (!runtime_.models_.put({champion_, ask, std::nullopt, begin}))
        runtime_.models_.count_late();
    return;
  }
  scores_.resize(asks_.size());
  const bool good = champion_->score(asks_, scores_);
  const Duration took = std::chrono::steady_clock::now() - begin;
  inference_seconds_.observe(took);
  const auto budget = runtime_.options_.inference.row_budget;
  const bool slow = good && watch_.over(took, asks_.size(), budget);
  if (!good || slow) {
    runtime_.take_out(champion_.get(),
                      {good ? ModelFault::Kind::kSlow : ModelFault::Kind::kFailed,
                       champion_->info().version,
                       static_cast<float>(seconds(took) / static_cast<double>(asks_.size())),
                       static_cast<float>(seconds(budget))});
  }
  if (!good) return;
  for (std::size_t i = 0; i < asks_.size(); ++i) {
    // What is above the line is to be explained, which takes longer than this turn has.
    const bool alarm = scores_[i] >= champion_->info().line;
    if (!alarm || !runtime_.models_.put({champion_, asks_[i], scores_[i], begin}))
      answer_now(scores_[i], asks_[i]);
  }
}

void Worker::answer_now(float score, const Ask& ask) {
  take(ask.shard, {champion_->info().version, ask.user, ask.time, score, {}});
}

void Worker::take(ShardId id, engine::Answer answer) {
  (void)OwnedShard(shard(id), runtime_.recorder_, effects_)
      .carry_out(engine::TakeAnswer{std::move(answer)});
}

void Worker::use(std::shared_ptr<const Champion> champion, const std::optional<ModelFault>& fault) {
  answer_asks();
  champion_ = std::move(champion);
  watch_ = {};
  const engine::ChampionInfo info =
      champion_ != nullptr ? champion_->info() : engine::ChampionInfo{};
  for (std::size_t i = index_; i < kShards; i += runtime_.threads())
    (void)OwnedShard(runtime_.shards_[i], runtime_.recorder_, effects_)
        .carry_out(engine::UseChampion{info, fault});
  if (index_ != runtime_.owner(shard_of(traffic::Name(engine::kModelName).hash))) return;
  runtime_.champion_version_.store(info.version, Runtime::kRelaxed);
  if (fault && runtime_.options_.on_model_fault) runtime_.options_.on_model_fault(*fault);
}

void Runtime::set_champion(std::shared_ptr<const Champion> champion) {
  for (const auto& worker : workers_) {
    worker->loop().post_reserved(
        [each = worker.get(), champion] { each->use(champion, std::nullopt); });
  }
}

/// Unless another one is in force by then.
void Runtime::take_out(const Champion* champion, const ModelFault& fault) {
  for (const auto& worker : workers_) {
    worker->loop().post_reserved([each = worker.get(), champion, fault] {
      const Champion* now = each->champion_.get();
      if (now == champion && now->info().version == fault.version) each->use(nullptr, fault);
    });
  }
}

ModelThread::Callbacks Runtime::model_callbacks() {
  return {.answered =
              [this](ShardId shard, engine::Answer answer) {
                Worker& worker = *workers_[owner(shard)];
                return worker.loop().post([&worker, shard, answer = std::move(answer)]() mutable {
                  worker.take(shard, std::move(answer));
                });
              },
          .failed = [this](const Champion* champion,
                           const ModelFault& fault) { take_out(champion, fault); }};
}

prometheus::Histogram Runtime::inference_seconds() const {
  prometheus::Histogram all = models_.seconds();
  for (const auto& worker : workers_) all.merge(worker->inference_seconds_.read());
  return all;
}

}  // namespace liminal::shards
