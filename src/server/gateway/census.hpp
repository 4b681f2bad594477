#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "server/gateway/options.hpp"

namespace liminal::gateway {

/// How many connections there are, in all, of an address and of a user: the hard caps, beside the
/// engine's limits. Shared by threads; asked when a connection begins and ends, never for a
/// message. Memory: about 100 bytes for each address and user that is connected.
class Census {
 public:
  /// Counts a connection in, unless a cap is reached, and gives how many of its address there are
  /// with it: no two threads get the same number. `user` and `address` are hashes.
  [[nodiscard]] std::optional<std::uint32_t> enter(std::uint64_t user,
                                                   std::uint64_t address,
                                                   const Options& options);
  void leave(std::uint64_t user, std::uint64_t address);
  [[nodiscard]] std::uint64_t total() const;
  /// How many a user has.
  [[nodiscard]] std::uint32_t of_user(std::uint64_t user) const;

 private:
  using Table = std::unordered_map<std::uint64_t, std::uint32_t>;
  mutable std::mutex mutex_;
  std::uint64_t total_ = 0;
  Table users_, addresses_;
};

}  // namespace liminal::gateway
