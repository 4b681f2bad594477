#include "app/serve/words.hpp"

#include <cstring>

namespace liminal::app {

std::string words(const Error& error) {
  if (error.code == ErrorCode::kIo && error.position != 0)
    return std::strerror(static_cast<int>(error.position));  // NOLINT(concurrency-mt-unsafe)
  return std::string(name(error.code));
}

std::string words(const Problem& problem) { return problem.key + ": " + problem.text; }

}  // namespace liminal::app
