#include "server/uplink/outbound.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "io/json/traffic_writer.hpp"
#include "io/json/writer.hpp"

namespace liminal::uplink {
namespace {

constexpr std::size_t kRowsOfAParcel = 500;
constexpr std::size_t kMetricRowsOfABatch = 10'000;  ///< as the API takes them
constexpr std::size_t kSourceBytesMax = 128;

void write(const novelty::Batch& batch, const novelty::Batch::Row& row, json::Writer& out) {
  out.begin_object();
  out.field("timestamp", SteadyTime{row.at.time_since_epoch()});
  for (const auto& value : row.values) {
    out.key(batch.metrics[value.metric]);
    if (std::isfinite(value.value)) {
      out.value(value.value);
    } else {
      out.null();
    }
  }
  out.end_object();
}

}  // namespace

Outbound::Outbound(const Options& options, std::uint64_t seed)
    : options_(options), random_(seed), keys_(random_.bits()) {}

void Outbound::push(traffic::FeatureRow row) {
  rows_.push_back(std::move(row));
  if (rows_.size() <= options_.rows_max) return;
  rows_.pop_front();
  ++rows_done_.dropped;
}

void Outbound::push(const novelty::Batch& batch) {
  const bool fits = batch.rows.size() <= std::min(options_.metric_rows_max, kMetricRowsOfABatch) &&
                    options_.name.size() + 1 + batch.source.size() <= kSourceBytesMax;
  if (batch.rows.empty() || batch.metrics.empty()) return;
  if (!fits) {
    metrics_done_.dropped += batch.rows.size();
    return;
  }
  metric_rows_ += batch.rows.size();
  batches_.push_back(batch);
  while (metric_rows_ > options_.metric_rows_max) {
    metric_rows_ -= batches_.front().rows.size();
    metrics_done_.dropped += batches_.front().rows.size();
    batches_.pop_front();
  }
}

std::optional<Parcel> Outbound::take(SteadyTime now) {
  if (now < not_before_) return std::nullopt;
  if (again_) return std::exchange(again_, std::nullopt);
  if (rows_.empty() && batches_.empty()) return std::nullopt;
  const bool metrics = rows_.empty() || (metrics_next_ && !batches_.empty());
  metrics_next_ = !metrics;
  return metrics ? pack_metrics() : pack_rows();
}

std::string Outbound::next_key() {
  return options_.name + "-" + std::to_string(keys_) + "-" + std::to_string(++parcels_);
}

Parcel Outbound::pack_rows() {
  Parcel parcel{Parcel::Kind::kRows, "/ml/features/recent", {}, 0, next_key()};
  json::Writer out;
  out.begin_object();
  out.key("features");
  out.begin_array();
  for (; parcel.rows < kRowsOfAParcel && !rows_.empty(); ++parcel.rows) {
    json::write(rows_.front(), out);
    rows_.pop_front();
  }
  out.end_array();
  out.end_object();
  parcel.body = out.take();
  return parcel;
}

Parcel Outbound::pack_metrics() {
  const novelty::Batch batch = std::move(batches_.front());
  batches_.pop_front();
  metric_rows_ -= batch.rows.size();
  Parcel parcel{Parcel::Kind::kMetrics, "/anomaly", {}, batch.rows.size(), next_key()};
  json::Writer out;
  out.begin_object();
  out.field("source", options_.name + "/" + batch.source);
  out.key("metrics");
  out.begin_array();
  for (const novelty::Batch::Row& row : batch.rows) write(batch, row, out);
  out.end_array();
  out.end_object();
  parcel.body = out.take();
  return parcel;
}

void Outbound::settle(Parcel parcel, const http::Outcome& outcome, SteadyTime now) {
  note(outcome.kind, outcome.retry_after, now);
  switch (outcome.kind) {
    case http::Outcome::Kind::kDone:
      of(parcel.kind).sent += parcel.rows;
      break;
    case http::Outcome::Kind::kRejected:
      of(parcel.kind).rejected += parcel.rows;
      break;
    case http::Outcome::Kind::kRetry:
      again_ = std::move(parcel);
      break;
  }
}

void Outbound::note(http::Outcome::Kind kind, Duration retry_after, SteadyTime now) {
  if (kind != http::Outcome::Kind::kRetry) {
    failures_ = 0;
    return;
  }
  const Duration longest =
      http::Backoff{options_.retry_first, options_.retry_max}.pause(++failures_);
  const auto half = static_cast<std::uint64_t>(longest.count() / 2);
  const Duration pause = longest - Duration{static_cast<Duration::rep>(random_.below(half + 1))};
  not_before_ = now + std::max(pause, std::min(retry_after, options_.retry_max));
}

Counters Outbound::rows() const {
  Counters counters = rows_done_;
  counters.waiting = rows_.size();
  if (again_ && again_->kind == Parcel::Kind::kRows) counters.waiting += again_->rows;
  return counters;
}

Counters Outbound::metrics() const {
  Counters counters = metrics_done_;
  counters.waiting = metric_rows_;
  if (again_ && again_->kind == Parcel::Kind::kMetrics) counters.waiting += again_->rows;
  return counters;
}

}  // namespace liminal::uplink
