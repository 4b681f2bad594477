#pragma once

#include <string>
#include <string_view>

#include "io/svg/chart.hpp"

/// What the pages about trainings are made of.
namespace liminal::training {

/// The beginning of a page up to its first heading, which says the title.
[[nodiscard]] std::string page_head(std::string_view title);
/// A chart to stand inside a page.
[[nodiscard]] std::string drawn(const svg::Chart& chart);
/// An empty chart of shares.
[[nodiscard]] svg::Chart square(const char* title, const char* x, const char* y);

}  // namespace liminal::training
