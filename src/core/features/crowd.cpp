#include "core/features/crowd.hpp"

#include <algorithm>
#include <limits>

#include "core/base/hash.hpp"
#include "core/base/math.hpp"

namespace liminal::features {

using traffic::Event;
using traffic::EventKind;

void CrowdSummary::merge(const CrowdSummary& other) {
  active_users += other.active_users;
  messages_per_minute += other.messages_per_minute;
  connections_per_minute += other.connections_per_minute;
  address_evictions += other.address_evictions;
  for (std::size_t i = 0; i < kBins; ++i) address_bins[i] += other.address_bins[i];
  channel_minutes = std::max(channel_minutes, other.channel_minutes);
  channels.merge(other.channels);

  std::vector<Address> merged;
  merged.reserve(addresses.size() + other.addresses.size());
  auto mine = addresses.begin();
  for (const Address& theirs : other.addresses) {
    while (mine != addresses.end() && mine->hash < theirs.hash) merged.push_back(*mine++);
    merged.push_back(theirs);
    if (mine == addresses.end() || mine->hash != theirs.hash) continue;
    merged.back().users += mine->users;
    merged.back().connections_per_minute += mine->connections_per_minute;
    ++mine;
  }
  merged.insert(merged.end(), mine, addresses.end());
  addresses = std::move(merged);
}

double CrowdSummary::address_entropy_bits() const {
  double total = 0, weighted = 0;
  for (const double events : address_bins) {
    if (events <= 0) continue;
    total += events;
    weighted += events * log(events);
  }
  constexpr double kLn2 = 0.69314718055994530942;
  return total > 0 ? std::max(0., (log(total) - weighted / total) / kLn2) : 0;
}

namespace {

/// Those with the most of something, which must be there at all.
std::vector<CrowdSummary::Address> most(const std::vector<CrowdSummary::Address>& addresses,
                                        double CrowdSummary::Address::*of,
                                        std::size_t limit) {
  std::vector<const CrowdSummary::Address*> found;
  for (const CrowdSummary::Address& address : addresses)
    if (address.*of > 0) found.push_back(&address);
  limit = std::min(limit, found.size());
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(limit);
  std::partial_sort(found.begin(), end, found.end(), [of](const auto* a, const auto* b) {
    return a->*of != b->*of ? a->*of > b->*of : a->hash < b->hash;
  });
  std::vector<CrowdSummary::Address> out;
  out.reserve(limit);
  for (std::size_t i = 0; i < limit; ++i) out.push_back(*found[i]);
  return out;
}

/// What tells more of a message that was counted before.
bool adds_to_a_message(EventKind kind) {
  return kind == EventKind::kContinued || kind == EventKind::kFailed;
}

}  // namespace

std::vector<CrowdSummary::Address> CrowdSummary::most_crowded(std::size_t limit) const {
  return most(addresses, &Address::users, limit);
}

std::vector<CrowdSummary::Address> CrowdSummary::most_connecting(std::size_t limit) const {
  return most(addresses, &Address::connections_per_minute, limit);
}

std::vector<CrowdSummary::Channel> CrowdSummary::hottest(std::size_t limit) const {
  std::vector<Channel> found;
  for (const stats::SpaceSaving::Counter& counter : channels.top(limit)) {
    found.push_back({counter.text,
                     static_cast<double>(counter.count) / channel_minutes,
                     static_cast<double>(counter.error) / channel_minutes});
  }
  return found;
}

Crowd::Crowd(const CrowdOptions& options)
    : addresses_(options.addresses_max), channels_(options.channels_max) {}

void Crowd::learn(const Event& event, SteadyTime now, const Learnt& learnt) {
  advance(now);
  learn_active(now, learnt);
  if (!event.address.empty()) learn_address(event, now, learnt);
  if (event.kind == EventKind::kConnect) connections_.add(1);
  if (event.kind != EventKind::kMessage) return;
  messages_.add(1);
  for (const traffic::Name& channel : event.channels) channels_.add(channel.hash, channel.text);
}

void Crowd::advance(SteadyTime now) {
  const std::uint64_t bucket = kBucket.bucket(now);
  if (bucket <= bucket_) return;
  active_.advance(bucket - bucket_);
  messages_.advance(bucket - bucket_);
  connections_.advance(bucket - bucket_);
  // After half an hour nothing of any count is left.
  const std::uint64_t minutes =
      std::min<std::uint64_t>(bucket / kPerMinute - bucket_ / kPerMinute, 32);
  for (std::uint64_t i = 0; i < minutes; ++i) {
    channels_.halve();
    for (std::uint32_t& events : address_bins_) events /= 2;
  }
  bucket_ = bucket;
}

/// Moves the user from the bucket of the last time to this one.
void Crowd::learn_active(SteadyTime now, const Learnt& learnt) {
  const auto age = [&](SteadyTime time) {
    return bucket_ - std::min(kBucket.bucket(time), bucket_);
  };
  if (learnt.seen_before) {
    const std::uint64_t before = age(learnt.last_seen);
    if (before == age(now)) return;
    if (before < Active::kBuckets && active_[before] > 0) --active_[before];
  }
  if (age(now) < Active::kBuckets) ++active_[age(now)];
}

void Crowd::learn_address(const Event& event, SteadyTime now, const Learnt& learnt) {
  std::uint32_t& events = address_bins_[mix64(event.address.hash) % CrowdSummary::kBins];
  if (!adds_to_a_message(event.kind) && events < std::numeric_limits<std::uint32_t>::max())
    ++events;
  const bool connects = event.kind == EventKind::kConnect;
  if (!learnt.first_from_address && !connects) return;
  Place& place = addresses_.find_or_add(event.address);
  place.advance(kBucket.bucket(now));
  place.users.add(event.user.hash);
  if (connects) place.connections.add(1);
}

void Crowd::Place::advance(std::uint64_t to) {
  if (to <= bucket) return;
  users.advance(to / kPerEpoch - bucket / kPerEpoch);
  connections.advance(to - bucket);
  bucket = static_cast<std::uint32_t>(to);
}

double Crowd::Place::users_at(SteadyTime now) const {
  return users.count(kEpoch.position(bucket / kPerEpoch, now).later);
}

double Crowd::users_of(const traffic::Name& address, SteadyTime now) const {
  const Place* place = addresses_.find(address);
  return place == nullptr ? 0 : place->users_at(now);
}

double Crowd::active_users(SteadyTime now) const {
  return active_.sum({.later = kBucket.position(bucket_, now).later, .elapsed = 0});
}

CrowdSummary Crowd::summary(SteadyTime now) const {
  CrowdSummary summary;
  const stats::WindowPosition at = kBucket.position(bucket_, now);
  summary.active_users = active_users(now);
  summary.messages_per_minute = messages_.sum(at);
  summary.connections_per_minute = connections_.sum(at);
  summary.address_evictions = addresses_.evictions();

  const stats::WindowPosition minute = kMinute.position(bucket_ / kPerMinute, now);
  const auto halvings = static_cast<int>(std::min<std::uint64_t>(minute.later, 32));
  summary.channels = channels_;
  for (int i = 0; i < halvings; ++i) summary.channels.halve();
  // Halved at the full minute, a steady rate has left one minute's worth; and then it grows.
  summary.channel_minutes = 1 + minute.elapsed;
  for (std::size_t i = 0; i < CrowdSummary::kBins; ++i)
    summary.address_bins[i] = address_bins_[i] / static_cast<double>(std::uint64_t{1} << halvings);

  addresses_.for_each([&](const traffic::Name& name, const Place& place) {
    const double users = place.users_at(now);
    const double connections = place.connections.sum(kBucket.position(place.bucket, now));
    if (users > 0 || connections > 0)
      summary.addresses.push_back({std::string(name.text), name.hash, users, connections});
  });
  std::sort(summary.addresses.begin(), summary.addresses.end(), [](const auto& a, const auto& b) {
    return a.hash < b.hash;
  });
  return summary;
}

std::size_t Crowd::memory_bytes() const {
  return sizeof *this + addresses_.memory_bytes() - sizeof addresses_ + channels_.memory_bytes();
}

void Crowd::save(Writer& out) const {
  out.put(bucket_);
  active_.save(out);
  messages_.save(out);
  connections_.save(out);
  for (const std::uint32_t events : address_bins_) out.put(events);
  channels_.save(out);
  addresses_.save(out, [](const Place& place, Writer& to) {
    to.put(place.bucket);
    place.users.save(to);
    place.connections.save(to);
  });
}

Result<void> Crowd::load(Reader& in, bool with_connections_of_addresses) {
  in.get(bucket_);
  active_.load(in);
  messages_.load(in);
  connections_.load(in);
  for (std::uint32_t& events : address_bins_) in.get(events);
  channels_.load(in);
  return addresses_.load(in, [with_connections_of_addresses](Reader& from, Place& place) {
    from.get(place.bucket);
    place.users.load(from);
    if (with_connections_of_addresses) return place.connections.load(from);
    // They had the epoch of the users.
    if (place.bucket > std::numeric_limits<std::uint32_t>::max() / kPerEpoch) from.fail();
    place.bucket *= static_cast<std::uint32_t>(kPerEpoch);
  });
}

}  // namespace liminal::features
