#include "server/replay/replay.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/check.hpp"
#include "io/json/traffic_writer.hpp"
#include "io/json/writer.hpp"

namespace liminal::replay {
namespace {

/// Complaints about single lines; a broken file would otherwise bury its first mistake.
constexpr std::uint64_t kComplaintsMax = 10;

/// As a trace writes it: with no digits but those of its microseconds.
template <class Time>
double seconds_of(Time time) {
  constexpr double kPerSecond = 1e6;
  const auto whole = std::chrono::round<std::chrono::microseconds>(time.time_since_epoch());
  return static_cast<double>(whole.count()) / kPerSecond;
}

}  // namespace

void Replay::complain(const Source& source, const std::string& what) {
  if (++summary_.rejected > kComplaintsMax) return;
  fmt::print(complaints_, "{}:{}: {}\n", source.input.name, source.line_number, what);
}

/// Moves a source to its next event, or to its end.
void Replay::read_next(Source& source) {
  while (std::getline(*source.input.text, source.line)) {
    ++source.line_number;
    if (source.line.empty() || source.line == "\r") continue;
    const json::EventResult read = source.reader.read(source.line);
    if (read) {
      source.event = *read;
      return;
    }
    complain(source, json::text(read.error()));
  }
  if (source.input.text->bad()) complain(source, "cannot be read further");
  source.done = true;
}

Summary Replay::run(std::vector<Trace> inputs) {
  std::vector<Source> sources;
  for (Trace& input : inputs) {
    Source source;
    source.input = std::move(input);
    sources.push_back(std::move(source));
  }
  for (Source& source : sources) read_next(source);

  engine::Effects effects;
  for (;;) {
    Source* next = nullptr;
    for (Source& source : sources) {
      if (!source.done && (next == nullptr || source.event.time < next->event.time)) next = &source;
    }
    if (next == nullptr) break;
    const double t = seconds_of(next->event.time);
    if (summary_.events++ == 0) summary_.first_s = t;
    summary_.last_s = std::max(summary_.last_s, t);
    effects.clear();
    engine_.feed(next->event, effects);
    take(effects);
    read_next(*next);
  }
  for (Raised& raised : raised_) raised.final = true;
  write_final();
  summary_.users = engine_.users();
  summary_.state_hash = engine_.state_hash();
  write_summary();
  return summary_;
}

void Replay::take(const engine::Effects& effects) {
  summary_.enforced += effects.verdict.decision != traffic::Decision::kAllow ? 1 : 0;
  summary_.shadow += effects.verdict.shadow != effects.verdict.decision ? 1 : 0;
  for (const engine::AlertChange& change : effects.alerts) {
    const traffic::Alert& alert = change.alert;
    const std::pair key{index(alert.shard), alert.number};
    if (change.kind == engine::AlertChange::Kind::kRaised) {
      ++summary_.alerts;
      ++summary_.alerts_by_type[std::string(traffic::info(alert.type).name)];
      open_[key] = written_ + raised_.size();
      raised_.push_back({alert});
      continue;
    }
    const auto place = open_.find(key);
    LIMINAL_CHECK(place != open_.end());
    Raised& raised = raised_[static_cast<std::size_t>(place->second - written_)];
    raised.alert = alert;
    if (change.kind == engine::AlertChange::Kind::kResolved) {
      raised.final = true;
      open_.erase(place);
    }
  }
  if (!effects.alerts.empty()) write_final();
}

void Replay::write_final() {
  while (!raised_.empty() && raised_.front().final) {
    write(raised_.front().alert);
    raised_.pop_front();
    ++written_;
  }
}

void Replay::write(const traffic::Alert& alert) {
  json::Writer line;
  line.begin_object();
  line.field("t", seconds_of(alert.first_seen));
  line.field("t_last", seconds_of(alert.last_seen));
  json::write_alert_fields(alert, line);
  line.end_object();
  fmt::print(out_, "{}\n", line.text());
}

void Replay::write_summary() {
  json::Writer line;
  line.begin_object();
  line.key("summary");
  line.begin_object();
  line.field("events", summary_.events);
  line.field("rejected", summary_.rejected);
  line.field("users", summary_.users);
  line.field("alerts", summary_.alerts);
  line.key("alerts_by_type");
  line.begin_object();
  for (const auto& [type, count] : summary_.alerts_by_type) line.field(type, count);
  line.end_object();
  line.field("shadow", summary_.shadow);
  line.field("enforced", summary_.enforced);
  line.field("first_s", summary_.first_s);
  line.field("last_s", summary_.last_s);
  line.field("state_hash", fmt::format("{:016x}", summary_.state_hash));
  line.end_object();
  line.end_object();
  fmt::print(out_, "{}\n", line.text());
}

}  // namespace liminal::replay
