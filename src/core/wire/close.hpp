#pragma once

#include <cstdint>
#include <string_view>

namespace liminal::wire {

/// Why a connection ends (RFC 6455, section 7.4.1, and IANA's registry). Any other number that
/// `may_be_sent` accepts is a valid value of this type too.
enum class CloseCode : std::uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kUnsupportedData = 1003,
  kNoStatus = 1005,  ///< never on the wire: the close frame was empty
  kAbnormal = 1006,  ///< never on the wire: there was no close frame
  kInvalidPayload = 1007,
  kPolicyViolation = 1008,
  kMessageTooBig = 1009,
  kInternalError = 1011,
  kServiceRestart = 1012,
  kTryAgainLater = 1013,
  kBadGateway = 1014,
};

/// Whether a close frame may carry this code: 1000-1003, 1007-1014, 3000-4999.
[[nodiscard]] constexpr bool may_be_sent(CloseCode code) {
  const auto number = static_cast<std::uint16_t>(code);
  return (number >= 1000 && number <= 1003) || (number >= 1007 && number <= 1014) ||
         (number >= 3000 && number <= 4999);
}

/// The payload of a close frame, unmasked.
struct ClosePayload {
  CloseCode code = CloseCode::kNoStatus;
  std::string_view reason;
};

}  // namespace liminal::wire
