#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convert.hpp"
#include "engine.hpp"

namespace liminal::python {

// Events as Python gives them: one, columns, lines. ValueError names what is wrong.

traffic::Verdict track(Engine& engine,
                       nb::handle user,
                       nb::handle message_size,
                       nb::handle channels,
                       nb::handle ip_address,
                       nb::handle kind,
                       nb::handle timestamp,
                       nb::handle error,
                       nb::handle content_hash);

template <class T>
using MaybeColumn = std::optional<Column<T>>;

/// Gives decisions and shadows, uint8 of shape (n,).
nb::tuple track_columns(Engine& engine,
                        const std::vector<std::string>& users,
                        const Column<std::int32_t>& user,
                        const MaybeColumn<double>& timestamp,
                        const MaybeColumn<std::uint8_t>& kind,
                        const MaybeColumn<std::uint32_t>& message_size,
                        const MaybeColumn<std::uint8_t>& error,
                        const std::vector<std::string>& addresses,
                        const MaybeColumn<std::int32_t>& address,
                        const std::vector<std::string>& channels,
                        const MaybeColumn<std::int32_t>& channel,
                        const MaybeColumn<std::uint64_t>& content_hash);

nb::dict track_ndjson(Engine& engine, std::string_view lines);

/// Texts as places in a list of the different ones.
nb::tuple encode(nb::sequence texts);

}  // namespace liminal::python
