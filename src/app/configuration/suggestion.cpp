#include "app/configuration/suggestion.hpp"

#include <algorithm>
#include <vector>

namespace liminal::app {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table of distances between beginnings: the one before last is for swaps.
  std::vector<std::size_t> older(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], older[j - 2] + 1);
    }
    std::swap(older, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::optional<std::string_view> suggestion(std::string_view written,
                                           std::span<const std::string_view> words) {
  std::optional<std::string_view> best;
  std::size_t nearest = std::max<std::size_t>(2, written.size() / 4) + 1;
  for (const std::string_view word : words) {
    const bool same_end = word.size() > written.size() && word.ends_with(written) &&
                          word[word.size() - written.size() - 1] == '.';
    const std::size_t distance = same_end ? 1 : edit_distance(written, word);
    if (distance < nearest && distance < word.size()) {
      nearest = distance;
      best = word;
    }
  }
  return best;
}

std::optional<std::string_view> key_suggestion(std::string_view written,
                                               std::span<const std::string_view> keys) {
  if (const auto whole = suggestion(written, keys)) return whole;
  const auto last_part = [](std::string_view key) { return key.substr(key.rfind('.') + 1); };
  const std::string_view end = last_part(written);
  std::optional<std::string_view> best;
  // Stricter than of whole keys: short names of other tables are near to anything.
  std::size_t nearest = end.size() / 4 + 1;
  for (const std::string_view key : keys) {
    const std::size_t distance = edit_distance(end, last_part(key));
    if (distance < nearest) {
      nearest = distance;
      best = key;
    }
  }
  return best;
}

}  // namespace liminal::app
