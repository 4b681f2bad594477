#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/api/backend.hpp"

namespace liminal::api {

/// A backend for tests: one user, ann, with one alert, 17-42; everything at a fixed time. What it
/// is told it keeps; what it is asked it answers at once, or with `failure`.
class FakeBackend : public Backend {
 public:
  static constexpr std::chrono::seconds kNow{1'800'000'000};

  std::vector<traffic::StoredEvent> events;
  std::map<std::string, traffic::Override> decided;
  std::vector<traffic::AuditEntry> audited{
      {SteadyTime{kNow}, "engine", "drop", "ann", "message: blocked"}};
  limits::Options policies;
  bool policies_set = false;
  traffic::Alert flood = make_alert();
  std::string note;
  std::optional<ClusterStatus> cluster;
  std::optional<learn::LoadForecast> load;
  std::vector<Check> checks{{"shards", true, "64 of 64"}, {"store", true, "writes"}};
  std::map<std::string, RememberedAnswer> remembered;
  std::optional<Error> failure;
  /// Answers that are held back when `hold` is set, until the test gives them.
  bool hold = false;
  std::vector<std::function<void()>> held;

  EventTime now() const override { return EventTime{kNow}; }

  void status(Done<Status> done) override {
    Status status;
    status.uptime_s = 12.5;
    status.time = SteadyTime{kNow};
    status.threads = 2;
    status.engine_bytes = 1 << 20;
    status.active_users = 1;
    status.users_remembered = 3;
    status.row_buffer_size = 1000;
    status.rows_buffered = 1;
    status.open_alerts = 1;
    status.rules = 8;
    status.baselines = 1;
    status.upstreams = {{"ws://chat-1:9000", true, 1}};
    status.cluster = cluster;
    status.load = load;
    status.connections = 1;
    status.events_total = events.size();
    status.events_per_second = 2.5;
    give(std::move(done), status);
  }

  std::vector<traffic::FeatureRow> taken_rows;

  void readiness(Done<std::vector<Check>> done) override { give(std::move(done), checks); }

  void metrics(Done<prometheus::Snapshot> done) override {
    prometheus::Snapshot snapshot;
    snapshot.add(prometheus::Family::kEvents, events.size(), {"message"});
    give(std::move(done), snapshot);
  }

  void submit(std::vector<traffic::StoredEvent> submitted, Done<void> done) override {
    if (failure) return done(tl::unexpected(*failure));
    for (auto& event : submitted) events.push_back(std::move(event));
    if (!hold) return done({});
    held.push_back([done = std::move(done)] { done({}); });
  }

  void rows(RowQuery query, Done<std::vector<traffic::FeatureRow>> done) override {
    std::vector<traffic::FeatureRow> rows;
    if (!query.user || *query.user == "ann")
      rows.push_back({"ann", "10.0.0.1", SteadyTime{kNow}, flood.features});
    if (!query.user) rows.push_back({"bob", "", SteadyTime{kNow}, {}});
    if (rows.size() > query.limit) rows.resize(query.limit);
    give(std::move(done), rows);
  }

  void take_rows(std::vector<traffic::FeatureRow> rows, Done<void> done) override {
    if (failure) return done(tl::unexpected(*failure));
    taken_rows.insert(taken_rows.end(), rows.begin(), rows.end());
    done({});
  }

  std::vector<traffic::JudgedAlert> taken_alerts;

  void take_alerts(std::vector<traffic::JudgedAlert> alerts, Done<void> done) override {
    if (failure) return done(tl::unexpected(*failure));
    taken_alerts.insert(taken_alerts.end(), alerts.begin(), alerts.end());
    done({});
  }
  void words_for(std::string gateway,
                 std::size_t limit,
                 Done<std::vector<traffic::JudgedAlert>> done) override {
    std::vector<traffic::JudgedAlert> words;
    for (const traffic::JudgedAlert& one : taken_alerts) {
      const bool said = one.alert.feedback != traffic::FeedbackVerdict::kNone;
      if (said && one.alert.origin.gateway == gateway && words.size() < limit) words.push_back(one);
    }
    give(std::move(done), std::move(words));
  }
  std::vector<std::string> gateways_of(std::span<const std::uint64_t> members) const override {
    return members.empty() ? std::vector<std::string>{} : std::vector<std::string>{"north"};
  }

  void crowd(Done<features::CrowdSummary> done) override {
    features::CrowdSummary crowd;
    crowd.active_users = 2;
    crowd.messages_per_minute = 12.5;
    crowd.connections_per_minute = 30;
    crowd.addresses = {{"10.0.0.1", 1, 1, 28}, {"10.0.0.2", 2, 3, 2}};
    crowd.channels.add(9, "general", 12);
    give(std::move(done), crowd);
  }

  void cleanup(Duration age_max, Done<CleanupReport> done) override {
    give(std::move(done), CleanupReport{age_max == Duration::zero() ? 1U : 0U, 1, 7});
  }

  void alerts(AlertQuery query, Done<std::vector<traffic::Alert>> done) override {
    std::vector<traffic::Alert> alerts;
    if (flood.severity >= query.severity_min) alerts.push_back(flood);
    give(std::move(done), alerts);
  }

  void alert(AlertId id, Done<traffic::Alert> done) override {
    give_if(is_flood(id), std::move(done), flood);
  }

  void explain(AlertId id, Done<Explanation> done) override {
    give_if(is_flood(id), std::move(done), Explanation{flood, "liminal explain 17-42", true, ""});
  }

  void feedback(AlertId id,
                traffic::FeedbackVerdict verdict,
                std::string words,
                Done<traffic::Alert> done) override {
    if (is_flood(id)) {
      flood.feedback = verdict;
      note = std::move(words);
    }
    give_if(is_flood(id), std::move(done), flood);
  }

  void analyze(std::string user, Done<std::vector<traffic::Alert>> done) override {
    traffic::Alert found = flood;
    found.number = 0;
    give_if(user == "ann", std::move(done), std::vector{flood, found});
  }

  void users(UserQuery, Done<std::vector<UserSummary>> done) override {
    UserSummary ann{"ann", "10.0.0.1", SteadyTime{kNow}, 1.5F, 1, traffic::Severity::kHigh, {}, 10};
    ann.features = flood.features;
    ann.activity = 3.5;
    ann.growth = .25;
    give(std::move(done), std::vector{ann, UserSummary{"bob", "", SteadyTime{kNow}}});
  }

  void user(std::string user, Done<UserView> done) override {
    UserView view{"ann", "10.0.0.1", SteadyTime{kNow}, 1.5F, flood.features, {}, {}, {flood}};
    view.baseline.push_back({traffic::Signal::kMessages60s, 3, 12, 250});
    view.limit = {traffic::Mode::kShadow, 2.5, 20, 10, .25, 1, .5, std::nullopt};
    view.group = learn::UserGroup{1, "talks much", .5, 3};
    if (const auto found = decided.find("ann"); found != decided.end())
      view.limit.decision = found->second;
    give_if(user == "ann", std::move(done), view);
  }

  void limits(Done<HeldLimits> done) override {
    give(std::move(done), HeldLimits{policies, policies_set});
  }

  void set_limits(limits::Options options, Done<void> done) override {
    if (failure) return done(tl::unexpected(*failure));
    audited.push_back({SteadyTime{kNow}, "api", "limits.set", "policies", ""});
    policies = std::move(options);
    policies_set = true;
    done({});
  }

  void reset_limits(Done<void> done) override {
    if (failure) return done(tl::unexpected(*failure));
    audited.push_back({SteadyTime{kNow}, "api", "limits.reset", "policies", ""});
    policies = {};
    policies_set = false;
    done({});
  }

  void audit_log(AuditQuery query, Done<std::vector<traffic::AuditEntry>> done) override {
    std::vector<traffic::AuditEntry> list;
    for (const auto& entry : audited)
      if (!query.subject || *query.subject == entry.subject) list.push_back(entry);
    give(std::move(done), list);
  }

  void overrides(std::size_t limit, Done<std::vector<traffic::Override>> done) override {
    std::vector<traffic::Override> list;
    for (const auto& entry : decided) {
      if (list.size() < limit) list.push_back(entry.second);
    }
    give(std::move(done), list);
  }

  void override_of(std::string user, Done<traffic::Override> done) override {
    const auto found = decided.find(user);
    if (found == decided.end()) return done(liminal::failure(ErrorCode::kMissing));
    give(std::move(done), found->second);
  }

  void set_override(traffic::Override decision, Done<bool> done) override {
    const bool is_new = !decided.contains(decision.user);
    audited.push_back({SteadyTime{kNow}, "api", "override.set", decision.user, decision.reason});
    decided.insert_or_assign(decision.user, decision);
    give(std::move(done), is_new);
  }

  void remove_override(std::string user, Done<void> done) override {
    if (decided.erase(user) == 0) return done(liminal::failure(ErrorCode::kMissing));
    done({});
  }

  void remember(RememberedAnswer answer, Done<void> done) override {
    remembered.insert_or_assign(answer.key, answer);
    done({});
  }
  void recall(std::string key, Done<std::optional<RememberedAnswer>> done) override {
    const auto found = remembered.find(key);
    done(found == remembered.end() ? std::optional<RememberedAnswer>{} : found->second);
  }

 private:
  static traffic::Alert make_alert() {
    using namespace traffic;
    Alert alert;
    alert.shard = ShardId{17};
    alert.number = 42;
    alert.user = "ann";
    alert.address = "10.0.0.1";
    alert.type = FindingType::kMessageFlood;
    alert.severity = Severity::kHigh;
    alert.first_seen = SteadyTime{kNow};
    alert.last_seen = SteadyTime{kNow + std::chrono::seconds{2}};
    alert.count = 3;
    alert.first.type = alert.type;
    alert.first.detector = Detector::kRule;
    alert.first.rule = 0;
    alert.first.severity = Severity::kHigh;
    alert.first.action = Action::kLimit;
    alert.first.score = 1.2F;
    alert.first.confidence = .9F;
    alert.first.add({signal(FeatureId::kMessagesPerMinute), 120, 0, 100, 1.2F});
    alert.worst = alert.first;
    alert.worst.detector = Detector::kRateSurprise10s;
    alert.worst.rule = kNoRule;
    alert.worst.score = 1.5F;
    alert.features[FeatureId::kMessagesPerMinute] = 120;
    alert.input = 4711;
    return alert;
  }

  [[nodiscard]] bool is_flood(AlertId id) const {
    return id.shard == flood.shard && id.number == flood.number;
  }

  template <class T>
  void give(Done<T> done, T value) {
    give_if(true, std::move(done), std::move(value));
  }

  template <class T>
  void give_if(bool known, Done<T> done, T value) {
    if (failure) return done(tl::unexpected(*failure));
    if (!known) return done(liminal::failure(ErrorCode::kMissing));
    done(std::move(value));
  }
};

}  // namespace liminal::api
