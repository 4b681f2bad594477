// The shard's control calls, questions and state: what is not on the path of a message.
#include <algorithm>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"
#include "core/engine/shard.hpp"
#include "core/traffic/codec.hpp"

namespace liminal::engine {

using traffic::FeatureId;
using traffic::Finding;
using traffic::Name;

namespace {

/// 2 added what connections have used up, 3 what goes on among all users: where a snapshot has
/// none, it begins anew. 4 added the champion, 5 what was enforced since it was noted, 6 the
/// connections of addresses; 5 is read, too.
constexpr std::uint8_t kShardVersion = 6, kShardVersionRead = 5;

void save_user(const Shard::UserState& user, Writer& out) {
  user.features.save(out);
  user.statistics.save(out);
  user.limits.save(out);
  user.rules.save(out);
  put_time(user.first, out);
  put_time(user.last, out);
  out.put(user.address);
  out.put(user.row_s);
  out.put(user.asked_s);
  out.put(user.model_spoke_s);
  out.put(user.messages);
  out.put(user.messages_unasked);
  out.put(user.active);
}

/// Reads with a loader that gives a result.
template <class T>
void load_into(T& value, Reader& in) {
  Result<T> read = T::load(in);
  if (read) {
    value = *read;
  } else {
    in.fail();
  }
}

void load_user(Reader& in, Shard::UserState& user) {
  load_into(user.features, in);
  user.statistics.load(in);
  load_into(user.limits, in);
  user.rules.load(in);
  user.first = get_time(in);
  user.last = get_time(in);
  in.get(user.address);
  in.get(user.row_s);
  in.get(user.asked_s);
  in.get(user.model_spoke_s);
  in.get(user.messages);
  in.get(user.messages_unasked);
  user.active = in.get<std::uint8_t>() != 0;
}

}  // namespace

void Shard::set_settings(std::shared_ptr<const Settings> settings) {
  ++inputs_;
  const std::shared_ptr<const Settings> before = std::exchange(settings_, std::move(settings));
  users_.for_each([&](const Name&, UserState& user) {
    user.limits.carry_over(before->policies, settings_->policies, std::max(now_, user.last));
  });
  addresses_.for_each([&](const Name&, AddressState& address) {
    address.limits.carry_over(before->policies, settings_->policies, now_);
  });
  if (!settings_->policies.connection.limit_anything()) connections_.clear();
  for (auto& [number, connection] : connections_)
    connection.carry_over(before->policies, settings_->policies, now_);
  alerts_.set_options(settings_->options.alerts);
}

bool Shard::set_override(const traffic::Override& override_) {
  ++inputs_;
  const bool known = find_override(override_.user) != nullptr;
  if (!known && overrides_.size() >= settings_->options.overrides_max) return false;
  overrides_.insert_or_assign(override_.user, override_);
  if (UserState* user = users_.find(Name(override_.user))) user->overridden = true;
  return true;
}

bool Shard::remove_override(std::string_view user) {
  ++inputs_;
  const auto found = overrides_.find(user);
  if (found == overrides_.end()) return false;
  if (UserState* state = users_.find(Name(user))) state->overridden = false;
  overrides_.erase(found);
  return true;
}

void Shard::remove_overrides() {
  ++inputs_;
  for (const auto& [user, override_] : overrides_) {
    if (UserState* state = users_.find(Name(user))) state->overridden = false;
  }
  overrides_.clear();
}

bool Shard::feedback(std::uint64_t alert_number, traffic::FeedbackVerdict verdict) {
  ++inputs_;
  return alerts_.feedback(alert_number, verdict);
}

void Shard::count_feedback(traffic::FindingType type, traffic::FeedbackVerdict verdict) {
  ++inputs_;
  alerts_.count_feedback(type, verdict);
}

std::size_t Shard::cleanup(Duration age_max) {
  ++inputs_;
  std::size_t forgotten = 0;
  users_.for_each([&](const Name&, UserState& user) {
    if (!user.active || now_ - user.last <= age_max) return;
    user.features.forget_session();
    user.limits.forget_connections();
    user.active = false;
    ++forgotten;
  });
  active_users_ -= forgotten;
  return forgotten;
}

void Shard::adopt(const traffic::Alert& alert) {
  ++inputs_;
  alerts_.adopt(alert);
}

void Shard::resume(std::uint64_t first) {
  LIMINAL_CHECK(first > inputs_);
  inputs_ = first;
  champion_ = {};
  connections_.clear();
  users_.for_each([](const Name&, UserState& user) {
    user.limits.forget_connections();
    user.features.forget_connections();
  });
  addresses_.for_each([](const Name&, AddressState& address) {
    address.limits.forget_connections();
    address.told.connections = 0;
  });
}

bool Shard::blocks(const traffic::Event& event) const {
  const traffic::Override* override_ = find_override(event.user.text);
  const SteadyTime now{event.time.time_since_epoch()};
  return limits::in_force(override_, now) && override_->kind == traffic::Override::Kind::kBlock &&
         !settings_->policies.allows(event);
}

std::optional<UserView> Shard::view(std::string_view user) const {
  const Name name(user);
  const UserState* state = users_.find(name);
  if (state == nullptr) return std::nullopt;
  const SteadyTime now = std::max(now_, state->last);
  UserView view;
  view.user = user;
  view.address = addresses_.name_of(state->address).text;
  view.first_seen = state->first;
  view.last_seen = state->last;
  view.active = state->active;
  view.features = state->features.read(now);
  view.reference_weight = state->statistics.reference_weight();
  for (std::size_t i = 0; i < detect::kWindows; ++i)
    view.expected[i] = state->statistics.expectation(i, population_);
  const traffic::Override* override_ = override_of(*state, user);
  view.limit = limits::in_force(settings_->policies, state->limits, override_, now);
  view.limit.override = nullptr;
  if (limits::in_force(override_, now)) view.override_ = *override_;
  view.alerts = alerts_.open_of(user);
  return view;
}

std::optional<std::vector<Finding>> Shard::analyze(std::string_view user) const {
  const UserState* state = users_.find(Name(user));
  if (state == nullptr) return std::nullopt;
  const SteadyTime now = std::max(now_, state->last);
  detect::Findings found;
  settings_->rules.analyze(
      [&](FeatureId id) { return state->features.read(id, now); }, now, population_, found);
  (void)state->statistics.analyze(now, settings_->options.detect, population_, found);
  return std::vector<Finding>(found.begin(), found.end());
}

Counters Shard::counters() const {
  Counters all = counters_;
  all.users_evicted = users_.evictions();
  all.addresses_evicted = addresses_.evictions();
  return all;
}

std::size_t Shard::memory_bytes() const {
  return sizeof *this + users_.memory_bytes() + addresses_.memory_bytes() + alerts_.memory_bytes() +
         crowd_.memory_bytes() - sizeof crowd_ + enforced_.memory_bytes() +
         connections_.size() * (sizeof(limits::ConnectionLimits) + 48) +
         overrides_.size() * (sizeof(traffic::Override) + 64);
}

void Shard::save(Writer& out) const {
  out.put(kShardVersion);
  out.put(id_);
  put_time(now_, out);
  out.put_varint(inputs_);
  out.put_varint(ticks_);
  population_.save(out);
  contribution_.save(out);
  engine::save(champion_, out);
  out.put_varint(overrides_.size());
  for (const auto& [user, override_] : overrides_) traffic::save(override_, out);
  users_.save(out, save_user);
  addresses_.save(out, [](const AddressState& address, Writer& to) {
    address.limits.save(to);
    to.put_varint(address.told.messages);
    to.put_varint(address.told.bytes);
    to.put_varint(address.told.connections);
    to.put_varint(address.told_at);
    to.put(address.used);
  });
  out.put_varint(used_addresses_.size());
  for (const std::string& address : used_addresses_) out.put_text(address);
  out.put_varint(connections_.size());
  for (const auto& [number, connection] : connections_) {
    out.put_varint(number);
    connection.save(out);
  }
  alerts_.save(out);
  crowd_.save(out);
  enforced_.save(out);
}

Result<void> Shard::load(Reader& in) {
  reset();
  const auto version = in.get<std::uint8_t>();
  if (version < kShardVersionRead || version > kShardVersion)
    return failure(ErrorCode::kUnsupported);
  if (in.get<std::uint8_t>() != index(id_)) return failure(ErrorCode::kConflict, 1);
  now_ = get_time(in);
  inputs_ = in.get_varint();
  ticks_ = in.get_varint();
  population_.load(in);
  contribution_.load(in);
  if (!engine::load(champion_, in)) in.fail();
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    traffic::Override override_;
    const bool good = traffic::load(override_, in) && !override_.user.empty();
    if (!good || overrides_.size() >= settings_->options.overrides_max) in.fail();
    overrides_.insert_or_assign(override_.user, std::move(override_));
  }
  if (!users_.load(in, load_user)) in.fail();
  const Result<void> addresses = addresses_.load(in, [](Reader& from, AddressState& address) {
    load_into(address.limits, from);
    address.told.messages = static_cast<std::uint32_t>(from.get_varint());
    address.told.bytes = from.get_varint();
    address.told.connections = static_cast<std::uint32_t>(from.get_varint());
    address.told_at = from.get_varint();
    address.used = from.get<std::uint8_t>() != 0;
  });
  if (!addresses) in.fail();
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left)
    used_addresses_.emplace_back(in.get_text());
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    const std::uint64_t number = in.get_varint();
    load_into(connections_[number], in);
    if (connections_.size() > kConnectionsMax) in.fail();
  }
  if (in.ok() && !alerts_.load(in)) in.fail();
  if (in.ok() && !crowd_.load(in, version >= 6)) in.fail();
  if (in.ok() && !enforced_.load(in)) in.fail();
  if (!in.ok()) {
    const std::size_t position = in.position();
    reset();
    return failure(ErrorCode::kMalformed, position);
  }
  users_.for_each([&](const Name& name, UserState& user) {
    user.overridden = find_override(name.text) != nullptr;
    active_users_ += user.active ? 1 : 0;
  });
  return {};
}

void Shard::reset() { *this = Shard(id_, settings_, now_); }

std::uint64_t Shard::state_hash() const {
  Writer out;
  save(out);
  return hash64(out.bytes());
}

}  // namespace liminal::engine
