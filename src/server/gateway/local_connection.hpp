#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/wire/content_check.hpp"
#include "server/gateway/connection.hpp"

namespace liminal::gateway {

/// A connection that is answered here, by a `LocalService`: messages are put together, checked and
/// judged before the service has them; pings and closes are answered.
class LocalConnection final : public Connection, public LocalPeer {
 public:
  LocalConnection(Thread& thread,
                  std::unique_ptr<Identity> identity,
                  epoll::Stream client,
                  std::uint64_t id);

  void start() override;
  void flush() override;

  [[nodiscard]] const traffic::Name& user() const override { return identity_->user(); }
  [[nodiscard]] const traffic::Name& address() const override { return identity_->address(); }
  [[nodiscard]] std::uint64_t id() const override { return id_; }
  [[nodiscard]] bool send(std::string_view frames) override;
  void failed() override { report_failure(); }
  void close(wire::CloseCode code, std::string_view reason) override;

 protected:
  void received(Side& side, std::string_view bytes) override;
  void on_end(Side& side) override;
  void drained(Side&) override {}
  void forget_held() override { delayed_.reset(); }
  void farewell(wire::CloseCode, std::string_view) override { forget_held(); }
  void released() override;
  [[nodiscard]] bool may_insert_message() const override { return true; }
  [[nodiscard]] epoll::LoopTime next_deadline() const override;
  void check_deadlines(epoll::LoopTime now) override;

 private:
  /// A message that was judged and waits, and what came behind it.
  struct Delayed {
    std::string payload, backlog;
    wire::Opcode opcode{};
    epoll::LoopTime until{};
  };
  void process(std::string_view bytes);
  void take(const wire::FramePart& part);
  void take_control(const wire::FramePart& part, std::string_view plain);
  void take_message(wire::Opcode opcode, std::string_view payload);
  void mark_dirty();

  wire::ContentCheck content_;
  std::unique_ptr<std::string> message_;  ///< of a fragmented or slow message, what is there of it
  std::unique_ptr<Delayed> delayed_;
  std::optional<Ending> ending_;
  std::string service_reason_;
  bool dirty_ = false;
  bool opened_ = false;
};

}  // namespace liminal::gateway
