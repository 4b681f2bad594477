#include "core/features/options.hpp"

#include <string>

#include "core/stats/space_saving.hpp"

namespace liminal::features {

Problems validate(const CrowdOptions& options) {
  Problems found;
  const auto within = [&found](const char* key, std::uint32_t value, std::uint32_t most) {
    if (value < 1 || value > most)
      found.push_back({key, "must be between 1 and " + std::to_string(most)});
  };
  within("addresses_max", options.addresses_max, 1U << 20);
  within("channels_max", options.channels_max, stats::SpaceSaving::kCapacityMax);
  return found;
}

}  // namespace liminal::features
