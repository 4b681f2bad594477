#include "server/api/scaling_answers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/wire/utf8.hpp"
#include "io/svg/chart.hpp"
#include "server/api/own_names.hpp"

namespace liminal::api {
namespace {

using scaling::Observation;
using scaling::Reason;
using scaling::Resource;

constexpr std::size_t kRowsMax = 10'000;
/// Longer histories take longer than one request should.
constexpr std::chrono::hours kSpanMax{60 * 24};
/// Clocks differ.
constexpr std::chrono::minutes kAheadMax{5};
constexpr double kRatioMax = 10, kWeekS = 7 * 86'400.;

/// Of a field that may be left out, or null, which says the same.
std::optional<double> number(json::Fields& in, std::string_view name, double low, double high) {
  if (in.is_null(name)) return std::nullopt;
  return in.number(name, json::Need::kOptional, low, high);
}
std::optional<std::uint64_t> whole(json::Fields& in,
                                   std::string_view name,
                                   std::uint64_t high = std::numeric_limits<std::uint32_t>::max()) {
  if (in.is_null(name)) return std::nullopt;
  return in.whole(name, json::Need::kOptional, 0, high);
}

Observation read_observation(json::Fields& in) {
  Observation out;
  out.request_rate = number(in, "request_rate", 0, scaling::LoadModel::kLoadMax);
  out.cpu_ratio = number(in, "cpu_avg", 0, kRatioMax);
  out.memory_ratio = number(in, "memory_avg", 0, kRatioMax);
  out.response_time_s = number(in, "response_time", 0, Observation::kResponseMax);
  return out;
}

/// Well or not: what is wrong of it is told already.
bool says_something(json::Fields& in) {
  const auto names = {"request_rate", "cpu_avg", "memory_avg", "response_time"};
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return in.has(name); });
}

void read_history(json::Fields& in, EventTime now, scaling::Report& report) {
  if (in.is_null("history")) return;
  const auto* rows = in.array("history", json::Need::kOptional, 0, kRowsMax);
  if (rows == nullptr) return;
  report.rows.reserve(rows->size() + 1);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    json::Fields row = in.element("history", i, (*rows)[i]);
    const auto at = row.time("timestamp", json::Need::kRequired);
    scaling::Report::Row read{{}, read_observation(row)};
    // As the request itself calls it, too.
    for (const char* const name : {"replicas", "current_replicas"}) {
      const auto told = number(row, name, 0, Observation::kReplicasMax);
      if (told && read.observed.replicas) row.wrong(name, "must not be told under both names");
      if (told) read.observed.replicas = told;
    }
    row.finish();
    if (!at) continue;
    read.at = *at;
    if (read.at > now + kAheadMax) row.wrong("timestamp", "must not be in the future");
    if (!report.rows.empty() && read.at < report.rows.back().at)
      row.wrong("timestamp", "must not be before the row before it");
    if (!report.rows.empty() && read.at - report.rows.front().at > kSpanMax)
      row.wrong("timestamp", "must be within 60 days of the first row");
    // Of a clock that is ahead: by ours it is now, or what comes next would be too late.
    read.at = std::min(read.at, now);
    report.rows.push_back(std::move(read));
  }
}

