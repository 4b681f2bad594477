// ranking FILE.csv.gz…: how well salience ranks the alerts of AIT-ADS scenarios, item by item and
// as incidents. README.md beside it says the method.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/hash.hpp"
#include "core/salience/incidents.hpp"
#include "core/salience/learnt.hpp"
#include "core/salience/ranker.hpp"

namespace {

using liminal::SteadyTime;
using liminal::salience::Item;
using liminal::salience::Ranker;

using liminal::salience::Incident;
using liminal::salience::Incidents;
using liminal::salience::Scope;

struct Row {
  double time;
  std::string name, host, time_label, event_label;
};

/// Splits a CSV line; quotes as in RFC 4180.
std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"') {
        out.back().push_back(line[i++]);
      } else {
        quoted = !quoted;
      }
    } else if (line[i] == ',' && !quoted) {
      out.emplace_back();
    } else if (line[i] != '\r') {
      out.back().push_back(line[i]);
    }
  }
  return out;
}

std::vector<Row> read(const std::string& path) {
  const std::string command = "gzip -dc '" + path + "'";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::vector<Row> rows;
  std::string line;
  std::vector<std::string> header;
  for (int c = 0; pipe && (c = std::fgetc(pipe.get())) != EOF;) {
    if (c != '\n') {
      line.push_back(static_cast<char>(c));
      continue;
    }
    const auto values = fields(line);
    line.clear();
    if (header.empty()) {
      header = values;
      continue;
    }
    const auto at = [&](const char* name) {
      return values.at(
          static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin()));
    };
    rows.push_back(
        {std::stod(at("time")), at("name"), at("host"), at("time_label"), at("event_label")});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::floor(a.time) < std::floor(b.time);
  });
  return rows;
}

/// An item with what is true of it.
struct Judged {
  Item item;
  double score = 0;
  std::string type, host;
  bool in_window = false, by_event = false;
  std::set<std::string> windows;  ///< attack phases in whose time it lies
  std::set<std::string> phases;   ///< attack steps that caused it
};

struct Figures {
  double precision = 0, ndcg = 0, average_precision = 0;
};

template <class Relevant>
Figures figures(const std::vector<Judged>& items, Relevant&& relevant) {
  std::vector<const Judged*> order;
  for (const Judged& item : items) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(), [](const Judged* a, const Judged* b) {
    return a->score > b->score;
  });
  Figures out;
  double ideal = 0, hits = 0;
  const double all = static_cast<double>(std::count_if(items.begin(), items.end(), relevant));
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double gain = relevant(*order[i]) ? 1 : 0;
    hits += gain;
    out.average_precision += gain * hits / static_cast<double>(i + 1) / all;
    if (i >= 100) continue;
    const double discount = 1 / std::log2(static_cast<double>(i) + 2);
    out.precision += gain / 100;
    out.ndcg += gain * discount;
    if (static_cast<double>(i) < all) ideal += discount;
  }
  out.ndcg /= ideal;
  return out;
}

/// What operators said of types.
struct Vote {
  std::uint64_t type;
  bool relevant;
};

std::vector<Judged> rank(const std::vector<Row>& rows,
                         bool baseline,
                         const std::vector<Vote>& votes = {}) {
  std::vector<Judged> judged;
  std::map<std::tuple<std::uint64_t, std::uint64_t, std::int64_t>, std::size_t> place;
  Ranker ranker;
  for (const Vote& vote : votes) ranker.feedback(vote.type, vote.relevant);
  std::vector<Item> finals;
  const auto minute_of = [](double time) {
    return static_cast<std::int64_t>(std::floor(time / 60));
  };
  for (const Row& row : rows) {
    const std::uint64_t type = liminal::hash64(row.name),
                        host = liminal::hash64(row.host.empty() ? "-" : row.host);
    ranker.observe(type, host, SteadyTime{liminal::from_seconds(std::floor(row.time))}, finals);
    const auto [at, fresh] =
        place.try_emplace({type, host, minute_of(std::floor(row.time))}, judged.size());
    if (fresh) judged.emplace_back();
    Judged& item = judged[at->second];
    const bool attack_time = row.time_label != "false_positive";
    const bool event = row.event_label != "-" && (row.event_label != "dnsteal" || attack_time);
    item.type = row.name;
    item.host = row.host;
    if (attack_time) item.windows.insert(row.time_label);
    item.in_window |= attack_time;
    item.by_event |= event;
    if (event) item.phases.insert(row.event_label);
  }
  ranker.tick(SteadyTime{liminal::from_seconds(rows.back().time + 120)}, finals);
  for (const Item& item : finals) {
    Judged& at = judged.at(place.at({item.type, item.source, item.minute}));
    at.item = item;
    at.score = baseline ? item.terms.rarity * 4 + .5 * std::log(static_cast<double>(item.count))
                        : item.terms.x();
  }
  return judged;
}

