#include "core/wire/handshake_key.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace liminal::wire {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::size_t kBlock = 64;
using Sha1State = std::array<std::uint32_t, 5>;

struct Round {
  std::uint32_t mixed;
  std::uint32_t constant;
};

Round round_of(std::size_t t, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  if (t < 20) return {(b & c) | (~b & d), 0x5A827999U};
  if (t < 40) return {b ^ c ^ d, 0x6ED9EBA1U};
  if (t < 60) return {(b & c) | (b & d) | (c & d), 0x8F1BBCDCU};
  return {b ^ c ^ d, 0xCA62C1D6U};
}

void absorb_block(Sha1State& state, const unsigned char* block) {
  std::array<std::uint32_t, 80> w{};
  for (std::size_t t = 0; t < 16; ++t) {
    const unsigned char* p = block + 4 * t;
    w[t] =
        std::uint32_t{p[0]} << 24U | std::uint32_t{p[1]} << 16U | std::uint32_t{p[2]} << 8U | p[3];
  }
  for (std::size_t t = 16; t < 80; ++t)
    w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
  auto [a, b, c, d, e] = state;
  for (std::size_t t = 0; t < 80; ++t) {
    const Round round = round_of(t, b, c, d);
    const std::uint32_t next = std::rotl(a, 5) + round.mixed + e + round.constant + w[t];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

template <std::size_t Chars>
std::array<char, Chars> base64(std::span<const std::uint8_t> bytes) {
  static_assert(Chars % 4 == 0);
  std::array<char, Chars> out;
  out.fill('=');
  std::size_t at = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = std::uint32_t{bytes[i]} << 16U;
    if (have > 1) bits |= std::uint32_t{bytes[i + 1]} << 8U;
    if (have > 2) bits |= bytes[i + 2];
    for (std::size_t k = 0; k <= have; ++k)
      out[at + k] = kBase64[bits >> (18U - 6U * static_cast<unsigned>(k)) & 63U];
    at += 4;
  }
  return out;
}

}  // namespace

std::array<std::uint8_t, 20> sha1(std::string_view bytes) {
  Sha1State state{0x67452301U, 0xEFCDAB89U, 0x98BADCFEU, 0x10325476U, 0xC3D2E1F0U};
  std::array<unsigned char, kBlock> block{};
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  for (; bytes.size() >= kBlock; bytes.remove_prefix(kBlock)) {
    std::memcpy(block.data(), bytes.data(), kBlock);
    absorb_block(state, block.data());
  }
  block.fill(0);
  if (!bytes.empty()) std::memcpy(block.data(), bytes.data(), bytes.size());
  block[bytes.size()] = 0x80;
  if (bytes.size() >= kBlock - 8) {
    absorb_block(state, block.data());
    block.fill(0);
  }
  for (std::size_t i = 0; i < 8; ++i)
    block[kBlock - 1 - i] = static_cast<unsigned char>(bits >> 8U * i);
  absorb_block(state, block.data());

  std::array<std::uint8_t, 20> digest;
  for (std::size_t i = 0; i < 20; ++i)
    digest[i] = static_cast<std::uint8_t>(state[i / 4] >> (24U - 8U * (i % 4)));
  return digest;
}

std::array<char, kAcceptChars> accept_key(std::string_view key) {
  std::array<char, kKeyChars + kGuid.size()> joined{};
  const std::string_view bounded = key.substr(0, kKeyChars);
  const auto end = std::copy(bounded.begin(), bounded.end(), joined.begin());
  const auto last = std::copy(kGuid.begin(), kGuid.end(), end);
  const auto size = static_cast<std::size_t>(last - joined.begin());
  return base64<kAcceptChars>(sha1({joined.data(), size}));
}

bool is_handshake_key(std::string_view key) {
  if (key.size() != kKeyChars || key[22] != '=' || key[23] != '=') return false;
  for (const char c : key.substr(0, 22))
    if (kBase64.find(c) == std::string_view::npos) return false;
  // 16 bytes are 21 characters and two bits: the last character's lower four bits are zero.
  return kBase64.find(key[21]) % 16 == 0;
}

std::array<char, kKeyChars> handshake_key(std::span<const std::uint8_t, 16> random) {
  return base64<kKeyChars>(random);
}

}  // namespace liminal::wire
