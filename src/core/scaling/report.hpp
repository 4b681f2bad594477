#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/scaling/service.hpp"

namespace liminal::scaling {

/// What is told of a service, oldest first.
struct Report {
  struct Row {
    EventTime at{};
    Observation observed;
  };
  std::string service;
  std::optional<std::uint32_t> horizon_minutes;  ///< none: as before
  std::vector<Row> rows;
};

/// A service as it is at one moment, for whoever looks at it.
struct ServiceState {
  std::string name;
  ServiceOptions options;
  Service service;
};

inline constexpr std::size_t kServiceNameMax = 128;

}  // namespace liminal::scaling
