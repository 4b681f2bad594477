#include "core/salience/incidents.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <tuple>

#include "core/base/math.hpp"
#include "core/salience/prior.hpp"

namespace liminal::salience {
namespace {

/// What of a type's rarity above the noticed moves an incident by a factor of e.
constexpr double kExcessScale = 10;
constexpr std::uint64_t kTextBytesMax = 4096;
constexpr std::uint8_t kVersion = 1;
constexpr double kLn2 = 0.69314718055994531;

std::string number_text(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, 2).ptr;
  return {text, end};
}

void score(Incident& incident) {
  const double p = logistic(incident.log_odds);
  incident.excess = 0;
  if (incident.scope == Scope::kGlobal) {
    for (const IncidentPart& part : incident.parts) incident.excess += part.type_excess;
  }
  incident.salience = 1 - (1 - p) * exp(-incident.excess / kExcessScale);
}

std::string_view get_text(Reader& in) {
  const std::string_view text = in.get_text();
  if (text.size() > kTextBytesMax) in.fail();
  return text;
}

void save_incident(const Incident& incident, Writer& out) {
  out.put_varint(incident.number);
  put_time(incident.first_seen, out);
  put_time(incident.last_seen, out);
  out.put_varint(incident.members);
  out.put_varint(incident.events);
  out.put_varint(incident.entities);
  out.put(incident.log_odds);
  out.put_varint(incident.ids.size());
  for (const std::uint64_t id : incident.ids) out.put(id);
  out.put_varint(incident.sources.size());
  for (const std::string& source : incident.sources) out.put_text(source);
  out.put_varint(incident.parts.size());
  for (const IncidentPart& part : incident.parts) {
    out.put_text(part.type);
    out.put_varint(part.count);
    out.put(part.type_excess);
  }
}

Incident load_incident(Reader& in, Scope scope, const IncidentOptions& options) {
  Incident incident;
  incident.scope = scope;
  incident.number = in.get_varint();
  incident.first_seen = get_time(in);
  incident.last_seen = get_time(in);
  incident.members = in.get_varint();
  incident.events = in.get_varint();
  incident.entities = in.get_varint();
  in.get(incident.log_odds);
  const std::uint64_t ids = in.get_varint();
  if (ids > options.members_max) in.fail();
  for (std::uint64_t i = 0; i < ids && in.ok(); ++i)
    incident.ids.push_back(in.get<std::uint64_t>());
  const std::uint64_t sources = in.get_varint();
  if (sources > options.entities_max) in.fail();
  for (std::uint64_t i = 0; i < sources && in.ok(); ++i)
    incident.sources.emplace_back(get_text(in));
  const std::uint64_t parts = in.get_varint();
  if (parts > options.types_max) in.fail();
  for (std::uint64_t i = 0; i < parts && in.ok(); ++i) {
    IncidentPart part;
    part.type = get_text(in);
    part.count = in.get_varint();
    in.get(part.type_excess);
    if (!(part.type_excess >= 0 && part.type_excess < 1e3)) in.fail();
    incident.parts.push_back(std::move(part));
  }
  if (!(std::abs(incident.log_odds) < 1e13) || incident.last_seen < incident.first_seen ||
      incident.sources.empty() || incident.parts.empty())
    in.fail();
  if (in.ok()) score(incident);
  return incident;
}

}  // namespace

std::string_view name(Scope scope) { return scope == Scope::kGlobal ? "global" : "source"; }

std::string_view name(IncidentStatus status) {
  return status == IncidentStatus::kOpen ? "open" : "ended";
}

Problems validate(const IncidentOptions& options) {
  Problems found;
  if (options.global_gap < std::chrono::minutes{1})
    found.push_back({"global_gap", "must be at least a minute"});
  if (options.source_gap < std::chrono::minutes{1})
    found.push_back({"source_gap", "must be at least a minute"});
  if (options.length_max < std::max(options.global_gap, options.source_gap))
    found.push_back({"length_max", "must be at least the gaps"});
  if (options.calm <= Duration{0}) found.push_back({"calm", "must be above 0"});
  if (options.half_life <= Duration{0}) found.push_back({"half_life", "must be above 0"});
  if (options.incidents_max < 2) found.push_back({"incidents_max", "must be at least 2"});
  if (options.members_max < 1) found.push_back({"members_max", "must be at least 1"});
  if (options.types_max < 1) found.push_back({"types_max", "must be at least 1"});
  if (options.entities_max < 1) found.push_back({"entities_max", "must be at least 1"});
  return found;
}

