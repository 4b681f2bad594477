#pragma once

#include <vector>

#include "app/configuration/configuration.hpp"
#include "app/configuration/setting.hpp"

namespace liminal::app {

/// The parts of the table of settings (table.hpp), each in the order of the documentation.
void add_program_settings(std::vector<Setting>& all);
void add_gateway_settings(std::vector<Setting>& all);
void add_limit_settings(std::vector<Setting>& all);
void add_detect_settings(std::vector<Setting>& all);
void add_alert_settings(std::vector<Setting>& all);
void add_metric_settings(std::vector<Setting>& all);
void add_scaling_settings(std::vector<Setting>& all);
void add_store_settings(std::vector<Setting>& all);

}  // namespace liminal::app
