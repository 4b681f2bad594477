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
/// Nothing when what is kept cannot be read or does not fit the configuration.
[[nodiscard]] std::optional<limits::Options> kept_over(const std::string& kept,
                                                       const limits::Options& configured);

/// The same at a start or a reload, when the log says what holds: with what cannot be read, the
/// configuration's.
[[nodiscard]] limits::Options limits_in_force(const std::optional<std::string>& kept,
                                              const limits::Options& configured,
                                              Log& log);

}  // namespace liminal::app
