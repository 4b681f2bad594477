#include "cluster.hpp"

#include <array>
#include <cstdint>

namespace liminal::python {
namespace {

/// Of what owners tell of their crowds: during a deployment some may be of another release.
constexpr std::uint8_t kCrowdVersion = 1;

}  // namespace

CommonsOwner::CommonsOwner(detect::Profile profile) : commons_(profile) {
  options_.profile = profile;
}

Result<std::string> CommonsOwner::advance(std::span<const std::string_view> told, SteadyTime now) {
  told_.clear();
  std::array<bool, kShards> seen{};
  for (const std::string_view bytes : told) {
    Reader in(bytes);
    for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
      const auto shard = in.get<std::uint8_t>();
      if (!in.ok() || shard >= kShards || seen[shard])
        return failure(ErrorCode::kMalformed, in.position());
      seen[shard] = true;
      told_.load(ShardId{shard}, in);
    }
    if (!in.at_end()) return failure(ErrorCode::kMalformed, in.position());
  }
  commons_.advance(told_, now, options_, exchange_);
  Writer out;
  exchange_.save(out);
  return out.take();
}

std::string CommonsOwner::save() const {
  Writer out;
  commons_.save(out);
  return out.take();
}

Result<void> CommonsOwner::load(std::string_view bytes) {
  Reader in(bytes);
  return commons_.load(in);
}

std::string encode_crowd(const features::CrowdSummary& crowd) {
  Writer out;
  out.put(kCrowdVersion);
  out.put(crowd.active_users);
  out.put(crowd.messages_per_minute);
  out.put(crowd.connections_per_minute);
  out.put(crowd.address_evictions);
  for (const double events : crowd.address_bins) out.put(events);
  out.put_varint(crowd.addresses.size());
  for (const auto& address : crowd.addresses) {
    out.put_text(address.text);
    out.put(address.users);
    out.put(address.connections_per_minute);
  }
  crowd.channels.save(out);
  out.put(crowd.channel_minutes);
  return out.take();
}

Result<features::CrowdSummary> decode_crowd(std::string_view bytes) {
  features::CrowdSummary crowd;
  Reader in(bytes);
  if (in.get<std::uint8_t>() != kCrowdVersion) return failure(ErrorCode::kUnsupported, 0);
  in.get(crowd.active_users);
  in.get(crowd.messages_per_minute);
  in.get(crowd.connections_per_minute);
  in.get(crowd.address_evictions);
  for (double& events : crowd.address_bins) in.get(events);
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    auto& address = crowd.addresses.emplace_back();
    address.text = in.get_text();
    address.hash = traffic::Name(address.text).hash;
    in.get(address.users);
    in.get(address.connections_per_minute);
  }
  crowd.channels = stats::SpaceSaving(features::CrowdOptions{}.channels_max);
  crowd.channels.load(in);
  in.get(crowd.channel_minutes);
  if (!in.at_end()) return failure(ErrorCode::kMalformed, in.position());
  return crowd;
}

std::vector<std::string> encode_by_owner(std::span<const traffic::StoredEvent> events,
                                         std::size_t owners) {
  std::vector<Writer> writers(owners);
  for (const traffic::StoredEvent& stored : events) {
    const traffic::Event event = stored.view();
    traffic::encode(event, writers[owner_of(shard_of(event.user.hash), owners)]);
  }
  std::vector<std::string> bytes;
  bytes.reserve(owners);
  for (Writer& writer : writers) bytes.push_back(writer.take());
  return bytes;
}

Result<std::vector<traffic::StoredEvent>> decode_events(std::string_view bytes) {
  std::vector<traffic::StoredEvent> events;
  Reader in(bytes);
  while (in.ok() && !in.at_end()) {
    auto event = traffic::StoredEvent::decode(in);
    if (!event) return tl::unexpected(event.error());
    events.push_back(std::move(*event));
  }
  return events;
}

}  // namespace liminal::python
