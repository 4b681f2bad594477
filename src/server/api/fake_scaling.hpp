#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/api/scaling_port.hpp"

namespace liminal::api {

/// A keeper of services for tests: does all at once, keeps nothing on disk.
class FakeScaling : public ScalingPort {
 public:
  std::map<std::string, scaling::ServiceState> known;
  std::optional<Error> refusal;  ///< of what would be learnt or set

  bool run(std::function<void()> work) override {
    work();
    return true;
  }
  void advise(scaling::Report report, Done<scaling::Advice> done) override {
    if (refusal) return done(tl::unexpected(*refusal));
    auto& state = known[report.service];
    state.name = report.service;
    scaling::learn(state.service, report, state.options);
    done(state.service.advise(report.rows.back().at, state.options));
  }
  void services(EventTime now,
                std::size_t count_max,
                Done<std::vector<scaling::ServiceSummary>> done) override {
    std::vector<scaling::ServiceSummary> all;
    for (const auto& [name, state] : known) {
      if (all.size() < count_max)
        all.push_back(
            scaling::summary_of(name, state.service, state.service.advise(now, state.options)));
    }
    done(std::move(all));
  }
  void advice(std::string service, EventTime now, Done<scaling::Advice> done) override {
    const auto found = known.find(service);
    if (found == known.end()) return done(failure(ErrorCode::kMissing));
    done(found->second.service.advise(now, found->second.options));
  }
  void state(std::string service, Done<scaling::ServiceState> done) override {
    const auto found = known.find(service);
    if (found == known.end()) return done(failure(ErrorCode::kMissing));
    done(found->second);
  }
  void backtest(std::string service, Done<scaling::Backtest> done) override {
    const auto found = known.find(service);
    if (found == known.end()) return done(failure(ErrorCode::kMissing));
    auto tested = scaling::backtest(found->second.service, found->second.options);
    if (!tested && tested.error().code == ErrorCode::kMissing)
      return done(failure(ErrorCode::kOutOfRange));
    done(std::move(tested));
  }
  void change_options(std::string service,
                      scaling::ChangeOptions change,
                      Done<scaling::OptionsChanged> done) override {
    if (refusal) return done(tl::unexpected(*refusal));
    scaling::OptionsChanged out;
    out.is_new = known.count(service) == 0;
    if (!out.is_new) out.options = known[service].options;
    change(out.options);
    out.problems = scaling::validate(out.options);
    if (!out.problems.empty()) return done(std::move(out));
    auto& state = known[service];
    state.name = service;
    state.options = out.options;
    done(std::move(out));
  }
  void forget(std::string service, Done<void> done) override {
    if (refusal) return done(tl::unexpected(*refusal));
    if (known.erase(service) == 0) return done(failure(ErrorCode::kMissing));
    done({});
  }
};

}  // namespace liminal::api
