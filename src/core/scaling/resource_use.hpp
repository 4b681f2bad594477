#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/codec.hpp"
#include "core/stats/trend.hpp"

namespace liminal::scaling {

/// How far one resource was used, minute by minute, and what follows for its size: quantiles over
/// about two days, and where its trend leads.
///
/// Cost: some ns a minute. Memory: 2.5 KB.
class ResourceUse {
 public:
  /// One minute's mean use, a part of what is there; above 2 counts as 2 for the quantiles.
  void observe(std::int64_t minute, double use_ratio);

  /// Minutes seen, faded.
  [[nodiscard]] double weight() const { return weight_; }
  /// The use below which that part of the minutes lies, to 1/50. 0 without any.
  [[nodiscard]] double quantile(double part) const;

  /// When `limit` is reached, and with what probability within a time. None before two hours of
  /// growth are known.
  [[nodiscard]] std::optional<stats::Trend::Passage> passage(double limit, double within_s) const {
    return trend_.passage(limit, within_s);
  }

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);
  /// As it was saved before trends knew days.
  [[nodiscard]] Result<void> load_before(Reader& in);

 private:
  [[nodiscard]] Result<void> load_cells(Reader& in);

  static constexpr std::size_t kCells = 100;
  static constexpr double kCell = .02;

  std::array<float, kCells> cells_{};
  double weight_ = 0;
  stats::Trend trend_{stats::Trend::Side::kAbove};  ///< a restart gives all of it back
};

/// What a resource should be instead, in parts of what it is.
struct RightSize {
  double size_ratio = 1;
  double saving_ratio = 0;  ///< negative: more is needed
};
/// CPU so that the 95th percentile of use is at `use_max`, memory with 15 % above its highest
/// percentile. None before six hours of use, and of memory that runs out within a week as it goes:
/// what it was says nothing of what it needs.
[[nodiscard]] std::optional<RightSize> right_size_cpu(const ResourceUse& use, double use_max);
[[nodiscard]] std::optional<RightSize> right_size_memory(const ResourceUse& use);

}  // namespace liminal::scaling
