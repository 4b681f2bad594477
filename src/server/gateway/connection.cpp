#include "server/gateway/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "core/wire/frame_writer.hpp"

namespace liminal::gateway {
namespace {

using State = epoll::Transfer::State;

/// After this many full buffers the others have their turn.
constexpr int kReadsPerTurn = 4;
constexpr std::string_view kPingPayload = "liminal";

constexpr std::uint32_t in_32_bits(std::uint64_t bytes) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, UINT32_MAX));
}

}  // namespace

void Side::on_ready(epoll::Ready ready) { owner_.on_ready(*this, ready); }

Connection::Connection(Thread& thread,
                       std::unique_ptr<Identity> identity,
                       epoll::Stream client,
                       std::uint64_t id)
    : thread_(thread),
      identity_(std::move(identity)),
      client_(*this, std::move(client), wire::Sender::kClient),
      id_(id),
      began_(thread_.loop.now()),
      last_heard_(thread.loop.now()) {}

void Connection::on_ready(Side& side, epoll::Ready ready) {
  if (gone_) return;
  if (ready.writable && !side.out.empty()) drain(side);
  if (!gone_ && (ready.readable || ready.ended)) read(side, ready.ended);
  if (!gone_ && ready.ended && (side.paused & Side::kDelayed) != 0) hung_up(side);
}

/// Who leaves while held back forfeits what was beyond the limit: nobody waits for it, and reading
/// it at the limit's pace would keep the connection for minutes.
void Connection::hung_up(Side& side) {
  forget_held();
  side.paused = 0;
  side.ended = true;
  on_end(side);
}

void Connection::read(Side& side, bool ended) {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (gone_ || side.paused != 0 || side.ended) return;
    const std::span<char> room = std::span(thread_.buffer).first(side.room);
    const epoll::Transfer got = side.stream.read(room);
    if (got.state == State::kBlocked) return;
    if (got.state == State::kFailed) return gone();
    if (got.state == State::kEnd) {
      side.ended = true;
      return on_end(side);
    }
    if (&side == &client_) last_heard_ = thread_.loop.now();
    if (got.bytes == side.room)
      side.room = std::min<std::uint32_t>(4 * side.room, Thread::kReadBytes);
    if (!closing_) received(side, {room.data(), got.bytes});
    thread_.time_messages();
    // A read that was not filled took all there was, and the next bytes make an edge of their own:
    // this saves the read that would only say so.
    if (!side.stream.may_have_more(got.bytes, room.size()) && !ended) return;
  }
  if (!gone_) thread_.loop.watch_writing(side.stream.socket(), side, !side.out.empty());
}

bool Connection::send(Side& to, std::string_view bytes) {
  const bool was_empty = to.out.empty();
  if (!to.out.send(to.stream, bytes)) {
    gone();
    return false;
  }
  if (to.out.empty()) return true;
  if (was_empty) thread_.loop.watch_writing(to.stream.socket(), to, true);
  if (to.out.waiting() >= thread_.options().high_water_bytes && to.stuck_until == kNever) {
    to.stuck_until = thread_.loop.now() + thread_.options().slow_reader_timeout;
    schedule();
  }
  return true;
}

void Connection::drain(Side& side) {
  if (!side.out.flush(side.stream)) return gone();
  if (side.out.waiting() <= thread_.options().high_water_bytes / 2) {
    side.stuck_until = kNever;
    drained(side);
    if (gone_) return;
  }
  if (!side.out.empty()) return;
  thread_.loop.watch_writing(side.stream.socket(), side, false);
  if (side.finish) side.stream.finish_writing();
}

void Connection::pause(Side& side, Side::Pause why) {
  side.paused |= why;
  if (why == Side::kDelayed) side.room = side.room_min();
}

void Connection::resume(Side& side, Side::Pause why) {
  if ((side.paused & why) == 0) return;
  side.paused &= static_cast<std::uint8_t>(~why);
  // Asks for the edge that was not listened to.
  if (side.paused == 0) thread_.loop.watch_writing(side.stream.socket(), side, !side.out.empty());
}

void Connection::finish(Side& side) {
  side.finish = true;
  if (side.out.empty()) side.stream.finish_writing();
}

epoll::LoopTime Connection::next_deadline() const {
  const Options& options = thread_.options();
  epoll::LoopTime next = std::min(close_by_, client_.stuck_until);
  if (closing_) return next;
  next = std::min(next, last_heard_ + options.idle_timeout);
  if (options.ping_interval > Duration::zero() && !pinged_)
    next = std::min(next, last_heard_ + options.ping_interval);
  return next;
}

