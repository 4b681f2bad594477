#include "server/actor/actor.hpp"

#include <utility>

#include "server/actor/request.hpp"

namespace liminal::actor {
namespace {

using http::Outcome;
using traffic::Mode;

std::string what(const Target& target) {
  std::string out(name(target.kind));
  if (target.kind == Kind::kRayServe) out += " " + target.application + "/" + target.deployment;
  return out;
}

std::string change(const Pacer& pacer, std::uint32_t wanted) {
  const std::string before = pacer.told() ? std::to_string(*pacer.told()) : "not told";
  return std::to_string(wanted) + " instances, before: " + before;
}

}  // namespace

Actor::Actor(Options options, Advise advise, Audit audit, Clock clock)
    : options_(std::move(options)),
      advise_(std::move(advise)),
      audit_(std::move(audit)),
      clock_(std::move(clock)),
      client_({.timeout = options_.timeout, .ca_file = {}}) {
  for (const Target& target : options_.targets)
    states_.push_back({.pacer = Pacer(options_, target.mode == Mode::kEnforce),
                       .mode = target.mode,
                       .mode_wanted = target.mode,
                       .counters = {}});
}

Actor::~Actor() { stop(); }

void Actor::start() {
  thread_ = std::thread([this] { run(); });
}

void Actor::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  client_.cancel();
  thread_.join();
}

void Actor::set_mode(const std::string& service, Mode mode) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (options_.targets[i].service == service) states_[i].mode_wanted = mode;
  }
}

void Actor::counters(const std::function<void(const std::string&, const Counters&)>& each) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < states_.size(); ++i)
    each(options_.targets[i].service, states_[i].counters);
}

void Actor::run() {
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, options_.look, [this] { return stopping_; })) {
    lock.unlock();
    for (std::size_t i = 0; i < states_.size(); ++i) look(i);
    lock.lock();
  }
}

void Actor::take_mode(State& state) {
  const std::lock_guard lock(mutex_);
  if (state.mode == state.mode_wanted) return;
  state.mode = state.mode_wanted;
  state.pacer = Pacer(options_, state.mode == Mode::kEnforce);
  state.last = Outcome::Kind::kDone;
}

void Actor::look(std::size_t which) {
  const Target& target = options_.targets[which];
  State& state = states_[which];
  take_mode(state);
  const Result<scaling::Advice> advice = advise_(target.service);
  if (!advice || !advice->replicas) return;
  const std::uint32_t wanted = *advice->replicas;
  const SteadyTime now = clock_();
  if (!state.pacer.is_due(wanted, now)) return;
  std::string detail = what(target) + ": " + change(state.pacer, wanted);
  Outcome outcome{Outcome::Kind::kDone, {}};
  if (state.mode == Mode::kEnforce) outcome = act(target, *advice, now, detail);
  const bool done = outcome.kind == Outcome::Kind::kDone;
  const bool news = outcome.kind != state.last || (done && state.pacer.told() != wanted);
  if (news && state.mode != Mode::kObserve)
    audit_(
        state.mode == Mode::kEnforce ? "scale" : "scale.shadow", target.service, std::move(detail));
  state.last = outcome.kind;
  state.pacer.settle(wanted, outcome, clock_());
  const std::lock_guard lock(mutex_);
  count(state.counters, state.mode, outcome.kind);
}

void Actor::count(Counters& counters, Mode mode, Outcome::Kind outcome) {
  if (mode == Mode::kObserve) {
    ++counters.observed;
  } else if (mode == Mode::kShadow) {
    ++counters.shadowed;
  } else if (outcome == Outcome::Kind::kDone) {
    ++counters.done;
  } else {
    ++(outcome == Outcome::Kind::kRetry ? counters.failed : counters.rejected);
  }
}

Outcome Actor::act(const Target& target,
                   const scaling::Advice& advice,
                   SteadyTime now,
                   std::string& detail) {
  Request request = request_for(target, advice, now);
  const Result<http::Response> answer =
      client_.send("POST", request.url, request.headers, std::move(request.body));
  detail += answer ? "; answered " + std::to_string(answer->status) : "; no answer";
  return http::outcome_of(answer);
}

}  // namespace liminal::actor
