#include "core/learn/parts.hpp"

#include <algorithm>
#include <set>
#include <span>

#include "core/base/hash.hpp"
#include "core/learn/metrics.hpp"
#include "core/learn/split.hpp"

namespace liminal::learn {
namespace {

using Rows = std::vector<std::uint32_t>;

constexpr std::uint32_t kFolds = 5;
constexpr std::uint32_t kCrossParts = 4;  ///< of rows that are trained on, for codes
constexpr std::uint8_t kValidPart = 0, kNeitherPart = CrossCodes::kPartsMax - 1;
constexpr std::uint64_t kFreshSalt = 0x66726573685f726fULL;

template <class T>
std::vector<T> of(const std::vector<T>& values, const Rows& rows) {
  std::vector<T> found;
  if (values.empty()) return found;
  found.reserve(rows.size());
  for (const std::uint32_t row : rows) found.push_back(values[row]);
  return found;
}

template <class T>
std::span<const T> first(const std::vector<T>& values, std::size_t count) {
  return std::span(values).first(std::min(values.size(), count));
}

Rows among(const Rows& rows, const Rows& places) {
  Rows found;
  found.reserve(places.size());
  for (const std::uint32_t place : places) found.push_back(rows[place]);
  return found;
}

std::size_t count_of(std::span<const std::uint64_t> groups) {
  return std::set<std::uint64_t>(groups.begin(), groups.end()).size();
}

/// Rows of the rarer class; half of the rows for values.
std::size_t fewest(const Rows& rows, const Table& table, const Loss& loss) {
  if (!loss.classes()) return rows.size() / 2;
  const auto positive = static_cast<std::size_t>(std::count_if(
      rows.begin(), rows.end(), [&](std::uint32_t row) { return is_positive(table.labels[row]); }));
  return std::min(positive, rows.size() - positive);
}

Folds spread(std::span<const float> labels,
             const Loss& loss,
             std::uint32_t count,
             std::uint64_t seed) {
  return loss.classes() ? stratified_folds(labels, count, seed)
                        : blocked_folds(labels, count, seed);
}

class Parting {
 public:
  Parting(const Table& table, const Loss& loss, const SearchOptions& options)
      : table_(table),
        loss_(loss),
        options_(options),
        judging_(table.rows() - std::min(table.rows(), options.rows_only_taught)) {}

  Parts run() {
    hold_out();
    parts_.part.assign(table_.rows(), CrossCodes::kNoPart);
    if (!table_.times_s.empty()) {
      by_time();
    } else if (const std::size_t groups = count_of(of(table_.groups, parts_.searched));
               groups > 1) {
      by_group(static_cast<std::uint32_t>(std::min<std::size_t>(groups, kFolds)));
    } else {
      by_chance();
    }
    teach_the_rest();
    return std::move(parts_);
  }

 private:
  /// Sets the fresh rows apart if enough are left on both sides.
  void hold_out() {
    Rows all(judging_);
    for (std::uint32_t row = 0; row < all.size(); ++row) all[row] = row;
    if (options_.fresh_ratio > 0) {
      const Folds folds = fresh_folds();
      parts_.fresh = folds.inside(0);
      parts_.searched = folds.outside(0);
      if (fewest(parts_.fresh, table_, loss_) >= kFreshMin &&
          fewest(parts_.searched, table_, loss_) >= kSearchedMin)
        return;
    }
    parts_.fresh.clear();
    parts_.searched = std::move(all);
  }

  [[nodiscard]] Folds fresh_folds() const {
    if (!table_.times_s.empty())
      return last_part(first(table_.times_s, judging_), options_.fresh_ratio);
    const auto count = static_cast<std::uint32_t>(1 / options_.fresh_ratio + .5);
    const std::uint64_t seed = mix64(options_.seed ^ kFreshSalt);
    const auto groups = first(table_.groups, judging_);
    if (count_of(groups) < 2) return spread(first(table_.labels, judging_), loss_, count, seed);
    return with_last_first(group_folds(groups, count, seed));
  }

  /// The largest user is always in the first part: the last one, of smaller ones, says more.
  static Folds with_last_first(Folds folds) {
    for (std::uint8_t& part : folds.part)
      part = static_cast<std::uint8_t>((part + 1) % folds.count);
    return folds;
  }

  void by_time() {
    parts_.validation = Validation::kTime;
    const Rows& rows = parts_.searched;
    const Folds folds = last_quarter(of(table_.times_s, rows));
    const Rows late = among(rows, folds.inside(0)), early = among(rows, folds.outside(0));
    if (count_of(of(table_.groups, rows)) > 1) {
      if (new_users(late, early) || other_users(late, early)) return;
    }
    single({early, late}, {});
  }

  bool take_if_enough(TrainValid split, Rows neither) {
    if (fewest(split.train, table_, loss_) < kSearchedMin / 2 ||
        fewest(split.valid, table_, loss_) < kFreshMin)
      return false;
    parts_.validation = Validation::kTimeGroups;
    single(std::move(split), std::move(neither));
    return true;
  }

  /// Judges on users who came in the last quarter.
  bool new_users(const Rows& late, const Rows& early) {
    std::set<std::uint64_t> known;
    for (const std::uint32_t row : early) known.insert(table_.groups[row]);
    Rows valid, neither;
    for (const std::uint32_t row : late)
      (known.contains(table_.groups[row]) ? neither : valid).push_back(row);
    return take_if_enough({early, std::move(valid)}, std::move(neither));
  }

