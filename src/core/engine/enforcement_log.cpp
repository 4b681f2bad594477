#include "core/engine/enforcement_log.hpp"

#include <iterator>
#include <string_view>

#include "core/traffic/finding.hpp"

namespace liminal::engine {
namespace {

using traffic::Decision;

constexpr Duration kInterval = std::chrono::minutes{1};
/// Of a node of the map.
constexpr std::size_t kNodeBytes = 48;

std::string_view cause(traffic::Reason reason, traffic::FindingType finding) {
  return reason == traffic::Reason::kFinding ? traffic::info(finding).name : traffic::name(reason);
}

}  // namespace

/// "12 dropped, 3 delayed since the last entry"; empty without any.
std::string EnforcementLog::counted(const Counts& counts) {
  constexpr std::array<std::string_view, 4> kWords{"", " delayed", " dropped", " closed"};
  std::string text;
  for (std::size_t i = counts.size() - 1; i > 0; --i) {
    if (counts[i] == 0) continue;
    text.append(text.empty() ? "" : ", ").append(std::to_string(counts[i])).append(kWords[i]);
  }
  return text.empty() ? text : text + " since the last entry";
}

void EnforcementLog::note(const traffic::Event& event,
                          const traffic::Verdict& verdict,
                          SteadyTime now,
                          std::vector<traffic::AuditEntry>& out) {
  const auto found = stretches_.find(event.user.hash);
  const bool first = found == stretches_.end();
  if (first && stretches_.size() >= kUsersMax) return;
  Stretch& stretch = first ? stretches_[event.user.hash] : found->second;
  if (first) stretch.user = event.user.text;
  stretch.reason = verdict.reason;
  stretch.finding = verdict.finding;
  if (verdict.decision <= stretch.harshest) {
    ++stretch.counts[static_cast<std::size_t>(verdict.decision)];
    return;
  }
  std::string detail = std::string(traffic::name(event.kind)) + ": " +
                       std::string(cause(verdict.reason, verdict.finding));
  if (const std::string others = counted(stretch.counts); !others.empty()) detail += "; " + others;
  out.push_back({now,
                 std::string(actor_),
                 std::string(traffic::name(verdict.decision)),
                 stretch.user,
                 std::move(detail)});
  stretch.harshest = verdict.decision;
  stretch.noted = now;
  stretch.counts = {};
}

bool EnforcementLog::tell(Stretch& stretch,
                          SteadyTime now,
                          std::vector<traffic::AuditEntry>& out) const {
  std::string counts = counted(stretch.counts);
  if (counts.empty()) return false;
  std::size_t worst = stretch.counts.size() - 1;
  while (stretch.counts[worst] == 0) --worst;
  out.push_back(
      {now,
       std::string(actor_),
       std::string(traffic::name(static_cast<Decision>(worst))),
       stretch.user,
       std::move(counts) + ", the last by " + std::string(cause(stretch.reason, stretch.finding))});
  stretch.noted = now;
  stretch.counts = {};
  return true;
}

void EnforcementLog::tick(SteadyTime now, std::vector<traffic::AuditEntry>& out) {
  for (auto at = stretches_.begin(); at != stretches_.end();) {
    const bool waits = now - at->second.noted < kInterval;
    at = waits || tell(at->second, now, out) ? std::next(at) : stretches_.erase(at);
  }
}

void EnforcementLog::finish(SteadyTime now, std::vector<traffic::AuditEntry>& out) {
  for (auto& [hash, stretch] : stretches_) (void)tell(stretch, now, out);
  stretches_.clear();
}

std::size_t EnforcementLog::memory_bytes() const {
  return stretches_.size() * (sizeof(std::pair<const std::uint64_t, Stretch>) + kNodeBytes);
}

void EnforcementLog::save(Writer& out) const {
  out.put_varint(stretches_.size());
  for (const auto& [hash, stretch] : stretches_) {
    out.put(hash);
    out.put_text(stretch.user);
    out.put(nanoseconds(stretch.noted));
    for (const std::uint32_t count : stretch.counts) out.put(count);
    out.put(stretch.harshest);
    out.put(stretch.reason);
    out.put(stretch.finding);
  }
}

bool EnforcementLog::load(Reader& in) {
  stretches_.clear();
  const std::uint64_t count = in.get_varint();
  if (count > kUsersMax) in.fail();
  for (std::uint64_t left = count; left > 0 && in.ok(); --left) {
    const auto hash = in.get<std::uint64_t>();
    Stretch stretch;
    stretch.user = in.get_text();
    stretch.noted = SteadyTime{Duration{in.get<Duration::rep>()}};
    for (std::uint32_t& one : stretch.counts) in.get(one);
    const auto harshest = in.get<std::uint8_t>();
    const auto reason = in.get<std::uint8_t>();
    const auto finding = in.get<std::uint8_t>();
    if (harshest >= stretch.counts.size() || reason >= traffic::kReasons ||
        finding >= traffic::kFindingTypes)
      in.fail();
    stretch.harshest = static_cast<Decision>(harshest);
    stretch.reason = static_cast<traffic::Reason>(reason);
    stretch.finding = static_cast<traffic::FindingType>(finding);
    stretches_.emplace(hash, std::move(stretch));
  }
  return in.ok();
}

}  // namespace liminal::engine
