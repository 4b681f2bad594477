#include "core/engine/effects.hpp"

namespace liminal::engine {
namespace {

void add(std::uint64_t& sum, std::uint64_t value) { sum += value; }

template <class T, std::size_t N>
void add(std::array<T, N>& sums, const std::array<T, N>& values) {
  for (std::size_t i = 0; i < N; ++i) add(sums[i], values[i]);
}

}  // namespace

Counters& Counters::operator+=(const Counters& other) {
  add(events, other.events);
  add(errors, other.errors);
  add(message_bytes, other.message_bytes);
  add(late, other.late);
  add(early, other.early);
  add(users_evicted, other.users_evicted);
  add(addresses_evicted, other.addresses_evicted);
  add(scores_asked, other.scores_asked);
  add(scores_answered, other.scores_answered);
  add(findings, other.findings);
  add(enforced, other.enforced);
  add(shadow, other.shadow);
  add(enforced_findings, other.enforced_findings);
  add(shadow_findings, other.shadow_findings);
  return *this;
}

}  // namespace liminal::engine
