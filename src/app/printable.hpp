#pragma once

#include <string>

namespace liminal::app {

/// Control characters would drive the terminal, and users' names may hold any.
[[nodiscard]] inline bool drives_terminal(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

/// A text of somebody else as it may be shown: control characters become question marks.
[[nodiscard]] inline std::string printable(std::string text) {
  for (char& c : text)
    if (drives_terminal(c)) c = '?';
  return text;
}

}  // namespace liminal::app
