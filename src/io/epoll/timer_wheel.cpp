#include "io/epoll/timer_wheel.hpp"

#include <algorithm>

namespace liminal::epoll {

void Timer::cancel() {
  if (next_ == nullptr) return;
  next_->previous_ = previous_;
  previous_->next_ = next_;
  next_ = previous_ = nullptr;
}

TimerWheel::TimerWheel(LoopTime now) : start_(now) {
  const auto close_ring = [](auto& slots) {
    for (Slot& slot : slots) slot.next_ = slot.previous_ = &slot;
  };
  close_ring(near_);
  close_ring(middle_);
  close_ring(far_);
}

TimerWheel::~TimerWheel() {
  const auto release = [](auto& slots) {
    for (Slot& slot : slots)
      while (!empty(slot)) slot.next_->cancel();
  };
  release(near_);
  release(middle_);
  release(far_);
}

bool TimerWheel::empty(const Slot& slot) { return slot.next_ == &slot; }

std::uint64_t TimerWheel::tick_of(LoopTime now) const {
  return now <= start_ ? 0 : static_cast<std::uint64_t>((now - start_) / kTick);
}

void TimerWheel::arm(Timer& timer, Duration delay, LoopTime now) {
  constexpr std::uint64_t kHorizon = 1ULL << (kBits0 + kBits1 + kBits2);
  // Rounded up, and one more because the present tick is already partly over.
  const auto ticks = static_cast<std::uint64_t>(std::max(delay, Duration::zero()) / kTick);
  const std::uint64_t from = std::max(tick_, tick_of(now));
  timer.cancel();
  timer.due_ = tick_ + std::min<std::uint64_t>(from - tick_ + ticks + 2,
                                               kHorizon - (1ULL << (kBits0 + kBits1)));
  link(timer);
}

void TimerWheel::link(Timer& timer) {
  constexpr std::uint64_t kNear = 1ULL << kBits0, kMiddle = 1ULL << (kBits0 + kBits1);
  const std::uint64_t ahead = timer.due_ - tick_;
  Slot* slot = nullptr;
  if (ahead < kNear) {
    slot = &near_[timer.due_ & (kNear - 1)];
  } else if (ahead < kMiddle) {
    slot = &middle_[(timer.due_ >> kBits0) & ((1U << kBits1) - 1)];
  } else {
    slot = &far_[(timer.due_ >> (kBits0 + kBits1)) & ((1U << kBits2) - 1)];
  }
  timer.next_ = slot;
  timer.previous_ = slot->previous_;
  slot->previous_->next_ = &timer;
  slot->previous_ = &timer;
}

void TimerWheel::cascade(Slot& slot) {
  if (empty(slot)) return;
  Slot moving;  // a ring of its own: what is linked anew may come back to this very slot
  moving.next_ = slot.next_;
  moving.previous_ = slot.previous_;
  moving.next_->previous_ = moving.previous_->next_ = &moving;
  slot.next_ = slot.previous_ = &slot;
  while (!empty(moving)) {
    Timer& timer = *moving.next_;
    timer.cancel();
    link(timer);
  }
  moving.next_ = moving.previous_ = nullptr;
}

void TimerWheel::advance(LoopTime now) {
  const std::uint64_t target = tick_of(now);
  while (tick_ < target) {
    ++tick_;
    const std::uint64_t near = tick_ & ((1U << kBits0) - 1);
    if (near == 0) {
      const std::uint64_t middle = (tick_ >> kBits0) & ((1U << kBits1) - 1);
      if (middle == 0) cascade(far_[(tick_ >> (kBits0 + kBits1)) & ((1U << kBits2) - 1)]);
      cascade(middle_[middle]);
    }
    // What fires may arm anew, never into this slot: a delay is at least one tick.
    Slot& due = near_[near];
    while (!empty(due)) {
      Timer& timer = *due.next_;
      timer.cancel();
      timer.on_timer();
    }
  }
}

std::optional<Duration> TimerWheel::until_next(LoopTime now) const {
  const auto until = [&](std::uint64_t tick) {
    const LoopTime due = start_ + kTick * static_cast<Duration::rep>(tick);
    return std::max(due - now, Duration::zero());
  };
  // Whether anything comes down to the near wheel when its turn number `turn` begins.
  const auto comes_down = [&](std::uint64_t turn) {
    const bool wraps = (turn & (middle_.size() - 1)) == 0;
    return !empty(middle_[turn & (middle_.size() - 1)]) ||
           (wraps && !empty(far_[(turn >> kBits1) & (far_.size() - 1)]));
  };
  for (std::uint64_t tick = tick_ + 1; tick <= tick_ + near_.size(); ++tick) {
    const std::uint64_t near = tick & (near_.size() - 1);
    if (!empty(near_[near]) || (near == 0 && comes_down(tick >> kBits0))) return until(tick);
  }
  const std::uint64_t turn = tick_ >> kBits0;
  for (std::uint64_t next = turn + 1; next <= turn + middle_.size(); ++next)
    if (comes_down(next)) return until(next << kBits0);
  const auto waiting = [](const Slot& slot) { return !empty(slot); };
  if (std::any_of(far_.begin(), far_.end(), waiting))
    return until(((tick_ >> (kBits0 + kBits1)) + 1) << (kBits0 + kBits1));
  return std::nullopt;
}

}  // namespace liminal::epoll
