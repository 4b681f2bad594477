// The gateway and the player under TLS, as the program puts them together: a client, a gateway in
// front of a gateway, and a plain server behind both.
#include <sys/socket.h>

#include <random>

#include "app/ciphers.hpp"
#include "core/wire/message_reader.hpp"
#include "io/tls/session.hpp"
#include "io/tls/test_certificates.hpp"
#include "server/gateway/testing.hpp"
#include "server/player/client.hpp"

namespace liminal::app {
namespace {

using gateway::Closing;
using gateway::Direction;
using gateway::Rejection;
using gateway::testing::kMask;
using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::Opcode;

/// A client that does what it is told, under TLS.
class TlsClient {
 public:
  TlsClient(epoll::Socket socket, const Ciphers& ciphers, const std::string& host = "127.0.0.1") {
    auto cipher = ciphers.start(socket, host);
    stream = epoll::Stream(std::move(socket), std::move(cipher));
  }

  /// Goes on with whatever is next; false when the connection is over.
  bool pump() {
    if (over) return false;
    if (!greeted) {
      const auto state = stream.greet().state;
      if (state == epoll::Transfer::State::kFailed) over = true;
      if (state != epoll::Transfer::State::kDone) return !over;
      greeted = true;
      write(gateway::testing::TestClient::request());
    }
    flush();
    std::vector<char> buffer(64 * 1024);
    for (;;) {
      const epoll::Transfer got = stream.read(buffer);
      if (got.state == epoll::Transfer::State::kBlocked) return true;
      if (got.state != epoll::Transfer::State::kDone) {
        over = true;
        return false;
      }
      take({buffer.data(), got.bytes});
    }
  }
  void write(std::string_view bytes) {
    out += bytes;
    flush();
  }
  void send(std::string_view payload, Opcode opcode = Opcode::kBinary) {
    std::string frame;
    wire::append_frame(frame, opcode, payload, kMask);
    write(frame);
  }
  [[nodiscard]] bool open() const { return head.substr(0, 12) == "HTTP/1.1 101"; }

  epoll::Stream stream;
  std::string head, out;
  std::vector<std::string> messages;
  std::optional<wire::CloseCode> close_code;
  bool greeted = false, over = false;

 private:
  void flush() {
    while (!out.empty()) {
      const epoll::Transfer sent = stream.write(out);
      if (sent.state != epoll::Transfer::State::kDone) return;
      out.erase(0, sent.bytes);
    }
  }
  void take(std::string_view bytes) {
    if (!head_over_) {
      head.append(bytes);
      const std::size_t end = head.find("\r\n\r\n");
      if (end == std::string::npos) return;
      head_over_ = true;
      const std::string rest = head.substr(end + 4);
      head.resize(end + 4);
      if (open()) take(rest);
      return;
    }
    while (const auto message = reader_.next(bytes)) {
      if (message->opcode == Opcode::kClose) {
        close_code = wire::read_close(message->payload).code;
      } else {
        messages.emplace_back(message->payload);
      }
    }
  }
  wire::MessageReader reader_{wire::Sender::kServer, {}};
  bool head_over_ = false;
};

class Tls : public gateway::testing::GatewayTest, public gateway::Reporter {
 protected:
  Tls() {
    files.server("server", "DNS:chat.example,IP:127.0.0.1");
    trusting = Ciphers::client(files.authority()).value();
  }

  void upstream_changed(const std::string& name, bool up, const std::string& why) override {
    reports.push_back(name + (up ? " up" : " down: " + why));
  }
  void upstream_failed(const std::string& name, const std::string& why) override {
    reports.push_back(name + ": " + why);
  }

  [[nodiscard]] std::shared_ptr<const Ciphers> serving(const std::string& name) const {
    return Ciphers::server(files.certificate(name), files.key(name)).value();
  }
  static gateway::Options unchecked(gateway::Options options) {
    options.health.check = gateway::HealthOptions::Check::kNone;
    return options;
  }
  static epoll::Address open_door(gateway::Gateway& at) {
    auto listener = epoll::Listener::open_at(epoll::Address::parse("127.0.0.1:0").value()).value();
    const epoll::Address where = listener.local();
    EXPECT_TRUE(at.listen(std::move(listener)));
    return where;
  }
  /// `inner` in front of the plain server, `gateway` in front of `inner`; TLS before both.
  void start_both(gateway::Options options = {}, const std::string& inner_certificate = "server") {
    inner.connect_peers({&inner});
    configure_inner(inner_certificate);
    inner_address = open_door(inner);
    const std::string url = "wss://" + inner_address.text();
    upstreams = gateway::Upstreams::make({url}, nullptr).value();
    gateway.connect_peers({&gateway});
    gateway.report_to(*this);
    outer_options = unchecked(std::move(options));
    configure_outer("server");
    address = open_door(gateway);
  }
  void configure_inner(const std::string& certificate) {
    inner.configure(std::make_shared<const gateway::Settings>(
        unchecked({}),
        gateway::Upstreams::make({upstream.url()}, nullptr).value(),
        nullptr,
        gateway::Settings::Ciphers{serving(certificate), nullptr}));
  }
  void configure_outer(const std::string& certificate) {
    gateway.configure(std::make_shared<const gateway::Settings>(
        outer_options,
        upstreams,
        nullptr,
        gateway::Settings::Ciphers{serving(certificate), trusting}));
  }

