#include "server/api/remote_rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "server/api/metric_rows.hpp"
#include "server/api/own_names.hpp"

namespace liminal::api {
namespace {

using remote_write::Label;
using remote_write::Series;

constexpr std::array<std::string_view, 4> kCounterEndings{"_total", "_count", "_sum", "_bucket"};
constexpr std::string_view kJudgements = "liminal_metric_";

std::string_view source_label(const Series& series) {
  for (const std::string_view name : {"instance", "job"}) {
    if (!series.label(name).empty()) return name;
  }
  return {};
}

void append_escaped(std::string_view value, std::string& out) {
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

/// The series as Prometheus writes it, without the label that names its source.
std::string metric_name(const Series& series, std::string_view without) {
  std::string out(series.label("__name__"));
  char before = '{';
  for (const Label& label : series.labels) {
    if (label.name == "__name__" || label.name == without) continue;
    out.append(1, before).append(label.name).append("=\"");
    append_escaped(label.value, out);
    out += '"';
    before = ',';
  }
  if (before == ',') out += '}';
  return out;
}

bool is_counter(std::string_view name) {
  return std::any_of(kCounterEndings.begin(), kCounterEndings.end(), [name](std::string_view end) {
    return name.ends_with(end);
  });
}

/// A sample on its way to its row.
struct Point {
  std::int64_t timestamp_ms;
  std::uint32_t metric;
  double value;
};

/// One source's series while the request is walked through.
struct Collected {
  std::map<std::string, std::uint32_t> numbers;
  novelty::Batch batch;
  std::vector<Point> points;
};

std::uint32_t metric_of(Collected& source, std::string metric, bool counter) {
  const auto next = static_cast<std::uint32_t>(source.batch.metrics.size());
  const auto [found, fresh] = source.numbers.emplace(std::move(metric), next);
  if (fresh) {
    source.batch.metrics.push_back(found->first);
    source.batch.counters.push_back(counter);
  }
  return found->second;
}

/// Orders a source's samples and puts those of one time into one row.
void make_rows(Collected& source, RemoteRows& out) {
  const auto place = [](const Point& point) { return std::tie(point.timestamp_ms, point.metric); };
  std::stable_sort(source.points.begin(), source.points.end(), [&](const Point& a, const Point& b) {
    return place(a) < place(b);
  });
  auto& rows = source.batch.rows;
  for (std::size_t i = 0; i < source.points.size(); ++i) {
    const Point& point = source.points[i];
    if (i > 0 && place(source.points[i - 1]) == place(point)) {
      ++out.duplicate;
      continue;
    }
    const EventTime at{std::chrono::milliseconds{point.timestamp_ms}};
    if (rows.empty() || rows.back().at != at) rows.push_back({at, {}});
    rows.back().values.push_back({point.metric, point.value});
  }
}

}  // namespace

RemoteRows rows_of(const remote_write::Request& request, EventTime now) {
  RemoteRows out;
  const std::int64_t latest = std::chrono::duration_cast<std::chrono::milliseconds>(
                                  (now + kMetricAheadMax).time_since_epoch())
                                  .count();
  std::map<std::string_view, Collected> sources;
  for (const Series& series : request.series) {
    const std::string_view name = series.label("__name__");
    const std::string_view label = source_label(series);
    const std::string_view source = label.empty() ? "prometheus" : series.label(label);
    if (is_own_name(source) || name.starts_with(kJudgements)) {
      out.reserved += series.samples.size();
      continue;
    }
    std::string metric = metric_name(series, label);
    if (source.size() > kRemoteSourceBytesMax || metric.size() > kRemoteSeriesBytesMax) {
      out.beyond += series.samples.size();
      continue;
    }
    Collected& collected = sources[source];
    const std::uint32_t number = metric_of(collected, std::move(metric), is_counter(name));
    for (const remote_write::Sample& sample : series.samples) {
      const bool timely = sample.timestamp_ms >= 0 && sample.timestamp_ms <= latest;
      // What is not finite is a missing point, not a wrong one.
      const bool large = std::isfinite(sample.value) && std::abs(sample.value) > kMetricValueMax;
      if (!timely || large) {
        ++out.out_of_range;
        continue;
      }
      collected.points.push_back({sample.timestamp_ms, number, sample.value});
    }
  }
  for (auto& [source, collected] : sources) {
    make_rows(collected, out);
    if (collected.batch.rows.empty()) continue;
    collected.batch.source = source;
    out.batches.push_back(std::move(collected.batch));
  }
  return out;
}

}  // namespace liminal::api