void Connection::schedule() {
  if (gone_) return;
  const epoll::LoopTime next = next_deadline();
  if (next != kNever) thread_.loop.arm(*this, next - thread_.loop.now());
}

void Connection::on_timer() {
  check_deadlines(thread_.loop.now());
  schedule();
}

void Connection::check_deadlines(epoll::LoopTime now) {
  const Options& options = thread_.options();
  if (client_.stuck_until <= now) {
    thread_.counters.closings[static_cast<std::size_t>(Closing::kSlowReader)].add();
    // Megabytes may wait in the system for somebody who does not read: they go at once.
    client_.stream.reset();
    return gone();
  }
  if (close_by_ <= now) return gone();
  if (closing_) return;
  if (last_heard_ + options.idle_timeout <= now)
    return end(wire::CloseCode::kGoingAway, "idle", Closing::kIdle);
  if (options.ping_interval > Duration::zero() && !pinged_ &&
      last_heard_ + options.ping_interval <= now)
    ping(now);
}

void Connection::ping(epoll::LoopTime) {
  pinged_ = true;
  if (client_.mid_frame) return;  // it is being sent to: it will be heard of
  std::string frame;
  wire::append_frame(frame, wire::Opcode::kPing, kPingPayload);
  (void)send(client_, frame);
}

bool Connection::is_own_pong(const wire::FramePart& part) {
  if (!pinged_ || part.opcode != wire::Opcode::kPong || !part.is_whole_message()) return false;
  if (unmask(part) != kPingPayload) return false;
  pinged_ = false;
  schedule();
  return true;
}

traffic::Event Connection::event(traffic::EventKind kind) const {
  traffic::Event event;
  event.user = identity_->user();
  event.address = identity_->address();
  event.kind = kind;
  event.connection = id_;
  event.time = thread_.engine.now();
  return event;
}

traffic::Verdict Connection::judge(wire::Opcode opcode,
                                   std::uint64_t bytes,
                                   std::optional<std::string_view> plain) {
  traffic::Event message = message_event();
  message.bytes = in_32_bits(bytes);
  traffic::Name channel;
  if (plain && !plain->empty()) {
    message.content_hash = hash64(*plain);
    if (opcode == wire::Opcode::kText) {
      const Thread::Said said = thread_.said_in(*plain);
      if (said.signal) message.content_hash = traffic::kSignalContent;
      if (!said.channel.empty() && said.channel.size() <= traffic::kChannelBytesMax) {
        channel = traffic::Name(said.channel);
        message.channels = {&channel, 1};
      }
    }
  }
  return thread_.engine.decide(message);
}

traffic::Verdict Connection::judge_rest(std::uint64_t counted,
                                        std::uint64_t bytes,
                                        traffic::Beginning begun) {
  traffic::Event message = event(traffic::EventKind::kContinued);
  message.begun = begun;
  message.bytes = in_32_bits(bytes);
  message.counted = in_32_bits(counted);
  return thread_.engine.decide(message);
}

void Connection::report_failure() {
  traffic::Event failed = event(traffic::EventKind::kFailed);
  failed.error = true;
  thread_.engine.failed(failed);
}

traffic::Decision Connection::apply(traffic::Verdict verdict) {
  const auto reason = static_cast<std::size_t>(verdict.reason);
  Counters& counters = thread_.counters;
  harden(verdict);
  const traffic::Decision decision = verdict.decision;
  switch (decision) {
    case traffic::Decision::kAllow:
      if (verdict.shadow != traffic::Decision::kAllow) counters.shadow[reason].add();
      return decision;
    case traffic::Decision::kDelay:
      counters.delayed[reason].add();
      break;
    case traffic::Decision::kDrop:
      counters.dropped[reason].add();
      break;
    case traffic::Decision::kClose:
      counters.closed_by_limit[reason].add();
      return decision;
  }
  if (thread_.options().tell_limits) tell(verdict);
  return decision;
}

/// Makes a delay that the gateway does not grant a drop, and one too many of them a close.
void Connection::harden(traffic::Verdict& verdict) {
  const traffic::Decision said = verdict.decision;
  if (said == traffic::Decision::kDelay && verdict.retry_after > thread_.options().delay_max)
    verdict.decision = traffic::Decision::kDrop;
  if (held_back_too_long(verdict.decision)) verdict.decision = traffic::Decision::kClose;
  if (verdict.decision == said) return;
  const bool closes = verdict.decision == traffic::Decision::kClose;
  (closes ? thread_.counters.delays_closed : thread_.counters.delays_dropped).add();
  thread_.engine.hardened(message_event(), verdict);
}