std::string shown(const char* format, double a, double b = 0) {
  char buffer[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  std::snprintf(buffer, sizeof buffer, format, a, b);
#pragma GCC diagnostic pop
  return buffer;
}

void write_point(std::string_view name, const scaling::Backtest::Point& point, json::Writer& out) {
  out.begin_object();
  out.field(name, point.setting);
  out.field("under_share_ratio", point.result.under_share_ratio);
  out.field("over_share_ratio", point.result.over_share_ratio);
  out.field("under_time_ratio", point.result.under_time_ratio);
  out.field("over_time_ratio", point.result.over_time_ratio);
  out.field("moves_per_day", point.result.moves_per_day);
  out.field("mean_instances", point.result.mean_instances);
  out.field("instance_minutes", point.result.instance_minutes);
  out.end_object();
}

void write_points(std::string_view key,
                  std::string_view name,
                  const std::vector<scaling::Backtest::Point>& points,
                  json::Writer& out) {
  out.key(key);
  out.begin_array();
  for (const auto& point : points) write_point(name, point, out);
  out.end_array();
}

void write_capacity(const scaling::ServiceState& state, json::Writer& out) {
  const scaling::CapacityModel& capacity = state.service.capacity();
  out.begin_object();
  for (std::size_t i = 0; i < scaling::kResources; ++i) {
    const auto limit = capacity.limit(Resource(i), state.options.capacity);
    out.key(name(Resource(i)));
    if (!limit) {
      out.null();
      continue;
    }
    out.begin_object();
    out.field("load", limit->load);
    out.field("relative_error", limit->error);
    out.field("proportional", limit->proportional);
    out.end_object();
  }
  out.end_object();
}

/// What to expect of one instance at a load of the service, or at a few up to the instance's limit.
void write_performance(const scaling::ServiceState& state,
                       std::optional<double> load,
                       json::Writer& out) {
  const scaling::CapacityModel& capacity = state.service.capacity();
  const auto write_at = [&](double of_instance) {
    const auto response = capacity.response_time_s(of_instance);
    out.begin_object();
    out.field("load", of_instance);
    out.field("response_time_s", response);
    out.field("saturated", response && std::isinf(*response));
    out.field("cpu_ratio", capacity.use_ratio(Resource::kCpu, of_instance));
    out.field("memory_ratio", capacity.use_ratio(Resource::kMemory, of_instance));
    out.end_object();
  };
  const auto first = state.service.bottleneck(state.options);
  const double replicas = state.service.replicas().value_or(0);
  out.begin_array();
  if (load && capacity.is_observed() && replicas > 0) write_at(*load / replicas);
  if (!load && first && capacity.response_time_s(0)) {
    for (const double part : {.25, .5, .75, 1., 1.1}) write_at(part * first->limit.load);
  }
  out.end_array();
}

/// Why nothing can be said of performance, or of response times; nothing when something is.
std::optional<std::string_view> lack_of_performance(const scaling::ServiceState& state,
                                                    std::optional<double> load) {
  const scaling::CapacityModel& capacity = state.service.capacity();
  if (load && state.service.replicas().value_or(0) <= 0)
    return state.service.replicas() ? "no instance runs" : "current_replicas was never told";
  if (capacity.response_time_s(0)) {
    if (load || state.service.bottleneck(state.options)) return std::nullopt;
    return "no load keeps response_time_max_s";
  }
  if (capacity.is_observed(Resource::kResponseTime)) {
    return capacity.has_varied(Resource::kResponseTime)
               ? "response_time was told, but does not grow with the load as it does before an end"
               : "response_time was told, but the load of an instance varied too little below its "
                 "end to say how it depends on it";
  }
  if (load && capacity.is_observed())
    return "response_time was not told for half an hour with request_rate and current_replicas";
  return "it needs half an hour of response_time, or of cpu_avg for one load, with request_rate "
         "and "
         "current_replicas";
}

void write_size(const std::optional<scaling::RightSize>& size, json::Writer& out) {
  if (!size) return out.null();
  out.begin_object();
  out.field("size_ratio", size->size_ratio);
  out.field("saving_ratio", size->saving_ratio);
  out.end_object();
}

void write_limit(std::string_view metric, const scaling::ResourceUse& use, json::Writer& out) {
  const auto passage = use.passage(1, kWeekS);
  if (!passage) return;
  out.begin_object();
  out.field("metric", metric);
  out.field("limit", 1.);
  out.field("expected_s", passage->expected_s);
  out.field("within_s", kWeekS);
  out.field("probability", passage->probability);
  out.end_object();
}

}  // namespace

bool is_service_name(std::string_view name) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return wire::is_utf8(name) && std::none_of(name.begin(), name.end(), is_control);
}

