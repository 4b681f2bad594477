#include "core/engine/alert_book.hpp"

#include <algorithm>
#include <bit>

#include "core/base/check.hpp"
#include "core/traffic/codec.hpp"

namespace liminal::engine {

using traffic::Alert;
using traffic::AlertStatus;
using traffic::FeedbackVerdict;
using traffic::Finding;
using traffic::FindingType;
using traffic::Severity;

namespace {

std::uint32_t bit(traffic::Detector detector) { return 1U << static_cast<unsigned>(detector); }
static_assert(traffic::kDetectors <= 32);

/// How many findings' worth of evidence the measured table of confidences counts for, when
/// operators' words are mixed in: a dozen of them outweigh it.
constexpr float kPriorWeight = 10;

}  // namespace

Problems validate(const AlertOptions& options) {
  Problems found;
  if (options.calm < std::chrono::seconds{1} || options.calm > std::chrono::hours{24 * 7})
    found.push_back({"calm", "must be between 1 s and 7 days"});
  if (options.update_interval < Duration::zero() || options.update_interval > options.calm)
    found.push_back({"update_interval", "must be between 0 and calm"});
  if (options.escalate_at < 2 || options.escalate_at > traffic::kDetectors)
    found.push_back({"escalate_at", "must be between 2 and the number of detectors, 17"});
  if (options.open_max < 1 || options.open_max > 1'000'000)
    found.push_back({"open_max", "must be between 1 and 1000000"});
  return found;
}

std::string_view name(AlertChange::Kind kind) {
  switch (kind) {
    case AlertChange::Kind::kRaised:
      return "raised";
    case AlertChange::Kind::kUpdated:
      return "updated";
    case AlertChange::Kind::kEscalated:
      return "escalated";
    case AlertChange::Kind::kResolved:
      return "resolved";
  }
  return "unknown";
}

AlertBook::Entry* AlertBook::find(std::uint64_t user_hash, FindingType type) const {
  const auto found = index_.find(key(user_hash, type));
  return found == index_.end() ? nullptr : found->second;
}

/// Calls `visit` with each open entry of a user.
template <class Visit>
void AlertBook::for_each_of(std::uint64_t user_hash, Visit&& visit) const {
  for (std::size_t type = 0; type < traffic::kFindingTypes; ++type) {
    if (const Entry* entry = find(user_hash, FindingType{static_cast<std::uint8_t>(type)}))
      visit(*entry);
  }
}

void AlertBook::begin(const Finding& finding,
                      const Context& context,
                      const traffic::Features& features,
                      std::vector<AlertChange>& out) {
  if (index_.size() >= options_.open_max) resolve_quietest(out);
  Alert alert;
  alert.shard = shard_;
  alert.number = next_number_++;
  alert.user = context.user.text;
  alert.address = context.address.text;
  alert.type = finding.type;
  alert.first_seen = alert.last_seen = context.now;
  alert.count = 1;
  alert.first = finding;
  alert.first.confidence = confidence(finding);
  alert.worst = alert.first;
  alert.features = features;
  alert.input = context.input;

  const std::uint32_t others = detectors_on(context.user.hash);
  const std::uint32_t detectors = others | bit(finding.detector);
  alert.detectors_agreeing = static_cast<std::uint8_t>(std::popcount(detectors));
  alert.severity = escalated(finding.severity, detectors);
  Entry& entry = insert(alert, context.user.hash);
  entry.detectors = bit(finding.detector);
  entry.told = context.now;
  out.push_back({AlertChange::Kind::kRaised, alert});
}

void AlertBook::grow(Entry& entry,
                     const Finding& finding,
                     SteadyTime now,
                     std::vector<AlertChange>& out) {
  Alert& alert = entry.alert;
  ++alert.count;
  alert.last_seen = std::max(alert.last_seen, now);
  entry.grew = true;
  if (finding.score > alert.worst.score) {
    alert.worst = finding;
    alert.worst.confidence = confidence(finding);
  }
  const bool another = (entry.detectors & bit(finding.detector)) == 0;
  if (!another && finding.severity <= alert.severity) return;

  entry.detectors |= bit(finding.detector);
  const std::uint32_t detectors = detectors_on(entry.user_hash);
  alert.detectors_agreeing = static_cast<std::uint8_t>(std::popcount(detectors));
  const Severity severity = std::max(
      alert.severity, escalated(std::max(finding.severity, alert.first.severity), detectors));
  if (severity == alert.severity) return;
  set_severity(entry, severity);
  entry.grew = false;
  entry.told = now;
  out.push_back({AlertChange::Kind::kEscalated, alert});
}

void AlertBook::tick(SteadyTime now, std::vector<AlertChange>& out) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    const std::uint64_t number = at->first;
    Entry& entry = (at++)->second;
    if (now - entry.alert.last_seen >= options_.calm) {
      resolve(number, out);
    } else if (entry.grew && now - entry.told >= options_.update_interval) {
      entry.grew = false;
      entry.told = now;
      out.push_back({AlertChange::Kind::kUpdated, entry.alert});
    }
  }
}

