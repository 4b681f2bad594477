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

void OperatorLog::upstream_resolved(const std::string& upstream,
                                    bool known,
                                    const std::string& addresses) {
  static LogSite found, unknown;
  if (known) {
    log_.write(LogLevel::kInfo,
               found,
               "upstream.resolved",
               {{"upstream", upstream}, {"addresses", addresses}});
  } else {
    log_.write(
        LogLevel::kError,
        unknown,
        "upstream.unresolved",
        {{"upstream", upstream}, {"error", "its name is not known"}, {"addresses", addresses}});
  }
}

}  // namespace liminal::app
