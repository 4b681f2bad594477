#include "app/anomaly/annotate.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "io/csv/number.hpp"

namespace liminal::app {
namespace {

using Failed = tl::unexpected<std::string>;

/// A chart with more is a scribble.
constexpr std::size_t kDrawnMax = 6;
constexpr std::size_t kMarksMax = 40;

/// A field of the output, quoted when it has to be.
std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + '"';
}

bool is_number(std::string_view field) {
  return csv::is_missing(field) || csv::number(field).has_value();
}

}  // namespace

tl::expected<std::pair<std::string, novelty::Range>, std::string> parse_range(
    const std::string& text) {
  const auto equals = text.rfind('=');
  const auto colon = equals == std::string::npos ? equals : text.find(':', equals);
  if (equals == std::string::npos || equals == 0 || colon == std::string::npos)
    return Failed("\"" + text + "\" is no range: write NAME=MIN:MAX");
  const auto low = csv::number(std::string_view(text).substr(equals + 1, colon - equals - 1));
  const auto high = csv::number(std::string_view(text).substr(colon + 1));
  novelty::SeriesSettings settings;
  if (low && high) settings.range = novelty::Range{*low, *high};
  if (!low || !high || !validate(settings).empty())
    return Failed("\"" + text + "\" is no range: MIN and MAX must be numbers, MIN the lower one");
  return std::pair{text.substr(0, equals), *settings.range};
}

tl::expected<std::size_t, std::string> Annotator::column(const csv::Table& table,
                                                         const std::string& name) const {
  if (const auto found = table.find(name)) return *found;
  std::string known;
  for (const std::string& one : table.names()) known += (known.empty() ? "" : ", ") + one;
  return Failed("there is no column \"" + name + "\"; there are: " + known);
}

/// Which columns are judged, and which one tells the time.
tl::expected<void, std::string> Annotator::choose(const csv::Table& table) {
  if (!options_.time.empty()) {
    const auto found = column(table, options_.time);
    if (!found) return Failed(found.error());
    time_ = *found;
  } else if (table.has_header()) {
    time_ = time_column(table.names());
    // Called a time, but it is something else: it labels the lines all the same.
    time_is_text_ = time_ && !table_time(table.field(*time_));
  }
  std::vector<std::string> names = options_.columns;
  if (names.empty()) {
    for (std::size_t i = 0; i < table.names().size(); ++i) {
      if (i != time_ && is_number(table.field(i))) names.push_back(table.names()[i]);
    }
  }
  if (names.empty()) return Failed("no column holds numbers");
  source_.set_alarms_per_week(options_.alarms_per_week);
  for (const std::string& name : names) {
    const auto place = column(table, name);
    if (!place) return Failed(place.error());
    const auto metric = source_.find_or_add(table.name(*place));
    if (!metric) return Failed("there are too many columns");
    if (std::any_of(
            columns_.begin(), columns_.end(), [&](const Column& c) { return c.metric == *metric; }))
      return Failed("column \"" + name + "\" is named twice");
    novelty::SeriesSettings settings;
    settings.counter = std::find(options_.counters.begin(), options_.counters.end(), name) !=
                       options_.counters.end();
    if (const auto range = options_.ranges.find(name); range != options_.ranges.end())
      settings.range = range->second;
    source_.configure(*metric, settings);
    columns_.push_back({.name = table.name(*place), .place = *place, .metric = *metric});
  }
  for (const auto& [name, range] : options_.ranges) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      return Failed("--range names \"" + name + "\", which is not judged");
  }
  for (const std::string& name : options_.counters) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      return Failed("--counter names \"" + name + "\", which is not judged");
  }
  return {};
}

void Annotator::write_header() {
  fmt::print(out_, "time,score,novelty,is_anomaly");
  if (columns_.size() > 1) {
    for (const Column& column : columns_)
      fmt::print(out_, ",{}", csv_field("contribution_" + column.name));
  }
  std::fputc('\n', out_);
}

