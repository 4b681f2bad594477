#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/scaling/capacity.hpp"
#include "core/scaling/load_model.hpp"
#include "core/scaling/planner.hpp"
#include "core/scaling/resource_use.hpp"

namespace liminal::scaling {

struct ServiceOptions {
  std::uint32_t replicas_min = 1;
  std::uint32_t replicas_max = 1000;
  /// How many times more a missing instance costs than an idle one: it chooses the operating point,
  /// k/(k + 1) (the newsvendor's quantile). .5 to 99,999.
  double shortage_cost = 99;
  /// No fewer instances for so long after there were more.
  Duration cooldown = std::chrono::minutes{5};
  /// The largest of the orders of so many minutes counts, 1 to 60; 1: none. It costs instances (the
  /// back-test shows how many) and stops flapping.
  std::uint32_t stabilisation_minutes = 1;
  /// What a reactive autoscaler would hold CPU at; for comparison.
  double reactive_target_ratio = .7;
  CapacityOptions capacity{};
};
[[nodiscard]] Problems validate(const ServiceOptions& options, std::string_view at = "");
[[nodiscard]] double operating_point(const ServiceOptions& options);

/// What was seen of a service at one moment. What is not known is absent.
struct Observation {
  std::optional<double> request_rate;     ///< of the whole service, any unit per any time
  std::optional<double> cpu_ratio;        ///< mean over its instances
  std::optional<double> memory_ratio;     ///< mean over its instances
  std::optional<double> response_time_s;  ///< mean
  std::optional<double> replicas;
  static constexpr double kReplicasMax = 1e6, kRatioMax = 1000, kResponseMax = 86'400;
};

/// Counted from the epoch.
[[nodiscard]] std::int64_t minute_of(EventTime at);

enum class Action : std::uint8_t { kMonitor, kMaintain, kScaleUp, kScaleDown };
[[nodiscard]] std::string_view name(Action action);

/// Why an advice is as it is; its text is made at the edge. `a` and `b` are the numbers in it.
struct Reason {
  enum class Kind : std::uint8_t {
    kHistoryShort,   ///< a minutes are known, b are needed
    kHistorySparse,  ///< a minutes are known, too few of them in a row
    kReplicasUnknown,
    kCapacityUnknown,
    kCapacityIdle,  ///< there was no load yet
    kCapacityFlat,  ///< what was told of the instances does not depend on the load
    kLoadUnknown,
    kLoadStale,     ///< no load was reported for a minutes
    kForecast,      ///< the next minutes reach load a with probability b
    kNeededNow,     ///< the present load needs a instances
    kCapacity,      ///< an instance takes load a
    kDearer,        ///< a more of the CPU is used of late than the day says, or b times as much
    kProportional,  ///< the load hardly varied: capacity is an estimate
    kCooldown,      ///< fewer only in a seconds
    kStabilised,    ///< held at a by an earlier minute's order
    kAtMinimum,     ///< a
    kAtMaximum,     ///< a, where b would be needed
    kAboveMaximum,  ///< a run, b is the maximum
    kPastUntold,    ///< a rows of minutes that had passed unknown were not learnt
    kResponseTime,  ///< a seconds to be expected at the present number
    kMemoryLimit,   ///< memory runs out in a seconds, within a week with probability b
  };
  Kind kind{};
  double a = 0, b = 0;
};

struct Advice {
  Action action = Action::kMonitor;
  std::optional<std::uint32_t> replicas;
  std::optional<std::uint32_t> reactive_replicas;
  /// Of the advice: how much of four hours of forecasts was checked, times how well the capacity is
  /// known.
  std::optional<double> confidence;
  std::uint32_t horizon_minutes = 0;
  struct Quantiles {
    double p10 = 0, p50 = 0, p90 = 0, p99 = 0;
  };
  std::optional<Quantiles> peak;  ///< of the highest load within the horizon
  std::optional<CapacityModel::Bottleneck> bottleneck;
  std::vector<Reason> reasons;
};

/// One service: its load, what its instances can take and how they are used, learnt from what is
/// reported; and the advice that follows.
///
/// Observations of a minute are averaged, and learnt when a later minute is reported. Minutes
/// between two reports at most a quarter of an hour apart are interpolated. The load is the request
/// rate; of a service that reports none, the CPU its instances use together: of one that begins to
/// report it, the rate after ten minutes, and of one that has stopped, CPU after a day. Its load is
/// then learnt anew.
///
/// Guarantees: advice changes nothing; the same observations give the same bits everywhere.
/// Cost: 5 µs a minute, 30 µs an advice. Memory: at most 260 KB (horizon 10 min).
class Service {
 public:
  enum class LoadKind : std::uint8_t { kUnknown, kRequests, kCpu };

