#include "core/learn/table.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"
#include "core/models/inputs.hpp"

namespace liminal::learn {
namespace {

template <class T>
void choose(const std::vector<T>& from, std::span<const std::uint32_t> which, std::vector<T>& to) {
  if (from.empty()) return;
  to.reserve(which.size());
  for (const std::uint32_t index : which) to.push_back(from[index]);
}

void check_features(const Table& table, Problems& problems) {
  if (table.features.empty() || table.features.size() > models::kColumnsMax) {
    problems.push_back(
        {"features", "must be 1 to " + std::to_string(models::kColumnsMax) + " columns"});
  }
  std::unordered_set<std::string> names;
  for (const Feature& feature : table.features) {
    if (!names.insert(feature.name).second)
      problems.push_back({"features", "has the name " + feature.name + " twice"});
  }
}

void check_labels(const Table& table, bool classes, Problems& problems) {
  if (table.labels.size() != table.rows()) {
    problems.push_back({"labels", "must be one a row"});
    return;
  }
  const auto wrong = [&](float label) {
    return classes ? label != 0 && label != 1 : !std::isfinite(label);
  };
  if (std::any_of(table.labels.begin(), table.labels.end(), wrong))
    problems.push_back({"labels", classes ? "must be 0 or 1" : "must be finite numbers"});
  if (classes && !table.labels.empty()) {
    const auto [low, high] = std::minmax_element(table.labels.begin(), table.labels.end());
    if (*low == *high) problems.push_back({"labels", "are all of one class"});
  }
}

}  // namespace

Table Table::chosen(std::span<const std::uint32_t> which) const {
  Table part;
  part.features = features;
  part.values.reserve(which.size() * features.size());
  for (const std::uint32_t index : which) {
    LIMINAL_DCHECK(index < rows());
    const auto from = row(index);
    part.values.insert(part.values.end(), from.begin(), from.end());
  }
  choose(labels, which, part.labels);
  choose(weights, which, part.weights);
  choose(times_s, which, part.times_s);
  choose(groups, which, part.groups);
  return part;
}

std::uint64_t Table::group_of_its_own(std::size_t row) {
  constexpr std::uint64_t kSalt = 0x6e6f'626f'6479'2773;
  return mix64(mix64(row) ^ kSalt);
}

void Table::drop_infinities() {
  for (float& value : values)
    if (!std::isfinite(value)) value = models::kMissing;
}

Problems Table::validate(bool labelled, bool classes) const {
  Problems problems;
  check_features(*this, problems);
  if (!problems.empty()) return problems;
  if (values.size() % features.size() != 0) problems.push_back({"values", "end within a row"});
  if (rows() == 0 || rows() > kRowsMax)
    problems.push_back({"values", "must be 1 to " + std::to_string(kRowsMax) + " rows"});
  if (labelled) check_labels(*this, classes, problems);
  const auto length = [&](std::size_t size, const char* key) {
    if (size != 0 && size != rows()) problems.push_back({key, "must be one a row"});
  };
  length(weights.size(), "weights");
  length(times_s.size(), "times");
  length(groups.size(), "groups");
  if (!std::all_of(weights.begin(), weights.end(), [](float w) { return w > 0 && w < 1e9F; }))
    problems.push_back({"weights", "must be above 0 and below 1e9"});
  if (!std::all_of(times_s.begin(), times_s.end(), [](double t) { return std::isfinite(t); }))
    problems.push_back({"times", "must be finite"});
  return problems;
}

}  // namespace liminal::learn
