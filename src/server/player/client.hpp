#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/random.hpp"
#include "core/wire/handshake_key.hpp"
#include "core/wire/message_reader.hpp"
#include "core/wire/upgrade_response.hpp"
#include "io/epoll/loop.hpp"
#include "io/epoll/stream.hpp"
#include "server/player/target.hpp"

namespace liminal::player {

class Client;

/// Whoever wants to know what happens to clients. Not called from inside a call to the client,
/// but `closed` from inside `cut`.
class ClientOwner {
 public:
  virtual ~ClientOwner() = default;
  virtual void opened(Client& client) = 0;
  virtual void received(Client& client, const wire::Message& message) = 0;
  /// The last word: the client may be given to `Loop::retire` from here, not destroyed.
  virtual void closed(Client& client) = 0;
};

/// One WebSocket connection to a server, on a loop. Answers pings and closes on its own.
///
/// What is sent before the connection is open waits for it. Bounded: `kWaitingBytesMax` of what
/// waits to be sent, a megabyte of an arriving message, fixed times for opening and closing.
/// Memory: 700 bytes and what waits. Thread rule: its loop's thread.
class Client final : public epoll::Handler, public epoll::Retired {
 public:
  static constexpr std::size_t kWaitingBytesMax = std::size_t{1} << 20U;

  enum class State : std::uint8_t {
    kNew,
    kConnecting,
    kGreeting,
    kUpgrading,
    kOpen,
    kClosing,
    kClosed
  };

  /// Why it is closed.
  enum class End : std::uint8_t {
    kNone,
    kClosed,        ///< both sides said so
    kUnreachable,   ///< no connection
    kUntrusted,     ///< no TLS with who was asked for: `problem` says why
    kRefused,       ///< an answer that is no 101: `status` says which
    kNotWebSocket,  ///< an answer or frames that break the protocol
    kBroken,        ///< the connection ended without a word
    kTimedOut,      ///< opening or closing took too long
  };

  /// `random`: for keys and masks; secrecy does not matter to a load generator.
  Client(epoll::Loop& loop, ClientOwner& owner, std::uint64_t random);

  /// Begins to connect; `fields` are added to the request, their values without control characters.
  /// False when the system refuses at once: `closed` is not called.
  [[nodiscard]] bool start(const Target& target, std::span<const wire::Field> fields);

  /// Sends a text message, or queues it. False when too much waits, or after `close`.
  [[nodiscard]] bool send(std::string_view text);

  /// Says goodbye behind what waits; `closed` follows.
  void close(wire::CloseCode code = wire::CloseCode::kNormal);
  /// Ends it without a word.
  void cut() { end(End::kBroken); }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] End why() const { return end_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// Of the refused upgrade.
  [[nodiscard]] unsigned status() const { return status_; }
  /// What the server's close frame said; `kAbnormal` when there was none.
  [[nodiscard]] wire::CloseCode close_code() const { return close_code_; }

  /// For the owner's use: where it keeps what it knows of this client.
  std::uint64_t key = 0;
  std::uint64_t waiting = 0;  ///< messages that it was given before it was open

  void on_ready(epoll::Ready ready) override;

 private:
  class Deadline : public epoll::Timer {
   public:
    explicit Deadline(Client& client) : client_(client) {}
    void on_timer() override { client_.end(End::kTimedOut); }

   private:
    Client& client_;
  };

  void connect_further(epoll::Ready ready);
  void greet();
  void read();
  void take(std::string_view bytes);
  void take_answer(std::string_view bytes);
  void take_frames(std::string_view bytes);
  void take_message(const wire::Message& message);
  void opened();
  void say_goodbye(wire::CloseCode code);
  void flush();
  void end(End why);
  [[nodiscard]] wire::Mask next_mask();

  epoll::Loop& loop_;
  ClientOwner& owner_;
  epoll::Stream stream_;
  CipherMaker cipher_;  ///< until it is used
  std::string name_;    ///< of the host
  Deadline deadline_{*this};
  Random random_;
  std::array<char, wire::kKeyChars> key_{};
  wire::UpgradeResponseReader answer_;
  wire::MessageReader reader_;
  std::string head_;   ///< of the answer, while it arrives
  std::string early_;  ///< frames that wait for the connection to be open
  std::string out_;
  std::size_t sent_ = 0;  ///< of `out_`
  State state_ = State::kNew;
  End end_ = End::kNone;
  std::string problem_;
  unsigned status_ = 0;
  wire::CloseCode close_code_ = wire::CloseCode::kAbnormal;
  bool goodbye_ = false;  ///< a close frame stands in what is or will be sent
  bool wants_writing_ = false;
};

}  // namespace liminal::player