  TlsClient& tls_client(const Ciphers* ciphers = nullptr) {
    tls_clients.push_back(std::make_unique<TlsClient>(epoll::connect(address).value(),
                                                      ciphers != nullptr ? *ciphers : *trusting));
    return *tls_clients.back();
  }
  TlsClient& connected_tls() {
    TlsClient& one = tls_client();
    EXPECT_TRUE(happens([&] { return one.open(); })) << one.stream.problem() << one.head;
    return one;
  }
  [[nodiscard]] bool happens(const std::function<bool()>& what) {
    return until([&] {
      for (const auto& each : tls_clients) (void)each->pump();
      return what();
    });
  }

  tls::testing::TestCertificates files;
  std::shared_ptr<const Ciphers> trusting;
  gateway::Census inner_census;
  gateway::Gateway inner{loop, engine, nullptr, inner_census, 0};
  gateway::Options outer_options;
  epoll::Address inner_address;
  std::vector<std::unique_ptr<TlsClient>> tls_clients;
  std::vector<std::string> reports;
};

TEST_F(Tls, MessagesOfEverySizePassOnBothSides) {
  start_both();
  TlsClient& client = connected_tls();
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same bytes each time
  std::vector<std::string> sent;
  for (const std::size_t size : std::initializer_list<std::size_t>{
           0, 1, 125, 126, 16'383, 16'384, 16'385, 65'535, 65'536, 400'000}) {
    std::string& payload = sent.emplace_back(size, '\0');
    for (char& byte : payload) byte = static_cast<char>(random());
    client.send(payload);
  }
  ASSERT_TRUE(happens([&] { return client.messages.size() == sent.size(); }));
  EXPECT_TRUE(client.messages == sent);
  EXPECT_TRUE(upstream.last().messages == sent);
  EXPECT_TRUE(reports.empty());
}

TEST_F(Tls, ManyMessagesInOneGoAllPass) {
  start_both();
  TlsClient& client = connected_tls();
  std::string frames;
  for (int i = 0; i < 5000; ++i)
    wire::append_frame(frames, Opcode::kBinary, "message " + std::to_string(i), kMask);
  client.write(frames);
  ASSERT_TRUE(happens([&] { return client.messages.size() == 5000; }));
  EXPECT_EQ(client.messages.back(), "message 4999");
}

TEST_F(Tls, ARecordForEachByteIsAsGoodAsOneForAll) {
  start_both();
  TlsClient& client = connected_tls();
  std::string frame;
  wire::append_frame(frame, Opcode::kText, "slowly", kMask);
  for (const char byte : frame) {
    client.write({&byte, 1});
    (void)loop.run_once(Duration::zero());
  }
  ASSERT_TRUE(happens([&] { return client.messages.size() == 1; }));
  EXPECT_EQ(client.messages[0], "slowly");
}

TEST_F(Tls, RecordsThatArriveByteByByteAreWaitedFor) {
  start_both();
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()), 0);
  const epoll::Socket wire(pair[1]);
  const epoll::Socket line = epoll::connect(address).value();
  tls_clients.push_back(std::make_unique<TlsClient>(epoll::Socket(pair[0]), *trusting));
  TlsClient& client = *tls_clients.back();
  const auto carry = [&] {
    std::array<char, 1> one{};
    if (wire.read(one).state == epoll::Transfer::State::kDone) (void)line.write({one.data(), 1});
    std::array<char, 4096> many{};
    const epoll::Transfer got = line.read(many);
    if (got.state == epoll::Transfer::State::kDone) (void)wire.write({many.data(), got.bytes});
  };
  ASSERT_TRUE(happens([&] {
    carry();
    return client.open();
  }));
  client.send("bit by bit");
  ASSERT_TRUE(happens([&] {
    carry();
    return client.messages.size() == 1;
  }));
  EXPECT_EQ(client.messages[0], "bit by bit");
}

