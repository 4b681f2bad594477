#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.hpp"
#include "io/prometheus/snapshot.hpp"
#include "server/registry/experiments.hpp"
#include "server/registry/registry.hpp"

namespace liminal::registry {

/// Which version answers whom, and how long answers take. Thread-safe.
class Answers {
 public:
  Answers(const Registry& registry, const Experiments& experiments)
      : registry_(registry), experiments_(experiments) {}

  /// The version asked for; else the champion, or, in a split, whichever the user belongs to.
  /// kMissing in words. Waits for the disk for a version that is not at hand.
  [[nodiscard]] learn::Asked<std::shared_ptr<const Served>> served(
      const std::string& model, std::optional<std::uint32_t> version, std::string_view user) const;

  void took(const std::string& model, Duration time);
  void add_metrics(prometheus::Snapshot& out) const;

 private:
  const Registry& registry_;
  const Experiments& experiments_;
  mutable std::mutex mutex_;
  std::map<std::string, prometheus::Histogram> times_;
};

}  // namespace liminal::registry
