#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"
#include "core/scaling/load_line.hpp"
#include "core/scaling/recent_use.hpp"

namespace liminal::scaling {

enum class Resource : std::uint8_t { kCpu, kMemory, kResponseTime };
inline constexpr std::size_t kResources = 3;
[[nodiscard]] std::string_view name(Resource resource);

/// Up to where each resource of one instance may be used.
struct CapacityOptions {
  double cpu_max_ratio = .85;
  double memory_max_ratio = .9;
  /// Part of the load at which the queue would grow without end: at .8 a response takes five times
  /// as long as alone.
  double saturation_max_ratio = .8;
  /// A response may take no longer; 0: not limited.
  double response_time_max_s = 0;
};
[[nodiscard]] Problems validate(const CapacityOptions& options, std::string_view at = "capacity");

/// What one instance can take, learnt from how its resources were used at what load.
///
/// CPU and memory follow the utilisation law, U = U₀ + D·x, with x the load of an instance; a
/// response takes R = R₀/(1 − x/x_s), the knee of one queue, whose reciprocal is a line in x. A
/// resource speaks when its slope is at least three standard errors above 0; CPU that was seen at
/// one load only is taken as proportional. The bottleneck is the resource that ends first.
///
/// What is used up says no more than that an instance takes less than what was asked of it: a
/// minute at .95 of CPU or memory, or near the end of the queue, never raises a limit. The minute
/// behind one of CPU, which works off what was left, says nothing. Clearly above 1 CPU is told of a
/// part of what there is, and was not used up.
///
/// A day is remembered (half of it in 1,000 minutes). What lies clearly above it for most of half
/// an hour (recent_use.hpp) counts at once, times or beside what the day says, and is kept apart: a
/// batch job leaves no trace. A request that has cost more for three hours costs that: what was
/// before is forgotten. Less than the day says is believed as the past fades, since work that was
/// turned away looks so.
///
/// Cost: 1 µs an observation, 10 µs a limit. Memory: 14 KB.
///
/// Source: utilisation law and open-queue response time as in Lazowska et al., "Quantitative
/// System Performance", 1984, ch. 3 and 6.
class CapacityModel {
 public:
  struct Observation {
    double load = 0;  ///< of one instance
    std::optional<double> cpu_ratio, memory_ratio, response_time_s;
  };
  /// One minute's means.
  void observe(const Observation& observed);

  struct Limit {
    double load = 0;            ///< of an instance when the resource is used as far as it may be
    double error = 0;           ///< its relative standard error, with the law's lack of fit
    bool proportional = false;  ///< taken as proportional, for want of different loads below it
  };
  /// None while it is not known, or when the resource does not depend on the load.
  [[nodiscard]] std::optional<Limit> limit(Resource resource, const CapacityOptions& options) const;

  struct Bottleneck {
    Resource resource{};
    Limit limit;
    /// Probability that none of the other known resources ends before, times that this limit is
    /// right to a quarter.
    double confidence = 0;
  };
  [[nodiscard]] std::optional<Bottleneck> bottleneck(const CapacityOptions& options) const;

  /// Whether CPU or response time was told under load for half an hour.
  [[nodiscard]] bool is_observed() const;
  [[nodiscard]] bool is_observed(Resource resource) const;
  /// Whether a resource was told at enough different loads to say how it depends on them.
  [[nodiscard]] bool has_varied(Resource resource) const;

  /// What the last half hour used of the CPU beyond what the day says.
  [[nodiscard]] std::optional<RecentUse::Shift> dearer() const;

  /// None while it is not known, or does not depend on the load (then `limit` is none, too); grows
  /// with the load, infinity at and beyond saturation.
  [[nodiscard]] std::optional<double> response_time_s(double load) const;
  /// Use of CPU or memory at a load of one instance.
  [[nodiscard]] std::optional<double> use_ratio(Resource resource, double load) const;

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);
  /// As it was saved before it watched what a request costs of late.
  [[nodiscard]] Result<void> load_lines(Reader& in);
  /// As it was saved before it knew levels of load.
  [[nodiscard]] Result<void> load_sums(Reader& in);

 private:
  [[nodiscard]] const LoadLine& line(Resource resource) const {
    return lines_[static_cast<std::size_t>(resource)];
  }
  /// The law of a resource that speaks, as a day has it, and as the last half hour bears it out.
  [[nodiscard]] std::optional<LoadLine::Fit> law_of_day(Resource resource) const;
  [[nodiscard]] std::optional<LoadLine::Fit> law(Resource resource) const;
  void watch_costs();
  [[nodiscard]] double proportional(Resource resource) const;
  /// Whether CPU, of which no law speaks, may be as the load is.
  [[nodiscard]] bool could_be_proportional() const;
  [[nodiscard]] std::optional<Limit> limit_of_response(const CapacityOptions& options) const;

  std::array<LoadLine, kResources> lines_{
      LoadLine{}, LoadLine{}, LoadLine{{.relative_noise = true, .falls = true}}};
  RecentUse recent_cpu_;
  LoadLine since_;              ///< of CPU, while that is more than the day says
  std::uint32_t minutes_ = 0;   ///< since costs were looked at
  std::uint32_t dearer_ = 0;    ///< for so many minutes
  bool was_saturated_ = false;  ///< in the minute before
};

}  // namespace liminal::scaling
