#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/limits/options.hpp"
#include "core/traffic/record.hpp"

namespace liminal::app {

/// Has the limits that are set on a cluster hold here whenever they become others there: its
/// policies where somebody set them there (its own defaults are never taken), but for their mode
/// (whether this gateway enforces is its own, and so are allow lists and the controller), and its
/// overrides, whose reason says here that they are the cluster's. Who has an override of this
/// gateway's own keeps it. What is set here in between holds until the cluster's become others.
/// Thread-safe.
class ClusterLimits {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;
  /// Each `done` is called once, at any time and on any thread, also after the end of this.
  struct Ports {
    std::function<limits::Options()> in_force;
    std::function<void(limits::Options, Done<void> done)> set;
    std::function<void(Done<std::vector<traffic::Override>> done)> overrides;  ///< all there are
    std::function<void(traffic::Override, Done<bool> done)> set_override;
    std::function<void(std::string user, Done<void> done)> remove_override;
    /// What became of them; what was not set is tried again the next time.
    std::function<void(bool well, const std::string& detail)> note;
  };
  explicit ClusterLimits(Ports ports) : ports_(std::make_shared<const Ports>(std::move(ports))) {}

  /// `answer`: of GET /ml/limits. Says what is wrong with it, and then nothing was set.
  [[nodiscard]] std::optional<std::string> take(const std::string& answer);

 private:
  /// What was taken last, as text.
  struct Taken {
    std::mutex mutex;
    std::string policies, overrides;

    /// Whether it is news; it is none the next time.
    [[nodiscard]] bool renew(std::string Taken::*what, const std::string& text);
    /// It is news again.
    void forget(std::string Taken::*what, const std::string& text);
  };

  void take_policies(limits::Options wanted, const limits::Options& present);
  void take_overrides(std::vector<traffic::Override> wanted);

  const std::shared_ptr<const Ports> ports_;
  const std::shared_ptr<Taken> taken_ = std::make_shared<Taken>();
};

/// What makes the cluster's overrides those of here.
struct OverrideChanges {
  std::vector<traffic::Override> set;
  std::vector<std::string> remove;  ///< users
};
/// `wanted`: the cluster's; `whole`: all of them, so that those of it that are gone are known.
[[nodiscard]] OverrideChanges override_changes(const std::vector<traffic::Override>& wanted,
                                               bool whole,
                                               const std::vector<traffic::Override>& here);

}  // namespace liminal::app