scaling::Report read_report(json::Fields& in, EventTime now) {
  scaling::Report report;
  report.service = "default";
  if (!in.is_null("service"))
    report.service = in.text("service", json::Need::kOptional, 1, scaling::kServiceNameMax)
                         .value_or(std::move(report.service));
  if (!is_service_name(report.service)) in.wrong("service", std::string(kServiceNameRule));
  if (is_own_name(report.service))
    in.wrong("service",
             "\"liminal\" and \"upstream:…\" are for Liminal's own load: take another name");
  constexpr double kMinutesMax = scaling::LoadModel::kHorizonMax;
  if (const auto horizon = number(in, "horizon_s", 60, 60 * kMinutesMax))
    report.horizon_minutes = static_cast<std::uint32_t>(std::ceil(*horizon / 60));
  const auto replicas = whole(in, "current_replicas", std::uint64_t(Observation::kReplicasMax));
  read_history(in, now, report);
  if (in.is_null("usage_patterns")) {
    in.wrong("usage_patterns", "must be a JSON object");
  } else if (auto usage = in.object("usage_patterns", json::Need::kRequired)) {
    scaling::Report::Row present{now, read_observation(*usage)};
    const bool says = says_something(*usage);
    usage->finish();
    if (replicas) present.observed.replicas = static_cast<double>(*replicas);
    if (!says)
      in.wrong("usage_patterns",
               "must have at least one of request_rate, cpu_avg, memory_avg, response_time");
    report.rows.push_back(std::move(present));
  }
  return report;
}

