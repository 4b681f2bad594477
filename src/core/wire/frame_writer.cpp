#include "core/wire/frame_writer.hpp"

#include <algorithm>

#include "core/wire/utf8.hpp"

namespace liminal::wire {
namespace {

constexpr std::size_t kReasonBytesMax = kControlPayloadBytesMax - 2;

}  // namespace

FrameHeader::FrameHeader(Opcode opcode,
                         bool fin,
                         std::uint64_t payload_bytes,
                         std::optional<Mask> mask) {
  const unsigned masked = mask ? 0x80U : 0U;
  const std::size_t extended = payload_bytes < 126 ? 0 : payload_bytes <= 0xFFFF ? 2 : 8;
  const std::uint64_t length = extended == 0 ? payload_bytes : extended == 2 ? 126 : 127;
  bytes_[0] = static_cast<char>((fin ? 0x80U : 0U) | static_cast<unsigned>(opcode));
  bytes_[1] = static_cast<char>(masked | static_cast<unsigned>(length));
  for (std::size_t i = 0; i < extended; ++i)
    bytes_[2 + i] = static_cast<char>(payload_bytes >> 8U * (extended - 1 - i));
  size_ = 2 + extended;
  if (!mask) return;
  std::memcpy(bytes_.data() + size_, mask->key.data(), 4);
  size_ += 4;
}

void append_frame(
    std::string& out, Opcode opcode, std::string_view payload, std::optional<Mask> mask, bool fin) {
  out.append(FrameHeader(opcode, fin, payload.size(), mask).bytes());
  const std::size_t start = out.size();
  out.append(payload);
  if (mask) apply_mask(*mask, {out.data() + start, payload.size()}, out.data() + start);
}

void append_close(std::string& out,
                  CloseCode code,
                  std::string_view reason,
                  std::optional<Mask> mask) {
  std::array<char, kControlPayloadBytesMax> payload;
  std::size_t size = 0;
  if (may_be_sent(code)) {
    const auto number = static_cast<std::uint16_t>(code);
    const std::string_view text = cut_at_character(reason, kReasonBytesMax);
    payload[0] = static_cast<char>(number >> 8U);
    payload[1] = static_cast<char>(number & 0xFFU);
    std::copy(text.begin(), text.end(), payload.begin() + 2);
    size = 2 + text.size();
  }
  append_frame(out, Opcode::kClose, {payload.data(), size}, mask);
}

}  // namespace liminal::wire
