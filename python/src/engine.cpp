#include "engine.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "core/traffic/codec.hpp"
#include "io/json/time_text.hpp"

namespace liminal::python {
namespace {

constexpr std::uint32_t kMagic = 0x4e45'4d4c;  // "LMEN"
/// The first had no audit log, the second no alerts of gateways.
constexpr std::uint32_t kFormat = 3;
/// A batch gives others their turn after so many: some 200 µs.
constexpr std::size_t kLockedEvents = 1024;
/// More seconds than a rate looks back.
constexpr int kRateSeconds = 8;

EventTime time_of(double seconds_since_epoch) {
  // Apart, because seconds since 1970 times 10^9 no longer fit a double.
  const double whole = std::floor(seconds_since_epoch);
  return EventTime{std::chrono::seconds{static_cast<std::int64_t>(whole)} +
                   from_seconds(seconds_since_epoch - whole)};
}

/// The first row of a column of places that points outside; -1 only where `may_lack`.
std::optional<ColumnProblem> validate_places(const std::int32_t* places,
                                             std::size_t count,
                                             std::size_t texts,
                                             bool may_lack,
                                             const char* column) {
  if (places == nullptr) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    if (places[i] == -1 && may_lack) continue;
    if (places[i] < 0 || static_cast<std::size_t>(places[i]) >= texts)
      return ColumnProblem{column, "is no place in the list of its texts", i};
  }
  return std::nullopt;
}

std::optional<ColumnProblem> validate_texts(std::span<const traffic::Name> names,
                                            std::size_t bytes_max,
                                            const char* column) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].text.empty() || names[i].text.size() > bytes_max)
      return ColumnProblem{
          column, "must be text of 1 to " + std::to_string(bytes_max) + " bytes", i};
  }
  return std::nullopt;
}

}  // namespace

std::optional<ColumnProblem> validate(const EventColumns& columns) {
  using traffic::kAddressBytesMax, traffic::kChannelBytesMax, traffic::kUserBytesMax;
  if (auto wrong = validate_texts(columns.users, kUserBytesMax, "user_id")) return wrong;
  if (auto wrong = validate_texts(columns.addresses, kAddressBytesMax, "ip_address")) return wrong;
  if (auto wrong = validate_texts(columns.channels, kChannelBytesMax, "channel")) return wrong;
  const std::size_t n = columns.count;
  if (auto wrong = validate_places(columns.user, n, columns.users.size(), false, "user_id"))
    return wrong;
  if (auto wrong =
          validate_places(columns.address, n, columns.addresses.size(), true, "ip_address"))
    return wrong;
  if (auto wrong = validate_places(columns.channel, n, columns.channels.size(), true, "channel"))
    return wrong;
  for (std::size_t i = 0; columns.time_s != nullptr && i < n; ++i) {
    if (!(columns.time_s[i] >= 0 && columns.time_s[i] <= static_cast<double>(json::kSecondsMax)))
      return ColumnProblem{"timestamp", "must be seconds since the epoch, from 1970 to 2200", i};
  }
  for (std::size_t i = 0; columns.kind != nullptr && i < n; ++i) {
    if (columns.kind[i] > static_cast<std::uint8_t>(traffic::EventKind::kFailed))
      return ColumnProblem{"kind", "must be 0 to 5", i};
  }
  for (std::size_t i = 0; columns.error != nullptr && i < n; ++i) {
    if (columns.error[i] > 1) return ColumnProblem{"error", "must be 0 or 1", i};
  }
  return std::nullopt;
}

Engine::Engine(EngineOptions options)
    : options_(std::move(options)),
      engine_(options_.engine),
      rows_(options_.rows_max),
      audit_(options_.audit_max),
      second_(std::chrono::steady_clock::now()) {
  rate_.observe(second_, 0);
}

SteadyTime Engine::now() const {
  const std::lock_guard lock(mutex_);
  if (options_.clock == Clock::kEvents) return engine_.now();
  const Duration date = std::chrono::system_clock::now().time_since_epoch();
  return std::max(engine_.now(), SteadyTime{date});
}

/// Lives through the seconds that have passed. The lock is held.
void Engine::catch_up() {
  if (options_.clock != Clock::kSystem) return;
  const SteadyTime date{std::chrono::system_clock::now().time_since_epoch()};
  if (date < engine_.now() + std::chrono::seconds{1}) return;
  engine_.advance(date, effects_);
  deliver();
  salience_.advance(engine_.now());
}

