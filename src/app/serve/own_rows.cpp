#include "app/serve/own_rows.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "server/api/own_names.hpp"

namespace liminal::app {
namespace {

using prometheus::Family;
using prometheus::Snapshot;
using Labels = std::initializer_list<std::string_view>;

/// A family's value over all its labels.
double total(const Snapshot& snapshot, Family family) {
  double sum = 0;
  for (const auto& entry : snapshot.samples(family)) sum += entry.second.value;
  return sum;
}

/// A histogram over all its labels, or of those.
prometheus::Histogram times(const Snapshot& snapshot, Family family, std::string_view label = {}) {
  prometheus::Histogram all;
  for (const auto& [labels, sample] : snapshot.samples(family)) {
    if (label.empty() || labels[0] == label) all.merge(sample.histogram);
  }
  return all;
}

/// What moved between two moments.
class Period {
 public:
  Period(const Snapshot& before, const Snapshot& after, double elapsed_s)
      : before_(before), after_(after), elapsed_s_(elapsed_s) {}

  [[nodiscard]] double rate(std::initializer_list<Family> families) const {
    double moved = 0;
    for (const Family family : families) moved += total(after_, family) - total(before_, family);
    return std::max(0., moved) / elapsed_s_;
  }
  [[nodiscard]] double rate_of(Family family, Labels labels) const {
    return std::max(0., after_.value(family, labels) - before_.value(family, labels)) / elapsed_s_;
  }
  /// Of the durations that were counted; none when there were none.
  [[nodiscard]] std::optional<double> mean(Family family, std::string_view label = {}) const {
    return times(after_, family, label).mean_since(times(before_, family, label));
  }

 private:
  const Snapshot& before_;
  const Snapshot& after_;
  const double elapsed_s_;
};

class RowWriter {
 public:
  RowWriter(std::string source, EventTime at) {
    batch_.source = std::move(source);
    batch_.rows.emplace_back().at = at;
  }
  void add(std::string_view metric, double value) {
    batch_.rows[0].values.push_back({static_cast<std::uint32_t>(batch_.metrics.size()), value});
    batch_.metrics.emplace_back(metric);
  }
  void add(std::string_view metric, std::optional<double> value) {
    if (value) add(metric, *value);
  }
  [[nodiscard]] novelty::Batch take() { return std::move(batch_); }

 private:
  novelty::Batch batch_;
};

novelty::Batch own_row(const Period& period, const Snapshot& totals, EventTime now) {
  RowWriter out{std::string(api::kOwnName), now};
  out.add("connections", total(totals, Family::kConnections));
  out.add("active_users", total(totals, Family::kActiveUsers));
  out.add("address_entropy_bits", total(totals, Family::kAddressEntropy));
  out.add("messages_per_second", period.rate({Family::kMessages}));
  out.add("bytes_per_second", period.rate({Family::kMessageBytes}));
  out.add("events_per_second", period.rate({Family::kEvents}));
  out.add(
      "errors_per_second",
      period.rate({Family::kConnectionRejections, Family::kStoreErrors, Family::kQueueDropped}));
  out.add("limited_per_second", period.rate({Family::kShadow, Family::kRateLimit}));
  out.add("cpu_ratio", period.rate({Family::kProcessCpu}));
  out.add("memory_bytes", total(totals, Family::kProcessResident));
  out.add("decision_seconds", period.mean(Family::kStepSeconds));
  out.add("message_seconds", period.mean(Family::kMessageSeconds));
  return out.take();
}

novelty::Batch upstream_row(const Period& period,
                            const Snapshot& totals,
                            const std::string& url,
                            EventTime now) {
  RowWriter out{api::own_name_of_upstream(url), now};
  out.add("connections", totals.value(Family::kUpstreamConnections, {url}));
  out.add("messages_in_per_second", period.rate_of(Family::kUpstreamMessages, {url, "in"}));
  out.add("messages_out_per_second", period.rate_of(Family::kUpstreamMessages, {url, "out"}));
  out.add("bytes_in_per_second", period.rate_of(Family::kUpstreamBytes, {url, "in"}));
  out.add("bytes_out_per_second", period.rate_of(Family::kUpstreamBytes, {url, "out"}));
  out.add("failures_per_second", period.rate_of(Family::kUpstreamErrors, {url}));
  out.add("error_answers_per_second", period.rate_of(Family::kUpstreamErrorAnswers, {url}));
  out.add("answer_seconds", period.mean(Family::kUpstreamAnswerSeconds, url));
  return out.take();
}

}  // namespace

std::vector<novelty::Batch> OwnRows::rows(Snapshot totals, SteadyPoint at, EventTime now) {
  const auto last = std::exchange(before_at_, at);
  const Snapshot before = std::exchange(before_, std::move(totals));
  if (!last || at <= *last) return {};
  const Period period(before, before_, std::chrono::duration<double>(at - *last).count());
  std::vector<novelty::Batch> rows{own_row(period, before_, now)};
  for (const auto& [labels, sample] : before_.samples(Family::kUpstreamConnections)) {
    if (rows.size() > kUpstreamsMax) break;
    // Not of its first moments: what it has from before would count as now.
    const auto known = before.samples(Family::kUpstreamConnections).find(labels);
    if (known != before.samples(Family::kUpstreamConnections).end())
      rows.push_back(upstream_row(period, before_, labels[0], now));
  }
  return rows;
}

}  // namespace liminal::app
