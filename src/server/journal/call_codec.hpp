#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/base/codec.hpp"
#include "core/engine/call.hpp"

namespace liminal::journal {

/// Calls as the journal holds them (docs/formats/journal.md): a byte for which, then its values;
/// settings by the hash of their text.
void encode_call(const engine::Call& call, std::uint64_t settings_hash, Writer& out);

using SettingsByHash = std::function<std::shared_ptr<const engine::Settings>(std::uint64_t hash)>;

/// False when the bytes make no sense. Settings that are not known are null.
[[nodiscard]] bool decode_call(Reader& in, engine::Call& call, const SettingsByHash& settings);

}  // namespace liminal::journal
