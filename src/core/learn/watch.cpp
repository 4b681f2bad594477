#include "core/learn/watch.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"

namespace liminal::learn {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kFeaturesMax = 256;

std::size_t features_of(Reader& in) {
  if (in.get<std::uint8_t>() != kFormat) in.fail();
  const std::uint64_t count = in.get_varint();
  if (count > kFeaturesMax) in.fail();
  return in.ok() ? static_cast<std::size_t>(count) : 0;
}

/// Groups and times of some rows of a table, where it has them.
struct Chosen {
  std::vector<std::uint64_t> groups;
  std::vector<double> times_s;

  Chosen(const Table& table, std::span<const std::uint32_t> rows) {
    for (const std::uint32_t row : rows) {
      if (!table.groups.empty()) groups.push_back(table.groups[row]);
      if (!table.times_s.empty()) times_s.push_back(table.times_s[row]);
    }
  }
  [[nodiscard]] Order order() const { return {groups, times_s}; }
};

}  // namespace

void WatchReference::save(Writer& out) const {
  out.put(kFormat);
  out.put_varint(features.size());
  for (const Column& column : features) {
    out.put_text(column.name);
    column.reference.save(out);
  }
  score.save(out);
  errors.save(out);
}

void WatchReference::load(Reader& in) {
  features.resize(features_of(in));
  for (Column& column : features) {
    column.name = in.get_text();
    column.reference.load(in);
  }
  score.load(in);
  errors.load(in);
  if (!in.ok()) *this = {};
}

std::vector<std::uint32_t> one_a_minute(const Table& table) {
  std::vector<std::uint32_t> rows;
  const bool known = !table.groups.empty() && !table.times_s.empty();
  std::unordered_set<std::uint64_t> seen;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    if (known) {
      const auto minute = static_cast<std::int64_t>(std::floor(table.times_s[i] / 60));
      if (!seen.insert(mix64(table.groups[i] ^ mix64(static_cast<std::uint64_t>(minute)))).second)
        continue;
    }
    rows.push_back(static_cast<std::uint32_t>(i));
  }
  return rows;
}

WatchReference reference_of(const Table& all,
                            const Table& held_out,
                            std::span<const float> said,
                            std::span<const double> errors,
                            std::span<const std::uint32_t> erred) {
  LIMINAL_CHECK(said.size() == held_out.rows() && errors.size() == erred.size());
  WatchReference made;
  const std::vector<std::uint32_t> rows = one_a_minute(all);
  const Chosen chosen(all, rows);
  std::vector<float> values(rows.size());
  for (std::size_t f = 0; f < all.features.size(); ++f) {
    for (std::size_t i = 0; i < rows.size(); ++i) values[i] = all.row(rows[i])[f];
    made.features.push_back({all.features[f].name, Reference::learn(values, chosen.order())});
  }
  const std::vector<std::uint32_t> judged = one_a_minute(held_out);
  values.clear();
  for (const std::uint32_t row : judged) values.push_back(said[row]);
  made.score = Reference::learn(values, Chosen(held_out, judged).order());
  if (!errors.empty()) made.errors = ErrorReference::learn(errors, Chosen(held_out, erred).order());
  return made;
}

double error_of(models::Task task, double said, double truth) {
  const double off = said - truth;
  return task == models::Task::kClassification ? off * off : std::abs(off);
}

Watch::Watch(const WatchReference& reference) : score_(reference.score), decay_(reference.errors) {
  for (const WatchReference::Column& column : reference.features)
    features_.push_back({column.name, Drift(column.reference)});
}

void Watch::observe(std::span<const float> row, double score) {
  LIMINAL_CHECK(row.size() == features_.size());
  for (std::size_t f = 0; f < row.size(); ++f) features_[f].drift.observe(row[f]);
  score_.observe(static_cast<float>(score));
  ++rows_;
}

double Watch::drift() const {
  double highest = score_.score();
  for (const Line& line : features_) highest = std::max(highest, line.drift.score());
  return highest;
}

std::vector<std::string> Watch::drifted() const {
  std::vector<std::string> names;
  for (const Line& line : features_)
    if (line.drift.drifted()) names.push_back(line.name);
  if (score_.drifted()) names.emplace_back("the score");
  return names;
}

void Watch::calm() {
  for (Line& line : features_) line.drift.calm();
  score_.calm();
  decay_.calm();
  rows_ = 0;
}

void Watch::save(Writer& out) const {
  out.put(kFormat);
  out.put_varint(features_.size());
  for (const Line& line : features_) {
    out.put_text(line.name);
    line.drift.save(out);
  }
  score_.save(out);
  decay_.save(out);
  out.put(rows_);
}

void Watch::load(Reader& in) {
  const std::size_t count = features_of(in);
  features_.clear();
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    features_.push_back({std::string(in.get_text()), Drift(Reference{})});
    features_.back().drift.load(in);
  }
  score_.load(in);
  decay_.load(in);
  in.get(rows_);
  if (!(rows_ >= 0 && std::isfinite(rows_))) in.fail();
  if (!in.ok()) *this = Watch(WatchReference{});
}

}  // namespace liminal::learn
