#include "app/configuration/table.hpp"

#include "app/configuration/table_parts.hpp"

namespace liminal::app {
namespace {

std::vector<Setting> make() {
  std::vector<Setting> all;
  add_program_settings(all);
  add_gateway_settings(all);
  add_limit_settings(all);
  add_detect_settings(all);
  add_alert_settings(all);
  add_metric_settings(all);
  add_scaling_settings(all);
  add_store_settings(all);
  return all;
}

}  // namespace

const std::vector<Setting>& settings() {
  static const std::vector<Setting> kAll = make();
  return kAll;
}

const Setting* find_setting(std::string_view key) {
  for (const Setting& setting : settings()) {
    if (setting.key == key) return &setting;
  }
  return nullptr;
}

}  // namespace liminal::app
