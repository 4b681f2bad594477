#include "server/signals/gateway_alerts.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "core/traffic/codec.hpp"

namespace liminal::signals {
namespace {

using traffic::Alert;
using traffic::AlertStatus;
using traffic::FeedbackVerdict;
using traffic::JudgedAlert;

constexpr std::uint8_t kVersion = 1;

/// Whether what is told has all of the findings that are known, or more.
bool is_as_late(const Alert& told, const Alert& known) {
  return told.count != known.count ? told.count > known.count : told.last_seen >= known.last_seen;
}

}  // namespace

/// What is told, put together with what is known.
GatewayAlerts::Placed GatewayAlerts::merge(const Entry& entry,
                                           std::uint64_t number,
                                           const JudgedAlert& told) {
  Placed placed{told, FeedbackVerdict::kNone, true, told.alert.feedback != FeedbackVerdict::kNone};
  Alert& alert = placed.told.alert;
  alert.shard = kOfGateways;
  alert.number = number;
  if (!entry.kept) return placed;
  const JudgedAlert& known = entry.known;
  placed.before = known.alert.feedback;
  placed.grew = alert.count > known.alert.count;
  if (!is_as_late(alert, known.alert)) {
    const FeedbackVerdict said = alert.feedback;
    alert = known.alert;
    alert.feedback = said;
  }
  if (known.alert.status == AlertStatus::kResolved) alert.status = AlertStatus::kResolved;
  placed.said =
      placed.said && (placed.before == FeedbackVerdict::kNone || told.judged > known.judged);
  placed.heard = placed.said || told.alert.feedback == known.alert.feedback;
  if (!placed.said) {
    alert.feedback = known.alert.feedback;
    placed.told.judged = known.judged;
    placed.told.note = known.note;
  }
  return placed;
}

GatewayAlerts::Placed GatewayAlerts::place(const JudgedAlert& told) {
  const std::lock_guard lock(mutex_);
  const auto [at, fresh] = numbers_.try_emplace(key_of(told.alert), last_ + 1);
  const std::uint64_t number = at->second;
  if (!fresh) return merge(entries_.at(number), number, told);
  Placed placed = merge({}, number, told);
  insert(number, {placed.told, false, false});
  return placed;
}

std::optional<GatewayAlerts::Placed> GatewayAlerts::keep(std::uint64_t number,
                                                         const JudgedAlert& told) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(number);
  if (entry == entries_.end()) return std::nullopt;
  Placed placed = merge(entry->second, number, told);
  entry->second = {placed.told, true, entry->second.said_here && !placed.heard};
  return placed;
}

bool GatewayAlerts::is_of_the_present(const Alert& alert, SteadyTime now) {
  constexpr std::chrono::minutes kPresent{10};
  return alert.last_seen >= now - kPresent && alert.last_seen <= now + kPresent;
}

void GatewayAlerts::adopt(JudgedAlert known, bool said_here) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = known.alert.number;
  numbers_[key_of(known.alert)] = number;
  insert(number, {std::move(known), true, said_here});
}

void GatewayAlerts::count_from(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  last_ = std::max(last_, number);
}

/// The lock is held.
void GatewayAlerts::insert(std::uint64_t number, Entry entry) {
  entries_[number] = std::move(entry);
  last_ = std::max(last_, number);
  while (entries_.size() > alerts_max_) {
    const auto oldest = entries_.begin();
    numbers_.erase(key_of(oldest->second.known.alert));
    entries_.erase(oldest);
  }
}

/// The lock is held.
const GatewayAlerts::Entry* GatewayAlerts::kept(std::uint64_t number) const {
  const auto found = entries_.find(number);
  return found == entries_.end() || !found->second.kept ? nullptr : &found->second;
}