std::string Incident::title() const {
  // The rarest type names the story; of equally rare ones the first.
  const auto named = std::max_element(
      parts.begin(), parts.end(), [](const IncidentPart& a, const IncidentPart& b) {
        return a.type_excess < b.type_excess;
      });
  std::string text = named == parts.end() ? std::string() : named->type;
  if (parts.size() > 1) text += " and " + std::to_string(parts.size() - 1) + " more kinds";
  if (parts.size() == 2) text.pop_back();
  text += sources.empty() ? "" : ", " + sources.front();
  if (entities > 1) text += " and " + std::to_string(entities - 1) + " others";
  if (entities == 2) text.pop_back();
  return text;
}

std::string Incident::explanation() const {
  std::string text =
      is_dismissed() ? "all of its alerts were judged false positives or expected; " : "";
  text += "its most salient member has " + number_text(logistic(log_odds));
  if (scope == Scope::kSource) return text;
  text += "; ";
  bool any = false;
  for (const IncidentPart& part : parts) {
    if (part.type_excess <= 0) continue;
    text += (any ? ", " : "rare of late: ") + part.type + " +" + number_text(part.type_excess);
    any = true;
  }
  if (!any) return text + "none of its kinds is rare of late";
  return text + " (together " + number_text(excess) + " of " + number_text(kExcessScale) + ")";
}

bool Incidents::goes_on(const Incident& incident, SteadyTime time) const {
  const Duration gap = incident.scope == Scope::kGlobal ? options_.global_gap : options_.source_gap;
  return time - incident.last_seen <= gap && time - incident.first_seen < options_.length_max;
}

const Incident* Incidents::of(std::string_view source, SteadyTime time) const {
  const auto& incidents = at(Scope::kSource).incidents;
  const auto found = std::find_if(incidents.rbegin(), incidents.rend(), [&](const auto& entry) {
    const Incident& incident = entry.second;
    return incident.first_seen <= time && incident.sources.front() == source &&
           goes_on(incident, time);
  });
  return found == incidents.rend() ? nullptr : &found->second;
}

Incident& Incidents::incident_of(Scope scope, std::string_view source, SteadyTime time) {
  Book& book = books_[static_cast<std::size_t>(scope)];
  const std::string key(scope == Scope::kGlobal ? std::string_view() : source);
  if (const auto known = book.open.find(key); known != book.open.end()) {
    Incident& incident = book.incidents.at(known->second);
    if (goes_on(incident, time)) return incident;
    book.open.erase(known);
  }
  if (book.incidents.size() >= options_.incidents_max) make_room(book, time);
  Incident& incident = book.incidents[++book.last];
  incident.number = book.last;
  incident.scope = scope;
  incident.first_seen = incident.last_seen = time;
  book.open.emplace(key, book.last);
  return incident;
}

std::map<std::uint64_t, Incident>::iterator Incidents::erase(
    Book& book, std::map<std::uint64_t, Incident>::iterator at) {
  const Incident& incident = at->second;
  const std::string key = incident.scope == Scope::kGlobal ? "" : incident.sources.front();
  if (const auto open = book.open.find(key); open != book.open.end() && open->second == at->first)
    book.open.erase(open);
  return book.incidents.erase(at);
}

/// The newest one may be growing still: it stays.
void Incidents::make_room(Book& book, SteadyTime now) const {
  const auto newest = std::prev(book.incidents.end());
  auto least = book.incidents.begin();
  double least_salience = salience_now(least->second, now);
  for (auto at = std::next(least); at != newest; ++at) {
    const double salience = salience_now(at->second, now);
    if (salience < least_salience) std::tie(least, least_salience) = std::pair(at, salience);
  }
  erase(book, least);
}

