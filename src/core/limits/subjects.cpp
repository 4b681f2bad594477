#include "core/limits/subjects.hpp"

#include <limits>

#include "core/base/hash.hpp"

namespace liminal::limits {
namespace {

constexpr auto kMessages = static_cast<std::size_t>(Meter::kMessages);

/// Rounded to the nearest, and never outside what the ratio's bounds allow.
Pace pace_of(double ratio) {
  constexpr double kSlowest = double{kNormalPace} * kPaceRange;
  constexpr double kFastest = double{kNormalPace} / kPaceRange;
  return static_cast<Pace>(std::clamp(kNormalPace / ratio + .5, kFastest, kSlowest));
}

template <class State>
std::uint64_t hash_of(const State& state) {
  Writer out;
  state.save(out);
  return hash64(out.bytes());
}

/// Reads and refuses the version byte that every saved state begins with.
bool is_format(Reader& in, std::uint8_t format) {
  if (in.get<std::uint8_t>() == format) return true;
  in.fail();
  return false;
}

}  // namespace

void Meters::carry_over(const MeterPolicies& before, const MeterPolicies& after, SteadyTime now) {
  for (std::size_t i = 0; i < kMeters; ++i)
    gcra[i].change_rate(before[i].gcra.period, after[i].gcra.period, now);
}

void UserLimits::adapt(const Policies& policies, float score, SteadyTime now) {
  if (!controller_.adapt(policies.controller, policies.user_messages_per_second, score, now))
    return;
  const Pace pace = pace_of(controller_.ratio(policies.controller));
  if (pace == pace_) return;
  // The messages meter goes over by itself when it is next charged.
  for (std::size_t i = kMessages + 1; i < kMeters; ++i) {
    const GcraPolicy& policy = policies.user[i].gcra;
    meters_.gcra[i].change_rate(policy.at(pace_).period, policy.at(pace).period, now);
  }
  pace_ = pace;
}

void UserLimits::carry_over(const Policies& before, const Policies& after, SteadyTime now) {
  for (std::size_t i = kMessages + 1; i < kMeters; ++i)
    meters_.gcra[i].change_rate(
        before.user[i].gcra.at(pace_).period, after.user[i].gcra.at(pace_).period, now);
  drops_.change_rate(before.close_after.period, after.close_after.period, now);
}

void UserLimits::save(Writer& out) const {
  out.put(kFormat);
  meters_.save(out);
  drops_.save(out);
  out.put(messages_period_.count());
  controller_.save(out);
  out.put(pace_);
  out.put(connections_);
}

Result<UserLimits> UserLimits::load(Reader& in) {
  UserLimits user;
  if (!is_format(in, kFormat)) return failure(ErrorCode::kUnsupported, in.position());
  user.meters_.load(in);
  user.drops_ = Gcra::load(in);
  user.messages_period_ = Duration{in.get<Duration::rep>()};
  user.controller_ = Controller::load(in);
  in.get(user.pace_);
  in.get(user.connections_);
  const bool possible = user.messages_period_ >= Duration::zero() &&
                        user.pace_ >= kNormalPace / kPaceRange &&
                        user.pace_ <= kNormalPace * kPaceRange;
  if (!in.ok() || !possible) return failure(ErrorCode::kMalformed, in.position());
  return user;
}

std::uint64_t UserLimits::state_hash() const { return hash_of(*this); }

AddressUsage AddressLimits::take_usage() {
  const AddressUsage used{
      .messages = used_messages_, .bytes = used_bytes_, .connections = connections_};
  used_messages_ = used_bytes_ = 0;
  return used;
}

void AddressLimits::charge_remote(const Policies& policies,
                                  const AddressUsage& others,
                                  SteadyTime now) {
  now = hold(now);
  for (std::size_t i = 0; i < kMeters; ++i) {
    const bool bytes = policies.address[i].gcra.shift != 0;
    meters_.gcra[i].charge_any(
        policies.address[i].gcra, now, bytes ? others.bytes : others.messages);
  }
  remote_connections_ = others.connections;
}

void AddressLimits::carry_over(const Policies& before, const Policies& after, SteadyTime now) {
  meters_.carry_over(before.address, after.address, hold(now));
}

void AddressLimits::save(Writer& out) const {
  out.put(kFormat);
  meters_.save(out);
  out.put(nanoseconds(last_));
  out.put(used_messages_);
  out.put(used_bytes_);
  out.put(connections_);
  out.put(remote_connections_);
}

Result<AddressLimits> AddressLimits::load(Reader& in) {
  AddressLimits address;
  if (!is_format(in, kFormat)) return failure(ErrorCode::kUnsupported, in.position());
  address.meters_.load(in);
  address.last_ = SteadyTime{Duration{in.get<Duration::rep>()}};
  in.get(address.used_messages_);
  in.get(address.used_bytes_);
  in.get(address.connections_);
  in.get(address.remote_connections_);
  const bool possible = address.last_ >= SteadyTime{} && address.last_ <= kTimeMax;
  if (!in.ok() || !possible) return failure(ErrorCode::kMalformed, in.position());
  return address;
}

std::uint64_t AddressLimits::state_hash() const { return hash_of(*this); }

void ConnectionLimits::save(Writer& out) const {
  out.put(kFormat);
  meters_.save(out);
}

Result<ConnectionLimits> ConnectionLimits::load(Reader& in) {
  ConnectionLimits connection;
  if (!is_format(in, kFormat)) return failure(ErrorCode::kUnsupported, in.position());
  connection.meters_.load(in);
  if (!in.ok()) return failure(ErrorCode::kMalformed, in.position());
  return connection;
}

std::uint64_t ConnectionLimits::state_hash() const { return hash_of(*this); }

}  // namespace liminal::limits
