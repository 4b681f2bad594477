#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/wire/content_check.hpp"
#include "server/gateway/connection.hpp"

namespace liminal::gateway {

/// A connection with an upstream behind it: frames go through as they are, byte for byte, under
/// the client's own mask; they are only looked at.
///
/// Guarantee: no byte of a data message goes to the upstream before the engine let the message
/// pass. A message that arrives within the hold's bounds is judged whole, by content; one that is
/// longer or slower by what is known of it by then, and its whole size is told at its end. A
/// dropped message goes with all its fragments; control frames always pass. The order of data
/// messages is kept.
class Relay final : public Connection {
 public:
  /// `early`: what the upstream sent behind its 101.
  Relay(Thread& thread,
        std::unique_ptr<Identity> identity,
        epoll::Stream client,
        epoll::Stream upstream,
        std::shared_ptr<Upstream> server,
        std::uint64_t id,
        std::string early);
  ~Relay() override;

  void start() override;
  void reconfigured() override;

 protected:
  void received(Side& side, std::string_view bytes) override;
  void on_end(Side& side) override;
  void drained(Side& side) override;
  void forget_held() override;
  void farewell(wire::CloseCode code, std::string_view reason) override;
  void released() override;
  [[nodiscard]] bool may_insert_message() const override {
    return !upstream_.parser.inside_message();
  }
  [[nodiscard]] epoll::LoopTime next_deadline() const override;
  /// When it ends because new connections do not go to its upstream any more.
  [[nodiscard]] epoll::LoopTime drain_by() const;
  void check_deadlines(epoll::LoopTime now) override;

 private:
  /// What happens to the client's message that is under way.
  enum class Phase : std::uint8_t { kNone, kHold, kDelay, kForward, kDrop };

  /// Bytes of a message that waits to be judged, or was judged and is delayed.
  struct Hold {
    std::string raw;      ///< as it came
    std::string plain;    ///< its payload without masks
    std::string backlog;  ///< what came behind a delayed message, not looked at yet
    std::uint64_t bytes = 0;
    epoll::LoopTime until{};
    wire::Opcode opcode{};
    bool mid_frame = false;
    bool ended = false;
  };

  void from_client(std::string_view bytes);
  void from_upstream(std::string_view bytes);
  void take(const wire::FramePart& part, std::string_view source);
  void take_control(const wire::FramePart& part, std::string_view source);
  void begin(const wire::FramePart& part, std::string_view source);
  void hold(const wire::FramePart& part);
  void keep(const wire::FramePart& part);
  void decide(const wire::FramePart& part, std::optional<std::string_view> plain, Gather& out);
  void forward(const wire::FramePart& part, std::string_view source);
  void settle_end(const wire::FramePart& part);
  /// Judges what is held by what is known of it.
  void release_hold();
  void release_delay();
  void look_for_error(const wire::FramePart& part);
  void pass(Side& from, Side& to, std::string_view bytes);
  /// A message went on its way.
  void tally(Direction direction) { tally_.messages[static_cast<std::size_t>(direction)].add(); }
  [[nodiscard]] bool content_is_good(const wire::FramePart& part);
  [[nodiscard]] Side& opposite(Side& side) { return &side == &client_ ? upstream_ : client_; }

  Side upstream_;
  std::shared_ptr<Upstream> server_;
  UpstreamTally& tally_;  ///< of `server_`, this thread's; not after `released`
  std::unique_ptr<Hold> hold_;
  std::unique_ptr<wire::ContentCheck> content_;
  std::string early_;
  std::uint64_t judged_bytes_ = 0;  ///< of the message under way
  std::optional<Ending> ending_;
  Phase phase_ = Phase::kNone;
  traffic::Beginning begun_;  ///< what was said of `judged_bytes_`
};

}  // namespace liminal::gateway
