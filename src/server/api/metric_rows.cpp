#include "server/api/metric_rows.hpp"

#include <cmath>
#include <limits>
#include <unordered_map>

#include "io/json/fields.hpp"
#include "server/api/own_names.hpp"

namespace liminal::api {
namespace {

constexpr std::size_t kProblemsMax = 20;
constexpr std::string_view kTimestamp = "timestamp";

class RowReader {
 public:
  RowReader(EventTime now, Problems& problems) : now_(now), problems_(problems) {}

  void read(const json::Value::Array& rows, MetricRows& out) {
    if (rows.empty() || rows.size() > kMetricRowsMax)
      return wrong("metrics", "must hold 1 to " + std::to_string(kMetricRowsMax) + " rows");
    find_metrics(rows, out);
    out.batch.rows.reserve(rows.size());
    for (std::size_t i = 0; i < rows.size() && problems_.size() < kProblemsMax; ++i)
      read_row(rows[i], "metrics[" + std::to_string(i) + "]", out.batch);
  }

 private:
  void wrong(std::string path, std::string text) {
    problems_.push_back({std::move(path), std::move(text)});
  }

  void find_metrics(const json::Value::Array& rows, MetricRows& out) {
    const auto number = [](const json::Value& value) { return json::as_number(value).has_value(); };
    const auto null = [](const json::Value& value) {
      return value.as<std::nullptr_t>() != nullptr;
    };
    if (!add_metrics(rows, number, out)) return;
    if (numbers_.empty() && !add_metrics(rows, null, out)) return;
    if (numbers_.empty()) wrong("metrics", "no row holds a number");
    if (!others_) return;
    for (const json::Value& row : rows) {
      const auto* members = row.as<json::Value::Object>();
      if (members == nullptr) continue;
      for (const auto& [name, value] : *members) {
        const bool known = name == kTimestamp || null(value) || numbers_.contains(name);
        if (!known && out.ignored.size() < kRowMetricsMax) out.ignored.insert(name);
      }
    }
  }

  /// A field is a metric when it holds such a value in any row. False after a problem.
  template <class Holds>
  bool add_metrics(const json::Value::Array& rows, Holds&& holds, MetricRows& out) {
    for (const json::Value& row : rows) {
      const auto* members = row.as<json::Value::Object>();
      if (members == nullptr) continue;
      for (const auto& [name, value] : *members) {
        if (name == kTimestamp || numbers_.contains(name)) continue;
        if (!holds(value)) {
          others_ = true;
          continue;
        }
        if (numbers_.size() >= kRowMetricsMax) {
          wrong("metrics",
                "must hold at most " + std::to_string(kRowMetricsMax) + " different metrics");
          return false;
        }
        if (name.empty() || name.size() > kMetricNameBytesMax) {
          wrong("metrics",
                "names must be 1 to " + std::to_string(kMetricNameBytesMax) + " bytes long");
          return false;
        }
        numbers_.emplace(name, static_cast<std::uint32_t>(out.batch.metrics.size()));
        out.batch.metrics.push_back(name);
      }
    }
    return true;
  }

  void read_row(const json::Value& row, const std::string& path, novelty::Batch& batch) {
    const auto* members = row.as<json::Value::Object>();
    if (members == nullptr) return wrong(path, "must be an object");
    novelty::Batch::Row& out = batch.rows.emplace_back();
    json::Fields fields(row, path, problems_);
    const std::size_t before = problems_.size();
    const auto given = fields.time(kTimestamp, json::Need::kOptional);
    out.at = given.value_or(now_);
    if (given && *given > now_ + kMetricAheadMax)
      wrong(path + ".timestamp", "is more than five minutes ahead of now");
    if (problems_.size() == before && given) {
      if (given < last_) wrong(path + ".timestamp", "is before the row before it");
      last_ = *given;
    }
    for (const auto& [name, value] : *members) {
      const auto number = numbers_.find(name);
      if (number == numbers_.end()) continue;
      const auto read = json::as_number(value);
      const bool missing = value.as<std::nullptr_t>() != nullptr;
      if (!read && !missing) {
        wrong(path + "." + name, "must be a number, as in other rows, or null");
      } else if (read && !(std::abs(*read) <= kMetricValueMax)) {
        wrong(path + "." + name, "must be a number from -1e100 to 1e100");
      }
      out.values.push_back(
          {number->second, read.value_or(std::numeric_limits<double>::quiet_NaN())});
    }
  }

  EventTime now_;
  EventTime last_ = EventTime::min();
  Problems& problems_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  bool others_ = false;  ///< a field has another value in some row
};

/// Scores grow with the rarity: ten times the line is ten times as rare.
std::string_view severity_of(float score) {
  if (score < 1) return "low";
  if (score < 10) return "medium";
  if (score < 1000) return "high";
  return "critical";
}

}  // namespace

MetricRows read_metric_rows(const json::Value& body, EventTime now, Problems& problems) {
  MetricRows out;
  const auto* members = body.as<json::Value::Object>();
  json::Fields fields(body, "", problems);
  if (members == nullptr) return out;
  out.batch.source =
      fields.text("source", json::Need::kOptional, 1, kMetricNameBytesMax).value_or("default");
  if (is_own_name(out.batch.source))
    problems.push_back(
        {"source",
         "\"liminal\" and \"upstream:…\" are for Liminal's own totals: take another name"});
  const json::Value* rows = nullptr;
  for (const auto& [name, value] : *members) {
    if (name == "metrics") {
      rows = &value;
    } else if (name != "source") {
      problems.push_back({name, "is not known"});
    }
  }
  const auto* list = rows == nullptr ? nullptr : rows->as<json::Value::Array>();
  if (rows == nullptr) {
    problems.push_back({"metrics", "is missing"});
  } else if (list == nullptr) {
    problems.push_back({"metrics", "must be an array of objects"});
  } else {
    RowReader(now, problems).read(*list, out);
  }
  return out;
}

void write(const novelty::RowScore& row, const novelty::Batch& batch, json::Writer& out) {
  out.begin_object();
  out.field("is_anomaly", row.is_anomaly());
  out.field("score", row.score);
  out.field("novelty", row.novelty);
  out.field("state", novelty::name(row.state));
  out.field("severity", severity_of(row.score));
  out.field("confidence", row.confidence);
  out.key("contributions");
  out.begin_object();
  for (const auto& part : row.parts) out.field(batch.metrics[part.metric], part.contribution);
  out.end_object();
  out.key("expected");
  out.begin_object();
  for (const auto& part : row.parts) {
    if (!part.expected) continue;
    out.key(batch.metrics[part.metric]);
    out.begin_array();
    out.value(part.expected->low);
    out.value(part.expected->high);
    out.end_array();
  }
  out.end_object();
  out.end_object();
}

}  // namespace liminal::api
