#include <fmt/format.h>

#include "app/configuration/choices.hpp"
#include "app/configuration/configuration.hpp"
#include "app/configuration/table_parts.hpp"

namespace liminal::app {
namespace {

using C = Configuration;
using Settings = std::vector<Setting>;

void add_identity(Settings& all) {
  all.push_back(
      {.key = "identity.order",
       .slot = [](C& c) -> Slot { return &c.identity.order; },
       .help = "Where the user of a connection is looked for, first to last: jwt, "
               "header (of a trusted proxy), cookie, address. By address all who share one, as "
               "in an office, are one user to the limits. What names the user is passed on "
               "to the upstream as it came: of a token in the query (?token=) its access "
               "log holds a copy, unless it is told not to."});
  all.push_back({.key = "identity.jwt_algorithm",
                 .slot = [](C& c) -> Slot { return &c.identity.jwt_algorithm; },
                 .help = "HS256, RS256 or ES256. No other is accepted, whatever a token says."});
  all.push_back({.key = "identity.jwt_secret",
                 .slot = [](C& c) -> Slot { return &c.identity.jwt_secret; },
                 .help = "The shared secret of HS256.",
                 .secret = true});
  all.push_back({.key = "identity.jwt_key_file",
                 .slot = [](C& c) -> Slot { return &c.identity.jwt_key_file; },
                 .help = "The public key of RS256 or ES256, PEM."});
  all.push_back({.key = "identity.jwt_claim",
                 .slot = [](C& c) -> Slot { return &c.identity.jwt_claim; },
                 .help = "The claim that names the user."});
  all.push_back({.key = "identity.jwt_issuer",
                 .slot = [](C& c) -> Slot { return &c.identity.jwt_issuer; },
                 .help = "What a token's `iss` must be; empty: it is not looked at."});
  all.push_back({.key = "identity.jwt_audience",
                 .slot = [](C& c) -> Slot { return &c.identity.jwt_audience; },
                 .help = "What a token's `aud` must be, or have among others; empty: it is not "
                         "looked at. With several services of one issuer set it: a token for "
                         "another would be believed."});
  all.push_back({.key = "identity.header",
                 .slot = [](C& c) -> Slot { return &c.identity.header; },
                 .help = "The header in which a trusted proxy names the user. A request of such a "
                         "proxy that has it more than once (`_` is `-` there) is refused with 400: "
                         "a proxy must set it, not add one behind the client's."});
  all.push_back({.key = "identity.cookie",
                 .slot = [](C& c) -> Slot { return &c.identity.cookie; },
                 .help = "The cookie that names the user; empty: none does."});
  all.push_back({.key = "identity.trusted_proxies",
                 .slot = [](C& c) -> Slot { return &c.identity.trusted_proxies; },
                 .help = "Addresses or networks (10.0.0.0/8) whose headers about the client are "
                         "believed. Nobody's are by default."});
}

void add_tls(Settings& all) {
  all.push_back({.key = "tls.certificate",
                 .slot = [](C& c) -> Slot { return &c.tls.certificate; },
                 .help = "The file of the certificate chain, PEM, the server's own first: clients "
                         "then connect by wss://, with TLS 1.2 or 1.3. Empty: no TLS. A reload "
                         "reads it again.",
                 .flag = "--tls-certificate",
                 .placeholder = "FILE"});
  all.push_back({.key = "tls.key",
                 .slot = [](C& c) -> Slot { return &c.tls.key; },
                 .help = "The file of the certificate's private key, PEM, without a pass phrase.",
                 .flag = "--tls-key",
                 .placeholder = "FILE"});
  all.push_back({.key = "tls.upstream_authorities",
                 .slot = [](C& c) -> Slot { return &c.tls.upstream_authorities; },
                 .help = "The file of the certificate authorities, PEM, that may vouch for wss:// "
                         "upstreams. Empty: the system's. An upstream's certificate must be for "
                         "the host in its URL; there is no way to trust any other.",
                 .flag = "--tls-upstream-authorities",
                 .placeholder = "FILE"});
}

void add_timeouts(Settings& all) {
  const auto add = [&all](const char* name, auto slot, const char* help, double low = .001) {
    all.push_back({.key = fmt::format("gateway.{}", name),
                   .slot = slot,
                   .help = help,
                   .low = low,
                   .high = 86'400});
  };
  add(
      "handshake_timeout",
      [](C& c) -> Slot { return &c.gateway.handshake_timeout; },
      "From a connection's acceptance to its whole request.");
  add(
      "connect_timeout",
      [](C& c) -> Slot { return &c.gateway.connect_timeout; },
      "For each upstream that is tried.");
  add(
      "answer_timeout",
      [](C& c) -> Slot { return &c.gateway.answer_timeout; },
      "Of the upstream, to the upgrade.");
  add(
      "idle_timeout",
      [](C& c) -> Slot { return &c.gateway.idle_timeout; },
      "Without a byte from the client a connection ends after so long.");
  add(
      "ping_interval",
      [](C& c) -> Slot { return &c.gateway.ping_interval; },
      "Silence of a client after which it is pinged; 0 s: never.",
      0);
  add(
      "slow_reader_timeout",
      [](C& c) -> Slot { return &c.gateway.slow_reader_timeout; },
      "How long a reader may keep more waiting than the high-water mark before it is cut off.");
  add(
      "close_timeout",
      [](C& c) -> Slot { return &c.gateway.close_timeout; },
      "How long a connection that is closing may take.");
  add(
      "drain_timeout",
      [](C& c) -> Slot { return &c.gateway.drain_timeout; },
      "How long connections may stay at an upstream that a reload took away: then they are closed "
      "with 1001. 0 s: as long as they like.",
      0);
  add(
      "hold_time_max",
      [](C& c) -> Slot { return &c.gateway.hold_time_max; },
      "How long the rest of a message is waited for, to judge it whole.",
      0);
  add(
      "delay_max",
      [](C& c) -> Slot { return &c.gateway.delay_max; },
      "A message that would be delayed for longer is dropped instead.",
      0);
  add(
      "held_back_max",
      [](C& c) -> Slot { return &c.gateway.held_back_max; },
      "A connection whose messages have all been delayed for so long is closed; 0 s: never.",
      0);
}

void add_bounds(Settings& all) {
  const auto count = [&all](const char* name, auto slot, const char* help, double low = 1) {
    all.push_back({.key = fmt::format("gateway.{}", name),
                   .slot = slot,
                   .help = help,
                   .low = low,
                   .high = 10'000'000});
  };
  const auto size = [&all](const char* name, auto slot, const char* help, double low, double high) {
    all.push_back({.key = fmt::format("gateway.{}", name),
                   .slot = slot,
                   .help = help,
                   .low = low,
                   .high = high,
                   .unit = Unit::kBytes});
  };
  count(
      "connections_max",
      [](C& c) -> Slot { return &c.gateway.connections_max; },
      "Connections in the process.");
  count(
      "connections_per_address_max",
      [](C& c) -> Slot { return &c.gateway.connections_per_address_max; },
      "Connections of one address, refused in every mode; 0: as limits.address_connections says.",
      0);
  count(
      "connections_per_user_max",
      [](C& c) -> Slot { return &c.gateway.connections_per_user_max; },
      "Connections of one user, refused in every mode; 0: as limits.user_connections says.",
      0);
  count(
      "handshakes_max",
      [](C& c) -> Slot { return &c.gateway.handshakes_max; },
      "Handshakes at once, on one thread.");
  size(
      "request_bytes_max",
      [](C& c) -> Slot { return &c.gateway.head.bytes_max; },
      "The largest upgrade request.",
      256,
      1 << 20);
  size(
      "message_bytes_max",
      [](C& c) -> Slot { return &c.gateway.client_frames.message_bytes_max; },
      "The largest message of a client, in every mode; a larger one ends the connection (1009).",
      1,
      1 << 30);
  count(
      "fragments_max",
      [](C& c) -> Slot { return &c.gateway.client_frames.fragments_max; },
      "Frames of one message of a client.");
  size(
      "upstream_message_bytes_max",
      [](C& c) -> Slot { return &c.gateway.upstream_frames.message_bytes_max; },
      "The largest message of an upstream.",
      1,
      1 << 30);
  size(
      "hold_bytes_max",
      [](C& c) -> Slot { return &c.gateway.hold_bytes_max; },
      "As much of a message is held back until the rest is there, to judge it whole.",
      0,
      1 << 20);
  size(
      "high_water_bytes",
      [](C& c) -> Slot { return &c.gateway.high_water_bytes; },
      "What waits for a reader before nothing more is read for it.",
      4096,
      64 << 20);
}

void add_looking(Settings& all) {
  all.push_back({.key = "gateway.proxy_protocol",
                 .slot = [](C& c) -> Slot { return &c.gateway.proxy_protocol; },
                 .help = "Connections from trusted proxies begin with a PROXY protocol header, "
                         "version 2."});
  all.push_back({.key = "gateway.upstream_host",
                 .slot = [](C& c) -> Slot { return &c.gateway.upstream_host; },
                 .help = "Host for the upstream; empty: the client's."});
  all.push_back({.key = "gateway.forward_address",
                 .slot = [](C& c) -> Slot { return &c.gateway.forward_address; },
                 .help = "Tells the upstream the client's address in X-Forwarded-For."});
  all.push_back({.key = "gateway.check_content",
                 .slot = [](C& c) -> Slot { return &c.gateway.check_content; },
                 .help = "Invalid UTF-8 in text and forbidden close codes end the connection; else "
                         "they are the upstream's to judge."});
  all.push_back({.key = "gateway.channel_path",
                 .slot = [](C& c) -> Slot { return &c.gateway.channel_path; },
                 .help =
                     "Where JSON text messages name their channel: keys joined by points, a number "
                     "for a place in an array. Empty: nowhere."});
  all.push_back({.key = "gateway.signal_path",
                 .slot = [](C& c) -> Slot { return &c.gateway.signal_path; },
                 .help = "Where short JSON text messages say what they are. Empty: nowhere."});
  all.push_back({.key = "gateway.signal_values",
                 .slot = [](C& c) -> Slot { return &c.gateway.signal_values; },
                 .help =
                     "What a message says there that clients send by themselves: who repeats it "
                     "is no spammer, and no machine by its rhythm. What many users repeat is "
                     "found without being named."});
  all.push_back({.key = "gateway.error_path",
                 .slot = [](C& c) -> Slot { return &c.gateway.error_path; },
                 .help = "Where the upstream's answers say what they are."});
  all.push_back({.key = "gateway.error_values",
                 .slot = [](C& c) -> Slot { return &c.gateway.error_values; },
                 .help = "What an answer that counts as this user's error says there. What the "
                         "built-in hub refuses always counts."});
  all.push_back({.key = "gateway.error_bytes_max",
                 .slot = [](C& c) -> Slot { return &c.gateway.error_bytes_max; },
                 .help = "Larger answers are not looked into.",
                 .low = 0,
                 .high = 1 << 20,
                 .unit = Unit::kBytes});
  all.push_back({.key = "gateway.tell_limits",
                 .slot = [](C& c) -> Slot { return &c.gateway.tell_limits; },
                 .help = "Tells clients in a frame of its own when a message of theirs is delayed "
                         "or lost."});
}

void add_health(Settings& all) {
  constexpr static std::array<std::string_view, 4> kChecks{"none", "tcp", "http", "websocket"};
  all.push_back({.key = "gateway.health_check",
                 .slot = [](C& c) -> Slot { return choice(c.gateway.health.check, kChecks); },
                 .help =
                     "How upstreams are asked whether they are well: tcp connects (with TLS for "
                     "wss://), http takes an answer from 200 to 399, websocket a valid "
                     "upgrade, none asks nothing."});
  all.push_back({.key = "gateway.health_path",
                 .slot = [](C& c) -> Slot { return &c.gateway.health.path; },
                 .help = "What http and websocket checks ask for."});
  all.push_back({.key = "gateway.health_interval",
                 .slot = [](C& c) -> Slot { return &c.gateway.health.interval; },
                 .help = "From one check of an upstream to the next.",
                 .low = .001,
                 .high = 86'400});
  all.push_back({.key = "gateway.health_timeout",
                 .slot = [](C& c) -> Slot { return &c.gateway.health.timeout; },
                 .help = "For one check.",
                 .low = .001,
                 .high = 86'400});
  all.push_back({.key = "gateway.health_up_after",
                 .slot = [](C& c) -> Slot { return &c.gateway.health.up_after; },
                 .help = "Good checks in a row after which an upstream counts as well again.",
                 .low = 1,
                 .high = 1000});
  all.push_back({.key = "gateway.health_down_after",
                 .slot = [](C& c) -> Slot { return &c.gateway.health.down_after; },
                 .help =
                     "Bad checks in a row after which an upstream gets no new connections while "
                     "others are well.",
                 .low = 1,
                 .high = 1000});
}

void add_hub(Settings& all) {
  const auto add = [&all](const char* name, auto slot, const char* help) {
    all.push_back({.key = fmt::format("hub.{}", name),
                   .slot = slot,
                   .help = help,
                   .low = 1,
                   .high = 1e9,
                   .change = Change::kRestart});
  };
  add(
      "channels_max",
      [](C& c) -> Slot { return &c.hub.channels_max; },
      "Channels with members, on each thread; no more can be joined.");
  add(
      "member_channels_max",
      [](C& c) -> Slot { return &c.hub.member_channels_max; },
      "Channels that one connection may be in.");
  add(
      "channel_backlog_max",
      [](C& c) -> Slot { return &c.hub.channel_backlog_max; },
      "Publications that may wait in one channel; more are refused.");
  add(
      "slice_members",
      [](C& c) -> Slot { return &c.hub.slice_members; },
      "Members that one channel serves before the next busy one has its turn.");
  all.push_back({.key = "hub.backlog_bytes_max",
                 .slot = [](C& c) -> Slot { return &c.hub.backlog_bytes_max; },
                 .help = "Bytes of all publications that may wait, on each thread.",
                 .low = 1024,
                 .high = 1ULL << 40U,
                 .unit = Unit::kBytes,
                 .change = Change::kRestart});
}

}  // namespace

void add_gateway_settings(Settings& all) {
  add_timeouts(all);
  add_bounds(all);
  add_looking(all);
  add_health(all);
  add_identity(all);
  add_tls(all);
  add_hub(all);
}

}  // namespace liminal::app
