#pragma once

#include <cstddef>

#include "core/base/problem.hpp"

namespace liminal::hub {

/// Bounds of one thread's hub. Whatever would exceed one is answered with an error, or dropped and
/// counted.
struct Options {
  /// Channels with at least one member on this thread.
  std::size_t channels_max = 100'000;
  /// Channels that one connection may be in.
  std::size_t member_channels_max = 64;
  /// Publications that wait in one channel until all members have the ones before.
  std::size_t channel_backlog_max = 256;
  /// Bytes of all publications that wait.
  std::size_t backlog_bytes_max = std::size_t{64} << 20U;
  /// Members that one channel serves before the next busy channel has its turn.
  std::size_t slice_members = 64;
};

[[nodiscard]] Problems validate(const Options& options);

}  // namespace liminal::hub
