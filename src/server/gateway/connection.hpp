#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/wire/close.hpp"
#include "core/wire/frame_parser.hpp"
#include "io/epoll/loop.hpp"
#include "io/epoll/stream.hpp"
#include "server/gateway/thread.hpp"

namespace liminal::gateway {

inline constexpr epoll::LoopTime kNever = epoll::LoopTime::max();

/// One end of a connection: its socket, what waits to be sent to it, how far what it sends is read.
class Side final : public epoll::Handler {
 public:
  Side(Connection& owner, epoll::Stream s, wire::Sender from)
      : stream(std::move(s)), parser(from), room(room_min()), owner_(owner) {}
  void on_ready(epoll::Ready ready) override;
  [[nodiscard]] std::uint32_t room_min() const {
    return stream.ciphered() ? kCipherRoomMin : kRoomMin;
  }

  enum Pause : std::uint8_t { kFull = 1, kDelayed = 2 };
  /// A read begins with this much room and has four times as much whenever it was filled, until
  /// what it brought was beyond a limit. Ciphers give records of 16 KiB whole.
  static constexpr std::uint32_t kRoomMin = 4 * 1024, kCipherRoomMin = 16 * 1024;

  epoll::Stream stream;
  Outbox out;
  wire::FrameParser parser;
  epoll::LoopTime stuck_until = kNever;  ///< cut off then: too much has been waiting
  std::uint32_t room;                    ///< of a read: what comes beyond a limit must be kept
  std::uint8_t paused = 0;               ///< why nothing is read from it (`Pause`)
  bool ended = false;                    ///< it sends nothing more
  bool mid_frame = false;                ///< what was sent to it ends inside a frame
  bool finish = false;                   ///< nothing more is sent to it after what waits

 private:
  Connection& owner_;
};

/// A WebSocket connection that was let in. Owned by its thread's list until it is gone.
///
/// Memory of an idle one: this object and its identity, some 500 bytes; nothing is allocated while
/// messages come whole and readers keep up.
class Connection : public epoll::Retired, protected epoll::Timer {
 public:
  Connection(Thread& thread,
             std::unique_ptr<Identity> identity,
             epoll::Stream client,
             std::uint64_t id);

  /// Starts to serve, in its place of the thread's list.
  virtual void start() = 0;
  /// Ends it with a close frame, because the process ends.
  void shut_down();
  /// Other settings hold from now on.
  virtual void reconfigured() {}
  /// Ends it when it is this user's and the engine blocks him. True: it was.
  bool end_if_blocked(const traffic::Name& user);
  /// Does what was put off to the end of the turn.
  virtual void flush() {}

  void set_place(std::size_t place) { place_ = static_cast<std::uint32_t>(place); }
  void on_ready(Side& side, epoll::Ready ready);

 protected:
  /// Bytes from one side.
  virtual void received(Side& side, std::string_view bytes) = 0;
  /// A side will send nothing more.
  virtual void on_end(Side& side) = 0;
  /// There is room again for what is sent to `side`.
  virtual void drained(Side& side) = 0;
  /// Gives up a message that is held back and what came behind it.
  virtual void forget_held() = 0;
  /// Says farewell to whoever else is on the line.
  virtual void farewell(wire::CloseCode code, std::string_view reason) = 0;
  virtual void released() = 0;
  [[nodiscard]] virtual bool may_insert_message() const = 0;
  /// When `check_deadlines` has something to do.
  [[nodiscard]] virtual epoll::LoopTime next_deadline() const;
  virtual void check_deadlines(epoll::LoopTime now);

  void read(Side& side, bool ended);
  /// Sends or queues; false when the connection is gone.
  bool send(Side& to, std::string_view bytes);
  void drain(Side& side);
  void pause(Side& side, Side::Pause why);
  void resume(Side& side, Side::Pause why);
  void finish(Side& side);
  void schedule();
  void on_timer() override;

  /// Asks the engine about a message. `plain`: its content, when it is known.
  [[nodiscard]] traffic::Verdict judge(wire::Opcode opcode,
                                       std::uint64_t bytes,
                                       std::optional<std::string_view> plain);
  /// Tells the engine that a message which it let through at `counted` bytes, saying `begun`, has
  /// become one of `bytes`: it has passed, so all that can come of it is a close.
  [[nodiscard]] traffic::Verdict judge_rest(std::uint64_t counted,
                                            std::uint64_t bytes,
                                            traffic::Beginning begun);
  /// What a verdict means here: a delay that is too long is a drop. Counts it, tells the client.
  [[nodiscard]] traffic::Decision apply(traffic::Verdict verdict);
  [[nodiscard]] std::string_view unmask(const wire::FramePart& part);
  void count(const wire::FramePart& part, Direction direction);

  /// Ends the connection from here, orderly.
  void end(wire::CloseCode code, std::string_view reason, Closing why);
  /// What `end` shall say once what came before it was sent.
  struct Ending {
    wire::CloseCode code;
    std::string_view reason;
    Closing why;
  };
  [[nodiscard]] static Ending ending(const traffic::Verdict& verdict);
  [[nodiscard]] static Ending ending(wire::FrameFault fault);

  /// Lets the other side finish until then.
  void close_by(Duration delay);
  /// Ends everything at once. The object dies at the end of the turn.
  void gone();

  Thread& thread_;
  const std::unique_ptr<Identity> identity_;
  Side client_;
  const std::uint64_t id_;
  const epoll::LoopTime began_;
  epoll::LoopTime last_heard_;  ///< of the client
  epoll::LoopTime close_by_ = kNever;

 private:
  [[nodiscard]] traffic::Event event(traffic::EventKind kind) const;
  void hung_up(Side& side);
  [[nodiscard]] bool held_back_too_long(traffic::Decision decision);
  void harden(traffic::Verdict& verdict);
  void ping(epoll::LoopTime now);
  void tell(const traffic::Verdict& verdict);

  epoll::LoopTime held_since_ = kNever;  ///< the first of the messages that were all delayed
  std::uint32_t place_ = 0;

 protected:
  [[nodiscard]] traffic::Event message_event() const { return event(traffic::EventKind::kMessage); }
  /// A message that was judged before turned out to be an error of the user's.
  void report_failure();
  /// A pong that answers the gateway's own ping: nobody else's business.
  [[nodiscard]] bool is_own_pong(const wire::FramePart& part);
  bool pinged_ = false;
  bool closing_ = false;
  bool gone_ = false;
};

}  // namespace liminal::gateway
