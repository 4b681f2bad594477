#include "io/files/crc32c.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace liminal::files {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78U;  // reflected
constexpr std::size_t kStep = 8;
using Tables = std::array<std::array<std::uint32_t, 256>, kStep>;

/// Table k advances a byte by k more zero bytes.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < kStep; ++k)
    for (std::uint32_t byte = 0; byte < 256; ++byte)
      tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 0xffU];
  return tables;
}
constexpr Tables kTables = make_tables();

std::uint32_t step(std::uint32_t crc, std::uint64_t word) {
  static_assert(std::endian::native == std::endian::little);
  word ^= crc;
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < kStep; ++i) next ^= kTables[kStep - 1 - i][(word >> (8 * i)) & 0xffU];
  return next;
}

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes) {
  crc = ~crc;
  for (; bytes.size() >= kStep; bytes.remove_prefix(kStep)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), kStep);
    crc = step(crc, word);
  }
  for (const char byte : bytes)
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(byte)) & 0xffU];
  return ~crc;
}

}  // namespace liminal::files