/// Whoever sends faster than allowed without a pause is delayed, message after message, for as long
/// as what the system holds of him lasts, be he still there or not.
bool Connection::held_back_too_long(traffic::Decision decision) {
  const Duration longest = thread_.options().held_back_max;
  if (decision == traffic::Decision::kAllow) held_since_ = kNever;
  if (decision != traffic::Decision::kDelay || longest == Duration::zero()) return false;
  if (held_since_ == kNever) held_since_ = thread_.loop.now();
  return thread_.loop.now() - held_since_ >= longest;
}

void Connection::tell(const traffic::Verdict& verdict) {
  if (client_.mid_frame || !may_insert_message()) return;
  std::string frame;
  const double wait = verdict.retry_after == Duration::max() ? -1 : seconds(verdict.retry_after);
  wire::append_frame(frame,
                     wire::Opcode::kText,
                     fmt::format(R"({{"type":"ratelimit","policy":"{}","r":0,"t":{:.3f}}})",
                                 traffic::name(verdict.reason),
                                 wait));
  (void)send(client_, frame);
}

std::string_view Connection::unmask(const wire::FramePart& part) {
  wire::apply_mask(part.mask, part.payload, thread_.plain.data());
  return {thread_.plain.data(), part.payload.size()};
}

void Connection::count(const wire::FramePart& part, Direction direction) {
  thread_.count(message_type(part.opcode), direction);
}

Connection::Ending Connection::ending(const traffic::Verdict& verdict) {
  if (verdict.reason == traffic::Reason::kMessageSize)
    return {wire::CloseCode::kMessageTooBig, "message too large", Closing::kMessageTooLarge};
  if (verdict.reason == traffic::Reason::kFinding)
    return {wire::CloseCode::kPolicyViolation, "policy violation", Closing::kFinding};
  const bool for_now =
      verdict.reason != traffic::Reason::kBlocked && verdict.retry_after != Duration::max();
  if (for_now) return {wire::CloseCode::kTryAgainLater, "rate limit", Closing::kRateLimited};
  return {wire::CloseCode::kPolicyViolation, "policy violation", Closing::kBlocked};
}

Connection::Ending Connection::ending(wire::FrameFault fault) {
  const bool large = fault == wire::FrameFault::kMessageTooLarge;
  return {wire::close_code(fault),
          wire::name(fault),
          large ? Closing::kMessageTooLarge : Closing::kProtocolError};
}

void Connection::end(wire::CloseCode code, std::string_view reason, Closing why) {
  if (closing_ || gone_) return;
  closing_ = true;
  thread_.counters.closings[static_cast<std::size_t>(why)].add();
  if (!client_.mid_frame) {
    std::string frame;
    wire::append_close(frame, code, reason);
    if (!send(client_, frame)) return;
  }
  finish(client_);
  farewell(code, reason);
  client_.paused = 0;
  close_by(thread_.options().close_timeout);
  // The client's last bytes are read and thrown away: closing over them would reset the connection
  // and take the close frame with it.
  if (!gone_) thread_.loop.watch_writing(client_.stream.socket(), client_, !client_.out.empty());
}

void Connection::shut_down() {
  end(wire::CloseCode::kGoingAway, "shutting down", Closing::kShuttingDown);
}

bool Connection::end_if_blocked(const traffic::Name& user) {
  if (closing_ || gone_ || identity_->user().text != user.text) return false;
  const traffic::Event here = event(traffic::EventKind::kConnect);
  if (!thread_.engine.blocks(here)) return false;
  traffic::Verdict verdict;
  verdict.decision = verdict.shadow = verdict.observed = traffic::Decision::kClose;
  verdict.reason = traffic::Reason::kBlocked;
  verdict.retry_after = Duration::max();
  thread_.counters.closed_by_limit[static_cast<std::size_t>(verdict.reason)].add();
  thread_.engine.hardened(here, verdict);
  const Ending how = ending(verdict);
  end(how.code, how.reason, how.why);
  return true;
}

void Connection::close_by(Duration delay) {
  if (gone_) return;
  close_by_ = std::min(close_by_, thread_.loop.now() + delay);
  schedule();
}

void Connection::gone() {
  if (gone_) return;
  gone_ = true;
  cancel();
  client_.stream.close();
  released();
  (void)thread_.engine.decide(event(traffic::EventKind::kDisconnect));
  thread_.census.leave(identity_->user().hash, identity_->address().hash);
  thread_.counters.closed.add();
  thread_.connection_seconds.observe(thread_.loop.now() - began_);
  thread_.loop.retire(take_out(thread_.connections, place_));
}

}  // namespace liminal::gateway
