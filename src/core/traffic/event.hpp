#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/hash.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/traffic/verdict.hpp"

namespace liminal::traffic {

/// Bounds of what an event may carry; whatever makes events refuses what exceeds them.
inline constexpr std::size_t kUserBytesMax = 128;
inline constexpr std::size_t kAddressBytesMax = 64;
inline constexpr std::size_t kChannelBytesMax = 256;
inline constexpr std::size_t kChannelsMax = 64;

/// A name of a user, address or channel with its hash, which the core works with. The text is
/// borrowed from whoever made it. Empty text has hash 0 and means "not known".
struct Name {
  std::string_view text;
  std::uint64_t hash = 0;

  Name() = default;
  explicit Name(std::string_view name) : text(name), hash(name.empty() ? 0 : hash64(name)) {}
  /// For who hashed it before, once a connection.
  Name(std::string_view name, std::uint64_t known_hash) : text(name), hash(known_hash) {}
  [[nodiscard]] bool empty() const { return text.empty(); }
};

enum class EventKind : std::uint8_t {
  kMessage,      ///< the user sent something; `error` says that it failed
  kConnect,      ///< a connection of the user opened
  kDisconnect,   ///< a connection of the user closed
  kSubscribe,    ///< the user joined the event's channels
  kRateLimited,  ///< somebody else refused a message of the user: a violation, not a message
  kFailed,       ///< a message that was counted before turned out to have failed: an error only
  kContinued,    ///< a message that was judged before it was whole is whole now: no message more
  /// A connection that was told of by `kConnect` ended before it was let in, because the server
  /// failed: it is open no more, and was no reconnect of the user's.
  kNotServed,
};
inline constexpr std::size_t kEventKinds = 8;

/// "message", "connect", "disconnect", "subscribe", "rate_limited", "failed", "continued",
/// "not_served".
[[nodiscard]] std::string_view name(EventKind kind);

/// Stands for what clients say by themselves, as heartbeats: who repeats it repeats nothing, and
/// when it comes says nothing of how regularly the user sends.
inline constexpr std::uint64_t kSignalContent = 0x7369'676e'616c'7321;

/// One thing that a user did. Borrows its texts: valid during one call of `step`.
struct Event {
  Name user;     ///< never empty
  Name address;  ///< as text, "10.1.2.3" or "2001:db8::1"
  std::span<const Name> channels;
  EventKind kind = EventKind::kMessage;
  bool error = false;
  /// It happened elsewhere, and nobody waits for the verdict: what would be refused is shadow.
  bool reported = false;
  std::uint32_t bytes = 0;    ///< of the message's whole payload
  std::uint32_t counted = 0;  ///< of `kContinued`: those of `bytes` judged before
  Beginning begun;            ///< of `kContinued`: what was said of those
  /// Of `kConnect`: connections of the address that are open now in this process, this one with
  /// them, whoever's users they are; 0 when not known.
  std::uint32_t address_connections = 0;
  /// None: no evidence about the content. `kSignalContent`: nothing that the user said.
  std::optional<std::uint64_t> content_hash;
  std::uint64_t connection = 0;  ///< 0 when not known
  EventTime time;

  /// What of `bytes` was not counted before.
  [[nodiscard]] std::uint32_t rest() const { return bytes - std::min(counted, bytes); }
};

/// Appends an event to a journal (docs/formats/journal.md). At most 1 KiB + its channels.
void encode(const Event& event, Writer& out);

/// An event that owns its texts, for queues between threads and for what was read.
class StoredEvent {
 public:
  StoredEvent() = default;
  explicit StoredEvent(const Event& event);
  /// Of an event that happened elsewhere (`Event::reported`).
  [[nodiscard]] static StoredEvent report_of(Event event);

  /// Reads what `encode` wrote. Fails with the byte where it makes no sense.
  [[nodiscard]] static Result<StoredEvent> decode(Reader& in);

  /// Valid while this object lives and is not moved.
  [[nodiscard]] Event view() const;

 private:
  std::string user_, address_;
  std::vector<std::string> channel_texts_;
  mutable std::vector<Name> channels_;
  std::uint64_t user_hash_ = 0, address_hash_ = 0;
  EventKind kind_ = EventKind::kMessage;
  bool error_ = false;
  bool reported_ = false;
  Beginning begun_;
  std::uint32_t bytes_ = 0, counted_ = 0, address_connections_ = 0;
  std::optional<std::uint64_t> content_hash_;
  std::uint64_t connection_ = 0;
  EventTime time_;
};

}  // namespace liminal::traffic
