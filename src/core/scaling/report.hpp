#pragma once

#include <functional>
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
  std::uint64_t past = 0;  ///< of these, of minutes that nothing is known of
  bool anew = false;       ///< from the first minute on, with some that were not known before
};
/// Tells the service. Of minutes that have passed, those of which nothing is known are learnt when
/// they are more than what is known: the service is then learnt anew (`Service::begin_with`), so a
/// history may be told at any time.
Learnt learn(Service& service, const Report& report, const ServiceOptions& options);

/// A service as it is at one moment, for whoever looks at it.
struct ServiceState {
  std::string name;
  ServiceOptions options;
  Service service;
};

/// Changes some of a service's options.
using ChangeOptions = std::function<void(ServiceOptions&)>;
/// What became of it.
struct OptionsChanged {
  ServiceOptions options;
  Problems problems;    ///< when there are any nothing was changed
  bool is_new = false;  ///< the service was not known before
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