using Phases = std::set<std::string> Judged::*;
constexpr std::array<std::size_t, 3> kTops{5, 20, 50};

/// What part of all phases is among the first so many lists of items.
std::array<double, 3> phases_found(const std::vector<Judged>& items,
                                   const std::vector<std::vector<std::size_t>>& ranked,
                                   Phases phases) {
  std::set<std::string> all, found;
  for (const Judged& item : items) all.insert((item.*phases).begin(), (item.*phases).end());
  std::array<double, 3> out{};
  for (std::size_t i = 0, top = 0; top < kTops.size(); ++top) {
    for (; i < std::min(kTops[top], ranked.size()); ++i) {
      for (const std::size_t item : ranked[i])
        found.insert((items[item].*phases).begin(), (items[item].*phases).end());
    }
    out[top] = static_cast<double>(found.size()) / static_cast<double>(all.size());
  }
  return out;
}

struct IncidentFigures {
  std::array<double, 3> windows{}, phases{};            ///< found in the first 5, 20, 50
  std::array<double, 3> item_windows{}, item_phases{};  ///< the same of single items
  std::array<double, 3> precision{};                    ///< of the first 5, 10, 20 hosts' incidents
  double hours = 0, all_hours = 0;                      ///< that the first 20 global ones last
};

/// Groups a scenario's items as the server groups alerts.
IncidentFigures incidents(const std::vector<Judged>& items) {
  std::vector<std::size_t> by_minute(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) by_minute[i] = i;
  std::stable_sort(by_minute.begin(), by_minute.end(), [&](std::size_t a, std::size_t b) {
    return items[a].item.minute < items[b].item.minute;
  });
  Incidents incidents;
  std::array<std::map<std::uint64_t, std::vector<std::size_t>>, 2> members;
  for (const std::size_t i : by_minute) {
    const Judged& item = items[i];
    const auto joined = incidents.add({i,
                                       item.type,
                                       item.host,
                                       SteadyTime{std::chrono::minutes{item.item.minute}},
                                       (item.item.terms.x() - 16) / 3,
                                       item.item.type_excess});
    for (std::size_t scope = 0; scope < 2; ++scope) members[scope][joined[scope]].push_back(i);
  }
  IncidentFigures out;
  std::vector<std::vector<std::size_t>> ranked;
  for (const Incident* one : incidents.best(Scope::kGlobal, 50)) {
    if (ranked.size() < 20)
      out.hours += std::chrono::duration<double, std::ratio<3600>>(
                       one->last_seen - one->first_seen + std::chrono::minutes{1})
                       .count();
    ranked.push_back(members[0][one->number]);
  }
  out.all_hours = static_cast<double>(items[by_minute.back()].item.minute -
                                      items[by_minute.front()].item.minute) /
                  60;
  out.windows = phases_found(items, ranked, &Judged::windows);
  out.phases = phases_found(items, ranked, &Judged::phases);
  ranked.clear();
  std::vector<std::size_t> order(by_minute);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return items[a].score > items[b].score;
  });
  for (const std::size_t i : order) ranked.push_back({i});
  out.item_windows = phases_found(items, ranked, &Judged::windows);
  out.item_phases = phases_found(items, ranked, &Judged::phases);
  std::size_t rank = 0, hits = 0;
  for (const Incident* one : incidents.best(Scope::kSource, 20)) {
    const auto& own = members[1][one->number];
    hits += std::any_of(own.begin(), own.end(), [&](std::size_t i) { return items[i].in_window; });
    ++rank;
    for (std::size_t i = 0; i < 3; ++i) {
      if (rank == std::array<std::size_t, 3>{5, 10, 20}[i])
        out.precision[i] = static_cast<double>(hits) / static_cast<double>(rank);
    }
  }
  return out;
}

