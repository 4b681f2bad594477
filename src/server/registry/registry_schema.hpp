#pragma once

#include <span>

#include "io/sqlite/schema.hpp"

namespace liminal::registry {

/// The steps from an empty database to the present schema (docs/formats/registry.md).
[[nodiscard]] std::span<const sqlite::Migration> migrations();

}  // namespace liminal::registry