double Incidents::salience_now(const Incident& incident, SteadyTime now) const {
  const double age = std::max(0., seconds(now - incident.last_seen) / seconds(options_.half_life));
  return incident.salience * exp(-kLn2 * age);
}

void Incidents::join(Incident& incident, const IncidentEvent& event) const {
  ++incident.events;
  incident.last_seen = std::max(incident.last_seen, event.time);
  incident.log_odds = std::max(incident.log_odds, event.log_odds);
  if (std::find(incident.ids.begin(), incident.ids.end(), event.id) == incident.ids.end()) {
    ++incident.members;
    if (incident.ids.size() < options_.members_max) {
      incident.ids.push_back(event.id);
      if (event.dismissed) incident.dismissed.push_back(event.id);
    }
  }
  if (std::find(incident.sources.begin(), incident.sources.end(), event.source) ==
          incident.sources.end() &&
      incident.sources.size() < options_.entities_max) {
    ++incident.entities;
    incident.sources.emplace_back(event.source);
  }
  auto part = std::find_if(incident.parts.begin(), incident.parts.end(), [&](const auto& known) {
    return known.type == event.type;
  });
  if (part == incident.parts.end() && incident.parts.size() < options_.types_max)
    part = incident.parts.insert(part, {std::string(event.type), 0, 0});
  if (part != incident.parts.end()) {
    ++part->count;
    part->type_excess = std::max(part->type_excess, event.type_excess);
  }
  score(incident);
}

Incidents::Joined Incidents::add(const IncidentEvent& event) {
  Joined joined{};
  for (const Scope scope : {Scope::kGlobal, Scope::kSource}) {
    Incident& incident = incident_of(scope, event.source, event.time);
    join(incident, event);
    joined[static_cast<std::size_t>(scope)] = incident.number;
  }
  return joined;
}

void Incidents::raise(std::string_view source, SteadyTime time, double log_odds) {
  for (const Scope scope : {Scope::kGlobal, Scope::kSource}) {
    Book& book = books_[static_cast<std::size_t>(scope)];
    const auto known = book.open.find(std::string(scope == Scope::kGlobal ? "" : source));
    if (known == book.open.end()) continue;
    Incident& incident = book.incidents.at(known->second);
    if (time < incident.first_seen || time > incident.last_seen + std::chrono::minutes{1}) continue;
    if (log_odds <= incident.log_odds) continue;
    incident.log_odds = log_odds;
    score(incident);
  }
}

void Incidents::dismiss(std::uint64_t id, bool is_nothing) {
  for (Book& book : books_) {
    for (auto& [number, incident] : book.incidents) {
      std::vector<std::uint64_t>& dismissed = incident.dismissed;
      std::erase(dismissed, id);
      if (is_nothing &&
          std::find(incident.ids.begin(), incident.ids.end(), id) != incident.ids.end())
        dismissed.push_back(id);
    }
  }
}

void Incidents::dismiss(const std::unordered_set<std::uint64_t>& ids) {
  for (Book& book : books_) {
    for (auto& [number, incident] : book.incidents) {
      incident.dismissed.clear();
      std::copy_if(incident.ids.begin(),
                   incident.ids.end(),
                   std::back_inserter(incident.dismissed),
                   [&](std::uint64_t id) { return ids.contains(id); });
    }
  }
}

void Incidents::forget(SteadyTime before) {
  for (Book& book : books_) {
    for (auto at = book.incidents.begin(); at != book.incidents.end();)
      at = at->second.last_seen < before ? erase(book, at) : std::next(at);
  }
}

IncidentStatus Incidents::status(const Incident& incident, SteadyTime now) const {
  const bool is_open = now - incident.last_seen < options_.calm && !incident.is_dismissed();
  return is_open ? IncidentStatus::kOpen : IncidentStatus::kEnded;
}

Incident Incidents::seen(const Incident& incident, SteadyTime now) const {
  Incident out = incident;
  out.status = status(incident, now);
  out.salience_now = salience_now(incident, now);
  return out;
}

