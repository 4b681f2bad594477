#include "core/detect/rings.hpp"

#include <algorithm>

#include "core/base/hash.hpp"
#include "core/base/math.hpp"
#include "core/detect/confidence.hpp"
#include "core/detect/lines.hpp"
#include "core/detect/loading.hpp"
#include "core/detect/surprise.hpp"

namespace liminal::detect {
namespace {

using traffic::Detector;
using traffic::FindingType;
using traffic::Signal;

constexpr std::uint8_t kVersion = 1;
constexpr double kSeconds = 600;  // the time constant of all of an address
constexpr double kUsersExpected = .9, kUsersDispersion = 1.5;
constexpr std::size_t kAddressBytes = 8 * 4 + 4 * 5 + 32 * 4;

float decayed(float value, double by) {
  return static_cast<float>(static_cast<double>(value) * by);
}

}  // namespace

void Rings::learn(std::span<const Contribution> shards,
                  SteadyTime now,
                  const Options& options,
                  const Population& population,
                  std::vector<RingFinding>& out) {
  for (const Contribution& shard : shards) {
    for (const AddressNote& note : shard.notes) {
      if (note.address == 0) continue;
      Address& address = touch(note.address, now, options.ring.addresses_max);
      add(address, note);
      if (!(note.log_bytes >= 0)) continue;
      report(address, note, judge(address, population), now, options, out);
      report_rule(address, note, now, options, out);
    }
  }
  const auto calm = [this, now](std::uint64_t hash) {
    const auto found = table_.find(hash);
    return found == table_.end() || found->second->silent_until <= now;
  };
  ringing_.erase(std::remove_if(ringing_.begin(), ringing_.end(), calm), ringing_.end());
}

Rings::Address& Rings::touch(std::uint64_t hash, SteadyTime now, std::size_t addresses_max) {
  const auto found = table_.find(hash);
  if (found == table_.end()) {
    if (table_.size() >= addresses_max) {
      table_.erase(used_.back().hash);
      used_.pop_back();
      ++evicted_;
    }
    used_.push_front({.hash = hash, .last = now});
    table_.emplace(hash, used_.begin());
    return used_.front();
  }
  used_.splice(used_.begin(), used_, found->second);
  Address& address = used_.front();
  if (now > address.last) {
    const double by = exp(-seconds(now - address.last) / kSeconds);
    for (float* value : {&address.users,
                         &address.messages,
                         &address.log_bytes,
                         &address.log_bytes_squared,
                         &address.shared})
      *value = decayed(*value, by);
    address.last = now;
  }
  return address;
}

void Rings::add(Address& address, const AddressNote& note) {
  if (note.first) address.users += 1;
  if (!(note.log_bytes >= 0)) return;
  address.messages += 1;
  address.log_bytes += note.log_bytes;
  address.log_bytes_squared += note.log_bytes * note.log_bytes;
  if (note.content == 0) return;
  std::uint32_t& slot = address.contents[mix64(note.content) % address.contents.size()];
  if (slot == note.content) address.shared += 1;
  slot = note.content;
}

Rings::Evidence Rings::judge(const Address& address, const Population& population) {
  constexpr double kSome = 1.8, kSeveral = 2;
  const auto users = static_cast<double>(address.users);
  const auto messages = static_cast<double>(address.messages);
  if (users <= kSome) return {};
  Evidence evidence{.users = surprise(users, kUsersExpected, kUsersDispersion)};
  if (users <= kSeveral || messages <= 0) return evidence;
  // The likelihood ratio of the variance of sizes seen here against that of one ordinary user, as
  // if each new user had sent three independent messages.
  if (messages > 2) {
    const auto sum = static_cast<double>(address.log_bytes);
    const double variance = std::max(
        .02, (static_cast<double>(address.log_bytes_squared) - sum * sum / messages) / messages);
    const double ratio = variance / std::max(.09, population.log_bytes_variance_within());
    const double independent = std::min(messages, 3 * users);
    if (ratio < 1)
      evidence.likeness = std::min(15., .3 * (independent - 1) * (ratio - 1 - log(ratio)));
  }
  const auto shared = static_cast<double>(address.shared);
  evidence.shared = std::min(8., .5 * shared * shared / std::max(1., messages));
  evidence.likeness = std::max(0., evidence.likeness);
  return evidence;
}

void Rings::report(Address& address,
                   const AddressNote& note,
                   const Evidence& evidence,
                   SteadyTime now,
                   const Options& options,
                   std::vector<RingFinding>& out) {
  const StatisticOptions& statistic = options.of(Detector::kRing);
  const double alarm = line(Detector::kRing) * static_cast<double>(statistic.line_factor);
  const double sum = evidence.users + evidence.likeness + evidence.shared;
  if (sum < alarm) return;
  const bool silent = now < address.silent_until;
  address.silent_until = now + options.ring.cool_down;
  if (silent) return;
  if (std::find(ringing_.begin(), ringing_.end(), address.hash) == ringing_.end()) {
    ringing_.insert(ringing_.begin(), address.hash);
    if (ringing_.size() > Population::kRingingMax) ringing_.pop_back();
  }
  RingFinding found{.address = address.hash, .user = note.user, .finding = {}};
  traffic::Finding& finding = found.finding;
  finding.type = FindingType::kAddressRing;
  finding.detector = Detector::kRing;
  finding.severity = traffic::info(finding.type).severity;
  finding.action = traffic::info(finding.type).action;
  finding.mode = statistic.mode;
  finding.score = static_cast<float>(sum / alarm);
  finding.confidence = confidence(Detector::kRing, finding.score);
  const auto part = [alarm](double nats) { return static_cast<float>(nats / alarm); };
  finding.add({Signal::kNewUsers600s,
               address.users,
               0,
               static_cast<float>(count_at(kUsersExpected, kUsersDispersion, alarm)),
               part(evidence.users)});
  if (evidence.likeness > 0)
    finding.add({Signal::kSizeLikeness,
                 static_cast<float>(evidence.likeness),
                 0,
                 0,
                 part(evidence.likeness)});
  if (evidence.shared > 0)
    finding.add(
        {Signal::kSharedContent, static_cast<float>(evidence.shared), 0, 0, part(evidence.shared)});
  out.push_back(found);
}

void Rings::report_rule(Address& address,
                        const AddressNote& note,
                        SteadyTime now,
                        const Options& options,
                        std::vector<RingFinding>& out) {
  if (!(address.users > options.ring.users_max)) return;
  const bool silent = now < address.rule_silent_until;
  address.rule_silent_until = now + options.ring.cool_down;
  if (silent) return;
  RingFinding found{.address = address.hash, .user = note.user, .finding = {}};
  traffic::Finding& finding = found.finding;
  finding.type = FindingType::kAddressRing;
  finding.detector = Detector::kRule;
  finding.severity = options.ring.severity;
  finding.action = options.ring.action;
  finding.mode = options.ring.mode;
  finding.score = address.users / options.ring.users_max;
  finding.confidence = confidence(Detector::kRule, finding.score);
  finding.add({Signal::kNewUsers600s, address.users, 0, options.ring.users_max, finding.score});
  out.push_back(found);
}

std::size_t Rings::memory_bytes() const {
  // A list's node has two pointers, a map's node a pair and two more with its bucket.
  return table_.size() * (sizeof(Address) + 2 * sizeof(void*) + 5 * sizeof(void*));
}

void Rings::save(Writer& out) const {
  out.put(kVersion);
  out.put(evicted_);
  out.put_varint(ringing_.size());
  for (const std::uint64_t hash : ringing_) out.put(hash);
  out.put_varint(used_.size());
  for (const Address& address : used_) {
    out.put(address.hash);
    for (const SteadyTime at : {address.last, address.silent_until, address.rule_silent_until})
      out.put(nanoseconds(at));
    for (const float value : {address.users,
                              address.messages,
                              address.log_bytes,
                              address.log_bytes_squared,
                              address.shared})
      out.put(value);
    for (const std::uint32_t content : address.contents) out.put(content);
  }
}

void Rings::load(Reader& in) {
  *this = {};
  if (in.get<std::uint8_t>() != kVersion) in.fail();
  in.get(evicted_);
  const std::uint64_t ringing = in.get_varint();
  if (ringing > Population::kRingingMax) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < ringing; ++i)
    ringing_.push_back(in.get<std::uint64_t>());
  const std::uint64_t count = in.get_varint();
  if (count > in.remaining() / kAddressBytes) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < count; ++i) {
    Address address;
    in.get(address.hash);
    for (SteadyTime* at : {&address.last, &address.silent_until, &address.rule_silent_until})
      *at = SteadyTime{Duration{in.get<std::int64_t>()}};
    for (float* value : {&address.users,
                         &address.messages,
                         &address.log_bytes,
                         &address.log_bytes_squared,
                         &address.shared})
      *value = get_amount(in);
    for (std::uint32_t& content : address.contents) in.get(content);
    used_.push_back(address);
    if (!table_.emplace(address.hash, std::prev(used_.end())).second) in.fail();
  }
  if (!in.ok()) *this = {};
}

}  // namespace liminal::detect
