#pragma once

#include "app/log.hpp"
#include "server/gateway/ports.hpp"

namespace liminal::app {

/// Writes what the gateway reports into the log. Thread-safe.
class OperatorLog final : public gateway::Reporter {
 public:
  explicit OperatorLog(Log& log) : log_(log) {}
  void upstream_failed(const std::string& upstream, const std::string& why) override;
  void upstream_changed(const std::string& upstream, bool up, const std::string& why) override;
  void upstream_resolved(const std::string& upstream,
                         bool known,
                         const std::string& addresses) override;

 private:
  Log& log_;
};

}  // namespace liminal::app
