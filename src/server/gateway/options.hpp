#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/wire/frame_parser.hpp"
#include "core/wire/head.hpp"
#include "io/epoll/address.hpp"

namespace liminal::gateway {

/// Where a user's name may come from.
struct IdentitySource {
  enum class Kind : std::uint8_t {
    kToken,    ///< a verified token: query `name`, `Authorization: Bearer`, or a subprotocol
    kHeader,   ///< the field `name`, from trusted proxies only
    kCookie,   ///< the cookie `name`
    kAddress,  ///< the client's address
  };
  Kind kind = Kind::kAddress;
  std::string name;
};

/// How upstreams are asked whether they are well.
struct HealthOptions {
  enum class Check : std::uint8_t {
    kNone,       ///< not at all: only failures of clients' connections count
    kTcp,        ///< a connection, with TLS for wss://
    kHttp,       ///< GET `path`: an answer from 200 to 399
    kWebSocket,  ///< an upgrade at `path`: a valid 101
  };
  Check check = Check::kTcp;
  std::string path = "/";
  Duration interval = std::chrono::seconds{5};  ///< from the end of one check to the next
  Duration timeout = std::chrono::seconds{2};
  std::uint32_t up_after = 2;    ///< good checks in a row
  std::uint32_t down_after = 3;  ///< bad ones
};

/// How a gateway behaves. Everything but what a connection was let in by can be changed under it.
struct Options {
  /// Asked in this order; a connection that none of them knows is refused (401).
  std::vector<IdentitySource> identity = {{IdentitySource::Kind::kHeader, "X-User-Id"},
                                          {IdentitySource::Kind::kAddress, ""}};
  /// Whose identity headers and `X-Forwarded-For` are believed. Others' are not passed on.
  std::vector<epoll::Network> trusted_proxies = {};
  /// Connections from trusted proxies begin with a PROXY protocol header, version 2.
  bool proxy_protocol = false;

  Duration handshake_timeout = std::chrono::seconds{10};  ///< from accept to the whole request
  wire::HeadLimits head = {};
  std::uint32_t handshakes_max = 4096;  ///< at once, on one thread

  Duration connect_timeout = std::chrono::seconds{5};  ///< for each upstream that is tried
  Duration answer_timeout = std::chrono::seconds{10};  ///< of the upstream to the upgrade
  HealthOptions health = {};
  /// `Host` for the upstream instead of the client's; empty: the client's.
  std::string upstream_host = {};
  /// Tells the upstream the client's address in `X-Forwarded-For`.
  bool forward_address = true;

  std::uint32_t connections_max = 100'000;        ///< in the process
  std::uint32_t connections_per_address_max = 0;  ///< 0: none but the engine's limits
  std::uint32_t connections_per_user_max = 0;     ///< 0: none but the engine's limits

  wire::FrameLimits client_frames{.message_bytes_max = 1U << 20U, .fragments_max = 4096};
  wire::FrameLimits upstream_frames{.message_bytes_max = 64U << 20U, .fragments_max = 1U << 20U};
  /// Invalid UTF-8 in text and forbidden close codes end the connection (1007, 1002); else they are
  /// the upstream's to judge.
  bool check_content = false;

  /// A message that does not arrive at once is held back, to be judged whole, until this much of it
  /// is there or this much time has passed; then it is judged by what is known of it.
  std::size_t hold_bytes_max = 16 * 1024;
  Duration hold_time_max = std::chrono::milliseconds{100};
  /// A message delayed for longer than this is dropped instead.
  Duration delay_max = std::chrono::seconds{10};
  /// A connection on which no message has passed undelayed for so long is closed; zero: never.
  Duration held_back_max = std::chrono::seconds{30};

  Duration idle_timeout = std::chrono::minutes{10};  ///< without a byte from the client
  /// Silence of a client after which it is pinged; zero: never.
  Duration ping_interval = Duration::zero();
  /// What waits for a reader before nothing more is read for it.
  std::size_t high_water_bytes = 256 * 1024;
  /// How long a reader may keep more waiting than that before it is cut off.
  Duration slow_reader_timeout = std::chrono::seconds{10};
  /// How long a connection that is closing may take.
  Duration close_timeout = std::chrono::seconds{3};
  /// How long connections stay at an upstream that a reload took away; zero: as long as they like.
  Duration drain_timeout = Duration::zero();

  /// Where JSON text messages name their channel (`wire::JsonPeek` says how paths look); empty:
  /// nowhere.
  std::string channel_path = "channel";
  /// A JSON text message of at most `kSignalBytesMax` bytes whose text at `signal_path` is one of
  /// `signal_values` is said by the client itself: it is counted, but what it says is no content.
  std::string signal_path = "type";
  std::vector<std::string> signal_values = {"ping", "pong", "heartbeat", "keepalive", "typing"};
  static constexpr std::size_t kSignalBytesMax = 256;
  /// An answer of the upstream is an error when the text at `error_path` is one of `error_values`.
  std::string error_path = "type";
  std::vector<std::string> error_values = {};
  /// Answers larger than this are not looked into.
  std::size_t error_bytes_max = 4096;
  /// Tells clients in a frame of its own when they are delayed or lose a message.
  bool tell_limits = false;
};

/// All that is wrong with them.
[[nodiscard]] Problems validate(const Options& options);

}  // namespace liminal::gateway
