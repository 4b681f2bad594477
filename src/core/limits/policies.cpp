#include "core/limits/policies.hpp"

#include <algorithm>

namespace liminal::limits {
namespace {

constexpr double kOverridePerSecondMin = 1e-5;
constexpr double kOverridePerSecondMax = 1e9;

MeterPolicies meters(const SubjectOptions& subject, Mode mode) {
  const auto messages = [&](const RateOptions& rate) {
    return MeterPolicy{GcraPolicy::messages(rate.per_second, rate.burst), rate.mode.value_or(mode)};
  };
  const auto bytes = [&](const RateOptions& rate) {
    return MeterPolicy{GcraPolicy::bytes(rate.per_second, rate.burst), rate.mode.value_or(mode)};
  };
  return MeterPolicies({messages(subject.messages),
                        messages(subject.messages_sustained),
                        bytes(subject.bytes),
                        bytes(subject.bytes_sustained)});
}

Cap cap(const CapOptions& options, Mode mode) { return {options.max, options.mode.value_or(mode)}; }

bool fits_a_day(double per_second, std::uint32_t burst) {
  return static_cast<double>(burst) <= per_second * seconds(kAllowanceMax);
}

}  // namespace

Policies::Policies(const Options& options)
    : user(meters(options.user, options.mode)),
      address(meters(options.address, options.mode)),
      connection(meters(options.connection, options.mode)),
      user_messages_per_second(options.user.messages.per_second),
      user_connections(cap(options.user_connections, options.mode)),
      address_connections(cap(options.address_connections, options.mode)),
      message_bytes(cap(options.message_bytes, options.mode)),
      delay_max(options.delay_max),
      close_after(GcraPolicy::messages(options.close_after.per_second, options.close_after.burst)),
      controller(options.controller),
      allow_users_(sorted(options.allow_users)),
      allow_addresses_(sorted(options.allow_addresses)) {}

Policies::Names Policies::sorted(const std::vector<std::string>& texts) {
  Names names;
  names.reserve(texts.size());
  for (const std::string& text : texts) names.emplace_back(traffic::Name(text).hash, text);
  std::sort(names.begin(), names.end());
  return names;
}

bool Policies::contains(const Names& names, const traffic::Name& name) {
  const auto before = [](const auto& entry, std::uint64_t hash) { return entry.first < hash; };
  auto entry = std::lower_bound(names.begin(), names.end(), name.hash, before);
  for (; entry != names.end() && entry->first == name.hash; ++entry)
    if (entry->second == name.text) return true;
  return false;
}

GcraPolicy policy_of(const traffic::Override& override) {
  const double rate = override.messages_per_second >= kOverridePerSecondMin
                          ? std::min(override.messages_per_second, kOverridePerSecondMax)
                          : kOverridePerSecondMin;
  const std::uint32_t burst = std::max(1U, override.burst);
  if (fits_a_day(rate, burst)) return GcraPolicy::messages(rate, burst);
  const double most = rate * seconds(kAllowanceMax);
  return GcraPolicy::messages(rate, std::max(1U, static_cast<std::uint32_t>(most)));
}

Problems validate(const traffic::Override& override) {
  Problems found;
  if (override.user.empty() || override.user.size() > traffic::kUserBytesMax)
    found.push_back({"user_id", "must have 1 to 128 bytes"});
  if (override.reason.empty()) found.push_back({"reason", "must not be empty"});
  if (override.expires && *override.expires <= override.created)
    found.push_back({"expires", "must be in the future"});
  if (override.kind != traffic::Override::Kind::kRate) return found;
  const double rate = override.messages_per_second;
  const bool sane = rate >= kOverridePerSecondMin && rate <= kOverridePerSecondMax;
  if (!sane) found.push_back({"messages_per_second", "must be 0.00001 to 1e9"});
  if (override.burst == 0) found.push_back({"burst", "must be at least 1"});
  if (sane && !fits_a_day(rate, override.burst))
    found.push_back({"burst", "must not exceed what the rate allows in a day"});
  return found;
}

}  // namespace liminal::limits
