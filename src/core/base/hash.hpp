#pragma once

#include <cstdint>
#include <string_view>

namespace liminal {

/// A 64-bit hash of bytes, the same on every machine and compiler (XXH3, seed 0): it names users,
/// addresses, channels and contents inside the core, and is stored in snapshots. Not for secrets.
[[nodiscard]] std::uint64_t hash64(std::string_view bytes);

/// Spreads a number's bits over all 64 (the finaliser of SplitMix64). A bijection.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace liminal