TEST_F(Tls, TheEndOfAClientReachesTheServer) {
  start_both();
  TlsClient& client = connected_tls();
  client.send("last");
  ASSERT_TRUE(happens([&] { return client.messages.size() == 1; }));
  client.stream.finish_writing();
  ASSERT_TRUE(until([&] { return upstream.last().ended; }));
  ASSERT_TRUE(happens([&] { return gateway.connections() == 0 && inner.connections() == 0; }));
}

TEST_F(Tls, AClientThatIsGoneWhileItIsSentToEndsItsConnection) {
  start_both();
  TlsClient& client = connected_tls();
  client.stream.reset();
  client.over = true;
  std::string block;
  wire::append_frame(block, Opcode::kBinary, std::string(50'000, 'x'));
  (void)upstream.last().socket.write(block);
  ASSERT_TRUE(until([&] { return gateway.connections() == 0 && inner.connections() == 0; }));
  EXPECT_EQ(census.total(), 0u);
}

TEST_F(Tls, AServerThatIsGoneWhileItIsSentToEndsTheConnection) {
  start_both();
  TlsClient& client = connected_tls();
  upstream.last().socket.reset();
  for (int i = 0; i < 20; ++i) client.send(std::string(50'000, 'x'));
  ASSERT_TRUE(happens([&] { return gateway.connections() == 0 && inner.connections() == 0; }));
}

TEST_F(Tls, ASlowReaderIsCutOffUnderTlsToo) {
  start_both({.high_water_bytes = 64 * 1024});
  TlsClient& client = connected_tls();
  tls_clients.back()->over = true;  // reads nothing more
  std::string block;
  wire::append_frame(block, Opcode::kBinary, std::string(60'000, 'x'));
  std::uint64_t sent = 0;
  for (int quiet = 0; quiet < 100; ++quiet) {
    for (;;) {
      const auto rest = std::string_view(block).substr(sent % block.size());
      const epoll::Transfer done = upstream.last().socket.write(rest);
      if (done.state != epoll::Transfer::State::kDone) break;
      sent += done.bytes;
      quiet = 0;
    }
    (void)loop.run_once(milliseconds{1});
  }
  EXPECT_LT(totals().bytes[static_cast<std::size_t>(Direction::kOut)], sent);
  pass_time(seconds{11});
  ASSERT_TRUE(until([&] { return ended(Closing::kSlowReader) == 1; }));
  EXPECT_TRUE(client.stream.open());
}

TEST_F(Tls, WhoVanishesOrStallsMidHandshakeLeavesNothingBehind) {
  start_both({.handshake_timeout = seconds{5}});
  const std::string beginning("\x16\x03\x01\x02\x00\x01\x00", 7);
  {
    const epoll::Socket vanishing = epoll::connect(address).value();
    ASSERT_EQ(vanishing.write(beginning).bytes, beginning.size());
    settle();
  }
  ASSERT_TRUE(until([&] { return rejected(Rejection::kCipherFailed) == 1; }));
  const epoll::Socket stalling = epoll::connect(address).value();
  ASSERT_EQ(stalling.write(beginning).bytes, beginning.size());
  settle();
  EXPECT_FALSE(gateway.idle());
  pass_time(seconds{6});
  ASSERT_TRUE(until([&] { return rejected(Rejection::kHandshakeTimeout) == 1; }));
  EXPECT_TRUE(gateway.idle());
}

TEST_F(Tls, PlainHttpIsHungUpOn) {
  start_both();
  auto& plain = client();
  plain.upgrade();
  ASSERT_TRUE(until([&] { return plain.ended; }));
  EXPECT_EQ(plain.status(), 0u);
  EXPECT_EQ(rejected(Rejection::kCipherFailed), 1u);
  EXPECT_TRUE(upstream.sessions.empty());
}

TEST_F(Tls, AnUpstreamThatProvesNothingIsRefusedAndTheOperatorToldWhy) {
  files.server("expired", "IP:127.0.0.1", {.valid_from_s = -7200, .valid_until_s = -3600});
  files.server("other_host", "DNS:other.example");
  files.server("stranger", "IP:127.0.0.1", {.self_signed = true});
  start_both({}, "expired");
  const std::string name = "wss://" + inner_address.text() + ": TLS: ";
  for (const auto& [certificate, why] : {std::pair{"expired", "certificate has expired"},
                                         std::pair{"other_host", "IP address mismatch"},
                                         std::pair{"stranger", "self-signed certificate"}}) {
    configure_inner(certificate);
    TlsClient& client = tls_client();
    ASSERT_TRUE(happens([&] { return client.head.find("\r\n\r\n") != std::string::npos; }));
    EXPECT_EQ(client.head.substr(9, 3), "502");
    ASSERT_FALSE(reports.empty());
    EXPECT_EQ(reports.back(), name + why);
  }
  EXPECT_TRUE(upstream.sessions.empty());
  configure_inner("server");
  pass_time(seconds{20});
  connected_tls();
}

TEST_F(Tls, AnUpstreamThatSpeaksNoTlsIsRefused) {
  start_both();
  upstreams = gateway::Upstreams::make({"wss" + upstream.url().substr(2)}, nullptr).value();
  upstream.answer = [](std::string_view) { return std::string("HTTP/1.1 400 Bad\r\n\r\n"); };
  outer_options.connect_timeout = seconds{2};
  configure_outer("server");
  TlsClient& client = tls_client();
  ASSERT_TRUE(happens([&] { return upstream.sessions.size() == 1; }));
  settle();
  pass_time(seconds{3});
  ASSERT_TRUE(happens([&] { return client.head.find("\r\n\r\n") != std::string::npos; }));
  EXPECT_EQ(client.head.substr(9, 3), "502");
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_NE(reports[0].find("TLS"), std::string::npos) << reports[0];
}

TEST_F(Tls, AReloadChangesTheCertificateOfNewConnectionsOnly) {
  start_both();
  TlsClient& before = connected_tls();
  tls::testing::TestCertificates renewed;
  renewed.server("server", "IP:127.0.0.1");
  gateway.configure(std::make_shared<const gateway::Settings>(
      outer_options,
      upstreams,
      nullptr,
      gateway::Settings::Ciphers{
          Ciphers::server(renewed.certificate("server"), renewed.key("server")).value(),
          trusting}));
  before.send("still here");
  ASSERT_TRUE(happens([&] { return before.messages.size() == 1; }));
  const auto new_trust = Ciphers::client(renewed.authority()).value();
  TlsClient& after = tls_client(new_trust.get());
  ASSERT_TRUE(happens([&] { return after.open(); })) << after.stream.problem();
  TlsClient& of_old_trust = tls_client();
  ASSERT_TRUE(happens([&] { return of_old_trust.over; }));
  before.send("again");
  ASSERT_TRUE(happens([&] { return before.messages.size() == 2; }));
}

TEST_F(Tls, AProxysHeaderComesBeforeTheHandshake) {
  start_both(
      {.trusted_proxies = {epoll::Network::parse("127.0.0.1").value()}, .proxy_protocol = true});
  epoll::Socket socket = epoll::connect(address).value();
  const std::string header(
      "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\x0A\x01\x02\x03\x7F\0\0\x01\x1F\x90\x1F\x91", 28);
  ASSERT_TRUE(until([&] { return socket.take_error() == 0 && socket.write(header).bytes == 28; }));
  tls_clients.push_back(std::make_unique<TlsClient>(std::move(socket), *trusting));
  TlsClient& client = *tls_clients.back();
  ASSERT_TRUE(happens([&] { return client.open(); })) << client.stream.problem();
  EXPECT_EQ(engine.seen.at(0).address, "10.1.2.3");
}

/// Keeps what became of a played connection.
class Played : public player::ClientOwner {
 public:
  void opened(player::Client& client) override { EXPECT_TRUE(client.send("played")); }
  void received(player::Client& client, const wire::Message& message) override {
    heard = message.payload;
    client.close();
  }
  void closed(player::Client& client) override {
    over = true;
    why = client.why();
    problem = client.problem();
  }
  std::string heard, problem;
  player::Client::End why{};
  bool over = false;
};

TEST_F(Tls, PlayedClientsConnectByWss) {
  start_both();
  Played played;
  player::Client client(loop, played, 1);
  player::Target target = player::Target::parse("wss://" + address.text()).value();
  target.cipher = [&](const epoll::Socket& socket, const std::string& host) {
    return trusting->start(socket, host);
  };
  ASSERT_TRUE(client.start(target, {}));
  ASSERT_TRUE(until([&] { return played.over || !played.heard.empty(); }));
  EXPECT_EQ(played.heard, "played") << played.problem;
}

TEST_F(Tls, PlayedClientsBelieveNobodyWithoutProof) {
  start_both();
  tls::testing::TestCertificates others;
  const auto distrusting = Ciphers::client(others.authority()).value();
  Played played;
  player::Client client(loop, played, 1);
  player::Target target = player::Target::parse("wss://" + address.text()).value();
  target.cipher = [&](const epoll::Socket& socket, const std::string& host) {
    return distrusting->start(socket, host);
  };
  ASSERT_TRUE(client.start(target, {}));
  ASSERT_TRUE(until([&] { return played.over; }));
  EXPECT_EQ(played.why, player::Client::End::kUntrusted);
  EXPECT_FALSE(played.problem.empty());
}

}  // namespace
}  // namespace liminal::app
