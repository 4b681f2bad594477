#include "server/training/page_parts.hpp"

#include <fmt/format.h>

namespace liminal::training {
namespace {

constexpr std::string_view kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;"
    "color:#222}table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{padding:.2rem .8rem "
    ".2rem 0;text-align:left;border-bottom:1px solid "
    "#ddd}td.n{text-align:right;font-variant-numeric:"
    "tabular-nums}svg{max-width:100%;height:auto}h2{margin-top:2rem}";

}  // namespace

std::string page_head(std::string_view title) {
  return fmt::format(
      "<!doctype html>\n<html lang=en><meta charset=utf-8><title>{0}</title>\n"
      "<style>{1}</style>\n<h1>{0}</h1>\n",
      svg::escaped(title),
      kStyle);
}

std::string drawn(const svg::Chart& chart) {
  const std::string text = chart.svg();
  const auto begin = text.find("<svg");
  return begin == std::string::npos ? std::string{} : text.substr(begin);
}

svg::Chart square(const char* title, const char* x, const char* y) {
  svg::Chart chart;
  chart.title = title;
  chart.x.label = x;
  chart.y.label = y;
  chart.from_zero = true;
  chart.width = 560;
  chart.height = 420;
  return chart;
}

}  // namespace liminal::training
