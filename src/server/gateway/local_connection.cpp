#include "server/gateway/local_connection.hpp"

#include <algorithm>

#include "core/wire/frame_writer.hpp"

namespace liminal::gateway {

LocalConnection::LocalConnection(Thread& thread,
                                 std::unique_ptr<Identity> identity,
                                 epoll::Stream client,
                                 std::uint64_t id)
    : Connection(thread, std::move(identity), std::move(client), id) {}

void LocalConnection::start() {
  opened_ = true;
  thread_.service->opened(*this);
  thread_.loop.watch_writing(client_.stream.socket(), client_, !client_.out.empty());
  schedule();
}

void LocalConnection::received(Side&, std::string_view bytes) {
  thread_.counters.bytes[static_cast<std::size_t>(Direction::kIn)].add(bytes.size());
  process(bytes);
}

void LocalConnection::process(std::string_view bytes) {
  std::string_view rest = bytes;
  while (!delayed_ && !ending_) {
    const auto part = client_.parser.next(rest, thread_.options().client_frames);
    if (!part) break;
    take(*part);
    if (gone_) return;
  }
  if (delayed_) {
    delayed_->backlog.assign(rest);
    pause(client_, Side::kDelayed);
  } else if (!ending_ && client_.parser.fault() != wire::FrameFault::kNone) {
    ending_ = ending(client_.parser.fault());
  }
  if (ending_) mark_dirty();
}

void LocalConnection::take(const wire::FramePart& part) {
  const std::string_view plain = unmask(part);
  if (part.message_begins) count(part, Direction::kIn);
  const wire::ContentFault fault = content_.check(part, plain);
  if (fault != wire::ContentFault::kNone) {
    ending_ = {wire::close_code(fault), wire::name(fault), Closing::kInvalidContent};
    return;
  }
  if (wire::is_control(part.opcode)) return take_control(part, plain);
  if (part.is_whole_message()) return take_message(part.opcode, plain);
  if (!message_) message_ = std::make_unique<std::string>();
  message_->append(plain);
  if (!part.message_ends) return;
  const std::unique_ptr<std::string> whole = std::move(message_);
  take_message(part.opcode, *whole);
}

void LocalConnection::take_control(const wire::FramePart& part, std::string_view plain) {
  if (is_own_pong(part)) return;
  // A control frame comes whole but for a rare cut; its beginning then waits in the pong itself.
  if (part.opcode == wire::Opcode::kPing) {
    if (part.frame_begins) {
      client_.out.queue(wire::FrameHeader(wire::Opcode::kPong, true, part.frame_bytes, {}).bytes());
      thread_.count(MessageType::kPong, Direction::kOut);
    }
    client_.out.queue(plain);
    client_.mid_frame = !part.frame_ends;
    mark_dirty();
  }
  if (part.opcode == wire::Opcode::kClose && part.frame_ends)
    ending_ = {content_.received_code(), {}, Closing::kClient};
}

void LocalConnection::take_message(wire::Opcode opcode, std::string_view payload) {
  const traffic::Verdict verdict = judge(opcode, payload.size(), payload);
  switch (apply(verdict)) {
    case traffic::Decision::kAllow:
      thread_.service->received(*this, opcode, payload);
      break;
    case traffic::Decision::kDelay:
      delayed_ = std::make_unique<Delayed>();
      delayed_->payload = payload;
      delayed_->opcode = opcode;
      delayed_->until = thread_.loop.now() + verdict.retry_after;
      schedule();
      break;
    case traffic::Decision::kDrop:
      break;
    case traffic::Decision::kClose:
      ending_ = ending(verdict);
      break;
  }
}

bool LocalConnection::send(std::string_view frames) {
  if (gone_ || closing_ || ending_) return false;
  const std::size_t high_water = thread_.options().high_water_bytes;
  // Between the pieces of a pong nothing may stand; a peer that slow is treated as a slow one.
  if (client_.mid_frame || client_.out.waiting() > high_water) {
    if (client_.stuck_until == kNever && !client_.out.empty()) {
      client_.stuck_until = thread_.loop.now() + thread_.options().slow_reader_timeout;
      schedule();
    }
    return false;
  }
  client_.out.queue(frames);
  thread_.counters.bytes[static_cast<std::size_t>(Direction::kOut)].add(frames.size());
  thread_.count(MessageType::kText, Direction::kOut);
  mark_dirty();
  return true;
}

void LocalConnection::close(wire::CloseCode code, std::string_view reason) {
  if (gone_ || closing_ || ending_) return;
  service_reason_ = reason;
  ending_ = {code, service_reason_, Closing::kService};
  mark_dirty();
}

void LocalConnection::mark_dirty() {
  if (dirty_) return;
  dirty_ = true;
  thread_.dirty.push_back(this);
}

void LocalConnection::flush() {
  dirty_ = false;
  if (gone_) return;
  if (!client_.out.empty()) {
    if (!client_.out.flush(client_.stream)) return gone();
    if (!client_.out.empty()) thread_.loop.watch_writing(client_.stream.socket(), client_, true);
  }
  if (ending_) end(ending_->code, ending_->reason, ending_->why);
}

void LocalConnection::on_end(Side&) { gone(); }

void LocalConnection::released() {
  if (opened_) thread_.service->closed(*this);
  opened_ = false;
}

epoll::LoopTime LocalConnection::next_deadline() const {
  const epoll::LoopTime next = Connection::next_deadline();
  return delayed_ ? std::min(next, delayed_->until) : next;
}

void LocalConnection::check_deadlines(epoll::LoopTime now) {
  if (delayed_ && delayed_->until <= now && !closing_) {
    const std::unique_ptr<Delayed> waited = std::move(delayed_);
    thread_.service->received(*this, waited->opcode, waited->payload);
    if (!gone_ && !waited->backlog.empty()) process(waited->backlog);
    if (!gone_ && !delayed_) resume(client_, Side::kDelayed);
  }
  if (!gone_) Connection::check_deadlines(now);
}

}  // namespace liminal::gateway