  /// Judges on what a fifth of the users did in the last quarter, and trains on what the others did
  /// before.
  bool other_users(const Rows& late, const Rows& early) {
    const auto held = [&](std::uint32_t row) {
      return mix64(table_.groups[row] ^ mix64(options_.seed)) % kFolds == 0;
    };
    TrainValid split;
    Rows neither;
    for (const std::uint32_t row : early) (held(row) ? neither : split.train).push_back(row);
    for (const std::uint32_t row : late) (held(row) ? split.valid : neither).push_back(row);
    return take_if_enough(std::move(split), std::move(neither));
  }

  void by_group(std::uint32_t count) {
    parts_.validation = Validation::kGroups;
    const Folds folds =
        with_last_first(group_folds(of(table_.groups, parts_.searched), count, options_.seed));
    several_or_single(folds);
  }

  void by_chance() {
    const bool small = table_.rows() <= options_.folds_rows_max;
    parts_.validation = small ? Validation::kFolds : Validation::kHoldout;
    several_or_single(spread(of(table_.labels, parts_.searched), loss_, kFolds, options_.seed));
  }

  void several_or_single(const Folds& folds) {
    const Rows& rows = parts_.searched;
    if (table_.rows() > options_.folds_rows_max) {
      single({among(rows, folds.outside(0)), among(rows, folds.inside(0))}, {});
      return;
    }
    for (std::uint32_t fold = 0; fold < folds.count; ++fold) {
      parts_.splits.push_back({among(rows, folds.outside(fold)), among(rows, folds.inside(fold))});
      parts_.left_out.push_back(static_cast<CrossCodes::PartMask>(1U << fold));
    }
    for (std::size_t i = 0; i < rows.size(); ++i) parts_.part[rows[i]] = folds.part[i];
  }

  void single(TrainValid split, const Rows& neither) {
    for (const std::uint32_t row : split.valid) parts_.part[row] = kValidPart;
    for (const std::uint32_t row : neither) parts_.part[row] = kNeitherPart;
    const Rows& train = split.train;
    const auto groups = of(table_.groups, train);
    const std::uint64_t seed = mix64(options_.seed);
    const Folds folds = count_of(groups) >= kCrossParts
                            ? group_folds(groups, kCrossParts, seed)
                            : spread(of(table_.labels, train), loss_, kCrossParts, seed);
    for (std::size_t i = 0; i < train.size(); ++i)
      parts_.part[train[i]] = static_cast<std::uint8_t>(1 + folds.part[i]);
    parts_.left_out = {CrossCodes::PartMask{1U << kValidPart | 1U << kNeitherPart}};
    parts_.splits.push_back(std::move(split));
  }

  /// Rows that judge nothing go to what every fit trains on, and give nothing to codes: these stay
  /// those of rows that came.
  void teach_the_rest() {
    for (auto row = static_cast<std::uint32_t>(judging_); row < table_.rows(); ++row) {
      parts_.searched.push_back(row);
      for (TrainValid& split : parts_.splits) split.train.push_back(row);
    }
  }

  const Table& table_;
  const Loss& loss_;
  const SearchOptions& options_;
  const std::size_t judging_;  ///< rows, the first ones of the table, that may judge
  Parts parts_;
};

/// "3 positive and 40 negative rows".
std::string count_in_words(const Rows& rows, const Table& table, const Loss& loss) {
  if (!loss.classes()) return std::to_string(rows.size()) + " rows";
  const std::size_t positive = static_cast<std::size_t>(std::count_if(
      rows.begin(), rows.end(), [&](std::uint32_t row) { return is_positive(table.labels[row]); }));
  return std::to_string(positive) + " positive and " + std::to_string(rows.size() - positive) +
         " negative rows";
}

}  // namespace

std::string_view name(Validation validation) {
  switch (validation) {
    case Validation::kFolds:
      return "five folds";
    case Validation::kHoldout:
      return "a fifth held out";
    case Validation::kGroups:
      return "by user";
    case Validation::kTime:
      return "the last quarter of the time";
    case Validation::kTimeGroups:
      return "other users in the last quarter of the time";
  }
  return "unknown";
}

Parts parts_of(const Table& table, const Loss& loss, const SearchOptions& options) {
  return Parting(table, loss, options).run();
}

Problems problems_of(const Parts& parts, const Table& table, const Loss& loss) {
  Problems problems;
  const std::string needed = std::string("; ") + std::to_string(kPartMin) +
                             (loss.classes() ? " of each are needed" : " pairs of rows are needed");
  bool judged = false;
  for (const TrainValid& split : parts.splits) {
    judged |= fewest(split.valid, table, loss) >= kPartMin;
    if (fewest(split.train, table, loss) >= kPartMin) continue;
    problems.push_back({"rows",
                        "to train on (" + std::string(name(parts.validation)) + " left out) are " +
                            count_in_words(split.train, table, loss) + needed});
    break;
  }
  if (!judged) {
    problems.push_back({"rows",
                        "to judge on (" + std::string(name(parts.validation)) + ") are " +
                            count_in_words(parts.splits.front().valid, table, loss) + needed});
  }
  return problems;
}

}  // namespace liminal::learn
