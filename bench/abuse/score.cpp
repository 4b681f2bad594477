#include "score.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace liminal::bench {
namespace {

constexpr double kAfterSeconds = 1800, kSlowSeconds = 600, kFastSeconds = 15;

bool about(const Injection& injection, const AlertLine& alert, double tolerance_s) {
  return alert.t >= injection.from - tolerance_s && alert.t <= injection.to + kAfterSeconds &&
         std::find(injection.users.begin(), injection.users.end(), alert.user) !=
             injection.users.end();
}

/// Later: what was done in somebody's name is still in that user's statistics.
bool after(const Injection& injection, const AlertLine& alert) {
  return alert.t > injection.to + kAfterSeconds &&
         std::find(injection.users.begin(), injection.users.end(), alert.user) !=
             injection.users.end();
}

}  // namespace

double hours_of_users(const Trace& trace) {
  std::unordered_map<std::string, std::pair<double, double>> seen;
  for (const TraceEvent& event : trace)
    seen.try_emplace(event.user, event.t, event.t).first->second.second = event.t;
  double seconds = 0;
  for (const auto& [user, span] : seen) seconds += span.second - span.first;
  return seconds / 3600;
}

namespace {

double ratio(int part, int all) { return all > 0 ? static_cast<double>(part) / all : 1; }

}  // namespace

void Score::add(const Trace& trace,
                std::span<const Injection> injections,
                std::span<const AlertLine> alerts) {
  user_hours_ += hours_of_users(trace);
  for (const AlertLine& alert : alerts) {
    if (alert.user == "*" || alert.type == "population_shift") continue;
    if (std::any_of(injections.begin(), injections.end(), [&](const Injection& i) {
          return after(i, alert);
        }))
      continue;
    const bool right = std::any_of(injections.begin(), injections.end(), [&](const Injection& i) {
      return about(i, alert, tolerance_s_);
    });
    ++(right ? right_ : wrong_);
    Voice& voice = voices_[alert.type + "/" + alert.detector];
    ++(right ? voice.right : voice.wrong);
    const std::size_t bucket = alert.score < 1.15F  ? 0
                               : alert.score < 1.5F ? 1
                               : alert.score < 2.5F ? 2
                                                    : 3;
    Voice& cell = buckets_[alert.detector][bucket];
    ++(right ? cell.right : cell.wrong);
    if (!right) {
      mistakes.push_back(fmt::format("false {:8.0f} {:10} {} {} {:.2f}: {}",
                                     alert.t,
                                     alert.user,
                                     alert.type,
                                     alert.detector,
                                     alert.score,
                                     alert.evidence));
    }
  }
  for (const Injection& injection : injections) {
    Kind& kind = kinds_[static_cast<std::size_t>(injection.abuse)];
    ++kind.injected;
    const AlertLine* first = nullptr;
    for (const AlertLine& alert : alerts) {
      if (about(injection, alert, tolerance_s_) && (first == nullptr || alert.t < first->t))
        first = &alert;
    }
    if (first == nullptr) {
      mistakes.push_back(fmt::format("missed {:8.0f} {:10} {} {:.2f}",
                                     injection.from,
                                     injection.users.front(),
                                     name(injection.abuse),
                                     injection.subtlety));
      continue;
    }
    ++kind.found;
    ++kind.first_by[first->type + "/" + first->detector];
    kind.delays_s.push_back(first->t - injection.from);
    // What is learnt across users is learnt a second later.
    const double deadline =
        slow(injection.abuse)
            ? injection.from + kSlowSeconds
            : std::max(injection.tenth_event, injection.from + kFastSeconds) + .001;
    if (first->t <= deadline + tolerance_s_) ++kind.in_time;
  }
}

double Score::recall() const {
  int injected = 0, found = 0;
  for (const Kind& kind : kinds_) {
    injected += kind.injected;
    found += kind.found;
  }
  return ratio(found, injected);
}

double Score::worst() const {
  double worst = 1;
  for (const Kind& kind : kinds_) worst = std::min(worst, ratio(kind.found, kind.injected));
  return worst;
}

double Score::fast_in_time() const {
  double worst = 1;
  for (std::size_t i = 0; i < kAbuses; ++i) {
    if (!slow(static_cast<Abuse>(i)))
      worst = std::min(worst, ratio(kinds_[i].in_time, kinds_[i].injected));
  }
  return worst;
}

double Score::false_per_1000_hours() const {
  return user_hours_ > 0 ? 1000 * wrong_ / user_hours_ : 0;
}

double Score::precision() const { return ratio(right_, right_ + wrong_); }

std::string Score::line() const {
  return fmt::format(
      "recall {:.3f}, worst kind {:.3f}, fast kinds in time at least {:.3f}, {:.2f} false alerts "
      "per 1,000 user-hours ({} in {:.0f}), precision {:.3f}",
      recall(),
      worst(),
      fast_in_time(),
      false_per_1000_hours(),
      wrong_,
      user_hours_,
      precision());
}

std::string Score::table() const {
  std::string text = fmt::format("  {:<16}{:>6}{:>9}{:>9}{:>14}  first by\n",
                                 "kind",
                                 "n",
                                 "recall",
                                 "in time",
                                 "median delay");
  for (std::size_t i = 0; i < kAbuses; ++i) {
    Kind kind = kinds_[i];
    if (kind.injected == 0) continue;
    std::sort(kind.delays_s.begin(), kind.delays_s.end());
    const double median = kind.delays_s.empty() ? 0 : kind.delays_s[kind.delays_s.size() / 2];
    text += fmt::format("  {:<16}{:>6}{:>9.3f}{:>9.3f}{:>12.1f} s ",
                        name(static_cast<Abuse>(i)),
                        kind.injected,
                        ratio(kind.found, kind.injected),
                        ratio(kind.in_time, kind.injected),
                        median);
    for (const auto& [who, times] : kind.first_by) text += fmt::format(" {}:{}", who, times);
    text += '\n';
  }
  text += fmt::format("  {:<48}{:>6}{:>7}\n", "finding/detector", "true", "false");
  for (const auto& [who, voice] : voices_)
    text += fmt::format("  {:<48}{:>6}{:>7}\n", who, voice.right, voice.wrong);
  return text;
}

std::string Score::confidence() const {
  std::string text;
  for (const auto& [detector, row] : buckets_) {
    double right = 1, all = 2;
    for (const Voice& cell : row) {
      right += cell.right;
      all += cell.right + cell.wrong;
    }
    // Thin cells are drawn to the detector's share; a higher score is not less worth.
    constexpr double kDraw = 4;
    double share = 0;
    text += "    {";
    for (const Voice& cell : row) {
      const double drawn = (cell.right + kDraw * right / all) / (cell.right + cell.wrong + kDraw);
      share = std::max(share, drawn);
      text += fmt::format("{:.2f}F, ", share);
    }
    text += fmt::format("}},  // {}\n", detector);
  }
  return text;
}

}  // namespace liminal::bench
