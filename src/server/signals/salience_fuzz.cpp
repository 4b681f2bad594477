#include <cstddef>
#include <cstdint>

#include "core/base/check.hpp"
#include "server/signals/salience.hpp"

namespace {

using namespace liminal;

traffic::Alert alert_at(SteadyTime now, std::uint64_t number) {
  traffic::Alert alert;
  alert.number = number;
  alert.user = "ann";
  alert.type = traffic::FindingType::kMessageFlood;
  alert.severity = traffic::Severity::kHigh;
  alert.first_seen = alert.last_seen = now;
  return alert;
}

void check_is_sane(double salience) { LIMINAL_CHECK(salience >= 0 && salience <= 1); }

void check_comes_back(const signals::Salience& salience) {
  const std::string saved = salience.save();
  signals::Salience again;
  LIMINAL_CHECK(again.load(saved));
  LIMINAL_CHECK(again.save() == saved);
}

}  // namespace

// A saved ranking may be damaged: it is refused, or goes on ranking and can be saved.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  signals::Salience salience;
  if (!salience.load({reinterpret_cast<const char*>(data), size})) return 0;
  check_comes_back(salience);
  SteadyTime now{std::chrono::seconds{1'800'000'000}};
  for (std::uint64_t i = 1; i < 4; ++i, now += std::chrono::seconds{70}) {
    const traffic::Alert alert = alert_at(now, i);
    salience.note(alert);
    salience.advance(now + std::chrono::seconds{5});
    check_is_sane(salience.judge(alert).salience());
    salience.feedback(alert, traffic::FeedbackVerdict::kTruePositive);
    if (const auto incident = salience.incident_of(alert)) check_is_sane(incident->salience);
  }
  for (const salience::Incident& incident : salience.incidents({.count = 100}, salience.settled()))
    check_is_sane(incident.salience);
  (void)salience.judged();
  check_comes_back(salience);
  return 0;
}