scaling::ChangeOptions read_settings(json::Fields& in) {
  constexpr auto kOptional = json::Need::kOptional;
  std::vector<scaling::ChangeOptions> changes;
  const auto take = [&changes](const auto& read, auto set) {
    if (read) changes.push_back([value = *read, set](auto& options) { set(options, value); });
  };
  using Options = scaling::ServiceOptions;
  const auto into = [](auto Options::*member) {
    return [member](Options& options, auto value) {
      using Member = std::remove_reference_t<decltype(options.*member)>;
      options.*member = static_cast<Member>(value);
    };
  };
  take(whole(in, "replicas_min"), into(&Options::replicas_min));
  take(whole(in, "replicas_max"), into(&Options::replicas_max));
  take(number(in, "shortage_cost", 0, 1e9), into(&Options::shortage_cost));
  take(number(in, "cooldown_s", 0, 86'400),
       [](Options& options, double value) { options.cooldown = from_seconds(value); });
  take(whole(in, "stabilisation_minutes"), into(&Options::stabilisation_minutes));
  take(number(in, "reactive_target_ratio", 0, 1), into(&Options::reactive_target_ratio));
  if (auto capacity = in.object("capacity", kOptional)) {
    using Capacity = scaling::CapacityOptions;
    const auto of = [](double Capacity::*member) {
      return [member](Options& options, double value) { options.capacity.*member = value; };
    };
    take(number(*capacity, "cpu_max_ratio", 0, 1), of(&Capacity::cpu_max_ratio));
    take(number(*capacity, "memory_max_ratio", 0, 1), of(&Capacity::memory_max_ratio));
    take(number(*capacity, "saturation_max_ratio", 0, 1), of(&Capacity::saturation_max_ratio));
    take(number(*capacity, "response_time_max_s", 0, 86'400), of(&Capacity::response_time_max_s));
    capacity->finish();
  }
  return [changes = std::move(changes)](Options& options) {
    for (const scaling::ChangeOptions& change : changes) change(options);
  };
}

std::string text(const Reason& reason) {
  using Kind = Reason::Kind;
  const double a = reason.a, b = reason.b;
  switch (reason.kind) {
    case Kind::kHistoryShort:
      return shown("%.0f minutes of history are known, %.0f are needed", a, b);
    case Kind::kHistorySparse:
      return shown(
          "%.0f minutes of history are known, too few of them in a row: reports lie more than 15 "
          "minutes apart",
          a);
    case Kind::kReplicasUnknown:
      return "current_replicas was never told";
    case Kind::kCapacityUnknown:
      return "what one instance can take is not known yet: it needs half an hour of cpu_avg or "
             "response_time with request_rate and current_replicas";
    case Kind::kCapacityIdle:
      return "what one instance can take shows under load only, and there was none yet";
    case Kind::kCapacityFlat:
      return "what one instance can take is not known: what was told of cpu_avg and response_time "
             "does not depend on the load";
    case Kind::kLoadUnknown:
      return "the load is not known: it needs request_rate, or cpu_avg with current_replicas";
    case Kind::kLoadStale:
      return shown("no load was reported for %.0f minutes", a);
    case Kind::kForecast:
      return shown("a load of %.4g covers the coming peak with a probability of %.4g", a, b);
    case Kind::kNeededNow:
      return shown("the present load needs %.0f instances", a);
    case Kind::kCapacity:
      return shown("one instance takes a load of %.4g", a);
    case Kind::kDearer:
      return b > 1
                 ? shown("of late a request costs %.3g times the CPU that a day of history says", b)
                 : shown("of late %.0f %% of the CPU are used beside what a day of history says",
                         100 * a);
    case Kind::kProportional:
      return "the load hardly varied yet: what an instance takes is an estimate";
    case Kind::kCooldown:
      return shown("fewer not before %.0f s from now, because there were more a moment ago", a);
    case Kind::kStabilised:
      return shown("an order of the last minutes holds it at %.0f", a);
    case Kind::kAtMinimum:
      return shown("at the minimum of %.0f", a);
    case Kind::kAtMaximum:
      return shown("at the maximum of %.0f, where %.0f would be needed", a, b);
    case Kind::kAboveMaximum:
      return shown("%.0f run, above the maximum of %.0f", a, b);
    case Kind::kPastUntold:
      return shown(
          "%.0f rows of minutes that had passed were not learnt: more is known than they tell, or "
          "their load is of another kind",
          a);
    case Kind::kResponseTime:
      return std::isfinite(a)
                 ? shown("a response time of %.3g s is to be expected with the present instances",
                         a)
                 : "the present instances are beyond saturation";
    case Kind::kMemoryLimit:
      return shown(
          "memory runs out in %.3g h; within a week with a probability of %.2g", a / 3600, b);
  }
  return "unknown";
}

void write(const scaling::Advice& advice, json::Writer& out) {
  out.begin_object();
  out.key("predictions");
  out.begin_object();
  out.field("action", name(advice.action));
  out.field("recommended_replicas", advice.replicas);
  out.field("confidence", advice.confidence);
  out.key("forecast");
  out.begin_object();
  out.field("horizon_s", 60 * advice.horizon_minutes);
  out.key("quantiles");
  out.begin_object();
  const auto quantile = [&](std::string_view key, double scaling::Advice::Quantiles::*which) {
    out.field(key, advice.peak ? std::optional(*advice.peak.*which) : std::nullopt);
  };
  using Quantiles = scaling::Advice::Quantiles;
  quantile("p10", &Quantiles::p10);
  quantile("p50", &Quantiles::p50);
  quantile("p90", &Quantiles::p90);
  quantile("p99", &Quantiles::p99);
  out.end_object();
  out.end_object();
  out.field("reactive_replicas", advice.reactive_replicas);
  out.key("bottleneck");
  if (advice.bottleneck) {
    out.value(name(advice.bottleneck->resource));
  } else {
    out.null();
  }
  out.key("reasons");
  out.begin_array();
  for (const Reason& reason : advice.reasons) out.value(text(reason));
  out.end_array();
  out.end_object();
  out.field("model", kScalingModel);
  out.end_object();
}

void write(const scaling::ServiceOptions& options, json::Writer& out) {
  out.begin_object();
  out.field("replicas_min", options.replicas_min);
  out.field("replicas_max", options.replicas_max);
  out.field("shortage_cost", options.shortage_cost);
  out.field("cooldown_s", seconds(options.cooldown));
  out.field("stabilisation_minutes", options.stabilisation_minutes);
  out.field("reactive_target_ratio", options.reactive_target_ratio);
  out.key("capacity");
  out.begin_object();
  out.field("cpu_max_ratio", options.capacity.cpu_max_ratio);
  out.field("memory_max_ratio", options.capacity.memory_max_ratio);
  out.field("saturation_max_ratio", options.capacity.saturation_max_ratio);
  out.field("response_time_max_s", options.capacity.response_time_max_s);
  out.end_object();
  out.end_object();
}

void write(const scaling::ServiceState& state,
           EventTime now,
           std::optional<double> load,
           json::Writer& out) {
  const scaling::Service& service = state.service;
  out.begin_object();
  out.field("service", state.name);
  out.field("minutes", service.model().history().known_minutes());
  out.field("replicas", service.replicas());
  out.field("load", service.present_load());
  out.key("settings");
  write(state.options, out);
  out.key("advice");
  write(service.advise(now, state.options), out);
  out.key("capacity");
  write_capacity(state, out);
  out.key("bottleneck");
  if (const auto first = service.bottleneck(state.options)) {
    out.begin_object();
    out.field("resource", name(first->resource));
    out.field("load", first->limit.load);
    out.field("confidence", first->confidence);
    out.end_object();
  } else {
    out.null();
  }
  out.key("performance");
  write_performance(state, load, out);
  out.key("performance_lack");
  if (const auto lack = lack_of_performance(state, load)) {
    out.value(*lack);
  } else {
    out.null();
  }
  out.key("right_size");
  out.begin_object();
  out.key("cpu");
  write_size(right_size_cpu(service.cpu(), state.options.capacity.cpu_max_ratio), out);
  out.key("memory");
  write_size(right_size_memory(service.memory()), out);
  out.end_object();
  out.key("limits");
  out.begin_array();
  write_limit("cpu", service.cpu(), out);
  write_limit("memory", service.memory(), out);
  out.end_array();
  out.field("memory_bytes", service.memory_bytes());
  out.end_object();
}

void write(const scaling::Backtest& backtest, json::Writer& out) {
  out.begin_object();
  out.field("minutes", backtest.minutes);
  out.field("warm_up_minutes", backtest.warm_up_minutes);
  out.field("delay_s", 60 * backtest.delay_minutes);
  out.field("capacity", backtest.capacity);
  out.key("chosen");
  write_point("operating_point", backtest.chosen, out);
  out.key("chosen_unstabilised");
  write_point("operating_point", backtest.chosen_unstabilised, out);
  write_points("planned", "operating_point", backtest.planned, out);
  write_points("planned_stabilised", "operating_point", backtest.planned_stabilised, out);
  write_points("reactive", "target_utilisation", backtest.reactive, out);
  write_points("reactive_stabilised", "target_utilisation", backtest.reactive_stabilised, out);
  out.end_object();
}

std::string plot(const scaling::Backtest& backtest, const std::string& service) {
  const auto line =
      [](const char* name, const std::vector<scaling::Backtest::Point>& points, unsigned colour) {
        svg::Line out;
        out.name = name;
        out.colour = {colour};
        out.stroke = svg::Stroke::kLineAndMarks;
        for (const auto& point : points) {
          out.x.push_back(point.result.mean_instances);
          out.y.push_back(100 * point.result.under_share_ratio);
        }
        return out;
      };
  svg::Chart chart;
  chart.title = service + ": what would have been missing";
  chart.x = {"mean instances", svg::AxisKind::kNumber};
  chart.y = {"under-provisioned share, %", svg::AxisKind::kNumber};
  chart.from_zero = true;
  chart.lines = {line("planned", backtest.planned, 0),
                 line("planned, stabilised", backtest.planned_stabilised, 3),
                 line("reactive", backtest.reactive, 2),
                 line("reactive, stabilised", backtest.reactive_stabilised, 1)};
  return chart.svg();
}

}  // namespace liminal::api
