#include "server/gateway/options.hpp"

#include <string_view>

#include "core/wire/json_peek.hpp"

namespace liminal::gateway {
namespace {

bool is_field_name(std::string_view name) {
  if (name.empty()) return false;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '-' && c != '_') return false;
  }
  return true;
}

void check_identity(const Options& options, Problems& problems) {
  if (options.identity.empty())
    problems.push_back({"identity", "must name at least one source, such as \"address\""});
  for (const IdentitySource& source : options.identity) {
    if (source.kind != IdentitySource::Kind::kAddress && !is_field_name(source.name))
      problems.push_back({"identity", "\"" + source.name + "\" is no name of a header or cookie"});
    if (source.kind == IdentitySource::Kind::kHeader && options.trusted_proxies.empty() &&
        options.identity.size() == 1)
      problems.push_back({"trusted_proxies", "nobody is trusted to set " + source.name});
  }
}

void check_health(const HealthOptions& health, Problems& problems) {
  const auto require = [&](bool holds, const char* key, const char* text) {
    if (!holds) problems.push_back({key, text});
  };
  require(health.interval > Duration::zero(), "health_interval", "must be longer than zero");
  require(health.timeout > Duration::zero(), "health_timeout", "must be longer than zero");
  require(health.up_after > 0, "health_up_after", "must be at least 1");
  require(health.down_after > 0, "health_down_after", "must be at least 1");
  bool visible = !health.path.empty() && health.path.front() == '/';
  for (const char c : health.path) visible = visible && c > ' ' && c < 0x7F;
  require(visible, "health_path", "must begin with / and have no spaces");
}

/// A path may be empty: nothing is looked for then.
void check_path(const std::string& path, const char* key, Problems& problems) {
  if (path.empty()) return;
  for (const Problem& problem : wire::validate_peek_paths({&path, 1}))
    problems.push_back({key, problem.text});
}

}  // namespace

Problems validate(const Options& options) {
  Problems problems;
  const auto require = [&](bool holds, const char* key, const char* text) {
    if (!holds) problems.push_back({key, text});
  };
  check_identity(options, problems);
  const auto positive = [&](Duration duration, const char* key) {
    require(duration > Duration::zero(), key, "must be longer than zero");
  };
  positive(options.handshake_timeout, "handshake_timeout");
  positive(options.connect_timeout, "connect_timeout");
  positive(options.answer_timeout, "answer_timeout");
  positive(options.idle_timeout, "idle_timeout");
  positive(options.slow_reader_timeout, "slow_reader_timeout");
  positive(options.close_timeout, "close_timeout");
  require(options.drain_timeout >= Duration::zero(), "drain_timeout", "must not be negative");
  require(options.ping_interval >= Duration::zero(), "ping_interval", "must not be negative");
  require(options.ping_interval < options.idle_timeout,
          "ping_interval",
          "must be shorter than idle_timeout: a pong must be able to arrive");
  require(options.hold_time_max >= Duration::zero(), "hold_time_max", "must not be negative");
  require(options.delay_max >= Duration::zero(), "delay_max", "must not be negative");
  require(options.held_back_max >= Duration::zero(), "held_back_max", "must not be negative");
  require(options.connections_max > 0, "connections_max", "must be at least 1");
  require(options.handshakes_max > 0, "handshakes_max", "must be at least 1");
  require(options.client_frames.message_bytes_max > 0, "message_bytes_max", "must be at least 1");
  require(options.client_frames.fragments_max > 0, "fragments_max", "must be at least 1");
  require(options.head.bytes_max >= 256, "head_bytes_max", "must be at least 256");
  require(options.hold_bytes_max <= 1U << 20U, "hold_bytes_max", "must be at most 1 MiB");
  require(options.high_water_bytes >= 4096 && options.high_water_bytes <= 64U << 20U,
          "high_water_bytes",
          "must be between 4 KiB and 64 MiB");
  check_health(options.health, problems);
  check_path(options.channel_path, "channel_path", problems);
  check_path(options.signal_path, "signal_path", problems);
  check_path(options.error_path, "error_path", problems);
  return problems;
}

}  // namespace liminal::gateway
