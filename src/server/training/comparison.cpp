#include "server/training/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include "core/learn/metrics.hpp"
#include "core/learn/owners.hpp"
#include "core/traffic/schema.hpp"
#include "server/training/asked.hpp"

namespace liminal::training {
namespace {

/// Of each class (or rows, of values), so that a part of the held-out rows judges alone: what the
/// gate wants.
constexpr std::size_t kPartMin = 50;

bool enough(const std::vector<std::uint32_t>& places, const learn::Table& test, bool classes) {
  if (places.size() == test.rows()) return true;
  if (!classes) return places.size() >= kPartMin;
  const auto positive = static_cast<std::size_t>(
      std::count_if(places.begin(), places.end(), [&](std::uint32_t place) {
        return learn::is_positive(test.labels[place]);
      }));
  return std::min(positive, places.size() - positive) >= kPartMin;
}

std::vector<std::uint32_t> later_than(std::optional<double> time_s, const learn::Table& test) {
  std::vector<std::uint32_t> places;
  if (!time_s || test.times_s.empty()) return places;
  for (std::uint32_t i = 0; i < test.rows(); ++i)
    if (test.times_s[i] > *time_s) places.push_back(i);
  return places;
}

/// The value from which on so large a part of the values lies.
double upper(std::vector<double> values, double part) {
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(values.size()) * (1 - part));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

Comparison compare(const BuiltinOptions& options,
                   const Rows& rows,
                   const HeldOut& held_out,
                   const learn::Table& test) {
  const bool classes = options.definition.task == models::Task::kClassification;
  Comparison with;
  with.places.resize(test.rows());
  std::iota(with.places.begin(), with.places.end(), 0U);
  const auto ask = [&](const std::shared_ptr<const models::Scorer>& scorer) {
    return scorer && scorer->features() == test.features.size() ? scores(*scorer, test)
                                                                : std::vector<float>{};
  };
  const auto& judged = options.champion_judged ? options.champion_judged : options.champion;
  if (judged) {
    auto unseen = unseen_by(judged->metadata(), test);
    if (enough(unseen, test, classes) && !unseen.empty()) with.champion = ask(judged);
    if (!with.champion.empty()) {
      with.with_champion = true;
      with.note = fmt::format(
          "compared with the champion as it was judged, on {} held-out rows that neither has "
          "learnt",
          unseen.size());
      with.places = std::move(unseen);
      return with;
    }
  }
  with.champion = ask(options.champion);
  with.with_champion = !with.champion.empty();
  if (!with.with_champion) {
    if (!rows.baseline.empty()) {
      for (const std::uint32_t row : held_out.test) with.champion.push_back(rows.baseline[row]);
      with.note = "without a champion it is compared with saying that all stays as it is";
    }
    return with;
  }
  if (!options.champion_trained_s) return with;
  auto later = later_than(options.champion_trained_s, test);
  if (!later.empty() && enough(later, test, classes)) {
    with.note = fmt::format("compared on the {} held-out rows that are later than the champion",
                            later.size());
    with.places = std::move(later);
  } else {
    with.note =
        "the champion may have learnt rows that judge here, and then looks better than it is, "
        "until "
        "enough are later than it";
  }
  return with;
}

std::vector<std::pair<std::string, double>> drift_since(
    const std::optional<learn::WatchReference>& champion, const learn::Table& table) {
  std::vector<std::pair<std::string, double>> drift;
  if (!champion) return drift;
  for (const learn::WatchReference::Column& column : champion->features) {
    for (std::size_t f = 0; f < table.features.size(); ++f) {
      if (table.features[f].name != column.name) continue;
      std::vector<float> values;
      for (std::size_t i = 0; i < table.rows(); ++i) values.push_back(table.row(i)[f]);
      drift.emplace_back(column.name, learn::stability(column.reference, values));
    }
  }
  std::stable_sort(
      drift.begin(), drift.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return drift;
}

std::vector<learn::Slice> slices_of(const Rows& rows,
                                    const HeldOut& held_out,
                                    const learn::Table& test,
                                    const std::vector<std::uint32_t>& places) {
  constexpr double kBusiest = .25, kLast = 1. / 3;
  std::vector<learn::Slice> slices;
  const auto add = [&](const char* name, auto belongs) {
    learn::Slice slice{name, {}};
    for (std::uint32_t i = 0; i < places.size(); ++i)
      if (belongs(places[i])) slice.rows.push_back(i);
    if (!slice.rows.empty() && slice.rows.size() < places.size())
      slices.push_back(std::move(slice));
  };
  if (places.empty()) return slices;
  if (!rows.judged.empty())
    add("of what people judged",
        [&](std::uint32_t place) { return rows.judged[held_out.test[place]] != 0; });
  const auto values = [&](auto value) {
    std::vector<double> all;
    for (const std::uint32_t place : places) all.push_back(value(place));
    return all;
  };
  const std::string_view rate = traffic::info(traffic::FeatureId::kMessagesPerMinute).name;
  for (std::size_t f = 0; f < test.features.size(); ++f) {
    if (test.features[f].name != rate) continue;
    const auto value = [&](std::uint32_t place) { return double{test.row(place)[f]}; };
    const double line = upper(values(value), kBusiest);
    add("of the busiest quarter", [&](std::uint32_t place) { return value(place) > line; });
  }
  if (!test.times_s.empty()) {
    const auto time = [&](std::uint32_t place) { return test.times_s[place]; };
    const double line = upper(values(time), kLast);
    add("of the last third of the time", [&](std::uint32_t place) { return time(place) > line; });
  }
  return slices;
}

learn::WatchReference watched(models::Task task,
                              const Rows& rows,
                              const HeldOut& held_out,
                              const learn::Table& test,
                              std::span<const float> said) {
  std::vector<double> errors;
  std::vector<std::uint32_t> erred;
  for (std::uint32_t i = 0; i < said.size(); ++i) {
    const bool known = task != models::Task::kClassification ||
                       (!rows.judged.empty() && rows.judged[held_out.test[i]] != 0);
    if (!known) continue;
    errors.push_back(learn::error_of(task, double{said[i]}, double{test.labels[i]}));
    erred.push_back(i);
  }
  if (errors.size() < kJudgedMin) {
    errors.clear();
    erred.clear();
  }
  return learn::reference_of(rows.table, test, said, errors, erred);
}

std::vector<std::string> rows_to_judge(double judging_min,
                                       std::span<const float> all,
                                       std::span<const float> held) {
  std::vector<std::string> words;
  const auto tell = [&](const char* which, std::size_t rows, std::size_t judging) {
    const double lacking = judging_min - static_cast<double>(judging);
    if (lacking <= 0) return;
    words.push_back(fmt::format("some {:.0f} more {} rows are needed until a model can be judged",
                                std::ceil(lacking * static_cast<double>(rows) /
                                          static_cast<double>(std::max<std::size_t>(judging, 1))),
                                which));
  };
  const std::size_t positives = learn::positives(all), judging = learn::positives(held);
  tell("anomalous", positives, judging);
  tell("ordinary", all.size() - positives, held.size() - judging);
  return words;
}

std::optional<std::string> users_to_judge(double users_min,
                                          const learn::Table& all,
                                          const learn::Table& held) {
  if (all.groups.empty()) return std::nullopt;
  const auto rows_of_each = [](const learn::Table& table) {
    std::map<std::uint64_t, double> rows;
    for (std::size_t i = 0; i < table.rows(); ++i)
      if (learn::is_positive(table.labels[i])) ++rows[table.groups[i]];
    std::vector<double> counts;
    for (const auto& [user, count] : rows) counts.push_back(count);
    return counts;
  };
  const auto users = static_cast<double>(rows_of_each(all).size());
  const std::vector<double> judging = rows_of_each(held);
  const auto judges = static_cast<double>(judging.size());
  const double alike = learn::alike(judging);
  if (alike >= users_min) return std::nullopt;
  // How uneven their rows are, and how many of the users judge, as far as so few tell.
  constexpr double kUsualEvenness = .8;
  const double evenness = judges > 0 ? alike / judges : kUsualEvenness;
  const double share = (judges + 1) / (users + 3);
  return fmt::format(
      "{:.0f} users have anomalous rows, and {:.0f} of them judge, as of {:.1f} users alike; it "
      "takes {:.0f}: some {:.0f} more such users are needed until a model can be judged",
      users,
      judges,
      alike,
      users_min,
      learn::users_to_draw((users_min - alike) / evenness, share));
}

}  // namespace liminal::training