void print_incidents(const std::vector<std::string>& paths) {
  std::printf("incidents: phases of attacks in the first 5/20/50, P@5/10/20 of hosts' incidents\n");
  std::printf("%-24s %-18s %-18s %-18s %-18s %-16s %s\n",
              "scenario",
              "T incidents",
              "T items",
              "E incidents",
              "E items",
              "hosts' P",
              "hours of the first 20");
  IncidentFigures mean;
  const auto add = [&](std::array<double, 3>& sum, const std::array<double, 3>& one) {
    for (std::size_t i = 0; i < 3; ++i) sum[i] += one[i] / static_cast<double>(paths.size());
  };
  const auto print = [](const std::string& name, const IncidentFigures& f) {
    std::printf("%-24s", name.c_str());
    for (const auto* three : {&f.windows, &f.item_windows, &f.phases, &f.item_phases})
      std::printf(" %.3f/%.3f/%.3f ", (*three)[0], (*three)[1], (*three)[2]);
    std::printf(" %.2f/%.2f/%.2f   %.0f of %.0f\n",
                f.precision[0],
                f.precision[1],
                f.precision[2],
                f.hours,
                f.all_hours);
  };
  for (const std::string& path : paths) {
    const IncidentFigures one = incidents(rank(read(path), false));
    add(mean.windows, one.windows);
    add(mean.item_windows, one.item_windows);
    add(mean.phases, one.phases);
    add(mean.item_phases, one.item_phases);
    add(mean.precision, one.precision);
    mean.hours += one.hours / static_cast<double>(paths.size());
    mean.all_hours += one.all_hours / static_cast<double>(paths.size());
    print(path.substr(path.rfind('/') + 1), one);
  }
  print("mean", mean);
}

using liminal::salience::JudgedTerms;
using liminal::salience::TermWeights;
using liminal::salience::values_of;
using liminal::salience::WeightLearning;

constexpr std::size_t kJudged = 300;

/// The items that an operator who looks at the top of the list judges, by what caused them.
std::vector<const Judged*> looked_at(const std::vector<Judged>& items) {
  std::vector<const Judged*> order;
  for (const Judged& item : items) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(), [](const Judged* a, const Judged* b) {
    return a->score > b->score;
  });
  order.resize(std::min(order.size(), kJudged));
  return order;
}

std::vector<Vote> votes_of(const std::vector<const Judged*>& items) {
  std::vector<Vote> votes;
  for (const Judged* item : items) votes.push_back({item->item.type, item->by_event});
  return votes;
}

/// Weights from judgements on some scenarios; with `votes`, each with the others' votes, because an
/// item's terms are from before its own judgement.
TermWeights learn(const std::vector<std::vector<Row>>& scenarios,
                  bool votes,
                  const WeightLearning& options) {
  std::vector<JudgedTerms> judged;
  for (std::size_t i = 0; i < scenarios.size(); ++i) {
    std::vector<Vote> others;
    for (std::size_t j = 0; votes && j < scenarios.size(); ++j) {
      if (i == j) continue;
      const auto items = rank(scenarios[j], false);
      for (const Vote& vote : votes_of(looked_at(items))) others.push_back(vote);
    }
    const auto items = rank(scenarios[i], false, others);
    for (const Judged* item : looked_at(items))
      judged.push_back({values_of(item->item.terms), item->by_event});
  }
  return liminal::salience::learn_weights(judged, options);
}

Figures by_events(std::vector<Judged> items, const TermWeights& weights) {
  for (Judged& item : items) item.score = weights.weighted(item.item.terms).x();
  return figures(items, [](const Judged& item) { return item.by_event; });
}

