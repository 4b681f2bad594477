#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "core/base/codec.hpp"
#include "core/base/ids.hpp"
#include "core/base/time.hpp"
#include "core/engine/call.hpp"
#include "core/engine/commons.hpp"
#include "core/engine/shard.hpp"
#include "core/traffic/event.hpp"

namespace liminal::journal {

/// What a record of the journal begins with (docs/formats/journal.md). Version 1 had no calls, 2 no
/// champion and no answers of it, 3 no continued messages, no connections of an address and no
/// reports, 4 nothing of what a continued message began as, 5 no connections that were not served.
inline constexpr std::uint8_t kFormat = 6;
inline constexpr std::uint8_t kExchangeRecord = kShards;  ///< below it: entries of that shard
inline constexpr std::uint8_t kSettingsRecord = kShards + 1;

/// Exchanges precede the entries that refer to them by no more than this: a minute's.
inline constexpr std::size_t kExchangesWaitingMax = 64;

/// Settings precede the entries that refer to them, with no more than this many others between.
inline constexpr std::size_t kSettingsWaitingMax = 16;

enum class Kind : std::uint8_t { kEvent = 1, kTick = 2, kAbsorb = 3, kCall = 4 };

/// Makes settings of the text that a journal has of them; null when it cannot.
using ParseSettings = std::function<std::shared_ptr<const engine::Settings>(std::string_view text)>;

/// One input of one shard, read back.
struct Entry {
  ShardId shard{};
  std::uint64_t input = 0;
  Kind kind{};
  traffic::StoredEvent event;                        ///< of `kEvent`
  SteadyTime time;                                   ///< of `kTick`
  std::shared_ptr<const engine::Exchange> exchange;  ///< of `kAbsorb`; null when it was lost
  engine::Call call;                                 ///< of `kCall`
};

void begin_entries(ShardId shard, Writer& out);
void append_event(std::uint64_t input, const traffic::Event& event, Writer& out);
void append_tick(std::uint64_t input, SteadyTime now, Writer& out);
/// The exchange itself is a record of its own: it is the same for all shards.
void append_absorb(std::uint64_t input, std::uint64_t exchange, Writer& out);
void append_exchange(const engine::Exchange& exchange, Writer& out);
/// A call's settings are a record of their own too, found by the hash of their text.
void append_call(std::uint64_t input,
                 const engine::Call& call,
                 std::uint64_t settings_hash,
                 Writer& out);
void append_settings(std::string_view text, Writer& out);
/// Those of a call that has settings; null for others.
[[nodiscard]] std::shared_ptr<const engine::Settings> settings_of(const engine::Call& call);

/// Reads records in their order and gives their entries. Remembers the last exchanges, to which
/// entries refer.
class EntryReader {
 public:
  /// Without `parse`, settings are read over. With `only`, so are other shards' entries.
  explicit EntryReader(ParseSettings parse = {}, std::optional<ShardId> only = {})
      : parse_(std::move(parse)), only_(only) {}

  /// Calls `visit` for each entry of a record until it says false. Fails with the byte where the
  /// record makes no sense; entries before it were given. True: go on.
  [[nodiscard]] Result<bool> read(std::string_view record,
                                  const std::function<bool(const Entry&)>& visit);

 private:
  [[nodiscard]] Result<bool> read_exchange(Reader& in);
  [[nodiscard]] Result<Entry> read_entry(ShardId shard, Reader& in);
  void read_settings(Reader& in);
  [[nodiscard]] std::shared_ptr<const engine::Exchange> find(std::uint64_t number) const;
  [[nodiscard]] std::shared_ptr<const engine::Settings> settings(std::uint64_t hash) const;

  struct Known {
    std::uint64_t hash = 0;
    std::shared_ptr<const engine::Settings> settings;
  };
  ParseSettings parse_;
  std::optional<ShardId> only_;
  std::array<Known, kSettingsWaitingMax> settings_;
  std::size_t next_settings_ = 0;
  std::array<std::shared_ptr<const engine::Exchange>, kExchangesWaitingMax> exchanges_;
};

/// Gives a shard an input again. `kConflict` with the number that the shard expects when it is
/// another one (inputs are missing between), and `kMissing` when the exchange or the settings that
/// belong to it are. Nothing has changed then. An input that the shard already has is passed over.
///
/// A `Resume` that follows the shard's last input makes the shard anew with its settings, as a
/// start of the program did.
[[nodiscard]] Result<void> apply(const Entry& entry,
                                 engine::Shard& shard,
                                 engine::Second& told,
                                 engine::Effects& out);

}  // namespace liminal::journal
