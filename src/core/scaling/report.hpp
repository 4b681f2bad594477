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

struct Learnt {
  std::uint64_t rows = 0;
  std::uint64_t late = 0;  ///< not learnt: of minutes that were closed
  std::uint64_t past = 0;  ///< of these, from before all that is known
};
/// Tells the service. What lies before all that is known is learnt as its past when it is more than
/// what is known (`Service::begin_with`), so a history may be told at any time.
Learnt learn(Service& service, const Report& report, const ServiceOptions& options);

/// A service as it is at one moment, for whoever looks at it.
struct ServiceState {
  std::string name;
  ServiceOptions options;
  Service service;
};

/// And for a list of them.
struct ServiceSummary {
  std::string name;
  std::uint64_t minutes = 0;  ///< known
  std::optional<double> load, replicas;
  Action action = Action::kMonitor;
  std::optional<std::uint32_t> recommended;
};
[[nodiscard]] ServiceSummary summary_of(std::string name,
                                        const Service& service,
                                        const Advice& advice);

inline constexpr std::size_t kServiceNameMax = 128;

}  // namespace liminal::scaling
