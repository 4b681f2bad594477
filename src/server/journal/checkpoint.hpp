#pragma once

#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace liminal::journal {

/// What a shard's snapshot holds (docs/formats/snapshot.md): its state, and in words the settings
/// that it lived with, without which its next input would not give the same answer again.
struct Checkpoint {
  std::string_view settings;  ///< empty for the commons
  std::string_view state;     ///< as `save` of the shard or the commons wrote it
};

[[nodiscard]] std::string seal_checkpoint(const Checkpoint& checkpoint);

/// Points into the bytes. `kUnsupported` for another version, `kTruncated`.
[[nodiscard]] Result<Checkpoint> open_checkpoint(std::string_view bytes);

}  // namespace liminal::journal