std::vector<Incident> Incidents::present(const IncidentQuery& query, SteadyTime now) const {
  using Place = std::tuple<Scope, IncidentStatus, bool, double, std::int64_t>;
  std::vector<std::pair<Place, const Incident*>> order;
  for (const Scope scope : {Scope::kGlobal, Scope::kSource}) {
    if (query.scope && *query.scope != scope) continue;
    for (const auto& [number, incident] : at(scope).incidents) {
      const IncidentStatus is = status(incident, now);
      if (query.since && incident.last_seen < *query.since) continue;
      if (query.status && *query.status != is) continue;
      const Place place(scope,
                        is,
                        incident.is_dismissed(),
                        -salience_now(incident, now),
                        -static_cast<std::int64_t>(number));
      order.emplace_back(place, &incident);
    }
  }
  std::sort(order.begin(), order.end());
  order.resize(std::min(order.size(), query.count));
  std::vector<Incident> found;
  found.reserve(order.size());
  for (const auto& [place, incident] : order) found.push_back(seen(*incident, now));
  return found;
}

std::vector<const Incident*> Incidents::best(Scope scope, std::size_t count) const {
  std::vector<const Incident*> order;
  for (const auto& [number, incident] : at(scope).incidents) order.push_back(&incident);
  const std::size_t kept = std::min(count, order.size());
  std::partial_sort(order.begin(),
                    order.begin() + static_cast<std::ptrdiff_t>(kept),
                    order.end(),
                    [](const Incident* a, const Incident* b) {
                      if (a->salience != b->salience) return a->salience > b->salience;
                      return a->number > b->number;
                    });
  order.resize(kept);
  return order;
}

const Incident* Incidents::find(Scope scope, std::uint64_t number) const {
  const auto found = at(scope).incidents.find(number);
  return found == at(scope).incidents.end() ? nullptr : &found->second;
}

std::size_t Incidents::memory_bytes() const {
  std::size_t bytes = 0;
  for (const Book& book : books_) {
    for (const auto& [number, incident] : book.incidents) {
      bytes += sizeof incident + 64 +
               (incident.ids.capacity() + incident.dismissed.capacity()) * sizeof(std::uint64_t);
      for (const std::string& source : incident.sources) bytes += sizeof source + source.capacity();
      for (const IncidentPart& part : incident.parts) bytes += sizeof part + part.type.capacity();
    }
    bytes += book.open.size() * 96;
  }
  return bytes;
}

void Incidents::save(Writer& out) const {
  out.put(kVersion);
  for (const Book& book : books_) {
    out.put_varint(book.last);
    out.put_varint(book.incidents.size());
    for (const auto& [number, incident] : book.incidents) {
      save_incident(incident, out);
      const std::string key =
          incident.scope == Scope::kGlobal ? std::string() : incident.sources.front();
      const auto open = book.open.find(key);
      out.put(open != book.open.end() && open->second == number);
    }
  }
}

Result<void> Incidents::load(Reader& in) {
  if (in.get<std::uint8_t>() != kVersion)
    return failure(in.ok() ? ErrorCode::kUnsupported : ErrorCode::kTruncated, in.position());
  Incidents read(options_);
  for (const Scope scope : {Scope::kGlobal, Scope::kSource}) {
    Book& book = read.books_[static_cast<std::size_t>(scope)];
    book.last = in.get_varint();
    const std::uint64_t count = in.get_varint();
    if (count > options_.incidents_max) return failure(ErrorCode::kTooLarge, in.position());
    std::uint64_t before = 0;
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
      Incident incident = load_incident(in, scope, options_);
      const bool open = in.get<std::uint8_t>() != 0;
      if (!in.ok()) break;
      if (incident.number <= before || incident.number > book.last)
        return failure(ErrorCode::kMalformed, in.position());
      before = incident.number;
      if (open)
        book.open.insert_or_assign(scope == Scope::kGlobal ? "" : incident.sources.front(), before);
      book.incidents.emplace_hint(book.incidents.end(), before, std::move(incident));
    }
  }
  if (!in.ok()) return failure(ErrorCode::kMalformed, in.position());
  *this = std::move(read);
  return {};
}

}  // namespace liminal::salience
