#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace liminal::app {

/// The number of characters to insert, delete, replace or swap with their neighbour to turn one
/// text into the other. O(a · b) time.
///
/// Source: Damerau, "A technique for computer detection and correction of spelling errors", 1964,
/// in the restricted form (no character is edited twice).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The word that somebody who wrote `written` most likely meant: the nearest by edit distance, the
/// first of equals; none when nothing is near. A word whose last part after a point is the same
/// counts as near ("burst" and "limits.user.burst").
[[nodiscard]] std::optional<std::string_view> suggestion(std::string_view written,
                                                         std::span<const std::string_view> words);

/// The same of keys, "limits.user.burst": when no key is near as a whole, the first whose last part
/// is nearest, because what is often wrong is the table ("log.idle_timout", a line that stands
/// below the wrong heading).
[[nodiscard]] std::optional<std::string_view> key_suggestion(
    std::string_view written, std::span<const std::string_view> keys);

}  // namespace liminal::app