void Annotator::write(std::string_view time, const novelty::RowScore& score) {
  // The shortest texts that read back as the same numbers.
  fmt::print(
      out_, "{},{},{},{}", csv_field(time), score.score, score.novelty, score.is_anomaly() ? 1 : 0);
  if (columns_.size() > 1) {
    for (const novelty::RowScore::Part& part : score.parts)
      fmt::print(out_, ",{}", part.contribution);
  }
  std::fputc('\n', out_);
}

void Annotator::draw(double x, const novelty::RowScore& score) {
  for (std::size_t i = 0; i < std::min(columns_.size(), kDrawnMax); ++i) {
    Column& column = columns_[i];
    column.line.x.push_back(x);
    column.line.y.push_back(values_[i].value);
    if (const auto& expected = score.parts[i].expected) {
      column.band.x.push_back(x);
      column.band.low.push_back(expected->low);
      column.band.high.push_back(expected->high);
    }
  }
  if (score.is_anomaly()) marks_.emplace_back(x, score.score);
}

tl::expected<void, std::string> Annotator::row(const csv::Table& table, const std::string& name) {
  ++rows_;
  EventTime at{from_seconds(60. * static_cast<double>(rows_))};
  std::string label = std::to_string(rows_);
  if (time_) {
    label = table.field(*time_);
    if (!time_is_text_) {
      const auto time = table_time(label);
      if (!time) return Failed(fmt::format("{}:{}: \"{}\" is no time", name, table.line(), label));
      at = *time;
    }
  }
  values_.clear();
  for (const Column& column : columns_) {
    const auto value = table.number(column.place);
    if (!value) return Failed(csv::text(value.error(), name, column.name));
    values_.push_back({column.metric, *value});
  }
  late_ += at < source_.last() ? 1U : 0U;
  source_.step(values_, at, options_.plot, score_);
  alarms_ += score_.is_anomaly() ? 1U : 0U;
  write(label, score_);
  if (options_.plot)
    draw(time_ && !time_is_text_ ? seconds(at.time_since_epoch()) : static_cast<double>(rows_),
         score_);
  return {};
}

tl::expected<void, std::string> Annotator::run(TableFile& file) {
  const std::string& name = file.name;
  auto table = open_table(file);
  if (!table) return Failed(csv::text(table.error(), name));
  for (;;) {
    const auto more = table->next();
    if (!more) return Failed(csv::text(more.error(), name));
    if (!*more) break;
    if (columns_.empty()) {
      if (auto chosen = choose(*table); !chosen) return Failed(name + ": " + chosen.error());
      write_header();
    }
    if (auto read = row(*table, name); !read) return read;
  }
  if (columns_.empty()) return Failed(name + ": there is no row");
  return {};
}

std::string Annotator::svg(const std::string& title) const {
  svg::Chart chart;
  chart.title = title;
  chart.x.kind = time_ && !time_is_text_ ? svg::AxisKind::kTime : svg::AxisKind::kNumber;
  chart.x.label = time_ && !time_is_text_ ? "time" : "row";
  if (columns_.size() == 1) chart.y.label = columns_[0].name;
  for (std::size_t i = 0; i < std::min(columns_.size(), kDrawnMax); ++i) {
    svg::Line line = columns_[i].line;
    svg::Band band = columns_[i].band;
    line.name = columns_[i].name;
    band.name = columns_.size() == 1 ? "expected" : "";
    line.width = 1;
    line.colour = columns_.size() == 1 ? svg::kInk : svg::Colour{static_cast<unsigned>(i + 1)};
    band.colour = svg::Colour{static_cast<unsigned>(i + 1)};
    chart.lines.push_back(std::move(line));
    chart.bands.push_back(std::move(band));
  }
  // The highest ones, when there are too many to tell apart.
  auto marks = marks_;
  std::sort(
      marks.begin(), marks.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  if (marks.size() > kMarksMax) marks.resize(kMarksMax);
  std::sort(marks.begin(), marks.end());
  for (const auto& [x, score] : marks)
    chart.marks.push_back({x, marks.size() > 12 ? "" : fmt::format("{:.3g}", score)});
  return chart.svg();
}

}  // namespace liminal::app
