#include "io/prometheus/exposition.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

namespace liminal::prometheus {
namespace {

using ::prometheus::ClientMetric;
using ::prometheus::MetricFamily;
using ::prometheus::MetricType;

MetricType library_type(Type type) {
  switch (type) {
    case Type::kCounter:
      return MetricType::Counter;
    case Type::kGauge:
      return MetricType::Gauge;
    case Type::kHistogram:
      return MetricType::Histogram;
  }
  return MetricType::Untyped;
}

ClientMetric::Histogram library_histogram(const Histogram& histogram) {
  ClientMetric::Histogram out;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    out.sample_count += histogram.counts[i];
    out.bucket.push_back(
        {out.sample_count, i < Histogram::kBounds.size() ? Histogram::kBounds[i] : INFINITY});
  }
  out.sample_sum = histogram.sum;
  return out;
}

ClientMetric library_metric(const FamilyInfo& family,
                            const Snapshot::Labels& labels,
                            const Snapshot::Sample& sample) {
  ClientMetric metric;
  for (std::size_t i = 0; i < family.label_count(); ++i)
    metric.label.push_back({std::string(family.labels[i]), labels[i]});
  if (family.type == Type::kHistogram) {
    metric.histogram = library_histogram(sample.histogram);
  } else {
    metric.counter.value = metric.gauge.value = sample.value;
  }
  return metric;
}

std::vector<MetricFamily> library_families(const Snapshot& snapshot) {
  std::vector<MetricFamily> families;
  for (const FamilyInfo& info : family_table()) {
    if (snapshot.samples(info.id).empty()) continue;
    MetricFamily family{
        std::string(info.name), std::string(info.help), library_type(info.type), {}};
    for (const auto& [labels, sample] : snapshot.samples(info.id))
      family.metric.push_back(library_metric(info, labels, sample));
    families.push_back(std::move(family));
  }
  return families;
}

void append_number(double value, std::string& out) {
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  out += text;
  // Bounds are compared as text by some readers: a whole number is written as a real one.
  if (text.find_first_of(".en") == std::string_view::npos) out += ".0";
}

void append_labels(const std::vector<ClientMetric::Label>& labels,
                   std::optional<double> bound,
                   std::string& out) {
  if (labels.empty() && !bound) return;
  char separator = '{';
  for (const ClientMetric::Label& label : labels) {
    out += separator;
    out += label.name + "=\"";
    for (const char c : label.value) {
      if (c == '"' || c == '\\') out += '\\';
      out += c == '\n' ? std::string("\\n") : std::string(1, c);
    }
    out += '"';
    separator = ',';
  }
  if (bound) {
    out += separator;
    out += "le=\"";
    append_number(*bound, out);
    out += '"';
  }
  out += '}';
}

/// One metric of a family in OpenMetrics.
class SampleWriter {
 public:
  SampleWriter(std::string_view base, const ClientMetric& metric, std::string& out)
      : base_(base), metric_(metric), out_(out) {}

  void line(std::string_view suffix, double value, std::optional<double> bound = {}) {
    out_.append(base_).append(suffix);
    append_labels(metric_.label, bound, out_);
    out_ += ' ';
    append_number(value, out_);
    out_ += '\n';
  }

  void write(MetricType type) {
    if (type == MetricType::Counter) return line("_total", metric_.counter.value);
    if (type == MetricType::Gauge) return line("", metric_.gauge.value);
    for (const ClientMetric::Bucket& bucket : metric_.histogram.bucket)
      line("_bucket", static_cast<double>(bucket.cumulative_count), bucket.upper_bound);
    line("_count", static_cast<double>(metric_.histogram.sample_count));
    line("_sum", metric_.histogram.sample_sum);
  }

 private:
  std::string_view base_;
  const ClientMetric& metric_;
  std::string& out_;
};

std::string open_metrics(const std::vector<MetricFamily>& families) {
  constexpr std::string_view kTotal = "_total";
  std::string out;
  for (const MetricFamily& family : families) {
    std::string_view base = family.name;
    std::string_view type = family.type == MetricType::Gauge ? "gauge" : "histogram";
    if (family.type == MetricType::Counter) {
      base.remove_suffix(kTotal.size());
      type = "counter";
    }
    out.append("# TYPE ").append(base).append(" ").append(type).append("\n");
    out.append("# HELP ").append(base).append(" ").append(family.help).append("\n");
    for (const ClientMetric& metric : family.metric)
      SampleWriter(base, metric, out).write(family.type);
  }
  return out + "# EOF\n";
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// Takes what stands before the next `separator` from the front.
std::string_view next(std::string_view& rest, char separator) {
  const std::string_view part = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return trimmed(part);
}

double quality(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = next(parameters, ';');
    double q = 1;
    if (parameter.substr(0, 2) != "q=") continue;
    const auto digits = parameter.substr(2);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), q).ec != std::errc{})
      return 0;
    return q;
  }
  return 1;
}

}  // namespace

std::string_view content_type(Format format) {
  return format == Format::kText ? "text/plain; version=0.0.4; charset=utf-8"
                                 : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

Format negotiate(std::string_view accept) {
  double open = 0, text = 0;
  while (!accept.empty()) {
    std::string_view range = next(accept, ',');
    const std::string_view media = next(range, ';');
    if (media == "application/openmetrics-text") open = std::max(open, quality(range));
    if (media == "text/plain") text = std::max(text, quality(range));
  }
  return open > 0 && open >= text ? Format::kOpenMetrics : Format::kText;
}

std::string expose(const Snapshot& snapshot, Format format) {
  const std::vector<MetricFamily> families = library_families(snapshot);
  if (format == Format::kText) return ::prometheus::TextSerializer().Serialize(families);
  return open_metrics(families);
}

}  // namespace liminal::prometheus
