#include "app/serve/operator_log.hpp"

namespace liminal::app {

void OperatorLog::upstream_failed(const std::string& upstream, const std::string& why) {
  static LogSite site;
  log_.write(
      LogLevel::kWarning, site, "upstream.failed", {{"upstream", upstream}, {"error", why}});
}

}  // namespace liminal::app
