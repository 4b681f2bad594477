#pragma once

#include <optional>
#include <string>

#include "app/log.hpp"
#include "core/limits/options.hpp"

namespace liminal::app {

/// How the store keeps policies that were set over the API, beside the configuration's mode at that
/// time.
[[nodiscard]] std::string kept_text(const limits::Options& set, traffic::Mode configured);

/// The configuration's limits, and over them what is kept of `PUT /ml/limits`. It is what that can
/// set, the policies: allow lists and the controller are always the configuration's. So is the mode
/// where the configuration's is another one than when the policies were set: the latest word holds.
/// Thread rule: one owner at a time.
class KeptLimits {
 public:
  /// `text` as the store has it; none: nothing was set over the API.
  KeptLimits(limits::Options configured, std::optional<std::string> text);

  /// The configuration alone where what is kept cannot be read or does not fit it.
  [[nodiscard]] const limits::Options& in_force() const { return in_force_; }
  /// Whether what is kept is in force.
  [[nodiscard]] bool set() const { return text_ && readable_; }
  /// What the store should have. It changes when the configuration overrules a mode, which would
  /// else be back as soon as the configuration is what it was.
  [[nodiscard]] const std::optional<std::string>& text() const { return text_; }
  [[nodiscard]] traffic::Mode configured_mode() const { return configured_.mode; }

  void configure(limits::Options configured);
  void keep(std::optional<std::string> text);
  /// Says in the log what holds, at a start or a reload.
  void tell(Log& log) const;

 private:
  void weigh();

  limits::Options configured_, in_force_;
  std::optional<std::string> text_;
  bool readable_ = true;
};

}  // namespace liminal::app
