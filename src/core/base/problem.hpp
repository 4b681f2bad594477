#pragma once

#include <string>
#include <vector>

namespace liminal {

/// One thing wrong with a configuration or a request, in words for the person who wrote it.
struct Problem {
  /// The path of the key inside the configured object, "limits.user.burst".
  std::string key;
  std::string text;
  friend bool operator==(const Problem&, const Problem&) = default;
};

/// All that is wrong at once, empty when nothing is: nobody wants to hear of mistakes one by one.
using Problems = std::vector<Problem>;

}  // namespace liminal
