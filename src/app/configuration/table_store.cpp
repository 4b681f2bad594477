#include "app/configuration/configuration.hpp"
#include "app/configuration/table_parts.hpp"
#include "core/stats/space_saving.hpp"

namespace liminal::app {

void add_store_settings(std::vector<Setting>& all) {
  using C = Configuration;
  constexpr double kYears = 10 * 365 * 86'400.;
  all.push_back({.key = "store.rows_age",
                 .slot = [](C& c) -> Slot { return &c.store.retention.rows_age; },
                 .help = "Feature rows are kept for so long.",
                 .low = 60,
                 .high = kYears});
  all.push_back({.key = "store.bytes",
                 .slot = [](C& c) -> Slot { return &c.store.retention.bytes; },
                 .help = "Beyond this size of the database the oldest feature rows go.",
                 .low = 1 << 20,
                 .high = 0x1p50,
                 .unit = Unit::kBytes});
  all.push_back({.key = "store.alerts_age",
                 .slot = [](C& c) -> Slot { return &c.store.retention.alerts_age; },
                 .help = "Alerts are kept for so long after they were last seen.",
                 .low = 60,
                 .high = kYears});
  all.push_back({.key = "store.audit_age",
                 .slot = [](C& c) -> Slot { return &c.store.retention.audit_age; },
                 .help = "The audit log is kept for so long.",
                 .low = 60,
                 .high = kYears});
  all.push_back({.key = "store.rows_per_second",
                 .slot = [](C& c) -> Slot { return &c.store.queue.sampling.rows_per_second; },
                 .help = "Feature rows that are stored at most, of all users; the rest is counted.",
                 .low = 1,
                 .high = 100'000,
                 .change = Change::kRestart});
  all.push_back({.key = "store.row_interval",
                 .slot = [](C& c) -> Slot { return &c.store.queue.sampling.user_interval; },
                 .help = "A user's features are stored at most so often.",
                 .low = 1,
                 .high = 3'600,
                 .change = Change::kRestart});
  all.push_back({.key = "store.survive_power_loss",
                 .slot = [](C& c) -> Slot { return &c.store.survive_power_loss; },
                 .help =
                     "Waits for the disk with every commit: slower, and nothing acknowledged is "
                     "lost when the machine loses power either.",
                 .change = Change::kRestart});
  all.push_back({.key = "engine.users_max",
                 .slot = [](C& c) -> Slot { return &c.engine.users_max; },
                 .help =
                     "Users that each of the 64 shards keeps, some 1 KiB each; the one that was "
                     "idle longest is forgotten beyond it, and counted.",
                 .low = 1,
                 .high = 1 << 24});
  all.push_back({.key = "engine.addresses_max",
                 .slot = [](C& c) -> Slot { return &c.engine.addresses_max; },
                 .help = "The same of addresses.",
                 .low = 1,
                 .high = 1 << 24});
  all.push_back({.key = "engine.overrides_max",
                 .slot = [](C& c) -> Slot { return &c.engine.overrides_max; },
                 .help = "Overrides that each shard keeps; a further one is refused.",
                 .low = 1,
                 .high = 1 << 20});
  all.push_back(
      {.key = "engine.buffer_size",
       .slot = [](C& c) -> Slot { return &c.buffer_size; },
       .help = "Recent feature rows of all users that are at hand, some 200 bytes each; what is "
               "older comes from the store, thinned.",
       .low = 1,
       .high = 10'000'000,
       .change = Change::kRestart});
  all.push_back({.key = "engine.horizon",
                 .slot = [](C& c) -> Slot { return &c.engine.horizon; },
                 .help = "How far ahead of now an event's time may be before it is held to be "
                         "wrong.",
                 .low = 1,
                 .high = 3'600});
  all.push_back({.key = "engine.crowd.addresses_max",
                 .slot = [](C& c) -> Slot { return &c.engine.crowd.addresses_max; },
                 .help = "Addresses of which each shard counts users and connections, 140 bytes "
                         "each.",
                 .low = 1,
                 .high = 1 << 20});
  all.push_back({.key = "engine.crowd.channels_max",
                 .slot = [](C& c) -> Slot { return &c.engine.crowd.channels_max; },
                 .help =
                     "Channels that each shard counts, 80 bytes each: one with more than this part "
                     "of the messages is never overlooked.",
                 .low = 1,
                 .high = stats::SpaceSaving::kCapacityMax});
}

}  // namespace liminal::app