AlertBook::Entry& AlertBook::insert(const Alert& alert, std::uint64_t user_hash) {
  Entry& entry = entries_[alert.number];
  entry.alert = alert;
  entry.user_hash = user_hash;
  index_.emplace(key(user_hash, alert.type), &entry);
  ++open_by_severity_[static_cast<std::size_t>(alert.severity)];
  return entry;
}

void AlertBook::resolve(std::uint64_t number, std::vector<AlertChange>& out) {
  const auto at = entries_.find(number);
  LIMINAL_CHECK(at != entries_.end());
  Entry& entry = at->second;
  entry.alert.status = AlertStatus::kResolved;
  --open_by_severity_[static_cast<std::size_t>(entry.alert.severity)];
  index_.erase(key(entry.user_hash, entry.alert.type));
  out.push_back({AlertChange::Kind::kResolved, std::move(entry.alert)});
  entries_.erase(at);
}

void AlertBook::resolve_quietest(std::vector<AlertChange>& out) {
  const auto quietest =
      std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
        return a.second.alert.last_seen < b.second.alert.last_seen;
      });
  LIMINAL_CHECK(quietest != entries_.end());
  resolve(quietest->first, out);
}

std::uint32_t AlertBook::detectors_on(std::uint64_t user_hash) const {
  std::uint32_t detectors = 0;
  for_each_of(user_hash, [&](const Entry& entry) { detectors |= entry.detectors; });
  return detectors;
}

Severity AlertBook::escalated(Severity base, std::uint32_t detectors) const {
  const auto agreeing = static_cast<std::uint32_t>(std::popcount(detectors));
  const std::uint32_t steps = std::min(2U, agreeing / options_.escalate_at);
  return Severity{static_cast<std::uint8_t>(std::min(
      static_cast<std::uint32_t>(Severity::kCritical), static_cast<std::uint32_t>(base) + steps))};
}

void AlertBook::set_severity(Entry& entry, Severity severity) {
  --open_by_severity_[static_cast<std::size_t>(entry.alert.severity)];
  ++open_by_severity_[static_cast<std::size_t>(severity)];
  entry.alert.severity = severity;
}

float AlertBook::confidence(const Finding& finding) const {
  const FeedbackCounts& counts = feedback_[static_cast<std::size_t>(finding.type)];
  const auto trues = static_cast<float>(counts.true_positives);
  const auto falses = static_cast<float>(counts.false_positives);
  return (finding.confidence * kPriorWeight + trues) / (kPriorWeight + trues + falses);
}

bool AlertBook::feedback(std::uint64_t number, FeedbackVerdict verdict) {
  const auto at = entries_.find(number);
  if (at == entries_.end()) return false;
  at->second.alert.feedback = verdict;
  return true;
}

