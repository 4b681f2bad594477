#include "server/api/answers.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "core/salience/alert.hpp"
#include "io/json/salience_event.hpp"
#include "io/json/traffic_writer.hpp"

namespace liminal::api {
namespace {

constexpr std::string_view kModes = "observe, shadow or enforce";

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// What the schema bounds from below; rounding must not make an answer invalid.
float not_negative(float value) { return std::isfinite(value) ? std::max(0.F, value) : 0.F; }

void write(const std::optional<learn::LoadForecast>& load, json::Writer& out) {
  if (!load) return out.null();
  out.begin_object();
  out.field("messages_per_second", load->messages_per_second);
  out.field("low", load->low);
  out.field("high", load->high);
  out.field("version", load->version);
  out.field("time", load->time);
  out.end_object();
}

void write(const std::optional<learn::UserGroup>& group, json::Writer& out) {
  if (!group) return out.null();
  out.begin_object();
  out.field("cluster", group->cluster);
  out.key("description");
  out.value_or_null(group->description);
  out.field("distance", group->distance);
  out.field("version", group->version);
  out.end_object();
}

void write_mode(const std::optional<traffic::Mode>& mode, json::Writer& out) {
  out.key("mode");
  if (mode) {
    out.value(name(*mode));
  } else {
    out.null();
  }
}

void write_field(std::string_view key, const limits::RateOptions& rate, json::Writer& out) {
  out.key(key);
  if (rate.per_second == 0) return out.null();
  out.begin_object();
  out.field("per_second", rate.per_second);
  out.field("burst", rate.burst);
  write_mode(rate.mode, out);
  out.end_object();
}

void write_field(std::string_view key, const limits::CapOptions& cap, json::Writer& out) {
  out.key(key);
  if (cap.max == 0) return out.null();
  out.begin_object();
  out.field("max", cap.max);
  write_mode(cap.mode, out);
  out.end_object();
}

void write_field(std::string_view key, const limits::SubjectOptions& subject, json::Writer& out) {
  out.key(key);
  out.begin_object();
  write_field("messages", subject.messages, out);
  write_field("messages_sustained", subject.messages_sustained, out);
  write_field("bytes", subject.bytes, out);
  write_field("bytes_sustained", subject.bytes_sustained, out);
  out.end_object();
}

void write_field(std::string_view key, const Uplinked& uplinked, json::Writer& out) {
  out.key(key);
  out.begin_object();
  out.field("waiting", uplinked.waiting);
  out.field("sent", uplinked.sent);
  out.field("dropped", uplinked.dropped);
  out.field("rejected", uplinked.rejected);
  out.end_object();
}

void write_field(std::string_view key, const ClusterStatus& cluster, json::Writer& out) {
  out.key(key);
  out.begin_object();
  out.field("url", cluster.url);
  out.field("up", cluster.up);
  out.key("trouble");
  out.value_or_null(cluster.trouble);
  write_field("rows", cluster.rows, out);
  write_field("metrics", cluster.metrics, out);
  write_field("alerts", cluster.alerts, out);
  write_field("feedback", cluster.feedback, out);
  out.field("champions", cluster.champions);
  out.end_object();
}

std::optional<traffic::Mode> read_mode(json::Fields& in) {
  if (in.is_null("mode")) return std::nullopt;
  return in.one_of("mode", json::Need::kOptional, traffic::mode_by_name, kModes);
}

/// Whether a rate is in range is for `limits::validate` to say; that it is a limit at all is said
/// here, because zero would mean none.
void read_field(json::Fields& in, std::string_view key, limits::RateOptions& rate) {
  rate = {};
  auto given = in.object(key, json::Need::kRequired);
  if (!given) return;
  rate.per_second = given->number("per_second", json::Need::kRequired, 1e-5, 1e9).value_or(1);
  rate.burst =
      static_cast<std::uint32_t>(given->whole("burst", json::Need::kRequired, 1).value_or(1));
  rate.mode = read_mode(*given);
  given->finish();
}

void read_field(json::Fields& in, std::string_view key, limits::CapOptions& cap) {
  cap = {};
  auto given = in.object(key, json::Need::kRequired);
  if (!given) return;
  cap.max = static_cast<std::uint32_t>(given->whole("max", json::Need::kRequired, 1).value_or(1));
  cap.mode = read_mode(*given);
  given->finish();
}

void read_field(json::Fields& in, std::string_view key, limits::SubjectOptions& subject) {
  if (in.is_null(key)) return in.wrong(key, "must be a JSON object");
  auto given = in.object(key, json::Need::kRequired);
  if (!given) return;
  read_field(*given, "messages", subject.messages);
  read_field(*given, "messages_sustained", subject.messages_sustained);
  read_field(*given, "bytes", subject.bytes);
  read_field(*given, "bytes_sustained", subject.bytes_sustained);
  given->finish();
}

void write(const BaselineLine& line, json::Writer& out) {
  out.begin_object();
  out.field("signal", name(line.signal));
  out.field("unit", unit(line.signal));
  out.field("expected", line.expected);
  out.field("expected_high", line.expected_high);
  out.field("observations", not_negative(line.observations));
  out.end_object();
}

void write(const LimitInForce& limit, json::Writer& out) {
  out.begin_object();
  out.field("mode", name(limit.mode));
  out.field("messages_per_second", limit.messages_per_second);
  out.field("burst", limit.burst);
  out.field("connections_max", limit.connections_max);
  out.field("ratio", limit.ratio);
  out.field("personal_ratio", limit.personal_ratio);
  out.field("suspicion", std::clamp(limit.suspicion, 0., 1.));
  out.key("override");
  if (limit.decision) {
    json::write(*limit.decision, out);
  } else {
    out.null();
  }
  out.end_object();
}

/// The fields that a user's line and page begin with.
template <class User>
void write_user_fields(const User& user, json::Writer& out) {
  out.field("user_id", user.user);
  out.key("ip_address");
  out.value_or_null(user.address);
  out.field("last_seen", user.last_seen);
  out.field("score", not_negative(user.score));
}

}  // namespace

void write(const Status& status, std::string_view version, json::Writer& out) {
  out.begin_object();
  out.field("version", version);
  out.field("uptime_s", status.uptime_s);
  out.field("time", status.time);
  out.field("mode", name(status.mode));
  out.field("shards", kShards);
  out.field("threads", status.threads);
  out.key("memory");
  out.begin_object();
  out.field("engine_bytes", status.engine_bytes);
  out.field("resident_bytes", resident_bytes());
  out.end_object();
  out.key("feature_extractor");
  out.begin_object();
  out.field("active_users", status.active_users);
  out.field("users_remembered", status.users_remembered);
  out.field("buffer_size", status.row_buffer_size);
  out.field("buffered", status.rows_buffered);
  out.end_object();
  out.key("anomaly_detector");
  out.begin_object();
  out.field("open_alerts", status.open_alerts);
  out.field("rules", status.rules);
  out.field("baselines", status.baselines);
  out.end_object();
  out.key("model_manager");
  out.begin_object();
  out.key("models");
  out.begin_array();
  for (const std::string& model : status.models) out.value(model);
  out.end_array();
  out.field("jobs", status.jobs);
  out.key("load_prediction");
  write(status.load, out);
  out.end_object();
  out.key("upstreams");
  out.begin_array();
  for (const UpstreamStatus& upstream : status.upstreams) {
    out.begin_object();
    out.field("url", upstream.url);
    out.field("up", upstream.up);
    out.field("connections", upstream.connections);
    out.field("draining", upstream.draining);
    out.end_object();
  }
  out.end_array();
  if (status.cluster) write_field("cluster", *status.cluster, out);
  out.key("traffic");
  out.begin_object();
  out.field("connections", status.connections);
  out.field("events_total", status.events_total);
  out.field("events_per_second", status.events_per_second);
  out.end_object();
  out.end_object();
}

void write(const traffic::Alert& alert, const SaliencePort& salience, json::Writer& out) {
  json::write(alert, salience.judge(alert).salience(), out);
}

void write(const Explanation& explanation, const SaliencePort& port, json::Writer& out) {
  const traffic::Alert& alert = explanation.alert;
  const salience::Judgement judgement = port.judge(alert);
  out.begin_object();
  out.key("alert");
  json::write(alert, judgement.salience(), out);
  out.field("meaning", info(alert.type).meaning);
  out.key("salience_explanation");
  json::SalienceEvent said;
  said.severity = traffic::name(alert.severity);
  said.fields = salience::fields_of(alert);
  json::write_explanation(said, judgement, out);
  out.key("first");
  json::write(alert.first, out);
  out.key("worst");
  json::write(alert.worst, out);
  out.key("replay");
  out.begin_object();
  out.field("command", explanation.command);
  out.field("shard", index(alert.shard));
  out.field("input", alert.input);
  out.field("available", explanation.available);
  out.key("reason");
  if (explanation.available) {
    out.null();
  } else {
    out.value(explanation.reason);
  }
  out.end_object();
  out.end_object();
}

namespace {

void write(std::string_view key,
           const std::vector<features::CrowdSummary::Address>& addresses,
           json::Writer& out) {
  out.key(key);
  out.begin_array();
  for (const auto& address : addresses) {
    out.begin_object();
    out.field("ip_address", address.text);
    out.field("users", address.users);
    out.field("connections_per_minute", address.connections_per_minute);
    out.end_object();
  }
  out.end_array();
}

}  // namespace

void write(const features::CrowdSummary& crowd, std::uint64_t limit, json::Writer& out) {
  out.begin_object();
  out.field("active_users", crowd.active_users);
  out.field("messages_per_minute", crowd.messages_per_minute);
  out.field("connections_per_minute", crowd.connections_per_minute);
  out.field("address_entropy_bits", crowd.address_entropy_bits());
  write("addresses", crowd.most_crowded(limit), out);
  write("connecting_addresses", crowd.most_connecting(limit), out);
  out.key("channels");
  out.begin_array();
  for (const auto& channel : crowd.hottest(limit)) {
    out.begin_object();
    out.field("channel", channel.text);
    out.field("messages_per_minute", channel.per_minute);
    out.field("error_per_minute", channel.error_per_minute);
    out.end_object();
  }
  out.end_array();
  out.field("limit", limit);
  out.end_object();
}

void write(const UserSummary& user, json::Writer& out) {
  using enum traffic::FeatureId;
  out.begin_object();
  write_user_fields(user, out);
  out.field("salience", user.salience);
  out.field("activity", user.activity);
  out.field("growth", user.growth);
  out.field("open_alerts", user.open_alerts);
  out.key("worst_severity");
  if (user.worst) {
    out.value(name(*user.worst));
  } else {
    out.null();
  }
  for (const traffic::FeatureId id :
       {kMessagesPerMinute, kErrorRate, kRateLimitViolations, kOpenConnections})
    out.field(info(id).name, not_negative(user.features[id]));
  out.field("messages_per_second_max", user.messages_per_second_max);
  out.end_object();
}

void write(const UserView& user, const SaliencePort& salience, json::Writer& out) {
  out.begin_object();
  write_user_fields(user, out);
  out.key("features");
  json::write(user.features, out);
  out.key("baseline");
  out.begin_array();
  for (const BaselineLine& line : user.baseline) write(line, out);
  out.end_array();
  out.key("limit");
  write(user.limit, out);
  out.key("alerts");
  out.begin_array();
  for (const traffic::Alert& alert : user.alerts) write(alert, salience, out);
  out.end_array();
  out.key("group");
  write(user.group, out);
  out.end_object();
}

void write(const Check& check, json::Writer& out) {
  out.begin_object();
  out.field("name", check.name);
  out.field("ok", check.ok);
  out.field("detail", check.detail);
  out.end_object();
}

void write_policies(const limits::Options& options, json::Writer& out) {
  out.begin_object();
  out.field("mode", name(options.mode));
  write_field("user", options.user, out);
  write_field("address", options.address, out);
  write_field("connection", options.connection, out);
  write_field("user_connections", options.user_connections, out);
  write_field("address_connections", options.address_connections, out);
  write_field("message_bytes", options.message_bytes, out);
  out.field("delay_max_s", seconds(options.delay_max));
  write_field("close_after", options.close_after, out);
  out.end_object();
}

void read_policies(json::Fields in, limits::Options& options) {
  options.mode = in.one_of("mode", json::Need::kRequired, traffic::mode_by_name, kModes)
                     .value_or(options.mode);
  read_field(in, "user", options.user);
  read_field(in, "address", options.address);
  read_field(in, "connection", options.connection);
  read_field(in, "user_connections", options.user_connections);
  read_field(in, "address_connections", options.address_connections);
  read_field(in, "message_bytes", options.message_bytes);
  options.delay_max =
      from_seconds(in.number("delay_max_s", json::Need::kRequired, 0, 60).value_or(0));
  read_field(in, "close_after", options.close_after);
  in.finish();
}

std::optional<traffic::Override> read_override(json::Fields& in, SteadyTime now) {
  using json::Need;
  using traffic::Override;
  Override out;
  const auto kind =
      in.one_of("kind", Need::kRequired, traffic::override_kind_by_name, "allow, block or rate");
  const bool rate = kind == Override::Kind::kRate;
  const auto per_second =
      in.number("messages_per_second", rate ? Need::kRequired : Need::kOptional, 1e-5, 1e9);
  const auto burst = in.whole("burst", rate ? Need::kRequired : Need::kOptional, 1);
  const auto reason = in.text("reason", Need::kRequired, 1, 1000);
  const auto expires = in.time("expires", Need::kOptional);
  if (kind && !rate && per_second) in.wrong("messages_per_second", "belongs to kind rate only");
  if (kind && !rate && burst) in.wrong("burst", "belongs to kind rate only");
  if (expires && SteadyTime{expires->time_since_epoch()} <= now)
    in.wrong("expires", "is not in the future");
  if (rate && per_second && burst && static_cast<double>(*burst) > *per_second * 86400)
    in.wrong("burst", "must not exceed what the rate allows in a day");
  if (!kind || !reason || (rate && (!per_second || !burst))) return std::nullopt;
  out.kind = *kind;
  out.messages_per_second = rate ? *per_second : 0;
  out.burst = rate ? static_cast<std::uint32_t>(*burst) : 0;
  out.reason = *reason;
  out.created = now;
  if (expires) out.expires = SteadyTime{expires->time_since_epoch()};
  return out;
}

}  // namespace liminal::api
