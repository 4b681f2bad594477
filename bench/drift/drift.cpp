// Drift and decay: false triggers where nothing changed, delay where something did; README.md has
// the method.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "../abuse/trace.hpp"
#include "core/base/hash.hpp"
#include "core/base/random.hpp"
#include "core/engine/local_engine.hpp"
#include "core/learn/registered.hpp"
#include "core/learn/watch.hpp"

namespace {

using namespace liminal;

struct Row {
  double t = 0;
  std::uint64_t user = 0;
  std::vector<float> values;
};

const std::vector<std::string>& names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> found;
    for (const traffic::FeatureInfo& feature : traffic::feature_schema())
      found.emplace_back(feature.name);
    return found;
  }();
  return all;
}

/// Something that looks at several features, as a model does.
double score_of(std::span<const float> row) {
  double sum = 0;
  for (const float value : row) sum += std::log1p(std::max(0., double{value}));
  return 1 / (1 + std::exp(3 - .2 * sum));
}

constexpr Duration kBegin = std::chrono::hours{24 * 365 * 50};

/// The feature rows that the engine makes of a trace.
std::vector<Row> rows_of(const bench::Trace& trace, std::uint64_t number) {
  std::vector<Row> rows;
  engine::LocalEngine engine{engine::Options{}};
  engine::Effects effects;
  for (const bench::TraceEvent& event : trace) {
    effects.clear();
    engine.feed(abuse::EngineEvent(event, kBegin).get(), effects);
    for (const traffic::FeatureRow& row : effects.rows)
      rows.push_back({event.t,
                      hash64(row.user) ^ mix64(number),
                      {row.features.values.begin(), row.features.values.end()}});
  }
  return rows;
}

learn::Table table_of(const std::vector<Row>& rows) {
  learn::Table table;
  for (const std::string& name : names()) table.features.push_back({name, "", {}});
  for (const Row& row : rows) {
    table.values.insert(table.values.end(), row.values.begin(), row.values.end());
    table.times_s.push_back(row.t);
    table.groups.push_back(row.user);
  }
  return table;
}

learn::Watch watch_of(const learn::Table& table, bool blind) {
  learn::Table known = table;
  if (blind) {
    // One a minute as ever, but taken for independent.
    known = table.chosen(learn::one_a_minute(table));
    known.times_s.clear();
    known.groups.clear();
  }
  std::vector<float> said;
  for (std::size_t i = 0; i < known.rows(); ++i)
    said.push_back(static_cast<float>(score_of(known.row(i))));
  return learn::Watch(learn::reference_of(known, known, said, {}, {}));
}

/// A change that users' programs or habits could bring.
struct Change {
  const char* name;
  traffic::FeatureId feature;
  double factor;
};
constexpr Change kChanges[] = {
    {"messages_per_minute × 1.5", traffic::FeatureId::kMessagesPerMinute, 1.5},
    {"messages_per_minute × 3", traffic::FeatureId::kMessagesPerMinute, 3},
    {"avg_message_size × 1.5", traffic::FeatureId::kAvgMessageSize, 1.5},
    {"avg_message_size × 3", traffic::FeatureId::kAvgMessageSize, 3},
};

struct Seen {
  double rows = 0;  ///< until it drifted, or all
  double minutes = 0;
  bool drifted = false;
  std::vector<std::string> what;
};

/// Live rows through a watch; from `from_s` on with a change.
Seen run(learn::Watch watch, const learn::Table& live, const Change* change, double from_s) {
  Seen seen;
  std::vector<float> row;
  for (const std::uint32_t i : learn::one_a_minute(live)) {
    if (live.times_s[i] < from_s) continue;
    row.assign(live.row(i).begin(), live.row(i).end());
    if (change != nullptr) {
      float& value = row[static_cast<std::size_t>(change->feature)];
      value = static_cast<float>(value * change->factor);
    }
    watch.observe(row, score_of(row));
    ++seen.rows;
    seen.minutes = (live.times_s[i] - from_s) / 60;
    if (!(watch.drift() > 1)) continue;
    seen.drifted = true;
    seen.what = watch.drifted();
    break;
  }
  return seen;
}

