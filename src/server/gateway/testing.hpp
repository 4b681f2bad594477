#pragma once

// What the tests of this folder share: an engine that does as it is told, an upstream and clients
// on the test's own loop.

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/wire/frame_parser.hpp"
#include "core/wire/frame_writer.hpp"
#include "core/wire/upgrade_request.hpp"
#include "core/wire/upgrade_response.hpp"
#include "server/gateway/gateway.hpp"

namespace liminal::gateway::testing {

inline constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
inline constexpr wire::Mask kMask{{0x12, 0x34, 0x56, 0x78}};

/// Allows everything until a test says otherwise; remembers what it was asked.
class FakeEngine : public Engine {
 public:
  struct Seen {
    std::string user, address, channel;
    traffic::EventKind kind{};
    std::uint32_t bytes = 0;
    std::optional<std::uint64_t> content_hash;
    bool error = false;
    std::uint32_t counted = 0, address_connections = 0;
    traffic::Beginning begun;
  };

  traffic::Verdict decide(const traffic::Event& event) override {
    remember(event);
    return rule ? rule(event) : traffic::Verdict{};
  }
  bool blocks(const traffic::Event& event) const override { return blocked == event.user.text; }
  void failed(const traffic::Event& event) override { remember(event); }
  void hardened(const traffic::Event& event, const traffic::Verdict& done) override {
    hardenings.emplace_back(event.user.text, done.decision);
  }
  EventTime now() override { return EventTime{std::chrono::seconds{1'000'000'000}}; }
  std::size_t owner(ShardId shard) const override { return owners ? owners(shard) : 0; }

  [[nodiscard]] std::vector<Seen> messages() const {
    std::vector<Seen> found;
    for (const Seen& each : seen)
      if (each.kind == traffic::EventKind::kMessage) found.push_back(each);
    return found;
  }
  [[nodiscard]] std::size_t count(traffic::EventKind kind) const {
    std::size_t n = 0;
    for (const Seen& each : seen) n += each.kind == kind ? 1 : 0;
    return n;
  }

  std::function<traffic::Verdict(const traffic::Event&)> rule;
  std::function<std::size_t(ShardId)> owners;
  std::string blocked;  ///< a user
  std::vector<Seen> seen;
  std::vector<std::pair<std::string, traffic::Decision>> hardenings;

 private:
  void remember(const traffic::Event& event) {
    seen.push_back({std::string(event.user.text),
                    std::string(event.address.text),
                    event.channels.empty() ? "" : std::string(event.channels[0].text),
                    event.kind,
                    event.bytes,
                    event.content_hash,
                    event.error,
                    event.counted,
                    event.address_connections,
                    event.begun});
  }
};

[[nodiscard]] inline traffic::Verdict verdict(
    traffic::Decision decision,
    Duration retry_after = Duration::zero(),
    traffic::Reason reason = traffic::Reason::kUserMessages) {
  traffic::Verdict answer;
  answer.decision = answer.shadow = decision;
  answer.reason = reason;
  answer.retry_after = retry_after;
  return answer;
}

/// A server on the test's loop. It answers the upgrade, then echoes messages unless told not to.
class TestUpstream {
 public:
  struct Session final : epoll::Handler {
    Session(TestUpstream& o, epoll::Socket s) : owner(o), socket(std::move(s)) {}
    void on_ready(epoll::Ready) override {
      std::string buffer(65'536, '\0');
      while (!owner.deaf || !upgraded) {
        const epoll::Transfer got = socket.read(buffer);
        if (got.state == epoll::Transfer::State::kEnd) {
          ended = true;
          socket.close();
          return;
        }
        if (got.state == epoll::Transfer::State::kFailed) failed = true;
        if (got.state != epoll::Transfer::State::kDone) return;
        take(std::string_view(buffer).substr(0, got.bytes));
      }
    }
    void take(std::string_view bytes) {
      if (!upgraded) {
        head.append(bytes);
        if (head.find("\r\n\r\n") == std::string::npos) return;
        (void)socket.write(owner.answer(head));
        upgraded = true;
        return;
      }
      raw.append(bytes);
      while (const auto part = parser.next(bytes, {.message_bytes_max = 1U << 30U})) {
        std::string plain(part->payload.size(), '\0');
        wire::apply_mask(part->mask, part->payload, plain.data());
        if (wire::is_control(part->opcode)) {
          controls.emplace_back(part->opcode, plain);
          continue;
        }
        if (part->message_begins) message.clear();
        message += plain;
        if (!part->message_ends) continue;
        messages.push_back(message);
        if (owner.echo) {
          std::string frame;
          wire::append_frame(frame, part->opcode, message);
          (void)socket.write(frame);
        }
      }
    }
    TestUpstream& owner;
    epoll::Socket socket;
    wire::FrameParser parser{wire::Sender::kClient};
    std::string head, raw, message;
    std::vector<std::string> messages;
    std::vector<std::pair<wire::Opcode, std::string>> controls;
    bool upgraded = false, ended = false, failed = false;
  };

  explicit TestUpstream(epoll::Loop& l, const std::string& at = "127.0.0.1:0")
      : loop(l),
        listener(epoll::Listener::open_at(epoll::Address::parse(at).value()).value()),
        door(*this) {
    EXPECT_TRUE(loop.add(listener, door));
  }

  [[nodiscard]] std::string url() const {
    const std::string text = listener.local().text();
    return text.substr(0, 5) == "unix:" ? text : "ws://" + text;
  }
  [[nodiscard]] Session& last() { return *sessions.back(); }

  static std::string switching(std::string_view head) {
    std::string bytes;
    const auto request = wire::parse_upgrade_request(head);
    if (request) wire::append_switching(bytes, request->key);
    return bytes;
  }

  epoll::Loop& loop;
  epoll::Listener listener;
  std::vector<std::unique_ptr<Session>> sessions;
  std::function<std::string(std::string_view)> answer = switching;
  bool echo = true;
  bool deaf = false;  ///< reads nothing more

 private:
  struct Door final : epoll::Handler {
    explicit Door(TestUpstream& o) : owner(o) {}
    void on_ready(epoll::Ready) override {
      while (auto accepted = owner.listener.accept()) {
        owner.sessions.push_back(std::make_unique<Session>(owner, std::move(accepted->first)));
        EXPECT_TRUE(owner.loop.add(owner.sessions.back()->socket, *owner.sessions.back()));
      }
    }
    TestUpstream& owner;
  } door;
};

/// A client that does what it is told, byte by byte.
class TestClient {
 public:
  explicit TestClient(const epoll::Address& to) : socket(epoll::connect(to).value()) {}

  void write(std::string_view bytes) { ASSERT_EQ(socket.write(bytes).bytes, bytes.size()); }
  void upgrade(std::string_view target = "/", std::string_view extra = "") {
    write(request(target, extra));
  }
  static std::string request(std::string_view target = "/", std::string_view extra = "") {
    return "GET " + std::string(target) +
           " HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
           std::string(kKey) + "\r\n" + std::string(extra) + "\r\n";
  }
  void send(wire::Opcode opcode, std::string_view payload, bool fin = true) {
    std::string bytes;
    wire::append_frame(bytes, opcode, payload, kMask, fin);
    write(bytes);
  }
  void text(std::string_view payload) { send(wire::Opcode::kText, payload); }

  /// Takes what has arrived.
  void read() {
    std::string buffer(65'536, '\0');
    for (;;) {
      const epoll::Transfer got = socket.read(buffer);
      if (got.state == epoll::Transfer::State::kEnd) ended = true;
      if (got.state == epoll::Transfer::State::kFailed) ended = broken = true;
      if (got.state != epoll::Transfer::State::kDone) return;
      bytes_read += got.bytes;
      take(std::string_view(buffer).substr(0, got.bytes));
    }
  }

  [[nodiscard]] unsigned status() const {
    return head.size() < 12 ? 0 : static_cast<unsigned>(std::stoul(head.substr(9, 3)));
  }

  epoll::Socket socket;
  std::string head;  ///< of the answer
  std::string body;
  wire::FrameParser parser{wire::Sender::kServer};
  std::vector<std::string> messages;
  std::vector<std::pair<wire::Opcode, std::string>> controls;
  std::optional<std::uint16_t> close_code;
  std::size_t bytes_read = 0;
  bool ended = false, broken = false;

 private:
  void take(std::string_view bytes) {
    if (!upgraded_) {
      head.append(bytes);
      const std::size_t end = head.find("\r\n\r\n");
      if (end == std::string::npos) return;
      body = head.substr(end + 4);
      head.resize(end + 4);
      upgraded_ = true;
      if (status() != 101) return;
      const std::string rest = std::exchange(body, {});
      frames(rest);
      return;
    }
    if (status() == 101) {
      frames(bytes);
    } else {
      body.append(bytes);
    }
  }
  void frames(std::string_view bytes) {
    while (const auto part = parser.next(bytes, {.message_bytes_max = 1U << 30U})) {
      if (wire::is_control(part->opcode)) {
        if (part->frame_begins) controls.emplace_back(part->opcode, "");
        controls.back().second.append(part->payload);
        if (part->opcode == wire::Opcode::kClose && part->frame_ends &&
            controls.back().second.size() >= 2)
          close_code = static_cast<std::uint16_t>(
              static_cast<unsigned char>(controls.back().second[0]) << 8 |
              static_cast<unsigned char>(controls.back().second[1]));
        continue;
      }
      message_.append(part->payload);
      if (part->message_ends) messages.push_back(std::exchange(message_, {}));
    }
    EXPECT_EQ(parser.fault(), wire::FrameFault::kNone);
  }
  std::string message_;
  bool upgraded_ = false;
};

/// One gateway in front of one upstream, all on one loop whose time the test can move.
class GatewayTest : public ::testing::Test {
 protected:
  static constexpr std::chrono::seconds kPatience{20};  ///< with what must happen

  GatewayTest() : loop({.mailbox_max = 1024, .clock = [this] { return now(); }}) {}

  void start(Options options = {}, std::vector<std::string> urls = {"default"}) {
    if (urls == std::vector<std::string>{"default"}) urls = {upstream.url()};
    upstreams = Upstreams::make(urls, nullptr).value();
    gateway.connect_peers({&gateway});
    configure(std::move(options));
    auto listener = epoll::Listener::open_at(epoll::Address::parse("127.0.0.1:0").value()).value();
    address = listener.local();
    ASSERT_TRUE(gateway.listen(std::move(listener)));
  }
  void configure(Options options) {
    options.health = health;
    gateway.configure(std::make_shared<const Settings>(std::move(options), upstreams, tokens));
  }

  TestClient& client() {
    clients.push_back(std::make_unique<TestClient>(address));
    return *clients.back();
  }
  /// A client that was let in.
  TestClient& connected(std::string_view target = "/", std::string_view extra = "") {
    TestClient& one = client();
    one.upgrade(target, extra);
    EXPECT_TRUE(until([&] { return one.status() != 0; }));
    EXPECT_EQ(one.status(), 101u) << one.head << one.body;
    return one;
  }

  /// Runs the loop until something holds.
  [[nodiscard]] bool until(const std::function<bool()>& holds) {
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      (void)loop.run_once(std::chrono::milliseconds{1});
      for (const auto& each : clients)
        if (!each->ended) each->read();
    }
    return true;
  }
  /// Lets everything that is on its way arrive.
  void settle() {
    for (int quiet = 0; quiet < 3;) {
      quiet = loop.run_once(std::chrono::milliseconds{2}) ? 0 : quiet + 1;
      for (const auto& each : clients)
        if (!each->ended) each->read();
    }
  }
  void pass_time(Duration duration) {
    ahead += duration;
    (void)loop.run_once(Duration::zero());
    settle();
  }
  [[nodiscard]] epoll::LoopTime now() const { return std::chrono::hours{1} + ahead; }
  [[nodiscard]] Totals totals() const {
    Totals all;
    add_to(all, gateway.counters());
    return all;
  }
  [[nodiscard]] std::uint64_t rejected(Rejection why) const {
    return totals().rejections[static_cast<std::size_t>(why)];
  }
  [[nodiscard]] std::uint64_t ended(Closing why) const {
    return totals().closings[static_cast<std::size_t>(why)];
  }

  /// No checks but in the tests that are about them: they would be upstream sessions, too.
  HealthOptions health{.check = HealthOptions::Check::kNone};
  Duration ahead = Duration::zero();
  epoll::Loop loop;
  FakeEngine engine;
  Census census;
  TestUpstream upstream{loop};
  Gateway gateway{loop, engine, nullptr, census, 0};
  std::shared_ptr<const Upstreams> upstreams;
  std::shared_ptr<const TokenVerifier> tokens;
  epoll::Address address;
  std::vector<std::unique_ptr<TestClient>> clients;
};

}  // namespace liminal::gateway::testing
