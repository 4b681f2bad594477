#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/traffic/finding.hpp"

namespace liminal::webhook {

struct Options {
  std::string url;  ///< http or https; empty: nothing is pushed
  /// Signs what is pushed. "whsec_" and Base64, as Standard Webhooks hand them out, or any text;
  /// empty: unsigned.
  std::string secret;
  traffic::Severity min_severity = traffic::Severity::kHigh;

  /// Alerts that wait; when one more comes, the oldest goes and is counted.
  std::size_t queue_max = 1000;
  /// The first retry comes about so long after a failure, each next one twice as long, up to the
  /// second; a random part of up to a half is taken off, so that many senders do not come at once.
  Duration retry_first = std::chrono::seconds{1};
  Duration retry_max = std::chrono::minutes{5};
  /// So many attempts (about an hour with the figures above), then the alert is given up.
  std::uint32_t attempts_max = 20;
  Duration timeout = std::chrono::seconds{10};  ///< of one attempt
  std::string ca_file;                          ///< PEM; empty: the system's certificates
};

[[nodiscard]] Problems validate(const Options& options, std::string_view at = "webhook");

}  // namespace liminal::webhook
