#include "server/signals/salience.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <type_traits>
#include <utility>

#include "core/base/codec.hpp"
#include "core/base/hash.hpp"
#include "core/salience/alert.hpp"

namespace liminal::signals {
namespace {

/// Version 1 had no judgements of operators.
constexpr std::uint8_t kVersion = 2;
constexpr std::size_t kOpenMax = 65'536;

std::uint64_t hash_of(traffic::FindingType type) { return hash64(traffic::info(type).name); }

void save_fields(const salience::Fields& fields, Writer& out) {
  for (const double value : fields.values) out.put(value);
}
void load_fields(salience::Fields& fields, Reader& in) {
  constexpr double kMost = 1e12;  // of what may be told; NaN: nothing was
  for (double& value : fields.values) {
    in.get(value);
    if (std::abs(value) > kMost) in.fail();
  }
}

/// Everything of an item, in the order in which it is written.
template <class Item, class Visit>
void numbers(Item& item, Visit&& visit) {
  visit(item.type);
  visit(item.source);
  visit(item.minute);
  visit(item.count);
  visit(item.terms.rarity);
  visit(item.terms.type_rarity);
  visit(item.terms.neighbourhood);
  visit(item.terms.surprise);
  visit(item.terms.breadth);
  visit(item.terms.feedback);
  visit(item.type_excess);
}

void save_item(const salience::Item& item, Writer& out) {
  numbers(item, [&out](const auto number) { out.put(number); });
}

salience::Item load_item(Reader& in) {
  salience::Item item;
  numbers(item, [&in](auto& number) {
    in.get(number);
    if constexpr (std::is_floating_point_v<std::remove_reference_t<decltype(number)>>) {
      if (!salience::is_term(number)) in.fail();
    }
  });
  return item;
}

}  // namespace

Salience::Salience(const SalienceOptions& options)
    : options_(options), age_max_(options.age_max), state_(options) {}

void Salience::set_ages(Duration calm, Duration age_max) {
  const std::lock_guard lock(mutex_);
  state_.incidents.set_calm(calm);
  age_max_ = age_max;
}

void Salience::note(const traffic::Alert& alert) {
  Noted noted{traffic::alert_key(alert.shard, alert.number),
              alert.last_seen,
              alert.type,
              alert.user,
              salience::fields_of(alert)};
  const std::lock_guard lock(waiting_mutex_);
  if (waiting_.size() >= options_.waiting_max) {
    ++lost_;
    return;
  }
  waiting_.push_back(std::move(noted));
}

void Salience::advance(SteadyTime now) {
  const SteadyTime until = now - options_.settle;
  std::vector<Noted> ready;
  {
    const std::lock_guard lock(waiting_mutex_);
    const auto young =
        std::stable_partition(waiting_.begin(), waiting_.end(), [until](const Noted& noted) {
          return noted.time <= until;
        });
    ready.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(young));
    waiting_.erase(waiting_.begin(), young);
  }
  std::stable_sort(ready.begin(), ready.end(), [](const Noted& a, const Noted& b) {
    return std::tie(a.time, a.id) < std::tie(b.time, b.id);
  });
  const std::lock_guard lock(mutex_);
  for (const Noted& noted : ready) take(noted);
  std::vector<salience::Item> finals;
  state_.ranker.tick(until, finals);
  finish(finals);
  state_.settled = std::max(state_.settled, until);
  state_.incidents.forget(state_.settled - age_max_);
}

void Salience::take(const Noted& noted) {
  std::vector<salience::Item> finals;
  const std::uint64_t type = hash_of(noted.type), source = hash64(noted.user);
  const salience::Item item = state_.ranker.observe(type, source, noted.time, finals);
  finish(finals);
  const double confidence = state_.ranker.confidence(noted.time);
  const bool fresh = state_.judged.try_emplace(noted.id).second;
  if (fresh) {
    state_.order.push_back(noted.id);
    if (state_.order.size() > options_.alerts_max) {
      state_.judged.erase(state_.order.front());
      state_.order.pop_front();
    }
  }
  Judged& judged = state_.judged[noted.id];
  if (fresh || !judged.final) {
    judged.item = item;
    judged.confidence = confidence;
  }
  if (!judged.open && state_.open.size() < kOpenMax) {
    judged.open = true;
    state_.open.push_back({noted.id, type, source, noted.user, noted.time, noted.fields});
  }
  state_.incidents.add({noted.id,
                        traffic::info(noted.type).name,
                        noted.user,
                        noted.time,
                        salience::judge(noted.fields, item, confidence, weights_).log_odds(),
                        item.type_excess,
                        state_.dismissed.contains(noted.id)});
}

