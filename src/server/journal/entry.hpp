#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "core/base/codec.hpp"
#include "core/base/ids.hpp"
#include "core/base/time.hpp"
#include "core/engine/commons.hpp"
#include "core/engine/shard.hpp"
#include "core/traffic/event.hpp"

namespace liminal::journal {

/// What a record of the journal begins with (docs/formats/journal.md).
inline constexpr std::uint8_t kFormat = 1;
inline constexpr std::uint8_t kExchangeRecord = kShards;  ///< below it: entries of that shard

/// Exchanges precede the entries that refer to them by no more than this: a minute's.
inline constexpr std::size_t kExchangesWaitingMax = 64;

enum class Kind : std::uint8_t { kEvent = 1, kTick = 2, kAbsorb = 3 };

/// One input of one shard, read back.
struct Entry {
  ShardId shard{};
  std::uint64_t input = 0;
  Kind kind{};
  traffic::StoredEvent event;                        ///< of `kEvent`
  SteadyTime time;                                   ///< of `kTick`
  std::shared_ptr<const engine::Exchange> exchange;  ///< of `kAbsorb`; null when it was lost
};

void begin_entries(ShardId shard, Writer& out);
void append_event(std::uint64_t input, const traffic::Event& event, Writer& out);
void append_tick(std::uint64_t input, SteadyTime now, Writer& out);
/// The exchange itself is a record of its own: it is the same for all shards.
void append_absorb(std::uint64_t input, std::uint64_t exchange, Writer& out);
void append_exchange(const engine::Exchange& exchange, Writer& out);

/// Reads records in their order and gives their entries. Remembers the last exchanges, to which
/// entries refer.
class EntryReader {
 public:
  /// Calls `visit` for each entry of a record until it says false. Fails with the byte where the
  /// record makes no sense; entries before it were given. True: go on.
  [[nodiscard]] Result<bool> read(std::string_view record,
                                  const std::function<bool(const Entry&)>& visit);

 private:
  [[nodiscard]] Result<bool> read_exchange(Reader& in);
  [[nodiscard]] Result<Entry> read_entry(ShardId shard, Reader& in);
  [[nodiscard]] std::shared_ptr<const engine::Exchange> find(std::uint64_t number) const;

  std::array<std::shared_ptr<const engine::Exchange>, kExchangesWaitingMax> exchanges_;
};

/// Gives a shard an input again. `kConflict` with the number that the shard expects when it is
/// another one (inputs are missing between, such as an operator's, which are not journalled), and
/// `kMissing` when the exchange is. Nothing has changed then. An input that the shard already has
/// is passed over.
[[nodiscard]] Result<void> apply(const Entry& entry,
                                 engine::Shard& shard,
                                 engine::Second& told,
                                 engine::Effects& out);

}  // namespace liminal::journal
