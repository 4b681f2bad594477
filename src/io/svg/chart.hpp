#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/svg/ticks.hpp"

namespace liminal::svg {

/// A colour by its place in a palette that colour-blind readers can tell apart and that prints in
/// grey (Okabe and Ito, 2008). Numbers beyond the palette begin again.
struct Colour {
  unsigned place = 0;
};
inline constexpr Colour kInk{0};  ///< near black, for what was observed

enum class Stroke { kSolid, kDashed, kDotted, kMarks, kLineAndMarks };

/// Points joined by a line (or marked). A point that is not finite interrupts the line.
struct Line {
  std::string name;  ///< in the legend; empty leaves it out of there
  std::vector<double> x, y;
  Colour colour;
  Stroke stroke = Stroke::kSolid;
  double width = 1.5;
};

/// The area from `low` to `high`, behind the lines. Bands drawn over each other grow darker.
struct Band {
  std::string name;
  std::vector<double> x, low, high;
  Colour colour;
  double opacity = .25;
};

/// A vertical line across the chart with a word beside it: "now", "alarm".
struct Mark {
  double x = 0;
  std::string text;
};

struct Axis {
  std::string label;
  AxisKind kind = AxisKind::kNumber;
};

/// What a chart shows. It becomes a standalone SVG 1.1 document on white ground that needs neither
/// fonts, scripts nor style sheets of its own. Axes begin and end around what is shown, with some
/// air; the y axis begins at zero when all of it is near zero or above and `from_zero` is set.
///
/// Cost: linear in the points; lines of more points than the chart has pixels are drawn by the
/// lowest and highest point of each pixel column, so that a year of minutes is a small file too.
struct Chart {
  std::string title;
  Axis x, y;
  std::vector<Band> bands;
  std::vector<Line> lines;
  std::vector<Mark> marks;
  bool from_zero = false;
  int width = 960;  ///< pixels
  int height = 480;

  [[nodiscard]] std::string svg() const;
};

/// Text as it stands between tags and in quotes, of SVG and of HTML. Control characters become
/// spaces.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace liminal::svg