/// Tells the rate of the seconds that ended, in which nothing more was counted. The lock is held.
void Engine::pass_seconds() {
  using std::chrono::seconds;
  const auto now = std::chrono::steady_clock::now();
  second_ = std::max(second_, now - seconds{kRateSeconds});
  while (second_ + seconds{1} <= now) rate_.observe(second_ += seconds{1}, counted_);
}

void Engine::count(std::size_t events) {
  pass_seconds();
  counted_ += events;
}

double Engine::events_per_second() {
  const std::lock_guard lock(mutex_);
  pass_seconds();
  return rate_.per_second(std::chrono::steady_clock::now(), counted_);
}

void Engine::feed(const traffic::Event& event) {
  if (options_.clock != Clock::kEvents) {
    engine_.shard(shard_of(event.user.hash)).step(event, effects_);
  } else {
    const SteadyTime before = engine_.now();
    engine_.feed(event, effects_);
    if (engine_.now() != before) salience_.advance(engine_.now());
  }
  if (!effects_.alerts.empty() || !effects_.rows.empty() || !effects_.audit.empty()) deliver();
}

traffic::Verdict Engine::track(const traffic::Event& event) {
  const std::lock_guard lock(mutex_);
  catch_up();
  count(1);
  effects_.verdict = {};
  feed(event);
  return effects_.verdict;
}

void Engine::track(const EventColumns& columns, std::uint8_t* decisions, std::uint8_t* shadows) {
  for (std::size_t begin = 0; begin < columns.count; begin += kLockedEvents) {
    const std::size_t end = std::min(columns.count, begin + kLockedEvents);
    const std::lock_guard lock(mutex_);
    catch_up();
    count(end - begin);
    track_rows(columns, begin, end, decisions, shadows);
  }
}

void Engine::track_rows(const EventColumns& columns,
                        std::size_t begin,
                        std::size_t end,
                        std::uint8_t* decisions,
                        std::uint8_t* shadows) {
  traffic::Event event;
  if (columns.time_s == nullptr)
    event.time = EventTime{std::chrono::system_clock::now().time_since_epoch()};
  for (std::size_t i = begin; i < end; ++i) {
    event.user = columns.users[static_cast<std::size_t>(columns.user[i])];
    if (columns.time_s != nullptr) event.time = time_of(columns.time_s[i]);
    if (columns.kind != nullptr) event.kind = traffic::EventKind{columns.kind[i]};
    if (columns.bytes != nullptr) event.bytes = columns.bytes[i];
    if (columns.error != nullptr) event.error = columns.error[i] != 0;
    if (columns.address != nullptr) {
      event.address = columns.address[i] < 0
                          ? traffic::Name()
                          : columns.addresses[static_cast<std::size_t>(columns.address[i])];
    }
    if (columns.channel != nullptr) {
      event.channels = {};
      if (columns.channel[i] >= 0)
        event.channels = columns.channels.subspan(static_cast<std::size_t>(columns.channel[i]), 1);
    }
    if (columns.content_hash != nullptr) event.content_hash = columns.content_hash[i];
    effects_.verdict = {};
    feed(event);
    decisions[i] = static_cast<std::uint8_t>(effects_.verdict.decision);
    shadows[i] = static_cast<std::uint8_t>(effects_.verdict.shadow);
  }
}

void Engine::track(std::span<const traffic::StoredEvent> events) {
  const std::lock_guard lock(mutex_);
  catch_up();
  count(events.size());
  for (const traffic::StoredEvent& event : events) feed(event.view());
}

void Engine::advance(SteadyTime now) {
  const std::lock_guard lock(mutex_);
  engine_.advance(now, effects_);
  deliver();
  salience_.advance(engine_.now());
}

std::string Engine::tick(SteadyTime now, std::span<const ShardId> owned) {
  const std::lock_guard lock(mutex_);
  const engine::Second& told = engine_.begin_second(now, effects_);
  deliver();
  Writer out;
  out.put_varint(owned.size());
  for (const ShardId shard : owned) {
    out.put(shard);
    told.save(shard, out);
  }
  return out.take();
}

Result<void> Engine::absorb(std::string_view bytes) {
  engine::Exchange exchange;
  Reader in(bytes);
  if (const Result<void> read = exchange.load(in); !read) return read;
  const std::lock_guard lock(mutex_);
  engine_.end_second(exchange, effects_);
  deliver();
  salience_.advance(engine_.now());
  return {};
}

void Engine::count_feedback(const Word& word) {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < kShards; ++i)
    engine_.shard(ShardId{static_cast<std::uint8_t>(i)}).count_feedback(word.type, word.verdict);
  salience_.feedback(word.type, word.verdict, word.replaces);
}

std::vector<Engine::Word> Engine::take_words() {
  const std::lock_guard lock(mutex_);
  return std::exchange(words_, {});
}