/// The open minute has ended: its alerts get their final item, unless an earlier minute was more.
void Salience::finish(const std::vector<salience::Item>& finals) {
  if (finals.empty()) return;
  std::unordered_map<std::uint64_t, const salience::Item*> by_cell;
  for (const salience::Item& item : finals) by_cell[item.type ^ mix64(item.source)] = &item;
  for (const Open& open : state_.open) {
    const auto known = state_.judged.find(open.id);
    if (known == state_.judged.end()) continue;
    Judged& judged = known->second;
    judged.open = false;
    const auto item = by_cell.find(open.type ^ mix64(open.source));
    if (item == by_cell.end()) continue;
    const double confidence = state_.ranker.confidence(open.time);
    if (!judged.final || item->second->terms.x() > judged.item.terms.x())
      judged = {*item->second, confidence, true};
    state_.incidents.raise(
        open.user,
        open.time,
        salience::judge(open.fields, *item->second, confidence, weights_).log_odds());
  }
  state_.open.clear();
}

void Salience::feedback(traffic::FindingType type,
                        traffic::FeedbackVerdict verdict,
                        bool replaces) {
  if (verdict == traffic::FeedbackVerdict::kNone) return;
  const bool relevant = verdict == traffic::FeedbackVerdict::kTruePositive;
  const std::lock_guard lock(mutex_);
  if (replaces) state_.ranker.take_back(hash_of(type), !relevant);
  state_.ranker.feedback(hash_of(type), relevant);
}

bool Salience::feedback(const traffic::Alert& alert, traffic::FeedbackVerdict verdict) {
  if (verdict == traffic::FeedbackVerdict::kNone) return false;
  const bool relevant = verdict == traffic::FeedbackVerdict::kTruePositive;
  const std::uint64_t id = traffic::alert_key(alert.shard, alert.number);
  const std::lock_guard lock(mutex_);
  const salience::Terms terms = judge_now(state_, alert, {}).terms;
  state_.incidents.dismiss(id, !relevant);
  const auto before = std::find_if(
      state_.said.begin(), state_.said.end(), [id](const auto& one) { return one.first == id; });
  const bool replaces = before != state_.said.end();
  if (replaces) {
    if (before->second.relevant == relevant) return false;
    state_.ranker.take_back(hash_of(alert.type), !relevant);
    before->second.relevant = relevant;
  } else {
    state_.said.push_back(
        {id, {salience::values_of(terms), relevant, hash64(alert.user), alert.last_seen}});
    if (state_.said.size() > options_.judged_max) {
      state_.dismissed.erase(state_.said.front().first);
      state_.said.pop_front();
    }
  }
  if (relevant) {
    state_.dismissed.erase(id);
  } else {
    state_.dismissed.insert(id);
  }
  state_.ranker.feedback(hash_of(alert.type), relevant);
  return replaces;
}

bool Salience::was_told(const traffic::Alert& alert, traffic::FeedbackVerdict verdict) const {
  const std::uint64_t id = traffic::alert_key(alert.shard, alert.number);
  const std::lock_guard lock(mutex_);
  const auto said = std::find_if(
      state_.said.begin(), state_.said.end(), [id](const auto& one) { return one.first == id; });
  return said != state_.said.end() &&
         said->second.relevant == (verdict == traffic::FeedbackVerdict::kTruePositive);
}

std::vector<salience::JudgedTerms> Salience::judged() const {
  std::vector<salience::JudgedTerms> out;
  const std::lock_guard lock(mutex_);
  out.reserve(state_.said.size());
  for (const auto& [id, said] : state_.said) out.push_back(said);
  return out;
}

void Salience::set_weights(const salience::TermWeights& weights, std::uint32_t version) {
  const std::lock_guard lock(mutex_);
  weights_ = weights;
  weights_version_ = version;
}

salience::Judgement Salience::judgement(const State& state,
                                        const salience::Fields& fields,
                                        salience::Item item,
                                        double confidence,
                                        const salience::TermWeights& weights) {
  item.terms.feedback = state.ranker.feedback_term(item.type);
  return salience::judge(fields, item, confidence, weights);
}

salience::Judgement Salience::judge_now(const State& state,
                                        const traffic::Alert& alert,
                                        const salience::TermWeights& weights) const {
  const salience::Fields fields = salience::fields_of(alert);
  const auto known = state.judged.find(traffic::alert_key(alert.shard, alert.number));
  const SteadyTime at = std::max(alert.last_seen, state.settled);
  salience::Judgement found =
      alert.number > 0 && known != state.judged.end()
          ? judgement(state, fields, known->second.item, known->second.confidence, weights)
          : judgement(state,
                      fields,
                      state.ranker.score(hash_of(alert.type), hash64(alert.user), at),
                      state.ranker.confidence(at),
                      weights);
  if (traffic::dismisses(alert.feedback)) found.word = -salience::kDismissed;
  return found;
}

salience::Judgement Salience::judge(const traffic::Alert& alert) const {
  const std::lock_guard lock(mutex_);
  return judge_now(state_, alert, weights_);
}

