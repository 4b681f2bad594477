#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/problem.hpp"

namespace liminal::wire {

inline constexpr std::size_t kPeekPathsMax = 4;
inline constexpr std::size_t kPeekDepthMax = 4;         ///< components of a path
inline constexpr std::size_t kPeekPathBytesMax = 63;    ///< of a component
inline constexpr std::size_t kPeekValueBytesMax = 256;  ///< longer values are cut to it

/// What is wrong with the paths of a `JsonPeek`, keyed by their place: "0", "1", …
[[nodiscard]] Problems validate_peek_paths(std::span<const std::string> paths);

/// Finds a few values in a JSON text without parsing it: where a chat message says its channel and
/// type. A path is keys joined by dots, `data.channel`; a number in it is also a place in an array,
/// from 0, for protocols that frame their messages so (`2` finds the topic in Phoenix's).
///
/// Guarantee: for JSON text (RFC 8259) a value is what a parser would give that keeps the last of
/// equal keys: the decoded text of a string, a number as it is written; empty when there is none
/// or something else stands there. For text that is not JSON, what was found before that showed,
/// or nothing. Reads each byte at most twice, whatever the text; nesting costs no stack.
///
/// Memory: 2 KiB, once a thread. Cost: one pass, long strings by vectorised search;
/// `json_peek_bench.cpp`.
class JsonPeek {
 public:
  /// `paths` must be valid (`validate_peek_paths`); they are copied.
  explicit JsonPeek(std::span<const std::string> paths);

  /// The values in the order of the paths. They point into `json` or into this object: valid until
  /// the next call.
  [[nodiscard]] std::span<const std::string_view> look(std::string_view json);

 private:
  using PathSet = std::uint32_t;  ///< a bit for each path

  struct Path {
    std::array<std::string, kPeekDepthMax> parts;
    std::array<std::size_t, kPeekDepthMax> places{};  ///< npos: not a number
    std::size_t depth = 0;
  };

  class Cursor;
  bool walk_value(Cursor& at, PathSet matched, std::size_t depth);
  bool walk_object(Cursor& at, PathSet candidates, std::size_t depth);
  bool walk_array(Cursor& at, PathSet candidates, std::size_t depth);
  [[nodiscard]] PathSet matching_key(PathSet candidates,
                                     std::size_t depth,
                                     std::string_view raw,
                                     bool escaped) const;
  [[nodiscard]] PathSet matching_place(PathSet candidates,
                                       std::size_t depth,
                                       std::size_t place) const;
  void store(PathSet found, std::string_view raw, bool escaped);
  void forget(PathSet paths);
  [[nodiscard]] PathSet ending(PathSet matched, std::size_t depth) const;

  std::array<Path, kPeekPathsMax> paths_;
  std::size_t count_ = 0;
  std::array<std::string_view, kPeekPathsMax> values_;
  std::array<std::array<char, kPeekValueBytesMax>, kPeekPathsMax> decoded_;
};

}  // namespace liminal::wire
