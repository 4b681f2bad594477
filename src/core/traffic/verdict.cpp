#include "core/traffic/verdict.hpp"

#include <array>

namespace liminal::traffic {
namespace {

constexpr std::array<std::string_view, 4> kDecisionNames{"allow", "delay", "drop", "close"};
constexpr std::array<std::string_view, kReasons> kReasonNames{"none",
                                                              "user_messages",
                                                              "user_bytes",
                                                              "user_connections",
                                                              "address_messages",
                                                              "address_bytes",
                                                              "address_connections",
                                                              "connection_messages",
                                                              "message_size",
                                                              "blocked",
                                                              "finding",
                                                              "connection_bytes"};

}  // namespace

std::string_view name(Decision decision) {
  return kDecisionNames[static_cast<std::size_t>(decision)];
}
std::string_view name(Reason reason) { return kReasonNames[static_cast<std::size_t>(reason)]; }

}  // namespace liminal::traffic
