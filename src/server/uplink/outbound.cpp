#include "server/uplink/outbound.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "io/json/told_alert.hpp"
#include "io/json/traffic_writer.hpp"
#include "io/json/writer.hpp"

namespace liminal::uplink {
namespace {

constexpr std::size_t kRowsOfAParcel = 500;
constexpr std::size_t kMetricRowsOfABatch = 10'000;  ///< as the API takes them
constexpr std::size_t kMetricsOfABatch = 256;        ///< likewise
constexpr std::size_t kSourceBytesMax = 128, kNameBytesMax = 128;
constexpr std::size_t kWordsMax = 1000;  ///< of an answer
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

void write_alerts(const std::vector<traffic::JudgedAlert>& alerts,
                  const std::string& gateway,
                  json::Writer& out) {
  out.field("gateway", gateway);
  out.key("alerts");
  out.begin_array();
  for (const traffic::JudgedAlert& alert : alerts) json::write(alert, out);
  out.end_array();
}

}  // namespace

Result<std::vector<traffic::JudgedAlert>> read_words(std::string_view answer) {
  const auto value = json::parse(answer);
  if (!value) return failure(ErrorCode::kMalformed);
  Problems problems;
  json::Fields in(*value, "", problems);
  std::vector<traffic::JudgedAlert> words;
  const auto* list = in.array("feedback", json::Need::kRequired, 0, kWordsMax);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    json::Fields word = in.element("feedback", i, (*list)[i]);
    words.push_back(json::read_word(word));
  }
  if (!problems.empty()) return failure(ErrorCode::kMalformed);
  return words;
}

std::string_view target_of(Parcel::Kind kind) {
  switch (kind) {
    case Parcel::Kind::kRows:
      return "/ml/features/recent";
    case Parcel::Kind::kMetrics:
      return "/anomaly";
    case Parcel::Kind::kAlerts:
    case Parcel::Kind::kFeedback:
      return "/ml/anomalies/recent";
  }
  return {};
}

