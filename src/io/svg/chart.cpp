#include "io/svg/chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace liminal::svg {
namespace {

constexpr std::array kPalette = {
    "#333333", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"};
constexpr double kLeft = 84, kRight = 24, kTop = 52, kBottom = 58;
constexpr double kLegendRow = 18;

const char* colour_of(Colour colour) { return kPalette[colour.place % kPalette.size()]; }

/// The values of one axis and where they stand in pixels.
struct Scale {
  AxisKind kind = AxisKind::kNumber;
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  double from = 0, to = 0;  ///< pixels at low and high

  [[nodiscard]] bool shows(double value) const {
    return std::isfinite(value) && (kind != AxisKind::kLog || value > 0);
  }
  void include(double value) {
    if (!shows(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void include(const std::vector<double>& values) {
    for (const double value : values) include(value);
  }
  /// Gives an axis of nothing or of one value a range around it, any other `air` at both ends.
  void finish(double air) {
    if (!(low <= high))
      low = kind == AxisKind::kLog ? 1 : 0, high = kind == AxisKind::kLog ? 10 : 1;
    if (kind == AxisKind::kLog) {
      const double factor = low == high ? 2 : std::pow(high / low, air);
      low /= factor;
      high *= factor;
      return;
    }
    const double pad = low == high ? std::max(1e-6, std::abs(low) * .1) : (high - low) * air;
    low -= pad;
    high += pad;
  }
  [[nodiscard]] double place(double value) const {
    const double ratio = kind == AxisKind::kLog ? std::log(value / low) / std::log(high / low)
                                                : (value - low) / (high - low);
    return from + ratio * (to - from);
  }
};

struct Point {
  double x = 0, y = 0;
};

class Drawing {
 public:
  explicit Drawing(const Chart& chart) : chart_(chart) {
    x_.kind = chart.x.kind;
    y_.kind = chart.y.kind;
    for (const Band& band : chart.bands) {
      x_.include(band.x);
      y_.include(band.low);
      y_.include(band.high);
    }
    for (const Line& line : chart.lines) {
      x_.include(line.x);
      y_.include(line.y);
    }
    for (const Mark& mark : chart.marks) x_.include(mark.x);
    const bool zero = chart.from_zero && y_.kind != AxisKind::kLog && y_.low >= 0;
    x_.finish(.01);
    y_.finish(.05);
    if (zero) y_.low = 0;
    x_.from = kLeft;
    x_.to = std::max(kLeft + 50, chart.width - kRight);
    y_.from = std::max(kTop + 50, chart.height - kBottom);
    y_.to = kTop;
  }

  std::string draw() {
    fmt::format_to(std::back_inserter(out_),
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
                   "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"13\" "
                   "fill=\"#333333\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
                   chart_.width,
                   chart_.height);
    fmt::format_to(std::back_inserter(out_),
                   "<clipPath id=\"plot\"><rect x=\"{}\" y=\"{}\" width=\"{}\" "
                   "height=\"{}\"/></clipPath>\n",
                   x_.from,
                   y_.to,
                   x_.to - x_.from,
                   y_.from - y_.to);
    text(x_.from, 24, "start", chart_.title, "font-size=\"16\" font-weight=\"bold\"");
    draw_axes();
    out_ += "<g clip-path=\"url(#plot)\">\n";
    for (const Band& band : chart_.bands) draw_band(band);
    for (const Line& line : chart_.lines) draw_line(line);
    out_ += "</g>\n";
    for (const Mark& mark : chart_.marks) draw_mark(mark);
    draw_legend();
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  void text(
      double x, double y, const char* anchor, const std::string& what, const char* more = "") {
    if (what.empty()) return;
    fmt::format_to(std::back_inserter(out_),
                   "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" {}>{}</text>\n",
                   x,
                   y,
                   anchor,
                   more,
                   escaped(what));
  }

  void rule(double x1, double y1, double x2, double y2, const char* style) {
    fmt::format_to(std::back_inserter(out_),
                   "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n",
                   x1,
                   y1,
                   x2,
                   y2,
                   style);
  }

  void draw_axes() {
    const int columns = static_cast<int>((x_.to - x_.from) / 110);
    const int rows = static_cast<int>((y_.from - y_.to) / 55);
    for (const Tick& tick : ticks(x_.kind, x_.low, x_.high, std::max(2, columns))) {
      const double x = x_.place(tick.at);
      rule(x, y_.from, x, y_.to, "stroke=\"#e6e6e6\"");
      text(x, y_.from + 18, "middle", tick.label);
    }
    for (const Tick& tick : ticks(y_.kind, y_.low, y_.high, std::max(2, rows))) {
      const double y = y_.place(tick.at);
      rule(x_.from, y, x_.to, y, "stroke=\"#e6e6e6\"");
      text(x_.from - 8, y + 4, "end", tick.label);
    }
    rule(x_.from, y_.from, x_.to, y_.from, "stroke=\"#333333\"");
    rule(x_.from, y_.from, x_.from, y_.to, "stroke=\"#333333\"");
    text((x_.from + x_.to) / 2, y_.from + 42, "middle", chart_.x.label);
    const double middle = (y_.from + y_.to) / 2;
    text(18,
         middle,
         "middle",
         chart_.y.label,
         fmt::format("transform=\"rotate(-90 18 {:.1f})\"", middle).c_str());
  }

  /// The runs of points that can be shown, each thinned to the lowest and highest of a pixel
  /// column.
  std::vector<std::vector<Point>> runs(const std::vector<double>& xs,
                                       const std::vector<double>& ys) const {
    std::vector<std::vector<Point>> found(1);
    for (std::size_t i = 0; i < std::min(xs.size(), ys.size()); ++i) {
      if (x_.shows(xs[i]) && y_.shows(ys[i])) {
        found.back().push_back({x_.place(xs[i]), y_.place(ys[i])});
      } else if (!found.back().empty()) {
        found.emplace_back();
      }
    }
    for (auto& run : found) thin(run);
    return found;
  }

  void thin(std::vector<Point>& run) const {
    if (static_cast<double>(run.size()) < 3 * (x_.to - x_.from)) return;
    std::vector<Point> kept;
    for (std::size_t begin = 0, end = 0; begin < run.size(); begin = end) {
      std::size_t lowest = begin, highest = begin;
      for (end = begin; end < run.size() && std::floor(run[end].x) == std::floor(run[begin].x);
           ++end) {
        if (run[end].y < run[lowest].y) lowest = end;
        if (run[end].y > run[highest].y) highest = end;
      }
      kept.push_back(run[std::min(lowest, highest)]);
      if (lowest != highest) kept.push_back(run[std::max(lowest, highest)]);
    }
    run = std::move(kept);
  }

  void points(const std::vector<Point>& run) {
    for (const Point& point : run)
      fmt::format_to(std::back_inserter(out_), "{:.1f},{:.1f} ", point.x, point.y);
  }

  void draw_band(const Band& band) {
    const auto lows = runs(band.x, band.low);
    const auto highs = runs(band.x, band.high);
    // Both edges are interrupted at the same places unless the caller left out one of them.
    for (std::size_t i = 0; i < std::min(lows.size(), highs.size()); ++i) {
      if (lows[i].empty() || highs[i].empty()) continue;
      out_ += "<polygon points=\"";
      points(lows[i]);
      points({highs[i].rbegin(), highs[i].rend()});
      fmt::format_to(std::back_inserter(out_),
                     "\" fill=\"{}\" fill-opacity=\"{}\"/>\n",
                     colour_of(band.colour),
                     band.opacity);
    }
  }

  void draw_line(const Line& line) {
    const bool marks = line.stroke == Stroke::kMarks || line.stroke == Stroke::kLineAndMarks;
    for (const auto& run : runs(line.x, line.y)) {
      if (line.stroke != Stroke::kMarks && run.size() > 1) {
        out_ += "<polyline points=\"";
        points(run);
        fmt::format_to(std::back_inserter(out_), "\" {}/>\n", style(line));
      }
      // A single point between two gaps would not be seen as a line.
      if (!marks && run.size() != 1) continue;
      for (const Point& point : run) {
        fmt::format_to(std::back_inserter(out_),
                       "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"/>\n",
                       point.x,
                       point.y,
                       marks ? 3.5 : line.width,
                       colour_of(line.colour));
      }
    }
  }

  static std::string style(const Line& line) {
    const char* dashes = line.stroke == Stroke::kDashed   ? " stroke-dasharray=\"7 4\""
                         : line.stroke == Stroke::kDotted ? " stroke-dasharray=\"2 3\""
                                                          : "";
    return fmt::format(
        "fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{}",
        colour_of(line.colour),
        line.width,
        dashes);
  }

  void draw_mark(const Mark& mark) {
    if (!x_.shows(mark.x)) return;
    const double x = x_.place(mark.x);
    rule(x, y_.from, x, y_.to, "stroke=\"#7f7f7f\" stroke-dasharray=\"4 3\"");
    const bool right = x < (x_.from + x_.to) * .75;
    text(x + (right ? 5 : -5), y_.to + 13, right ? "start" : "end", mark.text, "fill=\"#595959\"");
  }

  /// One row above the plot, from the right edge.
  void draw_legend() {
    double x = x_.from, y = 42;
    const auto entry = [&](const std::string& name, const std::string& sample) {
      if (name.empty()) return;
      // Without the font at hand a letter is taken as 7.2 pixels wide.
      const double wide = 34 + 7.2 * static_cast<double>(name.size());
      if (x + wide > x_.to && x > x_.from) x = x_.from, y += kLegendRow;
      fmt::format_to(std::back_inserter(out_),
                     "<g transform=\"translate({:.1f} {:.1f})\">{}</g>\n",
                     x,
                     y,
                     sample);
      text(x + 28, y, "start", name);
      x += wide + 8;
    };
    for (const Line& line : chart_.lines) {
      std::string sample =
          fmt::format("<line x1=\"0\" y1=\"-4\" x2=\"22\" y2=\"-4\" {}/>", style(line));
      const std::string mark = fmt::format("<circle cx=\"11\" cy=\"-4\" r=\"3.5\" fill=\"{}\"/>",
                                           colour_of(line.colour));
      if (line.stroke == Stroke::kMarks) sample = mark;
      if (line.stroke == Stroke::kLineAndMarks) sample += mark;
      entry(line.name, sample);
    }
    for (const Band& band : chart_.bands) {
      entry(band.name,
            fmt::format(
                "<rect y=\"-10\" width=\"22\" height=\"12\" fill=\"{}\" fill-opacity=\"{}\"/>",
                colour_of(band.colour),
                band.opacity));
    }
  }

  const Chart& chart_;
  Scale x_, y_;
  std::string out_;
};

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // Control characters are not allowed in XML at all.
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

std::string Chart::svg() const { return Drawing(*this).draw(); }

}  // namespace liminal::svg
