#include "audit_log.hpp"

#include <utility>

namespace liminal::python {

using traffic::AuditEntry;

void AuditLog::add(AuditEntry entry) {
  entries_.push_back(std::move(entry));
  if (entries_.size() > entries_max_) entries_.pop_front();
}

std::vector<AuditEntry> AuditLog::latest(std::size_t limit,
                                         const std::optional<std::string>& subject) const {
  std::vector<AuditEntry> found;
  for (auto at = entries_.rbegin(); at != entries_.rend() && found.size() < limit; ++at) {
    if (!subject || at->subject == *subject) found.push_back(*at);
  }
  return found;
}

void AuditLog::save(Writer& out) const {
  out.put_varint(entries_.size());
  for (const AuditEntry& entry : entries_) {
    out.put(nanoseconds(entry.time));
    for (const std::string* text : {&entry.actor, &entry.action, &entry.subject, &entry.detail})
      out.put_text(*text);
  }
}

void AuditLog::load(Reader& in) {
  clear();
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    AuditEntry entry;
    entry.time = SteadyTime{Duration{in.get<Duration::rep>()}};
    for (std::string* text : {&entry.actor, &entry.action, &entry.subject, &entry.detail})
      *text = in.get_text();
    if (in.ok()) add(std::move(entry));
  }
  if (!in.ok()) clear();
}

}  // namespace liminal::python
