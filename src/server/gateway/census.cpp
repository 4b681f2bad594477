#include "server/gateway/census.hpp"

namespace liminal::gateway {
namespace {

using Table = std::unordered_map<std::uint64_t, std::uint32_t>;

bool full(const Table& table, std::uint64_t key, std::uint32_t cap) {
  if (cap == 0) return false;
  const auto found = table.find(key);
  return found != table.end() && found->second >= cap;
}

void take_one(Table& table, std::uint64_t key) {
  const auto found = table.find(key);
  if (found != table.end() && --found->second == 0) table.erase(found);
}

}  // namespace

std::optional<std::uint32_t> Census::enter(std::uint64_t user,
                                           std::uint64_t address,
                                           const Options& options) {
  const std::lock_guard lock(mutex_);
  if (total_ >= options.connections_max || full(users_, user, options.connections_per_user_max) ||
      full(addresses_, address, options.connections_per_address_max))
    return std::nullopt;
  ++total_;
  ++users_[user];
  return ++addresses_[address];
}

void Census::leave(std::uint64_t user, std::uint64_t address) {
  const std::lock_guard lock(mutex_);
  --total_;
  take_one(users_, user);
  take_one(addresses_, address);
}

std::uint32_t Census::of_user(std::uint64_t user) const {
  const std::lock_guard lock(mutex_);
  const auto found = users_.find(user);
  return found == users_.end() ? 0 : found->second;
}

std::uint64_t Census::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace liminal::gateway
