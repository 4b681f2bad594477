#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>

namespace liminal::onnx {

/// Why a file did not become a model of ours.
struct Refusal {
  enum class Kind : std::uint8_t {
    kBroken,       ///< it is no ONNX file, or contradicts itself
    kUnsupported,  ///< a sound file may be, but not one that the core evaluates: ONNX Runtime may
  };
  Kind kind = Kind::kBroken;
  std::string text;  ///< for a person; names the node or operator
  friend bool operator==(const Refusal&, const Refusal&) = default;
};

template <class T>
using Read = tl::expected<T, Refusal>;

[[nodiscard]] inline tl::unexpected<Refusal> broken(std::string text) {
  return tl::unexpected<Refusal>(Refusal{Refusal::Kind::kBroken, std::move(text)});
}

[[nodiscard]] inline tl::unexpected<Refusal> unsupported(std::string text) {
  return tl::unexpected<Refusal>(Refusal{Refusal::Kind::kUnsupported, std::move(text)});
}

}  // namespace liminal::onnx