void AlertBook::count_feedback(FindingType type, FeedbackVerdict verdict) {
  FeedbackCounts& counts = feedback_[static_cast<std::size_t>(type)];
  if (verdict == FeedbackVerdict::kTruePositive) ++counts.true_positives;
  if (verdict == FeedbackVerdict::kFalsePositive || verdict == FeedbackVerdict::kExpected)
    ++counts.false_positives;
}

void AlertBook::adopt(const Alert& alert) {
  next_number_ = std::max(next_number_, alert.number + 1);
  if (alert.status != AlertStatus::kOpen || alert.user.empty()) return;
  const std::uint64_t user_hash = traffic::Name(alert.user).hash;
  if (Entry* known = find(user_hash, alert.type)) {
    if (known->alert.number == alert.number && known->alert.count >= alert.count) {
      // Feedback adds no finding: of two equals the one that was acknowledged may have newer one.
      if (alert.feedback != traffic::FeedbackVerdict::kNone) known->alert.feedback = alert.feedback;
      return;
    }
    if (known->alert.number > alert.number) return;
    if (known->alert.number == alert.number) {
      set_severity(*known, alert.severity);
      known->alert = alert;
      return;
    }
    std::vector<AlertChange> forgotten;  // the outside has seen the newer one in its place
    resolve(known->alert.number, forgotten);
  }
  if (index_.size() >= options_.open_max || entries_.count(alert.number) != 0) return;
  insert(alert, user_hash).detectors = bit(alert.first.detector) | bit(alert.worst.detector);
}

std::vector<Alert> AlertBook::open_of(std::string_view user) const {
  std::vector<Alert> alerts;
  for_each_of(traffic::Name(user).hash, [&](const Entry& entry) { alerts.push_back(entry.alert); });
  std::sort(alerts.begin(), alerts.end(), [](const Alert& a, const Alert& b) {
    return a.number < b.number;
  });
  return alerts;
}

std::optional<Severity> AlertBook::worst_of(std::uint64_t user_hash) const {
  std::optional<Severity> worst;
  for_each_of(user_hash, [&](const Entry& entry) {
    worst = std::max(worst.value_or(Severity::kLow), entry.alert.severity);
  });
  return worst;
}

std::size_t AlertBook::memory_bytes() const {
  // A node of the tree and one of the hash table: their links beside the entry.
  return entries_.size() * (sizeof(Entry) + 48 + 40);
}

void AlertBook::save(Writer& out) const {
  out.put_varint(next_number_);
  for (const FeedbackCounts& counts : feedback_) {
    out.put_varint(counts.true_positives);
    out.put_varint(counts.false_positives);
  }
  out.put_varint(index_.size());
  for (const auto& [number, entry] : entries_) {
    traffic::save(entry.alert, out);
    out.put(entry.detectors);
    out.put(entry.grew);
    put_time(entry.told, out);
  }
}

Result<void> AlertBook::load(Reader& in) {
  AlertBook book(shard_, options_);
  book.next_number_ = in.get_varint();
  for (FeedbackCounts& counts : book.feedback_) {
    counts.true_positives = static_cast<std::uint32_t>(in.get_varint());
    counts.false_positives = static_cast<std::uint32_t>(in.get_varint());
  }
  const std::uint64_t count = in.get_varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    Alert alert;
    if (!traffic::load(alert, in) || alert.user.empty())
      return failure(ErrorCode::kMalformed, in.position());
    const std::uint64_t user_hash = traffic::Name(alert.user).hash;
    if (book.find(user_hash, alert.type) || book.entries_.count(alert.number) != 0)
      return failure(ErrorCode::kConflict, in.position());
    Entry& entry = book.insert(alert, user_hash);
    in.get(entry.detectors);
    entry.grew = in.get<std::uint8_t>() != 0;
    entry.told = get_time(in);
  }
  if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
  *this = std::move(book);
  return {};
}

}  // namespace liminal::engine
