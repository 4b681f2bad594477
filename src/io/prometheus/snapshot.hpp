#pragma once

#include <array>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>

#include "io/prometheus/families.hpp"
#include "io/prometheus/histogram.hpp"

namespace liminal::prometheus {

/// The values of all metrics at one moment, gathered from the plain counters that the program's
/// parts keep, each on its own thread:
///
///     snapshot.add(Family::kEvents, shard.events, {"message"});
///
/// Whoever has a part of a value adds it; the parts of several threads sum. A family that nobody
/// added to is not exposed; a counter that has not moved yet should be added as 0.
/// Not thread-safe: a value that is passed on.
class Snapshot {
 public:
  /// Adds to a counter or gauge. `labels` are the values of the family's labels, in the table's
  /// order and number.
  void add(Family family, double value, std::initializer_list<std::string_view> labels = {});
  template <class T>
  requires std::is_integral_v<T>
  void add(Family family, T value, std::initializer_list<std::string_view> labels = {}) {
    add(family, static_cast<double>(value), labels);
  }

  /// Adds to a histogram.
  void add(Family family,
           const Histogram& histogram,
           std::initializer_list<std::string_view> labels = {});

  /// Adds everything of another.
  void merge(const Snapshot& other);

  /// The value, or a histogram's count; 0 when there is none.
  [[nodiscard]] double value(Family family,
                             std::initializer_list<std::string_view> labels = {}) const;

  using Labels = std::array<std::string, kLabelsMax>;
  struct Sample {
    double value = 0;
    Histogram histogram;
  };
  [[nodiscard]] const std::map<Labels, Sample>& samples(Family family) const {
    return samples_[static_cast<std::size_t>(family)];
  }

 private:
  Sample& at(Family family, std::initializer_list<std::string_view> labels);

  std::array<std::map<Labels, Sample>, kFamilies> samples_;
};

/// Adds process_*: what the kernel says about this process. What it does not say is left out.
void add_process(Snapshot& out);

}  // namespace liminal::prometheus
