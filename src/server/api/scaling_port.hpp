#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/scaling/backtest.hpp"
#include "core/scaling/report.hpp"
#include "server/api/backend.hpp"

namespace liminal::api {

/// What the API needs from the keeper of services' histories. As with `Backend`: each question is
/// answered by one call of `done`, from any thread, at once or later; nothing blocks; kMissing is
/// 404, kConflict 409, kUnavailable 503; kTooLarge, for want of room for another service, 503 too.
class ScalingPort {
 public:
  template <class T>
  using Done = Backend::Done<T>;

  virtual ~ScalingPort() = default;

  /// Work that takes longer than the API's threads should: done elsewhere, in order. False when too
  /// much waits.
  virtual bool run(std::function<void()> work) = 0;

  /// Learns the report and gives the advice that follows from all that is known.
  virtual void advise(scaling::Report report, Done<scaling::Advice> done) = 0;
  /// At most `count_max`, those told of most recently.
  virtual void services(EventTime now,
                        std::size_t count_max,
                        Done<std::vector<scaling::ServiceSummary>> done) = 0;
  /// What is advised at that time; learns and counts nothing.
  virtual void advice(std::string service, EventTime now, Done<scaling::Advice> done) = 0;
  virtual void state(std::string service, Done<scaling::ServiceState> done) = 0;
  /// kConflict with the minutes that are needed as its position; kMissing when the service is not
  /// known; kOutOfRange while its capacity is not.
  virtual void backtest(std::string service, Done<scaling::Backtest> done) = 0;
  /// Changes what is set for the service, the defaults of a new one; nothing else does meanwhile.
  virtual void change_options(std::string service,
                              scaling::ChangeOptions change,
                              Done<scaling::OptionsChanged> done) = 0;
  /// kIo when the service could not be forgotten for good.
  virtual void forget(std::string service, Done<void> done) = 0;
};

}  // namespace liminal::api
