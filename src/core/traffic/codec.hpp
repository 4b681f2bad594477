#pragma once

#include "core/base/codec.hpp"
#include "core/traffic/alert.hpp"
#include "core/traffic/record.hpp"

namespace liminal::traffic {

/// Findings, alerts and overrides as snapshots, journals and the store hold them, without padding,
/// numbers little-endian (docs/formats/store.md and journal.md have the bytes). Whoever keeps them
/// puts a version before them: a change here is a new version there.
///
/// `load` is false, and the value then means nothing, when the bytes end early (the reader is then
/// no longer `ok`) or have a number without a meaning.
void save(const Finding& finding, Writer& out);
[[nodiscard]] bool load(Finding& finding, Reader& in);
void save(const Alert& alert, Writer& out);
[[nodiscard]] bool load(Alert& alert, Reader& in);
void save(const Override& decision, Writer& out);
[[nodiscard]] bool load(Override& decision, Reader& in);

}  // namespace liminal::traffic
