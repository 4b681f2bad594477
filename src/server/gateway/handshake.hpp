#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/wire/body_reader.hpp"
#include "core/wire/upgrade_request.hpp"
#include "core/wire/upgrade_response.hpp"
#include "io/epoll/loop.hpp"
#include "server/gateway/thread.hpp"

namespace liminal::gateway {

/// A connection on its way in: from the first byte to the 101, or to the refusal.
///
/// The thread that accepted it reads and checks the request and finds the user; the thread that
/// owns the user asks the engine, connects to an upstream, passes the request on and its answer
/// back once that is a valid 101, or a refusal of its own (300 to 599) with its body. Nothing that
/// the client sends before it has the 101 is accepted.
///
/// Memory: 16 KiB at most until the connection is let in, and 32 KiB more while an upstream's
/// refusal arrives.
class Handshake final : public epoll::Retired, private epoll::Timer {
 public:
  Handshake(Thread& thread, Arrival arrival);
  ~Handshake() override;

  /// Puts a new socket into the thread's care, from its first byte on.
  static void accept(Thread& thread, epoll::Stream client, const epoll::Address& peer);
  /// Goes on with one that another thread accepted.
  static void adopt(Thread& thread, Arrival arrival);
  /// Refuses because the process ends, unless the request is on its way to an upstream already.
  void shut_down();
  /// Refuses when it was let in as this user's and the engine blocks him by now. True: it was.
  bool refuse_if_blocked(const traffic::Name& user);

  void set_place(std::size_t place) { place_ = place; }

 private:
  enum class Stage : std::uint8_t {
    kProxyHeader,  ///< from the proxy, before any cipher
    kGreeting,     ///< of the client's cipher
    kRequest,
    kConnecting,  ///< to the upstream
    kUpstreamGreeting,
    kAnswer,   ///< of the upstream
    kRefusal,  ///< its body, when the answer is a refusal
    kRefused,  ///< told so; its last bytes are read and thrown away
  };
  struct Events final : epoll::Handler {
    Events(Handshake& h, bool client) : self(h), is_client(client) {}
    void on_ready(epoll::Ready ready) override { self.on_ready(is_client, ready); }
    Handshake& self;
    const bool is_client;
  };

  static Handshake* settle(Thread& thread, Arrival arrival);
  void on_ready(bool client, epoll::Ready ready);
  void on_timer() override;
  void on_client();
  void start_cipher();
  [[nodiscard]] bool greet();
  [[nodiscard]] std::span<char> room() const;
  void on_bytes(std::string_view bytes);
  void read_proxy_header();
  void read_request();
  void identify(const wire::UpgradeRequest& request);
  void enter();
  /// `of_address`: how many connections its address has with this one.
  [[nodiscard]] bool judge(std::uint32_t of_address);
  void dial();
  void on_connected();
  void ask_upstream();
  void read_answer();
  void on_answer(const wire::UpgradeResponse& answer);
  void read_refusal();
  void pass_refusal();
  void serve_locally();
  void upstream_failed(const std::string& why);
  void note_failure(const std::string& why);
  void refuse(unsigned status,
              Rejection why,
              std::string_view detail,
              Duration retry_after = Duration::zero());
  /// Says `answer`, which refuses with `status`, and takes leave.
  void refuse_with(std::string_view answer, unsigned status, Rejection why);
  [[nodiscard]] bool write_client(std::string_view bytes);
  [[nodiscard]] wire::UpgradeRequest request() const;
  [[nodiscard]] traffic::Event event(traffic::EventKind kind) const;
  /// Tells the engine that what it let through is over: by `kNotServed` when the server failed.
  void leave(traffic::EventKind how = traffic::EventKind::kDisconnect);
  void leave_census();
  /// Gives place to the connection, or to nothing.
  void done();

  Thread& thread_;
  std::shared_ptr<const Settings> settings_;  ///< it ends as it began
  Arrival arrival_;
  Events client_events_{*this, true}, upstream_events_{*this, false};
  wire::UpgradeRequestReader request_reader_;
  wire::UpgradeResponseReader answer_reader_;
  epoll::Stream upstream_;
  std::shared_ptr<Upstream> server_;
  std::vector<const Upstream*> tried_;
  std::string answer_;
  /// Points into `answer_`, which does not change any more.
  struct Refusal {
    explicit Refusal(const wire::UpgradeResponse& answer) : head(answer), body(answer, kBytesMax) {}
    static constexpr std::size_t kBytesMax = 16 * 1024;
    wire::UpgradeResponse head;
    wire::BodyReader body;
  };
  std::unique_ptr<Refusal> refusal_;  ///< of the upstream
  epoll::LoopTime asked_{};           ///< the upstream
  std::uint64_t id_ = 0;
  std::size_t place_ = 0;
  Stage stage_ = Stage::kRequest;
  bool entered_ = false;  ///< counted by the census and the engine
  bool done_ = false;
};

}  // namespace liminal::gateway
