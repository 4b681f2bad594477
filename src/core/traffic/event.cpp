#include "core/traffic/event.hpp"

namespace liminal::traffic {

std::string_view name(EventKind kind) {
  switch (kind) {
    case EventKind::kMessage:
      return "message";
    case EventKind::kConnect:
      return "connect";
    case EventKind::kDisconnect:
      return "disconnect";
    case EventKind::kSubscribe:
      return "subscribe";
    case EventKind::kRateLimited:
      return "rate_limited";
    case EventKind::kFailed:
      return "failed";
    case EventKind::kContinued:
      return "continued";
    case EventKind::kNotServed:
      return "not_served";
  }
  return "unknown";
}

namespace {
constexpr std::uint8_t kErrorFlag = 1;
constexpr std::uint8_t kHashFlag = 2;
constexpr std::uint8_t kReportedFlag = 4;
constexpr std::uint8_t kConnectionsFlag = 8;
constexpr std::uint8_t kBegunFlag = 16;

/// Two bits, two bits and one.
std::uint8_t packed(const Beginning& begun) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(begun.shadow) |
                                   static_cast<unsigned>(begun.observed) << 2 |
                                   (begun.violated ? 16U : 0U));
}

/// None when that differs in nothing from a message that all let through, or cannot be: where more
/// is enforced it is no milder.
std::optional<Beginning> unpacked(std::uint8_t bits) {
  Beginning begun;
  begun.shadow = Decision{static_cast<std::uint8_t>(bits & 3)};
  begun.observed = Decision{static_cast<std::uint8_t>(bits >> 2 & 3)};
  begun.violated = (bits & 16) != 0;
  if (bits >= 32 || begun == Beginning{} || begun.shadow > begun.observed) return std::nullopt;
  return begun;
}
}  // namespace

void encode(const Event& event, Writer& out) {
  const bool has_begun = event.begun != Beginning{};
  out.put(event.kind);
  out.put(static_cast<std::uint8_t>(
      (event.error ? kErrorFlag : 0) | (event.content_hash ? kHashFlag : 0) |
      (event.reported ? kReportedFlag : 0) |
      (event.address_connections != 0 ? kConnectionsFlag : 0) | (has_begun ? kBegunFlag : 0)));
  out.put_text(event.user.text);
  out.put_text(event.address.text);
  out.put_varint(event.channels.size());
  for (const Name& channel : event.channels) out.put_text(channel.text);
  out.put_varint(event.bytes);
  if (event.kind == EventKind::kContinued) out.put_varint(event.counted);
  if (has_begun) out.put(packed(event.begun));
  if (event.content_hash) out.put(*event.content_hash);
  if (event.address_connections != 0) out.put_varint(event.address_connections);
  out.put_varint(event.connection);
  out.put(event.time.time_since_epoch().count());
}

StoredEvent::StoredEvent(const Event& event)
    : user_(event.user.text),
      address_(event.address.text),
      user_hash_(event.user.hash),
      address_hash_(event.address.hash),
      kind_(event.kind),
      error_(event.error),
      reported_(event.reported),
      begun_(event.begun),
      bytes_(event.bytes),
      counted_(event.counted),
      address_connections_(event.address_connections),
      content_hash_(event.content_hash),
      connection_(event.connection),
      time_(event.time) {
  channel_texts_.reserve(event.channels.size());
  for (const Name& channel : event.channels) channel_texts_.emplace_back(channel.text);
}

StoredEvent StoredEvent::report_of(Event event) {
  event.reported = true;
  return StoredEvent(event);
}

Result<StoredEvent> StoredEvent::decode(Reader& in) {
  StoredEvent event;
  const auto kind = in.get<std::uint8_t>();
  const auto flags = in.get<std::uint8_t>();
  const std::string_view user = in.get_text();
  const std::string_view address = in.get_text();
  const std::uint64_t channels = in.get_varint();
  if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
  if (kind >= kEventKinds || user.empty()) return failure(ErrorCode::kMalformed, in.position());
  if (user.size() > kUserBytesMax || address.size() > kAddressBytesMax || channels > kChannelsMax)
    return failure(ErrorCode::kTooLarge, in.position());
  event.kind_ = EventKind{kind};
  event.error_ = (flags & kErrorFlag) != 0;
  event.reported_ = (flags & kReportedFlag) != 0;
  event.user_ = user;
  event.address_ = address;
  event.user_hash_ = Name(user).hash;
  event.address_hash_ = Name(address).hash;
  for (std::uint64_t i = 0; i < channels; ++i) {
    const std::string_view channel = in.get_text();
    if (channel.size() > kChannelBytesMax) return failure(ErrorCode::kTooLarge, in.position());
    event.channel_texts_.emplace_back(channel);
  }
  event.bytes_ = static_cast<std::uint32_t>(in.get_varint());
  if (event.kind_ == EventKind::kContinued)
    event.counted_ = static_cast<std::uint32_t>(in.get_varint());
  if ((flags & kBegunFlag) != 0) {
    const auto begun = unpacked(in.get<std::uint8_t>());
    if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
    if (!begun || event.kind_ != EventKind::kContinued)  // only the rest of a message has one
      return failure(ErrorCode::kMalformed, in.position());
    event.begun_ = *begun;
  }
  if ((flags & kHashFlag) != 0) event.content_hash_ = in.get<std::uint64_t>();
  if ((flags & kConnectionsFlag) != 0)
    event.address_connections_ = static_cast<std::uint32_t>(in.get_varint());
  event.connection_ = in.get_varint();
  event.time_ = EventTime{Duration{in.get<Duration::rep>()}};
  if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
  if (event.counted_ > event.bytes_) return failure(ErrorCode::kMalformed, in.position());
  return event;
}

Event StoredEvent::view() const {
  channels_.clear();
  for (const std::string& channel : channel_texts_) channels_.emplace_back(channel);
  Event event;
  event.user = Name(user_, user_hash_);
  event.address = Name(address_, address_hash_);
  event.channels = channels_;
  event.kind = kind_;
  event.error = error_;
  event.reported = reported_;
  event.bytes = bytes_;
  event.counted = counted_;
  event.begun = begun_;
  event.address_connections = address_connections_;
  event.content_hash = content_hash_;
  event.connection = connection_;
  event.time = time_;
  return event;
}

}  // namespace liminal::traffic