double median(std::vector<double> values) {
  if (values.empty()) return NAN;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Users at random into those of training and those that pass by: nothing drifts between them.
void chat(const char* title, const std::vector<std::vector<Row>>& traces, int trials) {
  int false_known = 0, false_blind = 0;
  double rows = 0, minutes = 0;
  std::map<std::string, int> who;
  std::map<std::string, std::pair<int, std::vector<double>>> found;
  for (int trial = 0; trial < trials; ++trial) {
    const std::uint64_t salt = mix64(static_cast<std::uint64_t>(trial) + 1);
    std::vector<Row> before, after;
    for (const auto& trace : traces)
      for (const Row& row : trace)
        ((mix64(row.user ^ salt) & 1U) != 0 ? before : after).push_back(row);
    std::stable_sort(
        after.begin(), after.end(), [](const Row& a, const Row& b) { return a.t < b.t; });
    const learn::Table training = table_of(before), live = table_of(after);
    const learn::Watch watch = watch_of(training, false);
    const Seen calm = run(watch, live, nullptr, 0);
    rows += calm.rows;
    minutes += calm.minutes;
    false_known += calm.drifted;
    for (const std::string& name : calm.what) ++who[name];
    false_blind += run(watch_of(training, true), live, nullptr, 0).drifted;
    for (const Change& change : kChanges) {
      const Seen told = run(watch, live, &change, 0);
      auto& [count, delays] = found[change.name];
      count += told.drifted;
      if (told.drifted) delays.push_back(told.rows);
    }
  }
  fmt::print(
      "{}: {} splits of users, {:.0f} rows of {} features and a score each: {} falsely drifted; "
      "taken for independent rows {}\n",
      title,
      trials,
      rows / trials,
      names().size(),
      false_known,
      false_blind);
  for (const auto& [name, count] : who) fmt::print("    {} {}\n", name, count);
  for (const auto& [name, told] : found)
    fmt::print("    {}: found in {} of {}, after {:.0f} rows (median)\n",
               name,
               told.first,
               trials,
               median(told.second));
}

/// Users with a level of their own that wanders (AR(1)), one row a minute of each.
std::vector<Row> made_up(std::uint64_t seed, int users, int minutes, double shift, double own) {
  Random random(seed);
  std::vector<Row> rows;
  std::vector<double> level, wandering(static_cast<std::size_t>(users));
  for (int user = 0; user < users; ++user) level.push_back(own * random.normal());
  for (int minute = 0; minute < minutes; ++minute) {
    for (int user = 0; user < users; ++user) {
      double& state = wandering[static_cast<std::size_t>(user)];
      state = .9 * state + std::sqrt(1 - .81) * random.normal();
      std::vector<float> values(names().size());
      for (float& value : values) value = static_cast<float>(random.normal());
      values[0] = static_cast<float>(level[static_cast<std::size_t>(user)] + state + shift);
      rows.push_back(
          {60. * minute, mix64(seed) ^ static_cast<std::uint64_t>(user), std::move(values)});
    }
  }
  return rows;
}

void synthetic(int trials) {
  for (const double own : {0., 1.}) {
    int wrong = 0, blind = 0, found = 0;
    std::vector<double> delays;
    double rows = 0;
    for (int trial = 0; trial < trials; ++trial) {
      const auto seed = static_cast<std::uint64_t>(3 * trial + 1);
      const learn::Table training = table_of(made_up(seed, 200, 60, 0, own));
      const learn::Table live = table_of(made_up(seed + 1, 200, 300, 0, own));
      const learn::Watch watch = watch_of(training, false);
      const Seen calm = run(watch, live, nullptr, 0);
      rows += calm.rows;
      wrong += calm.drifted;
      blind += run(watch_of(training, true), live, nullptr, 0).drifted;
      const Seen told = run(watch, table_of(made_up(seed + 2, 200, 300, 1, own)), nullptr, 0);
      found += told.drifted;
      if (told.drifted) delays.push_back(told.rows);
    }
    fmt::print(
        "made up, level of a user's own {}: {} runs of {:.0f} rows: {} falsely drifted, taken for "
        "independent rows {}; a shift by one deviation found in {}, after {:.0f} rows\n",
        own,
        trials,
        rows / trials,
        wrong,
        blind,
        found,
        median(delays));
  }
}

double error_of_chance(Random& random, bool worse) {
  const double p = .05 + .4 * random.uniform();
  const double y = random.chance(p) ? 1 : 0;
  const double said = worse ? .25 : p;  // knows nothing any more but the rate
  return (said - y) * (said - y) + (worse ? .1 : 0);
}

void decay(int runs) {
  int wrong = 0, found = 0;
  std::vector<double> delays;
  for (int run = 0; run < runs; ++run) {
    Random random(static_cast<std::uint64_t>(run) + 1);
    std::vector<double> errors;
    for (int i = 0; i < 400; ++i) errors.push_back(error_of_chance(random, false));
    learn::Decay watch(learn::ErrorReference::learn(errors, {}));
    for (int i = 0; i < 2000; ++i) watch.observe(error_of_chance(random, false));
    wrong += watch.decayed();
    watch.calm();
    int rows = 0;
    while (rows < 2000 && !watch.decayed()) {
      watch.observe(error_of_chance(random, true));
      ++rows;
    }
    found += watch.decayed();
    if (watch.decayed()) delays.push_back(rows);
  }
  fmt::print(
      "decay: {} models, 2,000 words each: {:.2f} % falsely; a Brier score up by .1 found in "
      "{:.1f} "
      "%, after {:.0f} words\n",
      runs,
      100. * wrong / runs,
      100. * found / runs,
      median(delays));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "bench_drift CHAT [TRIALS]\n");
    return 2;
  }
  const int trials = argc > 2 ? std::atoi(argv[2]) : 100;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1]))
    if (entry.path().extension() == ".ndjson") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::vector<Row>> halves[2];
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto trace = bench::read_trace(files[i]);
    if (trace) halves[i % 2].push_back(rows_of(*trace, i));
  }
  chat("chat, tuned on", halves[0], trials);
  chat("chat, the other half", halves[1], trials);
  synthetic(std::max(trials / 2, 1));
  decay(20 * trials);
  return 0;
}
