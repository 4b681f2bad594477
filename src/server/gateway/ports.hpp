#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/ids.hpp"
#include "core/base/time.hpp"
#include "core/traffic/event.hpp"
#include "core/traffic/verdict.hpp"
#include "core/wire/close.hpp"
#include "core/wire/opcode.hpp"
#include "io/epoll/stream.hpp"

namespace liminal::gateway {

/// Who judges, as the gateway sees it: one object for each thread, called on that thread only and
/// only about users of the shards that the thread owns.
class Engine {
 public:
  virtual ~Engine() = default;

  /// What to do about a message or a connection, before it is let through. Also told of the end
  /// (`kDisconnect`, or `kNotServed` when it never was let in and the server is why), whose answer
  /// nobody looks at.
  [[nodiscard]] virtual traffic::Verdict decide(const traffic::Event& event) = 0;

  /// Whether an operator's decision ends the connections of the event's user, by its time and
  /// address. Counts nothing.
  [[nodiscard]] virtual bool blocks(const traffic::Event& /*event*/) const { return false; }

  /// The upstream answered a message that was let through with an error: the user's, who is told
  /// nothing about it here.
  virtual void failed(const traffic::Event& event) = 0;

  /// The gateway did more about an event than the verdict said, for bounds of its own: `done` is
  /// the verdict with what it did. For the audit log.
  virtual void hardened(const traffic::Event& /*event*/, const traffic::Verdict& /*done*/) {}

  /// The engine's time, for events.
  [[nodiscard]] virtual EventTime now() = 0;

  /// Which thread owns a shard.
  [[nodiscard]] virtual std::size_t owner(ShardId shard) const = 0;
};

/// A connection that a `LocalService` answers. Valid from `opened` to `closed`.
class LocalPeer {
 public:
  virtual ~LocalPeer() = default;
  [[nodiscard]] virtual const traffic::Name& user() const = 0;
  [[nodiscard]] virtual const traffic::Name& address() const = 0;
  [[nodiscard]] virtual std::uint64_t id() const = 0;  ///< unique in the process

  /// Queues whole frames as a server writes them; they leave together at the end of the loop's
  /// turn. False when more than the high-water mark waits: nothing was queued, the peer is slow.
  [[nodiscard]] virtual bool send(std::string_view frames) = 0;

  /// The message that was received last was an error of the user's.
  virtual void failed() = 0;

  /// Ends the connection after what is queued. `closed` follows later, not from inside this call.
  virtual void close(wire::CloseCode code, std::string_view reason) = 0;
};

/// What answers connections when there is no upstream: one object for each thread, called on that
/// thread only. Messages come whole, judged, valid (text is UTF-8), without mask; pings are
/// answered for it.
class LocalService {
 public:
  virtual ~LocalService() = default;
  virtual void opened(LocalPeer& peer) = 0;
  virtual void received(LocalPeer& peer, wire::Opcode opcode, std::string_view payload) = 0;
  virtual void closed(LocalPeer& peer) = 0;
};

/// Verifies a token (a JWT) and tells whose it is. Shared by threads.
class TokenVerifier {
 public:
  virtual ~TokenVerifier() = default;
  /// None when the token is not to be believed.
  [[nodiscard]] virtual std::optional<std::string> user(std::string_view token) const = 0;
};

/// Puts a new socket under a cipher, such as TLS. Shared by threads.
class CipherFactory {
 public:
  virtual ~CipherFactory() = default;
  /// `host`: who the other side must prove to be; empty for those who connect to us. Null when
  /// the system refuses.
  [[nodiscard]] virtual std::unique_ptr<epoll::Cipher> start(const epoll::Socket& socket,
                                                             const std::string& host) const = 0;
};

/// Hears of what an operator should know. Called on every thread, must not block.
class Reporter {
 public:
  virtual ~Reporter() = default;
  /// An upstream could not be reached, or did not prove who it is.
  virtual void upstream_failed(const std::string& upstream, const std::string& why) = 0;
  /// Health checks found that an upstream is well again, or is not, and `why`.
  virtual void upstream_changed(const std::string& upstream, bool up, const std::string& why) = 0;
  /// Its name has these `addresses` now, or is not `known` (any more): then they are those of
  /// before, if there are any.
  virtual void upstream_resolved(const std::string& /*upstream*/,
                                 bool /*known*/,
                                 const std::string& /*addresses*/) {}
};

}  // namespace liminal::gateway
