#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace liminal::uplink {

/// A champion of the cluster, as GET /ml/models tells it.
struct Champion {
  std::string model;
  std::uint32_t version = 0;
  std::string sha256;  ///< of its file, hexadecimal
  friend bool operator==(const Champion&, const Champion&) = default;
};

/// `kMalformed` when the answer is none.
[[nodiscard]] Result<std::vector<Champion>> read_champions(std::string_view answer);

}  // namespace liminal::uplink