std::vector<salience::Judgement> Salience::judge(std::span<const Asked> events) const {
  std::vector<salience::Judgement> judged;
  judged.reserve(events.size());
  const std::lock_guard lock(mutex_);
  const double confidence = state_.ranker.confidence(state_.settled);
  for (const Asked& event : events) {
    const std::uint64_t type = hash64(event.type);
    const bool known = confidence > 0 && !event.type.empty() && state_.ranker.knows(type);
    judged.push_back(
        known ? judgement(state_,
                          event.fields,
                          state_.ranker.score(type, hash64(event.source), state_.settled),
                          confidence,
                          weights_)
              : salience::judge(event.fields));
  }
  return judged;
}

std::vector<salience::Incident> Salience::incidents(const salience::IncidentQuery& query,
                                                    SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  return state_.incidents.present(query, now);
}

std::optional<salience::Incident> Salience::incident_of(const traffic::Alert& alert) const {
  const std::lock_guard lock(mutex_);
  const salience::Incident* const incident = state_.incidents.of(alert.user, alert.last_seen);
  if (incident == nullptr) return std::nullopt;
  return state_.incidents.seen(*incident, alert.last_seen);
}

SteadyTime Salience::settled() const {
  const std::lock_guard lock(mutex_);
  return state_.settled;
}

void Salience::save_open(const Open& open, Writer& out) {
  out.put(open.id);
  out.put(open.type);
  out.put(open.source);
  out.put_text(open.user);
  put_time(open.time, out);
  save_fields(open.fields, out);
}

std::string Salience::save() const {
  Writer out;
  const std::lock_guard lock(mutex_);
  out.put(kVersion);
  put_time(state_.settled, out);
  state_.ranker.save(out);
  state_.incidents.save(out);
  out.put_varint(state_.order.size());
  for (const std::uint64_t id : state_.order) {
    const Judged& judged = state_.judged.at(id);
    out.put(id);
    save_item(judged.item, out);
    out.put(judged.confidence);
    out.put(judged.final);
  }
  out.put_varint(state_.open.size());
  for (const Open& open : state_.open) save_open(open, out);
  out.put_varint(state_.said.size());
  for (const auto& [id, said] : state_.said) {
    out.put(id);
    for (const double term : said.terms) out.put(term);
    out.put(said.relevant);
    out.put(said.source);
    put_time(said.time, out);
  }
  return out.take();
}

void Salience::load_said(State& state, std::uint32_t said_max, Reader& in) {
  const std::uint64_t count = in.get_varint();
  if (count > said_max) return in.fail();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    auto& [id, said] = state.said.emplace_back();
    in.get(id);
    for (double& term : said.terms) {
      in.get(term);
      if (!salience::is_term(term)) in.fail();
    }
    said.relevant = in.get<std::uint8_t>() != 0;
    in.get(said.source);
    said.time = get_time(in);
  }
}

Result<void> Salience::load(std::string_view bytes) {
  Reader in(bytes);
  const auto version = in.get<std::uint8_t>();
  if (!in.ok()) return failure(ErrorCode::kTruncated);
  if (version < 1 || version > kVersion) return failure(ErrorCode::kUnsupported);
  State read(options_);
  read.settled = get_time(in);
  if (const Result<void> ranker = read.ranker.load(in); !ranker) return ranker;
  if (const Result<void> incidents = read.incidents.load(in); !incidents) return incidents;
  const std::uint64_t alerts = in.get_varint();
  if (alerts > options_.alerts_max) return failure(ErrorCode::kTooLarge, in.position());
  for (std::uint64_t i = 0; i < alerts && in.ok(); ++i) {
    const auto id = in.get<std::uint64_t>();
    Judged judged;
    judged.item = load_item(in);
    in.get(judged.confidence);
    judged.final = in.get<std::uint8_t>() != 0;
    if (!(judged.confidence >= 0 && judged.confidence <= 1)) in.fail();
    if (!read.judged.emplace(id, judged).second)
      return failure(ErrorCode::kConflict, in.position());
    read.order.push_back(id);
  }
  const std::uint64_t open = in.get_varint();
  if (open > kOpenMax) return failure(ErrorCode::kTooLarge, in.position());
  for (std::uint64_t i = 0; i < open && in.ok(); ++i) {
    Open one;
    in.get(one.id);
    in.get(one.type);
    in.get(one.source);
    one.user = in.get_text();
    one.time = get_time(in);
    load_fields(one.fields, in);
    if (const auto known = read.judged.find(one.id); known != read.judged.end())
      known->second.open = true;
    read.open.push_back(std::move(one));
  }
  if (version > 1) load_said(read, options_.judged_max, in);
  if (!in.at_end()) return failure(ErrorCode::kTruncated, in.position());
  for (const auto& [id, said] : read.said) {
    if (!said.relevant) read.dismissed.insert(id);
  }
  read.incidents.dismiss(read.dismissed);
  const std::lock_guard lock(mutex_);
  state_ = std::move(read);
  return {};
}

}  // namespace liminal::signals
