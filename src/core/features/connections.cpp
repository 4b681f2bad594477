#include "core/features/connections.hpp"

#include <algorithm>
#include <limits>

#include "core/base/hash.hpp"

namespace liminal::features {
namespace {

std::uint16_t fingerprint(std::uint64_t connection) {
  const auto bits = static_cast<std::uint16_t>(mix64(connection));
  return bits == 0 ? std::uint16_t{1} : bits;
}

/// Ticks that passed; none when time went back.
std::uint32_t passed(std::uint32_t since, std::uint32_t now) {
  const std::uint32_t ticks = now - since;
  return ticks > std::numeric_limits<std::uint32_t>::max() / 2 ? 0 : ticks;
}

}  // namespace

bool Connections::open(std::uint64_t connection, SteadyTime now) {
  if (connection != 0) {
    const std::uint16_t id = fingerprint(connection);
    if (std::find(ids_.begin(), ids_.end(), id) != ids_.end()) return false;
    if (const auto free = std::find(ids_.begin(), ids_.end(), 0); free != ids_.end()) {
      *free = id;
      opened_[static_cast<std::size_t>(free - ids_.begin())] = tick(now);
      return true;
    }
  }
  if (others_ == 0) others_since_ = tick(now);
  if (others_ < std::numeric_limits<std::uint16_t>::max()) ++others_;
  return true;
}

void Connections::close(std::uint64_t connection) {
  if (connection != 0) {
    const auto tracked = std::find(ids_.begin(), ids_.end(), fingerprint(connection));
    if (tracked != ids_.end()) {
      *tracked = 0;
      return;
    }
  }
  if (others_ > 0) {
    --others_;
  } else if (connection == 0) {
    std::size_t youngest = kTracked;
    for (std::size_t i = 0; i < kTracked; ++i) {
      if (ids_[i] == 0) continue;
      if (youngest == kTracked || passed(opened_[youngest], opened_[i]) > 0) youngest = i;
    }
    if (youngest < kTracked) ids_[youngest] = 0;
  }
}

std::uint32_t Connections::count() const {
  std::uint32_t open = others_;
  for (const std::uint16_t id : ids_) open += id != 0;
  return open;
}

double Connections::oldest_s(SteadyTime now) const {
  constexpr double kTick_s = double{1 << kTickBits} * 1e-9;
  const std::uint32_t tick_now = tick(now);
  std::uint32_t oldest = others_ > 0 ? passed(others_since_, tick_now) : 0;
  for (std::size_t i = 0; i < kTracked; ++i) {
    if (ids_[i] != 0) oldest = std::max(oldest, passed(opened_[i], tick_now));
  }
  return oldest * kTick_s;
}

void Connections::save(Writer& out) const {
  for (const std::uint32_t opened : opened_) out.put(opened);
  for (const std::uint16_t id : ids_) out.put(id);
  out.put(others_since_);
  out.put(others_);
}

void Connections::load(Reader& in) {
  for (std::uint32_t& opened : opened_) in.get(opened);
  for (std::uint16_t& id : ids_) in.get(id);
  in.get(others_since_);
  in.get(others_);
}

}  // namespace liminal::features
