#pragma once

#include <string>

#include "core/base/result.hpp"
#include "core/base/time.hpp"

namespace liminal::tls {

/// When the first certificate of a PEM file ceases to be valid. kMissing: the file cannot be read;
/// kMalformed: it holds none.
[[nodiscard]] Result<EventTime> expiry_of(const std::string& certificate_file);

}  // namespace liminal::tls
