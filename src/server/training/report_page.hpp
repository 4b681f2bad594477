#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/learn/registered.hpp"

namespace liminal::training {

/// What a version's training found out, as a page that needs nothing else: from its report (JSON),
/// whoever trained it. What the page has no place for is shown as it is.
[[nodiscard]] std::string report_page(const learn::ModelVersion& version);

/// What a report (JSON) notes of its data.
[[nodiscard]] std::vector<std::string> notes_of(std::string_view report);

/// The page, or the report itself; an empty JSON object of a version that has none.
[[nodiscard]] std::string report_of(const learn::ModelVersion& version, bool page);

}  // namespace liminal::training