  explicit Service(std::uint32_t horizon_minutes = 10) : model_(horizon_minutes) {}

  /// Checked values only (see `Observation`). False, and nothing is learnt, when the minute was
  /// closed by a later report.
  bool observe(EventTime at, const Observation& observed, const ServiceOptions& options);

  /// Takes what `earlier` learnt for its own past: a service that was told of minutes before the
  /// open one of this, for the same horizon. The load that is known here of later minutes is learnt
  /// after it; what was learnt of capacity and resources is the earlier one's. False, and nothing
  /// changes, when `earlier` knows fewer minutes than this, or has another kind of load.
  bool begin_with(Service earlier, const ServiceOptions& options);

  /// Of what was reported up to now; nothing but `kMonitor` a quarter of an hour after the last
  /// report, because what was advised then says nothing of now.
  [[nodiscard]] Advice advise(EventTime now, const ServiceOptions& options) const;

  /// Learns the week that is known anew for another horizon.
  void change_horizon(std::uint32_t minutes);

  [[nodiscard]] LoadKind load_kind() const { return kind_; }
  [[nodiscard]] const LoadModel& model() const { return model_; }
  [[nodiscard]] const CapacityModel& capacity() const { return capacity_; }
  [[nodiscard]] const ResourceUse& cpu() const { return cpu_; }
  [[nodiscard]] const ResourceUse& memory() const { return memory_; }
  [[nodiscard]] std::optional<double> replicas() const { return replicas_; }
  [[nodiscard]] std::optional<double> present_load() const;
  /// What one instance takes and which resource says so.
  [[nodiscard]] std::optional<CapacityModel::Bottleneck> bottleneck(
      const ServiceOptions& options) const;
  [[nodiscard]] std::uint64_t observations() const { return observations_; }
  /// Whether the load of a minute before the open one was learnt; of minutes that lie more than a
  /// week back, whether it could have been.
  [[nodiscard]] bool knows(std::int64_t minute) const;
  /// What was observed in a minute, as far as the load of it tells.
  [[nodiscard]] std::optional<Observation> remembered(std::int64_t minute) const;
  /// Counted from the epoch; of what was observed first.
  [[nodiscard]] std::int64_t first_minute() const { return first_minute_; }
  /// That of the last report.
  [[nodiscard]] std::int64_t open_minute() const { return open_minute_; }

  [[nodiscard]] std::size_t memory_bytes() const;
  [[nodiscard]] std::uint64_t state_hash() const;
  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  /// Of the open minute.
  struct Mean {
    double sum = 0, count = 0;
    void add(const std::optional<double>& value) {
      if (value) sum += *value, count += 1;
    }
    [[nodiscard]] std::optional<double> value() const {
      return count > 0 ? std::optional(sum / count) : std::nullopt;
    }
  };

  [[nodiscard]] std::optional<double> open_load() const;
  void close_minute(const ServiceOptions& options);
  void choose_kind();
  void forget_load();
  void learn_load(std::int64_t minute, double load, const ServiceOptions& options);
  void choose(EventTime now, const ServiceOptions& options, Advice& advice) const;
  void add_lacks(EventTime now, Advice& advice) const;
  void explain(Advice& advice) const;

  LoadModel model_;
  CapacityModel capacity_;
  ResourceUse cpu_, memory_;
  Planner planner_;
  std::deque<std::uint32_t> orders_;  ///< of the last minutes, newest last; for stabilisation
  LoadKind kind_ = LoadKind::kUnknown;
  /// Since when the minutes told the other kind of load only.
  std::optional<std::int64_t> other_kind_since_;
  std::int64_t first_minute_ = 0, open_minute_ = 0;
  Mean rate_, cpu_mean_, memory_mean_, response_, replicas_mean_;
  std::optional<double> replicas_;  ///< last reported
  EventTime grew_at_{};             ///< when there were more than before
  double last_load_ = 0;            ///< of the last closed minute
  std::uint64_t observations_ = 0;
};

}  // namespace liminal::scaling