/// Carries out what the engine decided beyond the verdict, which stays.
void Engine::deliver() {
  for (traffic::FeatureRow& row : effects_.rows) rows_.add(std::move(row));
  for (const engine::AlertChange& change : effects_.alerts) {
    const traffic::Alert& alert = change.alert;
    if (change.kind == engine::AlertChange::Kind::kRaised)
      ++raised_[static_cast<std::size_t>(alert.type)][static_cast<std::size_t>(alert.severity)];
    if (change.kind != engine::AlertChange::Kind::kResolved) salience_.note(alert);
    keep(alert);
  }
  for (traffic::AuditEntry& entry : effects_.audit) audit_.add(std::move(entry));
  effects_.rows.clear();
  effects_.alerts.clear();
  effects_.audit.clear();
}

void Engine::keep(const traffic::Alert& alert) {
  const AlertKey of = traffic::alert_key(alert.shard, alert.number);
  const auto [at, added] = alerts_.insert_or_assign(of, alert);
  static_cast<void>(at);
  if (!added) return;
  alerts_order_.push_back(of);
  if (alerts_order_.size() <= options_.alerts_max) return;
  alerts_.erase(alerts_order_.front());
  alerts_order_.pop_front();
}

std::vector<traffic::FeatureRow> Engine::rows(std::size_t limit, std::string_view user) const {
  const std::lock_guard lock(mutex_);
  return rows_.latest(limit, user);
}

void Engine::take_rows(std::vector<traffic::FeatureRow> rows) {
  const std::lock_guard lock(mutex_);
  for (traffic::FeatureRow& row : rows) rows_.add(std::move(row));
}

std::size_t Engine::rows_buffered() const {
  const std::lock_guard lock(mutex_);
  return rows_.size();
}

Engine::Cleanup Engine::clean_up(Duration age_max) {
  const std::lock_guard lock(mutex_);
  catch_up();
  Cleanup did;
  for (std::uint32_t i = 0; i < kShards; ++i) {
    engine::Shard& shard = engine_.shard(ShardId{static_cast<std::uint8_t>(i)});
    did.removed_users += shard.cleanup(age_max);
    did.remaining_users += shard.active_users();
  }
  did.removed_rows = rows_.erase_before(engine_.now() - age_max);
  return did;
}

std::vector<traffic::Alert> Engine::alerts(std::size_t limit,
                                           traffic::Severity severity_min,
                                           std::string_view user) {
  const std::lock_guard lock(mutex_);
  catch_up();
  const auto told = gateway_alerts_.all(severity_min, user);
  std::vector<const traffic::Alert*> found;
  for (const AlertKey of : alerts_order_) {
    const traffic::Alert& alert = alerts_.at(of);
    if (alert.severity >= severity_min && (user.empty() || alert.user == user))
      found.push_back(&alert);
  }
  for (const traffic::Alert& alert : told) found.push_back(&alert);
  const auto later = [](const traffic::Alert* a, const traffic::Alert* b) {
    return a->last_seen != b->last_seen
               ? a->last_seen > b->last_seen
               : traffic::alert_key(a->shard, a->number) > traffic::alert_key(b->shard, b->number);
  };
  const auto count = static_cast<std::ptrdiff_t>(std::min(limit, found.size()));
  std::partial_sort(found.begin(), found.begin() + count, found.end(), later);
  std::vector<traffic::Alert> alerts;
  for (auto at = found.begin(); at != found.begin() + count; ++at) alerts.push_back(**at);
  return alerts;
}