std::optional<FeedbackVerdict> GatewayAlerts::judge(std::uint64_t number,
                                                    FeedbackVerdict verdict,
                                                    std::string note,
                                                    SteadyTime time) {
  const std::lock_guard lock(mutex_);
  if (kept(number) == nullptr) return std::nullopt;
  Entry& entry = entries_.at(number);
  entry.said_here = entry.said_here || entry.known.alert.feedback != verdict;
  // Whoever speaks here knows what was said before, whatever the clocks say.
  entry.known.judged = std::max(time, entry.known.judged + std::chrono::milliseconds{1});
  entry.known.note = std::move(note);
  return std::exchange(entry.known.alert.feedback, verdict);
}

std::vector<JudgedAlert> GatewayAlerts::said_here(std::string_view gateway,
                                                  std::size_t count_max) const {
  const std::lock_guard lock(mutex_);
  std::vector<const JudgedAlert*> found;
  for (const auto& [number, entry] : entries_)
    if (entry.said_here && entry.known.alert.origin.gateway == gateway)
      found.push_back(&entry.known);
  std::stable_sort(found.begin(), found.end(), [](const auto* a, const auto* b) {
    return a->judged > b->judged;
  });
  found.resize(std::min(found.size(), count_max));
  std::vector<JudgedAlert> words;
  for (const JudgedAlert* one : found) words.push_back(*one);
  return words;
}

std::optional<Alert> GatewayAlerts::find(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const Entry* found = kept(number);
  return found == nullptr ? std::nullopt : std::optional(found->known.alert);
}

std::vector<Alert> GatewayAlerts::all(traffic::Severity severity_min, std::string_view user) const {
  const std::lock_guard lock(mutex_);
  std::vector<Alert> found;
  for (const auto& [number, entry] : entries_) {
    const Alert& alert = entry.known.alert;
    if (entry.kept && alert.severity >= severity_min && (user.empty() || alert.user == user))
      found.push_back(alert);
  }
  return found;
}

std::vector<std::string> GatewayAlerts::gateways_of(std::span<const std::uint64_t> members) const {
  const std::lock_guard lock(mutex_);
  std::set<std::string> names;
  for (const std::uint64_t member : members) {
    const auto [shard, number] = traffic::alert_of_key(member);
    const Entry* found = shard == kOfGateways ? kept(number) : nullptr;
    if (found != nullptr) names.insert(found->known.alert.origin.gateway);
  }
  return {names.begin(), names.end()};
}

void GatewayAlerts::clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
  numbers_.clear();
  last_ = 0;
}

void GatewayAlerts::save(Writer& out) const {
  const std::lock_guard lock(mutex_);
  out.put(kVersion);
  out.put_varint(last_);
  out.put_varint(static_cast<std::uint64_t>(std::count_if(
      entries_.begin(), entries_.end(), [](const auto& one) { return one.second.kept; })));
  for (const auto& [number, entry] : entries_) {
    if (!entry.kept) continue;
    out.put_text(entry.known.alert.origin.gateway);
    out.put_varint(number);
    out.put(nanoseconds(entry.known.judged));
    out.put_text(entry.known.note);
    out.put(entry.said_here);
    // Under its id there, which is one of a shard.
    Alert alert = entry.known.alert;
    alert.shard = alert.origin.shard;
    alert.number = alert.origin.number;
    traffic::save(alert, out);
  }
}

void GatewayAlerts::load(Reader& in) {
  clear();
  if (in.get<std::uint8_t>() != kVersion) in.fail();
  const std::uint64_t last = in.get_varint();
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    JudgedAlert known;
    std::string gateway(in.get_text());
    const std::uint64_t number = in.get_varint();
    known.judged = SteadyTime{Duration{in.get<Duration::rep>()}};
    known.note = in.get_text();
    const bool said_here = in.get<std::uint8_t>() != 0;
    Alert& alert = known.alert;
    if (!traffic::load(alert, in) || gateway.empty() || number == 0 || number > last) in.fail();
    if (!in.ok()) break;
    alert.origin = {std::move(gateway), alert.shard, alert.number};
    alert.shard = kOfGateways;
    alert.number = number;
    adopt(std::move(known), said_here);
  }
  if (!in.ok()) return clear();
  const std::lock_guard lock(mutex_);
  last_ = last;
}

}  // namespace liminal::signals
