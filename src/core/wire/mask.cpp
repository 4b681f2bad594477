#include "core/wire/mask.hpp"

namespace liminal::wire {

void apply_mask(Mask mask, std::string_view from, char* to) {
  std::uint64_t wide = 0;
  std::memcpy(&wide, mask.key.data(), 4);
  std::memcpy(reinterpret_cast<char*>(&wide) + 4, mask.key.data(), 4);

  const char* source = from.data();
  std::size_t left = from.size();
  // Blocks of 64 bytes, loaded before any is stored: in place or not, the compiler may use vectors.
  for (; left >= 64; left -= 64, source += 64, to += 64) {
    std::array<std::uint64_t, 8> block;
    std::memcpy(block.data(), source, 64);
    for (std::uint64_t& word : block) word ^= wide;
    std::memcpy(to, block.data(), 64);
  }
  for (; left >= 8; left -= 8, source += 8, to += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, source, 8);
    word ^= wide;
    std::memcpy(to, &word, 8);
  }
  for (std::size_t i = 0; i < left; ++i)
    to[i] = static_cast<char>(static_cast<unsigned char>(source[i]) ^ mask.key[i & 3U]);
}

}  // namespace liminal::wire