/// Weights learnt on the first half of the scenarios, measured on the second.
void print_learnt(const std::vector<std::string>& paths) {
  std::vector<std::vector<Row>> first, second;
  for (std::size_t i = 0; i < paths.size(); ++i)
    (i < paths.size() / 2 ? first : second).push_back(read(paths[i]));
  if (first.size() < 2) return;
  std::printf("\nweights learnt from the %zu items at the top of each of the first %zu scenarios\n",
              kJudged,
              first.size());
  for (const bool votes : {false, true}) {
    WeightLearning best;
    double best_precision = -1;
    for (const double prior : {1., 3., 10., 30., 100., 300., 1000.}) {
      double sum = 0;
      for (std::size_t i = 0; i < first.size(); ++i) {
        std::vector<std::vector<Row>> others(first);
        others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
        std::vector<Vote> from;
        for (std::size_t j = 0; votes && j < others.size(); ++j) {
          const auto items = rank(others[j], false);
          for (const Vote& vote : votes_of(looked_at(items))) from.push_back(vote);
        }
        sum += by_events(rank(first[i], false, from), learn(others, false, {prior, 20'000}))
                   .average_precision;
      }
      if (sum > best_precision) best = {prior, 20'000};
      best_precision = std::max(best_precision, sum);
    }
    const TermWeights learnt = learn(first, votes, best);
    std::vector<Vote> from;
    for (std::size_t i = 0; votes && i < first.size(); ++i) {
      const auto items = rank(first[i], false);
      for (const Vote& vote : votes_of(looked_at(items))) from.push_back(vote);
    }
    std::printf("%s, prior of %.0f judgements:",
                votes ? "with votes" : "without votes",
                best.prior_judgements);
    for (std::size_t k = 0; k < liminal::salience::kTerms; ++k)
      std::printf(" %s %.2f", std::string(liminal::salience::kTermNames[k]).c_str(), learnt.of[k]);
    std::printf("\n");
    for (std::size_t i = 0; i < second.size(); ++i) {
      const auto items = rank(second[i], false, from);
      const std::string path = paths[first.size() + i];
      for (const bool own : {false, true}) {
        const Figures found = by_events(items, own ? learnt : TermWeights{});
        std::printf("%-24s %-8s E P@100 %.3f NDCG %.3f AP %.3f\n",
                    path.substr(path.rfind('/') + 1).c_str(),
                    own ? "learnt" : "prior",
                    found.precision,
                    found.ndcg,
                    found.average_precision);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2)
    return std::fprintf(stderr, "usage: ranking FILE.csv.gz…   (AIT-ADS scenarios)\n"), 2;
  for (const bool baseline : {true, false}) {
    std::printf("%s\n%-24s %8s %6s %6s %6s   %6s %6s %6s\n",
                baseline ? "rarity + log volume / 2" : "salience",
                "scenario",
                "items",
                "T P@100",
                "NDCG",
                "AP",
                "E P@100",
                "NDCG",
                "AP");
    Figures window_mean, event_mean;
    for (int i = 1; i < argc; ++i) {
      const std::string path = argv[i];
      const auto judged = rank(read(path), baseline);
      const Figures window = figures(judged, [](const Judged& item) { return item.in_window; });
      const Figures event = figures(judged, [](const Judged& item) { return item.by_event; });
      std::printf("%-24s %8zu %7.3f %6.3f %6.3f   %7.3f %6.3f %6.3f\n",
                  path.substr(path.rfind('/') + 1).c_str(),
                  judged.size(),
                  window.precision,
                  window.ndcg,
                  window.average_precision,
                  event.precision,
                  event.ndcg,
                  event.average_precision);
      const auto add = [&](Figures& mean, const Figures& one) {
        mean.precision += one.precision / (argc - 1);
        mean.ndcg += one.ndcg / (argc - 1);
        mean.average_precision += one.average_precision / (argc - 1);
      };
      add(window_mean, window);
      add(event_mean, event);
    }
    std::printf("%-24s %8s %7.3f %6.3f %6.3f   %7.3f %6.3f %6.3f\n\n",
                "mean",
                "",
                window_mean.precision,
                window_mean.ndcg,
                window_mean.average_precision,
                event_mean.precision,
                event_mean.ndcg,
                event_mean.average_precision);
  }
  print_incidents({argv + 1, argv + argc});
  print_learnt({argv + 1, argv + argc});
  return 0;
}
