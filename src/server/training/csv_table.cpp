#include "server/training/csv_table.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <unordered_map>

#include "core/base/hash.hpp"
#include "core/base/time.hpp"
#include "io/csv/number.hpp"
#include "io/csv/table.hpp"
#include "io/json/time_text.hpp"
#include "server/training/file_column.hpp"

namespace liminal::training {
namespace {

using Failure = tl::unexpected<std::string>;

/// A column as the first reading found it.
struct Found {
  bool numeric = true;
  bool full = false;  ///< more levels than are kept
  std::set<std::string, std::less<>> levels;
  Precision precision;

  void add(std::string_view field) {
    if (csv::is_missing(field)) return;
    const auto number = csv::number(field);
    numeric = numeric && number.has_value();
    if (numeric) precision.add(*number);
    if (full || levels.find(field) != levels.end()) return;
    full = levels.size() == kLevelsMax;
    if (!full) levels.emplace(field);
  }
};

class Loader {
 public:
  Loader(std::istream& in, const std::string& name, const CsvChoice& choice)
      : in_(in), name_(name), choice_(choice) {}

  tl::expected<CsvTable, std::string> load() {
    if (auto wrong = look()) return Failure(*wrong);
    if (auto wrong = plan()) return Failure(*wrong);
    in_.clear();
    in_.seekg(0);
    if (!in_) return Failure(name_ + ": can be read only once, and must be read twice");
    auto table = csv::Table::open(in_);
    if (!table) return Failure(csv::text(table.error(), name_));
    if (auto wrong = fill(*table)) return Failure(*wrong);
    if (rows_left_out_ > 0) {
      result_.notes.push_back(std::to_string(rows_left_out_) + " rows without " + choice_.target +
                              " are left out");
    }
    if (rows_of_nobody_ > 0) {
      result_.notes.push_back(std::to_string(rows_of_nobody_) + " rows without " + choice_.group +
                              ": each is taken for one of a user of its own");
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] std::string at(const csv::Table& table, std::size_t column, std::string_view what) {
    return csv::text(
        {ErrorCode::kMalformed, table.line(), column + 1, what}, name_, names_[column]);
  }

  /// First reading: which columns are numbers, and the levels of the others.
  std::optional<std::string> look() {
    auto table = csv::Table::open(in_);
    if (!table) return csv::text(table.error(), name_);
    names_ = table->names();
    found_.resize(names_.size());
    for (;;) {
      const auto more = table->next();
      if (!more) return csv::text(more.error(), name_);
      if (!*more) return std::nullopt;
      for (std::size_t i = 0; i < found_.size(); ++i) found_[i].add(table->field(i));
    }
  }

  std::optional<std::string> place(const std::string& wanted, std::optional<std::size_t>& column) {
    if (wanted.empty()) return std::nullopt;
    const auto named = std::find(names_.begin(), names_.end(), wanted);
    if (named != names_.end()) {
      column = static_cast<std::size_t>(named - names_.begin());
      return std::nullopt;
    }
    std::size_t number = 0;
    const char* end = wanted.data() + wanted.size();
    const auto [stop, error] = std::from_chars(wanted.data(), end, number);
    if (error == std::errc{} && stop == end && number >= 1 && number <= names_.size()) {
      column = number - 1;
      return std::nullopt;
    }
    return name_ + ": has no column " + wanted;
  }

  /// What each column is for.
  std::optional<std::string> plan() {
    for (const auto& [wanted, column] : {std::pair{&choice_.target, &target_},
                                         std::pair{&choice_.time, &time_},
                                         std::pair{&choice_.group, &group_},
                                         std::pair{&choice_.weight, &weight_}}) {
      if (auto wrong = place(*wanted, *column)) return wrong;
    }
    std::set<std::size_t> others;
    for (const auto& column : {target_, time_, group_, weight_})
      if (column) others.insert(*column);
    for (const std::string& name : choice_.ignored) {
      std::optional<std::size_t> column;
      if (auto wrong = place(name, column)) return wrong;
      others.insert(*column);
    }
    for (std::size_t i = 0; i < names_.size(); ++i)
      if (!others.contains(i)) add_feature(i);
    if (result_.table.features.empty()) return name_ + ": no column is left to learn from";
    return plan_target();
  }

  void add_feature(std::size_t column) {
    const Found& found = found_[column];
    if (!found.numeric && found.full) {
      result_.notes.push_back("column " + names_[column] + " is left out: more than " +
                              std::to_string(kLevelsMax) + " different texts");
      return;
    }
    if (found.levels.empty()) {
      result_.notes.push_back("column " + names_[column] + " is left out: it has no values");
      return;
    }
    tell_of_precision(column);
    learn::Feature feature{names_[column], "", {}};
    if (!found.numeric) feature.levels.assign(found.levels.begin(), found.levels.end());
    codes_.emplace_back();
    for (std::size_t level = 0; level < feature.levels.size(); ++level)
      codes_.back()[feature.levels[level]] = static_cast<float>(level);
    result_.table.features.push_back(std::move(feature));
    columns_.push_back(column);
  }

  void tell_of_precision(std::size_t column) {
    if (!found_[column].numeric) return;
    if (auto note = found_[column].precision.note(names_[column]))
      result_.notes.push_back(std::move(*note));
  }

  std::optional<std::string> plan_target() {
    if (!target_) return std::nullopt;
    const Found& found = found_[*target_];
    result_.classes = !found.full && found.levels.size() == 2;
    if (result_.classes) {
      const auto [negative, positive] =
          two_classes(*found.levels.begin(), *std::next(found.levels.begin()));
      result_.negative = negative;
      result_.positive = positive;
      return std::nullopt;
    }
    if (found.numeric && !found.levels.empty() && (found.full || found.levels.size() > 1)) {
      constexpr std::size_t kLikeClasses = 10;
      const auto whole = [](const std::string& text) {
        const double number = *csv::number(text);
        return number == std::floor(number);
      };
      if (found.levels.size() <= kLikeClasses &&
          std::all_of(found.levels.begin(), found.levels.end(), whole))
        result_.notes.push_back("column " + names_[*target_] + " has " +
                                std::to_string(found.levels.size()) +
                                " different numbers: it is foretold as a value; only of two are "
                                "they classes");
      tell_of_precision(*target_);
      return std::nullopt;
    }
    if (found.levels.size() < 2)
      return name_ + ": column " + choice_.target + " has no two different values";
    return name_ + ": column " + choice_.target + " has " +
           (found.full ? std::string("many") : std::to_string(found.levels.size())) +
           " different texts; two, or numbers, can be learnt";
  }

  /// Second reading.
  std::optional<std::string> fill(csv::Table& table) {
    for (;;) {
      const auto more = table.next();
      if (!more) return csv::text(more.error(), name_);
      if (!*more) return std::nullopt;
      if (target_ && csv::is_missing(table.field(*target_))) {
        ++rows_left_out_;
        continue;
      }
      if (auto wrong = add_row(table)) return wrong;
      if (result_.table.rows() > learn::Table::kRowsMax)
        return name_ + ": has more than " + std::to_string(learn::Table::kRowsMax) + " rows";
    }
  }

  std::optional<std::string> add_row(const csv::Table& table) {
    learn::Table& to = result_.table;
    if (target_) {
      const std::string_view field = table.field(*target_);
      const float label = result_.classes ? (field == result_.positive ? 1.F : 0.F)
                                          : static_cast<float>(*csv::number(field));
      if (!std::isfinite(label)) return at(table, *target_, "is too large to be learnt");
      to.labels.push_back(label);
    }
    for (std::size_t f = 0; f < columns_.size(); ++f) to.values.push_back(value(table, f));
    if (weight_) {
      const auto weight = csv::number(table.field(*weight_));
      if (!weight || !(*weight > 0 && *weight < 1e9))
        return at(table, *weight_, "is no weight above 0 and below 1e9");
      to.weights.push_back(static_cast<float>(*weight));
    }
    if (group_) add_group(table.field(*group_));
    if (time_) {
      const auto time = seconds_of(table.field(*time_));
      if (!time) return at(table, *time_, "is no time: RFC 3339 or seconds since the epoch");
      to.times_s.push_back(*time);
    }
    return std::nullopt;
  }

  void add_group(std::string_view user) {
    std::vector<std::uint64_t>& groups = result_.table.groups;
    const bool nobody = csv::is_missing(user);
    rows_of_nobody_ += nobody ? 1U : 0U;
    groups.push_back(nobody ? learn::Table::group_of_its_own(groups.size()) : hash64(user));
  }

  [[nodiscard]] float value(const csv::Table& table, std::size_t feature) const {
    const std::string_view field = table.field(columns_[feature]);
    if (csv::is_missing(field)) return NAN;
    const auto& codes = codes_[feature];
    if (codes.empty()) {
      const auto number = static_cast<float>(*csv::number(field));
      return std::isfinite(number) ? number : NAN;
    }
    const auto code = codes.find(std::string(field));
    return code == codes.end() ? NAN : code->second;
  }

  static std::optional<double> seconds_of(std::string_view field) {
    if (const auto number = csv::number(field); number && std::isfinite(*number)) return *number;
    if (const auto time = json::parse_time(field)) return seconds(time->time_since_epoch());
    return std::nullopt;
  }

  std::istream& in_;
  const std::string& name_;
  const CsvChoice& choice_;
  std::vector<std::string> names_;
  std::vector<Found> found_;
  std::optional<std::size_t> target_, time_, group_, weight_;
  std::vector<std::size_t> columns_;  ///< of the features
  std::vector<std::unordered_map<std::string, float>> codes_;
  std::size_t rows_left_out_ = 0, rows_of_nobody_ = 0;
  CsvTable result_;
};

}  // namespace

tl::expected<CsvTable, std::string> read_csv_table(std::istream& in,
                                                   const std::string& name,
                                                   const CsvChoice& choice) {
  return Loader(in, name, choice).load();
}

}  // namespace liminal::training
