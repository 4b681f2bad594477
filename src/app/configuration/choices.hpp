#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "app/configuration/setting.hpp"
#include "core/traffic/finding.hpp"

namespace liminal::app {

inline constexpr std::array<std::string_view, 3> kModes{"observe", "shadow", "enforce"};
inline constexpr std::array<std::string_view, 4> kSeverities{"low", "medium", "high", "critical"};
inline constexpr std::array<std::string_view, 5> kActions{
    "watch", "limit", "drop", "close", "investigate"};

/// A slot for an enumeration whose values count up from zero in the order of the words, which must
/// live as long as the program.
template <class Enum>
Choice choice(Enum& slot, std::span<const std::string_view> words) {
  return {{words.begin(), words.end()},
          [&slot, words] { return words[static_cast<std::size_t>(slot)]; },
          [&slot, words](std::string_view word) {
            for (std::size_t i = 0; i < words.size(); ++i) {
              if (words[i] == word) slot = static_cast<Enum>(i);
            }
          }};
}

/// The same for the closed tables of the core, which name their own values.
template <class Enum, std::size_t N>
Choice choice_of(Enum& slot, std::string_view (*name)(Enum)) {
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < N; ++i) words.push_back(name(static_cast<Enum>(i)));
  return {words,
          [&slot, name] { return name(slot); },
          [&slot, words](std::string_view word) {
            for (std::size_t i = 0; i < words.size(); ++i) {
              if (words[i] == word) slot = static_cast<Enum>(i);
            }
          }};
}

/// A mode that may be that of something larger.
inline constexpr std::string_view kInherit = "inherit";
[[nodiscard]] Choice mode_or_inherited(std::optional<traffic::Mode>& slot);

}  // namespace liminal::app
