#include "io/prometheus/snapshot.hpp"

#include <algorithm>

#include "core/base/check.hpp"

namespace liminal::prometheus {
namespace {

Snapshot::Labels own(std::initializer_list<std::string_view> labels) {
  Snapshot::Labels out;
  std::copy(labels.begin(), labels.end(), out.begin());
  return out;
}

}  // namespace

Snapshot::Sample& Snapshot::at(Family family, std::initializer_list<std::string_view> labels) {
  LIMINAL_CHECK(labels.size() == info(family).label_count());
  return samples_[static_cast<std::size_t>(family)][own(labels)];
}

void Snapshot::add(Family family, double value, std::initializer_list<std::string_view> labels) {
  LIMINAL_CHECK(info(family).type != Type::kHistogram);
  at(family, labels).value += value;
}

void Snapshot::add(Family family,
                   const Histogram& histogram,
                   std::initializer_list<std::string_view> labels) {
  LIMINAL_CHECK(info(family).type == Type::kHistogram);
  at(family, labels).histogram.merge(histogram);
}

void Snapshot::merge(const Snapshot& other) {
  for (std::size_t i = 0; i < kFamilies; ++i) {
    for (const auto& [labels, sample] : other.samples_[i]) {
      Sample& mine = samples_[i][labels];
      mine.value += sample.value;
      mine.histogram.merge(sample.histogram);
    }
  }
}

double Snapshot::value(Family family, std::initializer_list<std::string_view> labels) const {
  const auto& all = samples(family);
  const auto found = all.find(own(labels));
  if (found == all.end()) return 0;
  if (info(family).type != Type::kHistogram) return found->second.value;
  return static_cast<double>(found->second.histogram.count());
}

}  // namespace liminal::prometheus
