#include "server/uplink/outbound.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "io/json/traffic_writer.hpp"
#include "io/json/writer.hpp"

namespace liminal::uplink {
namespace {

constexpr std::size_t kRowsOfAParcel = 500;
constexpr std::size_t kMetricRowsOfABatch = 10'000;  ///< as the API takes them
constexpr std::size_t kMetricsOfABatch = 256;        ///< likewise
constexpr std::size_t kSourceBytesMax = 128, kNameBytesMax = 128;
constexpr auto kNoPart = std::numeric_limits<std::size_t>::max();

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

/// A batch whole, or in parts that the API takes, without the names that it does not.
std::vector<novelty::Batch> parts_of(const novelty::Batch& batch) {
  const auto short_enough = [](const std::string& name) { return name.size() <= kNameBytesMax; };
  if (batch.metrics.size() <= kMetricsOfABatch &&
      std::all_of(batch.metrics.begin(), batch.metrics.end(), short_enough))
    return {batch};
  std::vector<novelty::Batch> parts;
  std::vector<std::pair<std::size_t, std::uint32_t>> places(batch.metrics.size(), {kNoPart, 0});
  for (std::size_t metric = 0; metric < batch.metrics.size(); ++metric) {
    if (!short_enough(batch.metrics[metric])) continue;
    if (parts.empty() || parts.back().metrics.size() == kMetricsOfABatch)
      parts.push_back({batch.source, {}, {}, {}});
    places[metric] = {parts.size() - 1, static_cast<std::uint32_t>(parts.back().metrics.size())};
    parts.back().metrics.push_back(batch.metrics[metric]);
  }
  std::vector<novelty::Batch::Row> rows(parts.size());
  for (const novelty::Batch::Row& row : batch.rows) {
    for (const auto& value : row.values) {
      const auto [part, place] = places[value.metric];
      if (part != kNoPart) rows[part].values.push_back({place, value.value});
    }
    for (std::size_t part = 0; part < parts.size(); ++part) {
      if (rows[part].values.empty()) continue;
      rows[part].at = row.at;
      parts[part].rows.push_back(std::exchange(rows[part], {}));
    }
  }
  std::erase_if(parts, [](const novelty::Batch& part) { return part.rows.empty(); });
  return parts;
}

void write_rows(const std::vector<traffic::FeatureRow>& rows, json::Writer& out) {
  out.key("features");
  out.begin_array();
  for (const traffic::FeatureRow& row : rows) json::write(row, out);
  out.end_array();
}

void write_metrics(const novelty::Batch& batch, const std::string& gateway, json::Writer& out) {
  out.field("source", gateway + "/" + batch.source);
  out.key("metrics");
  out.begin_array();
  for (const novelty::Batch::Row& row : batch.rows) write(batch, row, out);
  out.end_array();
}

}  // namespace

std::string_view target_of(Parcel::Kind kind) {
  return kind == Parcel::Kind::kRows ? "/ml/features/recent" : "/anomaly";
}

std::string body_of(const Parcel& parcel, const std::string& gateway) {
  json::Writer out;
  out.begin_object();
  if (parcel.kind == Parcel::Kind::kRows) {
    write_rows(parcel.features, out);
  } else {
    write_metrics(parcel.metrics, gateway, out);
  }
  out.end_object();
  return out.take();
}

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
  for (novelty::Batch& part : parts_of(batch)) queue(std::move(part));
}

void Outbound::queue(novelty::Batch batch) {
  metric_rows_ += batch.rows.size();
  batches_.push_back(std::move(batch));
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
  Parcel parcel{Parcel::Kind::kRows, {}, {}, std::min(kRowsOfAParcel, rows_.size()), next_key()};
  const auto end = rows_.begin() + static_cast<std::ptrdiff_t>(parcel.rows);
  std::move(rows_.begin(), end, std::back_inserter(parcel.features));
  rows_.erase(rows_.begin(), end);
  return parcel;
}

Parcel Outbound::pack_metrics() {
  Parcel parcel{Parcel::Kind::kMetrics, {}, std::move(batches_.front()), 0, next_key()};
  batches_.pop_front();
  parcel.rows = parcel.metrics.rows.size();
  metric_rows_ -= parcel.rows;
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
