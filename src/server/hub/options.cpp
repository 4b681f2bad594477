#include "server/hub/options.hpp"

namespace liminal::hub {

Problems validate(const Options& options) {
  Problems found;
  const auto at_least_one = [&](const char* key, std::size_t value) {
    if (value == 0) found.push_back({key, "must be at least 1"});
  };
  at_least_one("channels_max", options.channels_max);
  at_least_one("member_channels_max", options.member_channels_max);
  at_least_one("channel_backlog_max", options.channel_backlog_max);
  at_least_one("backlog_bytes_max", options.backlog_bytes_max);
  at_least_one("slice_members", options.slice_members);
  return found;
}

}  // namespace liminal::hub
