#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "core/limits/decide.hpp"
#include "core/limits/testing.hpp"

namespace liminal::limits {
namespace {

using namespace testing;

/// Some traffic: pauses, sizes, and what comes of every other message after it was judged.
struct Message {
  SteadyTime time;
  std::uint32_t bytes;
  std::uint32_t rest;
};
std::vector<Message> messages() {
  std::vector<Message> all;
  SteadyTime now = at(seconds{0});
  const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(rc::gen::tuple(
      rc::gen::inRange(0, 200), rc::gen::inRange(1, 3000), rc::gen::inRange(-2000, 2000)));
  for (const auto& [pause, bytes, rest] : steps)
    all.push_back({now += milliseconds{pause / 2},
                   static_cast<std::uint32_t>(bytes),
                   static_cast<std::uint32_t>(std::max(rest, 0))});
  return all;
}

/// What was said of a message and, when it was let through, of what came later.
struct Said {
  Verdict message;
  std::optional<Verdict> rest;
};
Said send(One& one, const Message& message) {
  Said said{.message = one.message(message.time, message.bytes), .rest = {}};
  if (message.rest > 0 && said.message.decision <= Decision::kDelay) {
    said.rest =
        one.continued(message.time, message.bytes, message.bytes + message.rest, said.message);
  }
  return said;
}

Options tight(Mode mode) {
  Options options;
  options.mode = mode;
  options.user.messages = {.per_second = 10, .burst = 3};
  options.user.messages_sustained = {.per_second = 5, .burst = 10};
  options.user.bytes = {.per_second = 9'000, .burst = 5'000};
  options.message_bytes.max = 2'900;
  options.address.messages = {.per_second = 15, .burst = 5};
  options.address.bytes = {.per_second = 12'000, .burst = 6'000};
  options.connection.bytes_sustained = {.per_second = 8'000, .burst = 20'000};
  options.delay_max = milliseconds{150};
  options.close_after = {.per_second = 1, .burst = 4};
  return options;
}

RC_GTEST_PROP(Decide, ShadowSaysExactlyWhatEnforcingWouldDo, ()) {
  One shadow{tight(Mode::kShadow)};
  One enforce{tight(Mode::kEnforce)};
  const auto is_said_of = [](Verdict done, const Verdict& said) {
    const bool enforced = done.decision == done.shadow && said.decision == Decision::kAllow;
    done.decision = Decision::kAllow;
    return enforced && said == done;
  };
  for (const Message& message : messages()) {
    const Said said = send(shadow, message), done = send(enforce, message);
    RC_ASSERT(is_said_of(done.message, said.message));
    // Of what was dropped nothing more comes: in shadow nothing is said of it.
    RC_ASSERT(is_said_of(done.rest.value_or(Verdict{}), said.rest.value_or(Verdict{})));
    RC_ASSERT(shadow.user == enforce.user);
    RC_ASSERT(shadow.address == enforce.address);
    RC_ASSERT(shadow.connection == enforce.connection);
  }
}

RC_GTEST_PROP(Decide, WhatIsObservedIsChargedAsIfItWereEnforced, ()) {
  One observe{tight(Mode::kObserve)};
  One enforce{tight(Mode::kEnforce)};
  for (const Message& message : messages()) {
    const Said said = send(observe, message), done = send(enforce, message);
    RC_ASSERT(said.message.shadow == Decision::kAllow);
    RC_ASSERT((said.message.observed > Decision::kDelay) ==
              (done.message.decision > Decision::kDelay));
    RC_ASSERT(said.rest.value_or(Verdict{}).observed == done.rest.value_or(Verdict{}).decision);
    RC_ASSERT(observe.address == enforce.address);
    RC_ASSERT(observe.connection == enforce.connection);
  }
}

RC_GTEST_PROP(Decide, DelayedMessagesLeaveInOrderAndKeepToEveryRate, ()) {
  One one{tight(Mode::kEnforce)};
  std::vector<SteadyTime> left;
  for (const Message& message : messages()) {
    const Verdict verdict = one.message(message.time, message.bytes);
    RC_ASSERT(verdict.decision != Decision::kDelay ||
              (verdict.retry_after > Duration::zero() && verdict.retry_after <= milliseconds{150}));
    if (verdict.decision <= Decision::kDelay) left.push_back(message.time + verdict.retry_after);
  }
  for (std::size_t first = 0; first < left.size(); ++first) {
    for (std::size_t last = first; last < left.size(); ++last) {
      RC_ASSERT(left[first] <= left[last]);
      const auto count = static_cast<Duration::rep>(last - first + 1);
      RC_ASSERT(count <= 3 + (left[last] - left[first]) / milliseconds{100});
      RC_ASSERT(count <= 10 + (left[last] - left[first]) / milliseconds{200});
    }
  }
}

RC_GTEST_PROP(Decide, RetryAfterIsTheLeastTimeAfterWhichTheSameMessageIsAllowed, ()) {
  One one{tight(Mode::kEnforce)};
  for (const Message& message : messages()) {
    const One before = one;
    const Verdict verdict = one.message(message.time, message.bytes);
    if (verdict.retry_after == Duration::zero() || verdict.retry_after == Duration::max()) continue;
    One at_last = before;
    One too_early = before;
    const SteadyTime then = message.time + verdict.retry_after;
    RC_ASSERT(at_last.message(then, message.bytes).decision == Decision::kAllow);
    RC_ASSERT(too_early.message(then - Duration{1}, message.bytes).decision != Decision::kAllow);
  }
}

RC_GTEST_PROP(Decide, WhatIsRefusedIsChargedNowhere, ()) {
  One one{tight(Mode::kEnforce)};
  for (const Message& message : messages()) {
    const AddressLimits before = one.address;
    const Verdict verdict = one.message(message.time, message.bytes);
    if (verdict.decision <= Decision::kDelay) continue;
    One other = one;
    other.address = before;
    // The address may have moved on in time, but owes nothing more.
    RC_ASSERT(one.address.take_usage() == other.address.take_usage());
    RC_ASSERT(one.message(message.time + seconds{1}) == other.message(message.time + seconds{1}));
    return;
  }
}

}  // namespace
}  // namespace liminal::limits
