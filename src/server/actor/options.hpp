#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/traffic/finding.hpp"

namespace liminal::actor {

enum class Kind : std::uint8_t {
  kWebhook,   ///< the advice as JSON, to whoever scales the service
  kRayServe,  ///< Ray Serve's external scaler
};
/// "webhook", "ray_serve".
[[nodiscard]] std::string_view name(Kind kind);

/// Who is told how many instances of one service there should be.
struct Target {
  std::string service;
  Kind kind = Kind::kWebhook;
  std::string url;  ///< of the webhook, or of Ray's dashboard
  // Of Ray Serve: what runs the service.
  std::string application;
  std::string deployment;
  std::string token;  ///< Bearer token; empty: none is sent
  /// Observe counts, shadow also says in the audit log what it would do, enforce does it.
  traffic::Mode mode = traffic::Mode::kShadow;

  friend bool operator==(const Target&, const Target&) = default;
};

struct Options {
  std::vector<Target> targets;
  Duration interval = std::chrono::seconds{30};    ///< between two changes of one target, at least
  Duration repeat = std::chrono::minutes{10};      ///< told again even if nothing changed
  Duration retry_first = std::chrono::seconds{1};  ///< doubles with each failure in a row
  Duration retry_max = std::chrono::minutes{5};    ///< also the pause after a refusal
  std::chrono::milliseconds timeout{5000};         ///< of one attempt
  std::chrono::milliseconds look{1000};            ///< how often advice is looked at
};
inline constexpr std::size_t kTargetsMax = 64;

/// Everything wrong; keys are "[0].url" below `at`.
[[nodiscard]] Problems validate(const Options& options, std::string_view at = "actors");

}  // namespace liminal::actor
