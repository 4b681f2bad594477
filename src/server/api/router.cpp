#include "server/api/router.hpp"

#include "io/http/message.hpp"

namespace liminal::api {

std::optional<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // its slash
    const std::string_view raw = path.substr(0, path.find('/'));
    auto segment = http::percent_decode(raw);
    if (!segment) return std::nullopt;
    segments.push_back(std::move(*segment));
    path.remove_prefix(raw.size());
  }
  return segments;
}

bool matches(std::string_view pattern,
             std::span<const std::string> segments,
             std::vector<std::string>& captured) {
  std::vector<std::string> found;
  for (const std::string& segment : segments) {
    if (pattern.empty()) return false;
    pattern.remove_prefix(1);
    const std::string_view expected = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(expected.size());
    if (expected.starts_with('{')) {
      if (segment.empty()) return false;
      found.push_back(segment);
    } else if (expected != segment) {
      return false;
    }
  }
  if (!pattern.empty()) return false;
  captured = std::move(found);
  return true;
}

}  // namespace liminal::api
