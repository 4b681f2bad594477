// What gateways tell of their alerts, where this server is the cluster.
#include <map>
#include <utility>

#include "app/serve/backend.hpp"

namespace liminal::app {

using traffic::Alert;
using traffic::FeedbackVerdict;
using traffic::JudgedAlert;

namespace {

/// Of the last words about alerts, which say when they were said.
constexpr std::size_t kWordsMax = 100'000;

/// Who said what a gateway tells, in the log of audits.
std::string by(const std::string& gateway) { return "gateway " + gateway; }

}  // namespace

void ServerBackend::adopt_gateway_alerts() {
  const auto known =
      parts_.store.alerts({.limit = signals::GatewayAlerts::kAlertsMax, .of_gateways = true});
  std::map<std::uint64_t, sqlite::Feedback> last;
  if (const auto said = parts_.store.feedback(kWordsMax)) {
    for (const sqlite::Feedback& word : *said)  // the newest first
      if (word.shard == kOfGateways) last.try_emplace(word.number, word);
  }
  // Words are kept longer than alerts.
  if (!last.empty()) gateway_alerts_.count_from(last.rbegin()->first);
  if (!known) return;
  for (const Alert& alert : *known) {
    JudgedAlert one{alert, {}, {}};
    bool said_here = false;
    if (const auto word = last.find(alert.number);
        word != last.end() && word->second.verdict == alert.feedback) {
      one.judged = word->second.time;
      one.note = word->second.note;
      said_here = word->second.actor != by(alert.origin.gateway);
    }
    gateway_alerts_.adopt(std::move(one), said_here);
  }
}

void ServerBackend::take_alerts(std::vector<JudgedAlert> alerts, Done<void> done) {
  using Placed = signals::GatewayAlerts::Placed;
  auto shared = std::make_shared<Done<void>>(std::move(done));
  std::vector<std::uint64_t> numbers;
  std::vector<sqlite::Write> writes;
  for (const JudgedAlert& told : alerts) {
    const Placed one = gateway_alerts_.place(told);
    const Alert& alert = one.told.alert;
    numbers.push_back(alert.number);
    // Also of what brings nothing new: whoever tells it again may have had no answer because it
    // could not be written. What was said of it is written as words alone.
    Alert without = alert;
    without.feedback = FeedbackVerdict::kNone;
    writes.emplace_back(std::move(without));
    if (!one.said) continue;
    const std::string who = by(alert.origin.gateway);
    writes.emplace_back(sqlite::Feedback{
        alert.shard, alert.number, alert.feedback, one.told.note, who, one.told.judged});
    writes.emplace_back(audit(
        "feedback", traffic::alert_id(alert), std::string(traffic::name(alert.feedback)), who));
  }
  const Result<void> queued =
      parts_.store.put(std::move(writes), [=, this](Result<void> committed) {
        if (!committed) return (*shared)(committed);
        for (std::size_t i = 0; i < alerts.size(); ++i) {
          const std::optional<Placed> one = gateway_alerts_.keep(numbers[i], alerts[i]);
          if (!one) continue;
          const Alert& alert = one->told.alert;
          if (one->grew && signals::GatewayAlerts::is_of_the_present(alert, time()))
            parts_.salience.signals().note(alert);
          if (one->said) hear(alert, alert.feedback, one->before);
        }
        (*shared)({});
      });
  if (!queued) (*shared)(tl::unexpected(queued.error()));
}

void ServerBackend::hear_from_cluster(JudgedAlert word) {
  using std::chrono::floor, std::chrono::milliseconds;
  const api::AlertId id{word.alert.shard, word.alert.number};
  if (id.shard == kOfGateways) return;
  alert(id, [this, id, word = std::move(word)](const Result<Alert>& found) {
    if (!found || found->feedback == word.alert.feedback) return;
    // What is told has milliseconds.
    if (floor<milliseconds>(found->first_seen) != floor<milliseconds>(word.alert.first_seen))
      return;
    const auto last = parts_.store.last_feedback(id.shard, id.number);
    if (!last || (*last && floor<milliseconds>((*last)->time) >= floor<milliseconds>(word.judged)))
      return;
    feedback_by(
        "cluster", id, word.alert.feedback, word.note, word.judged, [](const Result<Alert>&) {});
  });
}

}  // namespace liminal::app
