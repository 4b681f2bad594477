#include "app/salience/ranking.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "io/svg/chart.hpp"

namespace liminal::app {
namespace {

/// More bars than pixels tell nothing.
constexpr std::size_t kBarsMax = 1000;

void write_left_out(const std::string& why, std::FILE* out) {
  json::Writer line;
  line.begin_object();
  line.key("score");
  line.null();
  line.key("rank");
  line.null();
  line.key("explanation");
  line.begin_array();
  line.end_array();
  line.field("error", why);
  line.end_object();
  fmt::print(out, "{}\n", line.text());
}

}  // namespace

SalienceRanking::SalienceRanking(const std::vector<json::SalienceEvent>& events)
    : events_(events), order_(events.size()) {
  for (const json::SalienceEvent& event : events) judged_.push_back(salience::judge(event.fields));
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
    return judged_[a].log_odds() > judged_[b].log_odds();
  });
}

void SalienceRanking::write(std::FILE* out,
                            std::span<const SalienceEvents::LeftOut> left_out) const {
  std::vector<std::size_t> ranks(order_.size());
  for (std::size_t i = 0; i < order_.size(); ++i) ranks[order_[i]] = i + 1;
  auto other = left_out.begin();
  for (std::size_t i = 0; i <= judged_.size(); ++i) {
    for (; other != left_out.end() && other->before == i; ++other) write_left_out(other->why, out);
    if (i == judged_.size()) break;
    json::Writer line;
    line.begin_object();
    line.field("score", judged_[i].salience());
    line.field("rank", ranks[i]);
    line.key("explanation");
    json::write_explanation(events_[i], judged_[i], line);
    line.end_object();
    fmt::print(out, "{}\n", line.text());
  }
}

std::string SalienceRanking::svg(const std::string& name) const {
  svg::Line edge;
  svg::Band bars;
  for (std::size_t i = 0; i < std::min(order_.size(), kBarsMax); ++i) {
    const double score = judged_[order_[i]].salience();
    const auto rank = static_cast<double>(i + 1);
    for (const double side : {rank - .5, rank + .5}) {
      edge.x.push_back(side);
      edge.y.push_back(score);
      bars.x.push_back(side);
      bars.low.push_back(0);
      bars.high.push_back(score);
    }
  }
  edge.colour = bars.colour = svg::Colour{1};
  svg::Chart chart;
  chart.title = fmt::format("{}: {} events", name, order_.size());
  if (order_.size() > kBarsMax) chart.title += fmt::format(", of which the first {}", kBarsMax);
  chart.x.label = "rank";
  chart.y.label = "salience";
  chart.from_zero = true;
  chart.bands.push_back(std::move(bars));
  chart.lines.push_back(std::move(edge));
  return chart.svg();
}

}  // namespace liminal::app
