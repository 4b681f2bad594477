#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"

namespace liminal::scaling {

/// A straight line through weighted points whose past fades.
///
/// Cost: some ns a point. Memory: 48 bytes.
class FadingLine {
 public:
  void add(double x, double y, double weight);
  void decay(double factor);

  struct Fit {
    double intercept = 0, slope = 0;
    double slope_error = 0;  ///< standard error
    double noise = 0;        ///< standard deviation of a point of weight 1
  };
  /// None below three points, or when x does not vary (by at least `spread_min` of its mean).
  [[nodiscard]] std::optional<Fit> fit(double spread_min) const;
  /// Slope of the line through the origin.
  [[nodiscard]] double proportional() const { return xx_ > 0 ? xy_ / xx_ : 0; }
  [[nodiscard]] double points() const { return points_; }  ///< faded number

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  double points_ = 0, weight_ = 0, x_ = 0, y_ = 0, xx_ = 0, xy_ = 0, yy_ = 0;
};

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
/// Cost: 30 ns an observation. Memory: 170 bytes. Memory of a day (half of it in 1,000 minutes).
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
    double error = 0;           ///< its relative standard error
    bool proportional = false;  ///< taken as proportional, for want of different loads
  };
  /// None while it is not known, or when the resource does not depend on the load.
  [[nodiscard]] std::optional<Limit> limit(Resource resource, const CapacityOptions& options) const;

  struct Bottleneck {
    Resource resource{};
    Limit limit;
    double confidence = 0;  ///< probability that none of the other known resources ends before
  };
  [[nodiscard]] std::optional<Bottleneck> bottleneck(const CapacityOptions& options) const;

  /// Whether CPU or response time was told under load for half an hour.
  [[nodiscard]] bool is_observed() const;

  /// None while it is not known; infinity at and beyond saturation.
  [[nodiscard]] std::optional<double> response_time_s(double load) const;
  /// Use of CPU or memory at a load of one instance.
  [[nodiscard]] std::optional<double> use_ratio(Resource resource, double load) const;

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  [[nodiscard]] const FadingLine& line(Resource resource) const {
    return lines_[static_cast<std::size_t>(resource)];
  }
  std::array<FadingLine, kResources> lines_;
};

}  // namespace liminal::scaling