std::string body_of(const Parcel& parcel, const std::string& gateway) {
  json::Writer out;
  out.begin_object();
  switch (parcel.kind) {
    case Parcel::Kind::kRows:
      write_rows(parcel.features, out);
      break;
    case Parcel::Kind::kMetrics:
      write_metrics(parcel.metrics, gateway, out);
      break;
    case Parcel::Kind::kAlerts:
    case Parcel::Kind::kFeedback:
      write_alerts(parcel.alerts, gateway, out);
      break;
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
  ++of(Parcel::Kind::kRows).dropped;
}

void Outbound::push(const novelty::Batch& batch) {
  const bool fits = batch.rows.size() <= std::min(options_.metric_rows_max, kMetricRowsOfABatch) &&
                    options_.name.size() + 1 + batch.source.size() <= kSourceBytesMax;
  if (batch.rows.empty() || batch.metrics.empty()) return;
  if (!fits) {
    of(Parcel::Kind::kMetrics).dropped += batch.rows.size();
    return;
  }
  for (novelty::Batch& part : parts_of(batch)) queue(std::move(part));
}

void Outbound::queue(novelty::Batch batch) {
  metric_rows_ += batch.rows.size();
  batches_.push_back(std::move(batch));
  while (metric_rows_ > options_.metric_rows_max) {
    metric_rows_ -= batches_.front().rows.size();
    of(Parcel::Kind::kMetrics).dropped += batches_.front().rows.size();
    batches_.pop_front();
  }
}

void Outbound::push(const traffic::Alert& alert) {
  const AlertKey key{alert.shard, alert.number};
  const auto [at, fresh] = alerts_.insert_or_assign(key, alert);
  at->second.feedback = traffic::FeedbackVerdict::kNone;
  if (!fresh) return;
  alerts_order_.push_back(key);
  if (alerts_order_.size() <= options_.alerts_max) return;
  alerts_.erase(alerts_order_.front());
  alerts_order_.pop_front();
  ++of(Parcel::Kind::kAlerts).dropped;
}

std::size_t Outbound::words_wanted() const {
  const bool wait = !said_.words.empty() || (again_ && again_->kind == Parcel::Kind::kFeedback);
  return wait ? 0 : words_at_once_;
}

void Outbound::offer(Said said) {
  said_.waiting = said.waiting;
  if (words_wanted() == 0) return;
  said_.words = std::move(said.words);
  said_.last = said.last;
}

std::optional<Parcel> Outbound::take(SteadyTime now) {
  if (now < not_before_) return std::nullopt;
  if (again_) return std::exchange(again_, std::nullopt);
  for (std::size_t i = 0; i < kParcelKinds; ++i) {
    const std::size_t place = (next_ + i) % kParcelKinds;
    const Parcel::Kind kind{static_cast<std::uint8_t>(place)};
    if (!has(kind)) continue;
    next_ = place + 1;
    return pack(kind);
  }
  return std::nullopt;
}

std::string Outbound::next_key() {
  return options_.name + "-" + std::to_string(keys_) + "-" + std::to_string(++parcels_);
}

bool Outbound::has(Parcel::Kind kind) const {
  switch (kind) {
    case Parcel::Kind::kRows:
      return !rows_.empty();
    case Parcel::Kind::kMetrics:
      return !batches_.empty();
    case Parcel::Kind::kAlerts:
      return !alerts_order_.empty();
    case Parcel::Kind::kFeedback:
      return !said_.words.empty();
  }
  return false;
}

Parcel Outbound::pack(Parcel::Kind kind) {
  Parcel parcel;
  parcel.kind = kind;
  parcel.key = next_key();
  switch (kind) {
    case Parcel::Kind::kRows:
      pack_rows(parcel);
      break;
    case Parcel::Kind::kMetrics:
      pack_metrics(parcel);
      break;
    case Parcel::Kind::kAlerts:
      pack_alerts(parcel);
      break;
    case Parcel::Kind::kFeedback:
      parcel.alerts = std::exchange(said_.words, {});
      parcel.last = said_.last;
      parcel.rows = parcel.alerts.size();
      break;
  }
  return parcel;
}

void Outbound::pack_rows(Parcel& parcel) {
  parcel.rows = std::min(kRowsOfAParcel, rows_.size());
  const auto end = rows_.begin() + static_cast<std::ptrdiff_t>(parcel.rows);
  std::move(rows_.begin(), end, std::back_inserter(parcel.features));
  rows_.erase(rows_.begin(), end);
}

void Outbound::pack_metrics(Parcel& parcel) {
  parcel.metrics = std::move(batches_.front());
  batches_.pop_front();
  parcel.rows = parcel.metrics.rows.size();
  metric_rows_ -= parcel.rows;
}

void Outbound::pack_alerts(Parcel& parcel) {
  parcel.rows = std::min(alerts_at_once_, alerts_order_.size());
  for (std::uint64_t i = 0; i < parcel.rows; ++i) {
    const auto found = alerts_.find(alerts_order_.front());
    parcel.alerts.push_back({std::move(found->second), {}, {}});
    alerts_.erase(found);
    alerts_order_.pop_front();
  }
}

bool Outbound::halve(Parcel& parcel) {
  if (parcel.alerts.size() < 2) return false;
  at_once(parcel.kind) = parcel.alerts.size() / 2;
  if (parcel.kind == Parcel::Kind::kFeedback) return true;
  for (auto told = parcel.alerts.rbegin(); told != parcel.alerts.rend(); ++told) {
    const AlertKey key{told->alert.shard, told->alert.number};
    // What became of it since waits already.
    if (alerts_.try_emplace(key, std::move(told->alert)).second) alerts_order_.push_front(key);
  }
  return true;
}

void Outbound::settle(Parcel parcel, const http::Outcome& outcome, SteadyTime now) {
  note(outcome.kind, outcome.retry_after, now);
  switch (outcome.kind) {
    case http::Outcome::Kind::kDone:
      of(parcel.kind).sent += parcel.rows;
      if (parcel.kind == Parcel::Kind::kAlerts || parcel.kind == Parcel::Kind::kFeedback)
        at_once(parcel.kind) = std::min(kAlertsOfAParcel, 2 * at_once(parcel.kind));
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

Counters Outbound::counters(Parcel::Kind kind, std::uint64_t queued) const {
  Counters counters = done_[static_cast<std::size_t>(kind)];
  counters.waiting = queued;
  if (again_ && again_->kind == kind) counters.waiting += again_->rows;
  return counters;
}

Counters Outbound::rows() const { return counters(Parcel::Kind::kRows, rows_.size()); }

Counters Outbound::metrics() const { return counters(Parcel::Kind::kMetrics, metric_rows_); }

Counters Outbound::alerts() const { return counters(Parcel::Kind::kAlerts, alerts_order_.size()); }

Counters Outbound::feedback() const {
  Counters counters = done_[static_cast<std::size_t>(Parcel::Kind::kFeedback)];
  counters.waiting = said_.waiting;  // also of those that are tried again
  return counters;
}

}  // namespace liminal::uplink
