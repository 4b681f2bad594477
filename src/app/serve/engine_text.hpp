#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/engine/options.hpp"

namespace liminal::app {

/// The engine's options in the words of the configuration file: what the journal and the snapshots
/// keep of them, so that a replay decides by the same ones.
[[nodiscard]] std::string engine_text(const engine::Options& options);

/// The options that `engine_text` wrote. `kMalformed` when this program does not know a key or a
/// value: other software wrote it.
[[nodiscard]] Result<engine::Options> engine_options_of(std::string_view text);

/// The same as settings; null when it does not know them.
[[nodiscard]] std::shared_ptr<const engine::Settings> parse_settings(std::string_view text);

}  // namespace liminal::app
