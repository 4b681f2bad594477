#include "server/gateway/relay.hpp"

#include <algorithm>
#include <functional>

#include "core/base/check.hpp"
#include "core/wire/frame_writer.hpp"

namespace liminal::gateway {
namespace {

bool lies_in(std::string_view piece, std::string_view whole) {
  const std::less<> before;
  return !before(piece.data(), whole.data()) && before(piece.data(), whole.data() + whole.size());
}

/// A header that came in pieces lies in the parser, which will use its place again.
void add_part(Gather& out, const wire::FramePart& part, std::string_view source) {
  if (lies_in(part.header, source)) {
    out.add(part.header);
  } else if (!part.header.empty()) {
    out.add_copy(part.header);
  }
  out.add(part.payload);
}

}  // namespace

Relay::Relay(Thread& thread,
             std::unique_ptr<Identity> identity,
             epoll::Stream client,
             epoll::Stream upstream,
             std::shared_ptr<Upstream> server,
             std::uint64_t id,
             std::string early)
    : Connection(thread, std::move(identity), std::move(client), id),
      upstream_(*this, std::move(upstream), wire::Sender::kServer),
      server_(std::move(server)),
      tally_(server_->tally(thread.index)),
      early_(std::move(early)) {
  if (thread_.options().check_content) content_ = std::make_unique<wire::ContentCheck>();
}

Relay::~Relay() { released(); }

void Relay::start() {
  if (!early_.empty()) {
    const std::string early = std::move(early_);
    early_ = {};
    from_upstream(early);
    if (gone_) return;
  }
  // Takes both sockets over from the handshake, with whatever is readable by now.
  thread_.loop.watch_writing(client_.stream.socket(), client_, !client_.out.empty());
  thread_.loop.watch_writing(upstream_.stream.socket(), upstream_, false);
  schedule();
}

void Relay::reconfigured() {
  if (drain_by() != kNever) schedule();
}

epoll::LoopTime Relay::drain_by() const {
  const Duration timeout = thread_.options().drain_timeout;
  const epoll::LoopTime since = server_->draining_since();
  return timeout > Duration::zero() && since > Duration::zero() ? since + timeout : kNever;
}

void Relay::received(Side& side, std::string_view bytes) {
  if (&side == &client_) {
    thread_.counters.bytes[static_cast<std::size_t>(Direction::kIn)].add(bytes.size());
    from_client(bytes);
  } else {
    from_upstream(bytes);
  }
}

/// Sends on, and stops reading where more arrives than leaves.
void Relay::pass(Side& from, Side& to, std::string_view bytes) {
  if (bytes.empty()) return;
  const Direction direction = &to == &upstream_ ? Direction::kIn : Direction::kOut;
  tally_.bytes[static_cast<std::size_t>(direction)].add(bytes.size());
  if (!send(to, bytes)) return;
  if (to.stuck_until != kNever) pause(from, Side::kFull);
}

void Relay::from_client(std::string_view bytes) {
  thread_.gather.clear();
  std::string_view rest = bytes;
  while (phase_ != Phase::kDelay && !ending_) {
    const auto part = client_.parser.next(rest, thread_.options().client_frames);
    if (!part) break;
    take(*part, bytes);
    if (gone_) return;
  }
  if (phase_ == Phase::kDelay) {
    hold_->backlog.assign(rest);
    pause(client_, Side::kDelayed);
  } else if (!ending_ && client_.parser.fault() != wire::FrameFault::kNone) {
    ending_ = ending(client_.parser.fault());
  }
  pass(client_, upstream_, thread_.gather.bytes());
  if (ending_ && !gone_) end(ending_->code, ending_->reason, ending_->why);
}

void Relay::take(const wire::FramePart& part, std::string_view source) {
  if (content_ && !content_is_good(part)) return;
  if (wire::is_control(part.opcode)) return take_control(part, source);
  if (part.message_begins) {
    count(part, Direction::kIn);
    begin(part, source);
  } else {
    switch (phase_) {
      case Phase::kHold:
        hold(part);
        break;
      case Phase::kForward:
        forward(part, source);
        break;
      case Phase::kNone:
      case Phase::kDelay:
      case Phase::kDrop:
        break;
    }
  }
  if (part.message_ends) settle_end(part);
}

void Relay::take_control(const wire::FramePart& part, std::string_view source) {
  if (part.frame_begins) {
    if (is_own_pong(part)) return;
    count(part, Direction::kIn);
    tally(Direction::kIn);
  }
  forward(part, source);
  if (client_.parser.closed()) close_by(thread_.options().slow_reader_timeout);
}

void Relay::begin(const wire::FramePart& part, std::string_view source) {
  const std::size_t hold_max = thread_.options().hold_bytes_max;
  if (!part.message_ends && part.frame_bytes <= hold_max && hold_max > 0) {
    phase_ = Phase::kHold;
    hold_ = std::make_unique<Hold>();
    hold_->opcode = part.opcode;
    hold_->until = thread_.loop.now() + thread_.options().hold_time_max;
    schedule();
    return hold(part);
  }
  std::optional<std::string_view> plain;
  if (part.message_ends) plain = unmask(part);
  decide(part, plain, thread_.gather);
  if (phase_ == Phase::kForward) forward(part, source);
  if (phase_ == Phase::kDelay) keep(part);
}

/// Adds a part to what waits, and judges when it is whole or enough.
void Relay::hold(const wire::FramePart& part) {
  keep(part);
  hold_->plain.append(unmask(part));
  if (part.message_ends) {
    const std::string plain = std::move(hold_->plain);
    decide(part, plain, thread_.gather);
  } else if (hold_->raw.size() > thread_.options().hold_bytes_max) {
    decide(part, std::nullopt, thread_.gather);
  }
}

void Relay::keep(const wire::FramePart& part) {
  hold_->raw.append(part.header).append(part.payload);
  hold_->bytes = part.message_bytes;
  hold_->mid_frame = !part.frame_ends;
  hold_->ended = part.message_ends;
}

/// Asks about a message and, when it may pass, puts what was held of it into `out`.
void Relay::decide(const wire::FramePart& part,
                   std::optional<std::string_view> plain,
                   Gather& out) {
  judged_bytes_ = part.message_bytes;
  const traffic::Verdict verdict = judge(part.opcode, part.message_bytes, plain);
  begun_ = traffic::Beginning(verdict);
  switch (apply(verdict)) {
    case traffic::Decision::kAllow:
      phase_ = Phase::kForward;
      tally(Direction::kIn);
      if (hold_) {
        out.add_copy(hold_->raw);
        upstream_.mid_frame = hold_->mid_frame;
      }
      hold_.reset();
      break;
    case traffic::Decision::kDelay:
      phase_ = Phase::kDelay;
      if (!hold_) hold_ = std::make_unique<Hold>();
      hold_->until = thread_.loop.now() + verdict.retry_after;
      schedule();
      break;
    case traffic::Decision::kClose:
      ending_ = ending(verdict);
      [[fallthrough]];
    case traffic::Decision::kDrop:
      phase_ = Phase::kDrop;
      hold_.reset();
      break;
  }
}

void Relay::forward(const wire::FramePart& part, std::string_view source) {
  add_part(thread_.gather, part, source);
  upstream_.mid_frame = !part.frame_ends;
}

/// The end of a message: what came more than was judged is told now, as part of the same message.
/// It has passed, but its sender answers for it.
void Relay::settle_end(const wire::FramePart& part) {
  if (phase_ == Phase::kForward && part.message_bytes > judged_bytes_) {
    const traffic::Verdict verdict = judge_rest(judged_bytes_, part.message_bytes, begun_);
    if (verdict.decision == traffic::Decision::kClose) {
      (void)apply(verdict);
      ending_ = ending(verdict);
    }
  }
  if (phase_ != Phase::kDelay) phase_ = Phase::kNone;
}

void Relay::release_hold() {
  wire::FramePart known;
  known.opcode = hold_->opcode;
  known.message_bytes = hold_->bytes;
  thread_.gather.clear();
  decide(known, std::nullopt, thread_.gather);
  if (phase_ == Phase::kDelay) return pause(client_, Side::kDelayed);
  pass(client_, upstream_, thread_.gather.bytes());
  if (ending_ && !gone_) end(ending_->code, ending_->reason, ending_->why);
}

void Relay::release_delay() {
  const std::unique_ptr<Hold> held = std::move(hold_);
  phase_ = held->ended ? Phase::kNone : Phase::kForward;
  upstream_.mid_frame = held->mid_frame;
  tally(Direction::kIn);
  pass(client_, upstream_, held->raw);
  if (gone_) return;
  if (!held->backlog.empty()) from_client(held->backlog);
  if (!gone_ && phase_ != Phase::kDelay) resume(client_, Side::kDelayed);
}

void Relay::from_upstream(std::string_view bytes) {
  thread_.counters.bytes[static_cast<std::size_t>(Direction::kOut)].add(bytes.size());
  thread_.gather.clear();
  std::string_view rest = bytes;
  const bool looks = !thread_.options().error_values.empty();
  while (const auto part = upstream_.parser.next(rest, thread_.options().upstream_frames)) {
    if (part->message_begins) {
      count(*part, Direction::kOut);
      tally(Direction::kOut);
    }
    if (looks && part->opcode == wire::Opcode::kText && part->is_whole_message())
      look_for_error(*part);
    add_part(thread_.gather, *part, bytes);
    client_.mid_frame = !part->frame_ends;
  }
  pass(upstream_, client_, thread_.gather.bytes());
  if (gone_) return;
  if (upstream_.parser.closed()) close_by(thread_.options().slow_reader_timeout);
  if (upstream_.parser.fault() != wire::FrameFault::kNone)
    end(wire::CloseCode::kBadGateway, "the server broke the protocol", Closing::kUpstreamFault);
}

void Relay::look_for_error(const wire::FramePart& part) {
  const Options& options = thread_.options();
  if (part.payload.size() > options.error_bytes_max) return;
  const std::string_view text = thread_.error_of(part.payload);
  if (text.empty() || std::find(options.error_values.begin(), options.error_values.end(), text) ==
                          options.error_values.end())
    return;
  thread_.counters.upstream_errors.add();
  tally_.error_answers.add();
  report_failure();
}

bool Relay::content_is_good(const wire::FramePart& part) {
  if (part.opcode != wire::Opcode::kText && part.opcode != wire::Opcode::kClose) return true;
  const wire::ContentFault fault = content_->check(part, unmask(part));
  if (fault == wire::ContentFault::kNone) return true;
  ending_ = {wire::close_code(fault), wire::name(fault), Closing::kInvalidContent};
  return false;
}

void Relay::on_end(Side& side) {
  if (closing_) {
    if (client_.ended) gone();
    return;
  }
  Side& other = opposite(side);
  finish(other);
  if (other.ended && other.out.empty() && side.out.empty()) return gone();
  // What a slow reader still has to read may take as long as it may at any other time.
  close_by(other.out.empty() ? thread_.options().close_timeout
                             : thread_.options().slow_reader_timeout);
}

void Relay::drained(Side& side) {
  Side& source = opposite(side);
  if (source.ended && side.ended && source.out.empty() && side.out.empty()) return gone();
  resume(source, Side::kFull);
}

void Relay::forget_held() {
  hold_.reset();
  phase_ = Phase::kNone;
}

void Relay::farewell(wire::CloseCode code, std::string_view reason) {
  forget_held();
  if (!upstream_.mid_frame) {
    // Any key does: what it hides is written here, and the peer is the operator's own.
    const auto key = wire::Mask::from_bits(static_cast<std::uint32_t>(mix64(id_)));
    std::string frame;
    wire::append_close(frame, code, reason, key);
    if (!send(upstream_, frame)) return;
  }
  finish(upstream_);
}

void Relay::released() {
  upstream_.stream.close();
  if (server_) server_->left();
  server_.reset();
}

epoll::LoopTime Relay::next_deadline() const {
  epoll::LoopTime next = std::min(Connection::next_deadline(), upstream_.stuck_until);
  if (!closing_) next = std::min(next, drain_by());
  return hold_ ? std::min(next, hold_->until) : next;
}

void Relay::check_deadlines(epoll::LoopTime now) {
  if (hold_ && hold_->until <= now && !closing_) {
    if (phase_ == Phase::kHold) {
      release_hold();
    } else {
      release_delay();
    }
  }
  if (gone_) return;
  if (upstream_.stuck_until <= now && !closing_) {
    upstream_.stuck_until = kNever;
    return end(
        wire::CloseCode::kTryAgainLater, "the server does not keep up", Closing::kUpstreamFault);
  }
  if (!closing_ && drain_by() <= now)
    return end(
        wire::CloseCode::kGoingAway, "the server behind goes away", Closing::kUpstreamDrained);
  Connection::check_deadlines(now);
}

}  // namespace liminal::gateway
