#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/salience/incidents.hpp"
#include "core/salience/judgement.hpp"
#include "core/traffic/alert.hpp"

namespace liminal::api {

/// What the API asks of the ranking of alerts and events. As it stands here it has no history:
/// alerts and events are judged by what they say of themselves, and there are no incidents.
///
/// Every function may be called from several threads at once and takes no longer than a short lock.
class SaliencePort {
 public:
  /// An event of a request: fields, and what its history is found by.
  struct Asked {
    std::string_view type, source;  ///< may be empty
    salience::Fields fields;
  };

  virtual ~SaliencePort() = default;

  [[nodiscard]] virtual salience::Judgement judge(const traffic::Alert& alert) const;
  /// One judgement an event, in order; teaches nothing.
  [[nodiscard]] virtual std::vector<salience::Judgement> judge(std::span<const Asked> events) const;

  /// As `salience::Incidents::present`. The ids of members are `salience::alert_of`.
  [[nodiscard]] virtual std::vector<salience::Incident> incidents(
      const salience::IncidentQuery& query, SteadyTime now) const;

  /// Of the weights that were learnt for histories; 0: they are the prior's.
  [[nodiscard]] virtual std::uint32_t weights_version() const { return 0; }

  /// Runs what takes longer than an answer may, off the server's threads. False when too much
  /// waits.
  [[nodiscard]] virtual bool later(std::function<void()> task);
};

}  // namespace liminal::api