std::optional<traffic::Alert> Engine::alert(ShardId shard, std::uint64_t number) {
  if (shard == kOfGateways) return gateway_alerts_.find(number);
  const std::lock_guard lock(mutex_);
  catch_up();
  const auto found = alerts_.find(traffic::alert_key(shard, number));
  return found == alerts_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<Engine::Judged> Engine::take_alerts(const std::vector<traffic::JudgedAlert>& alerts) {
  std::vector<Judged> judged;
  const std::lock_guard lock(mutex_);
  catch_up();
  for (const traffic::JudgedAlert& told : alerts) {
    const std::uint64_t number = gateway_alerts_.place(told).told.alert.number;
    const auto kept = gateway_alerts_.keep(number, told);
    if (!kept) continue;
    const traffic::Alert& alert = kept->told.alert;
    if (kept->grew && signals::GatewayAlerts::is_of_the_present(alert, engine_.now()))
      salience_.note(alert);
    if (!kept->said) continue;
    hear(alert, alert.feedback, kept->before);
    judged.push_back({alert, kept->before});
  }
  return judged;
}

std::optional<Engine::Judged> Engine::feedback(ShardId shard,
                                               std::uint64_t number,
                                               traffic::FeedbackVerdict verdict,
                                               std::string note) {
  const std::lock_guard lock(mutex_);
  catch_up();
  if (shard == kOfGateways) {
    // At the engine's time, which is the same when a journal is lived again.
    const auto before = gateway_alerts_.judge(number, verdict, std::move(note), engine_.now());
    if (!before) return std::nullopt;
    Judged judged{*gateway_alerts_.find(number), *before};
    hear(judged.alert, verdict, *before);
    return judged;
  }
  const auto found = alerts_.find(traffic::alert_key(shard, number));
  if (found == alerts_.end()) return std::nullopt;
  traffic::Alert& alert = found->second;
  const traffic::FeedbackVerdict before = std::exchange(alert.feedback, verdict);
  (void)engine_.shard(shard).feedback(number, verdict);
  hear(alert, verdict, before);
  return Judged{alert, before};
}

/// An operator's word about an alert of which `before` had been said. The lock is held.
void Engine::hear(const traffic::Alert& about,
                  traffic::FeedbackVerdict verdict,
                  traffic::FeedbackVerdict before) {
  if (!traffic::is_news(verdict, before)) return;
  for (std::uint32_t i = 0; i < kShards; ++i)
    engine_.shard(ShardId{static_cast<std::uint8_t>(i)}).count_feedback(about.type, verdict);
  const bool replaces = salience_.feedback(about, verdict);
  if (options_.clock == Clock::kMember) words_.push_back({about.type, verdict, replaces});
}

void Engine::audit(std::string action, std::string subject, std::string detail, std::string actor) {
  const SteadyTime at = now();
  const std::lock_guard lock(mutex_);
  audit_.add({at, std::move(actor), std::move(action), std::move(subject), std::move(detail)});
}

std::vector<traffic::AuditEntry> Engine::audit_log(std::size_t limit,
                                                   const std::optional<std::string>& subject) {
  const std::lock_guard lock(mutex_);
  catch_up();
  return audit_.latest(limit, subject);
}

std::uint64_t Engine::raised(traffic::FindingType type, traffic::Severity severity) const {
  const std::lock_guard lock(mutex_);
  return raised_[static_cast<std::size_t>(type)][static_cast<std::size_t>(severity)];
}

std::shared_ptr<const engine::Settings> Engine::settings() const {
  const std::lock_guard lock(mutex_);
  return engine_.settings();
}

void Engine::set_options(engine::Options options) {
  auto settings = std::make_shared<const engine::Settings>(std::move(options));
  const std::lock_guard lock(mutex_);
  engine_.set_settings(std::move(settings));
}

void Engine::save_kept(Writer& out) const {
  rows_.save(out);
  out.put_varint(alerts_order_.size());
  for (const AlertKey of : alerts_order_) traffic::save(alerts_.at(of), out);
}

std::string Engine::material() const {
  const std::lock_guard lock(mutex_);
  Writer out;
  save_kept(out);
  gateway_alerts_.save(out);
  return out.take();
}

std::string Engine::save() const {
  const std::lock_guard lock(mutex_);
  Writer out;
  out.put(kMagic);
  out.put(kFormat);
  engine_.save(out);
  save_kept(out);
  out.put_text(salience_.save());
  audit_.save(out);
  gateway_alerts_.save(out);
  return out.take();
}

Result<void> Engine::load(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  reset();
  Reader in(bytes);
  if (in.get<std::uint32_t>() != kMagic) return failure(ErrorCode::kMalformed);
  const auto format = in.get<std::uint32_t>();
  if (format < 1 || format > kFormat) return failure(ErrorCode::kUnsupported, 4);
  Result<void> read = engine_.load(in);
  if (read) {
    rows_.load(in);
    for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
      traffic::Alert alert;
      if (traffic::load(alert, in)) {
        keep(alert);
      } else {
        in.fail();
      }
    }
    read = salience_.load(in.get_text());
    if (format >= 2) audit_.load(in);
    if (format >= 3) gateway_alerts_.load(in);
    if (read && !in.at_end()) read = failure(ErrorCode::kMalformed, in.position());
  }
  if (!read) reset();
  return read;
}

void Engine::reset() {
  const auto settings = engine_.settings();
  engine_ = engine::LocalEngine(settings->options);
  rows_ = features::RecentFeatures(options_.rows_max);
  alerts_.clear();
  alerts_order_.clear();
  gateway_alerts_.clear();
  audit_.clear();
  words_.clear();
  const std::string empty = signals::Salience().save();
  (void)salience_.load(empty);
}

}  // namespace liminal::python
