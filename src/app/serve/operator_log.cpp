#include "app/serve/operator_log.hpp"

namespace liminal::app {

void OperatorLog::upstream_failed(const std::string& upstream, const std::string& why) {
  static LogSite site;
  log_.write(LogLevel::kWarning, site, "upstream.failed", {{"upstream", upstream}, {"error", why}});
}

void OperatorLog::upstream_changed(const std::string& upstream, bool up, const std::string& why) {
  static LogSite site;
  if (up) {
    log_.write(LogLevel::kInfo, site, "upstream.up", {{"upstream", upstream}});
  } else {
    log_.write(LogLevel::kError, site, "upstream.down", {{"upstream", upstream}, {"error", why}});
  }
}

}  // namespace liminal::app
