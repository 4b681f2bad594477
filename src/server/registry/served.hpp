#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/learn/registered.hpp"
#include "core/models/scorer.hpp"
#include "server/registry/foreign.hpp"

namespace liminal::registry {

/// One version, ready to answer. Immutable: any number of threads may ask it, and it lives as long
/// as somebody holds it, whatever becomes champion meanwhile.
struct Served {
  std::string name;
  std::uint32_t version = 0;
  std::string sha256;  ///< of the file, hexadecimal
  std::shared_ptr<const models::Scorer> scorer;
  bool batches = false;  ///< what is kept for batches beside the version
};

/// Makes a version of a file. Refused as `ForeignRuntime::open` says when the core does not
/// evaluate it; kUnsupported when nobody said what it answers (`onnx::describe`), kMalformed for
/// what is no model, kChecksum when the bytes are not those that were published.
[[nodiscard]] learn::Asked<std::shared_ptr<const Served>> serve(const std::string& name,
                                                                std::uint32_t version,
                                                                std::string_view bytes,
                                                                std::string_view sha256,
                                                                const ForeignRuntime& runtime);

/// In hexadecimal.
[[nodiscard]] std::string sha256_of(std::string_view bytes);

}  // namespace liminal::registry
