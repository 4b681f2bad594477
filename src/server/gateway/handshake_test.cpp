#include <array>
#include <set>
#include <thread>
#include <vector>

#include "server/gateway/testing.hpp"

namespace liminal::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::GatewayTest;
using testing::TestClient;
using testing::verdict;
using traffic::Decision;
using traffic::EventKind;
using traffic::Reason;

epoll::Network network(std::string_view text) { return epoll::Network::parse(text).value(); }

class Handshake : public GatewayTest {};

TEST_F(Handshake, PassesTheRequestOnWithoutExtensionsAndTheAnswerBack) {
  start();
  connected("/chat?room=1",
            "Sec-WebSocket-Extensions: permessage-deflate\r\nCookie: a=b\r\n"
            "Sec-WebSocket-Protocol: v1, v2\r\n");
  const std::string& head = upstream.last().head;
  EXPECT_NE(head.find("GET /chat?room=1 HTTP/1.1\r\n"), std::string::npos) << head;
  EXPECT_EQ(head.find("permessage-deflate"), std::string::npos) << head;
  EXPECT_NE(head.find("Cookie: a=b\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("Sec-WebSocket-Protocol: v1, v2\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("X-Forwarded-For: 127.0.0.1\r\n"), std::string::npos) << head;
}

TEST_F(Handshake, RefusesWhatTwoParsersCouldReadInTwoWays) {
  start();
  const std::string good = TestClient::request();
  const auto with = [&](const std::string& field) { return TestClient::request("/", field); };
  std::string bare = good;
  bare.replace(bare.find("\r\n"), 2, "\n");
  std::string old = good;
  old.replace(old.find("Version: 13"), 11, "Version: 8");
  std::string post = good;
  post.replace(0, 3, "POST");
  std::string ten = good;
  ten.replace(ten.find("HTTP/1.1"), 8, "HTTP/1.0");
  const std::vector<std::pair<std::string, unsigned>> cases = {
      {with("Content-Length: 5\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\n"), 400},
      {with("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"), 400},
      {with("Host: other\r\n"), 400},
      {with(" folded: yes\r\n"), 400},
      {with("A : b\r\n"), 400},
      {with(std::string("A: b\0c\r\n", 8)), 400},
      {good + "GET /admin HTTP/1.1\r\n\r\n", 400},
      {bare, 400},
      {old, 426},
      {post, 405},
      {ten, 505},
      {with("A: " + std::string(9000, 'x') + "\r\n"), 431},
      {"\x16\x03\x01\x02\r\n\r\n", 400},
  };
  for (const auto& [bytes, status] : cases) {
    TestClient& one = client();
    one.write(bytes);
    ASSERT_TRUE(until([&] { return one.ended; })) << bytes;
    EXPECT_EQ(one.status(), status) << bytes << "\n" << one.head;
    EXPECT_NE(one.head.find("application/problem+json"), std::string::npos);
  }
  EXPECT_EQ(rejected(Rejection::kBadRequest), cases.size());
  EXPECT_TRUE(upstream.sessions.empty()) << "nothing of it reached the server behind";
}

TEST_F(Handshake, BytesBeforeTheAnswerAreRefused) {
  start();
  upstream.answer = [](std::string_view) { return std::string(); };  // takes its time
  TestClient& early = client();
  early.upgrade();
  ASSERT_TRUE(until([&] { return upstream.sessions.size() == 1 && upstream.last().upgraded; }));
  early.text("early");
  ASSERT_TRUE(until([&] { return early.ended; }));
  EXPECT_EQ(early.status(), 400u);
  EXPECT_TRUE(until([&] { return upstream.last().ended; }));
}

TEST_F(Handshake, ARequestMayComeByteByByteButNotForever) {
  start();
  TestClient& slow = client();
  for (const char byte : TestClient::request()) {
    slow.write({&byte, 1});
    (void)loop.run_once(Duration::zero());
  }
  ASSERT_TRUE(until([&] { return slow.status() == 101; }));

  TestClient& never = client();
  never.write("GET / HTTP/1.1\r\nHost: x\r\n");
  settle();
  pass_time(seconds{11});
  ASSERT_TRUE(until([&] { return never.ended; }));
  EXPECT_EQ(never.status(), 408u);
  EXPECT_EQ(rejected(Rejection::kHandshakeTimeout), 1u);
}

TEST_F(Handshake, AFaultyAnswerIsNotPassedOnAndIsTheUpstreamsFailure) {
  start();
  const std::string switching =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  const std::vector<std::string> faults = {
      switching + "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
      switching + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
          "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
      "nonsense\r\n\r\n",
  };
  Upstream& server = *upstreams->all().front();
  for (std::size_t i = 0; i < faults.size(); ++i) {
    upstream.answer = [&](std::string_view) { return faults[i]; };
    TestClient& one = client();
    one.upgrade();
    ASSERT_TRUE(until([&] { return one.ended; })) << faults[i];
    EXPECT_EQ(one.status(), 502u) << faults[i];
    EXPECT_EQ(server.errors(), i + 1) << faults[i];
    EXPECT_FALSE(server.healthy(now()));
  }
  EXPECT_EQ(rejected(Rejection::kUpstreamRefused), faults.size());
  EXPECT_EQ(totals().upstream_failures, faults.size());
  EXPECT_EQ(census.total(), 0u);
  EXPECT_EQ(engine.count(EventKind::kNotServed), faults.size());
}

class Refusal : public GatewayTest {
 protected:
  /// What a client hears when the upstream answers so, and then hangs up if it `ends`.
  TestClient& hear(const std::string& answer, bool ends = false) {
    upstream.answer = [answer](std::string_view) { return answer; };
    TestClient& one = client();
    one.upgrade();
    const std::size_t before = upstream.sessions.size();
    if (ends) {
      EXPECT_TRUE(
          until([&] { return upstream.sessions.size() > before && upstream.last().upgraded; }));
      upstream.last().socket.close();
    }
    EXPECT_TRUE(until([&] { return one.ended; })) << answer;
    return one;
  }
};

TEST_F(Refusal, IsPassedOnWithWhatAClientActsOn) {
  start();
  const TestClient& unauthorized = hear(
      "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\nWWW-Authenticate: Basic\r\n"
      "Content-Type: text/plain\r\nServer: x\r\nContent-Length: 8\r\n\r\nwho goes");
  EXPECT_EQ(unauthorized.head,
            "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nWWW-Authenticate: Bearer\r\n"
            "WWW-Authenticate: Basic\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\n");
  EXPECT_EQ(unauthorized.body, "who goes");

  const TestClient& later =
      hear("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(later.status(), 429u);
  EXPECT_NE(later.head.find("Retry-After: 7\r\n"), std::string::npos) << later.head;
  EXPECT_TRUE(later.body.empty());

  const TestClient& elsewhere = hear(
      "HTTP/1.1 307 Elsewhere\r\nLocation: wss://other.example/\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3\r\nsee\r\n0\r\n\r\n");
  EXPECT_EQ(elsewhere.status(), 307u);
  EXPECT_NE(elsewhere.head.find("Location: wss://other.example/\r\n"), std::string::npos);
  EXPECT_EQ(elsewhere.body, "see");

  EXPECT_EQ(hear("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").status(), 502u)
      << "a page is no answer to an upgrade";
  EXPECT_EQ(rejected(Rejection::kUpstreamRefused), 4u);
  EXPECT_EQ(upstreams->all().front()->errors(), 0u) << "a refusal is no failure";
  EXPECT_EQ(census.total(), 0u);
  EXPECT_EQ(engine.count(EventKind::kDisconnect), 3u) << "the user's, who may try elsewhere";
  EXPECT_EQ(engine.count(EventKind::kNotServed), 1u) << "a page: the server's";
}

TEST_F(Refusal, HasItsBodyToItsEndOrOursInstead) {
  start();
  const std::string large(16 * 1024, 'x');
  EXPECT_EQ(hear("HTTP/1.1 403 No\r\nContent-Type: a/b\r\n\r\n" + large, true).body, large);
  const TestClient& larger =
      hear("HTTP/1.1 403 No\r\nContent-Type: a/b\r\nContent-Length: 16385\r\n\r\n" + large);
  EXPECT_EQ(larger.status(), 403u);
  EXPECT_NE(larger.head.find("application/problem+json"), std::string::npos) << larger.head;
  EXPECT_EQ(larger.head.find("a/b"), std::string::npos) << larger.head;

  upstream.answer = [](std::string_view) {
    return std::string("HTTP/1.1 503 Later\r\nRetry-After: 9\r\nContent-Length: 5\r\n\r\nhalf");
  };
  TestClient& never = client();
  never.upgrade();
  settle();
  EXPECT_EQ(never.status(), 0u);
  pass_time(seconds{11});
  ASSERT_TRUE(until([&] { return never.ended; }));
  EXPECT_EQ(never.status(), 503u);
  EXPECT_NE(never.head.find("Retry-After: 9\r\n"), std::string::npos) << never.head;
  EXPECT_EQ(never.body.find("half"), std::string::npos) << never.body;
}

TEST_F(Handshake, FramesBehindTheAnswerReachTheClient) {
  start();
  upstream.answer = [](std::string_view head) {
    std::string bytes = testing::TestUpstream::switching(head);
    wire::append_frame(bytes, wire::Opcode::kText, "welcome");
    return bytes;
  };
  TestClient& one = connected();
  ASSERT_TRUE(until([&] { return one.messages.size() == 1; }));
  EXPECT_EQ(one.messages[0], "welcome");
}

TEST_F(Handshake, TheEngineMayRefuseWith429OrWith403) {
  start();
  Reason reason = Reason::kUserConnections;
  engine.rule = [&](const traffic::Event& event) {
    return event.kind == EventKind::kConnect ? verdict(Decision::kDrop, milliseconds{1500}, reason)
                                             : traffic::Verdict{};
  };
  TestClient& later = client();
  later.upgrade();
  ASSERT_TRUE(until([&] { return later.ended; }));
  EXPECT_EQ(later.status(), 429u);
  EXPECT_NE(later.head.find("Retry-After: 2\r\n"), std::string::npos) << later.head;

  reason = Reason::kBlocked;
  TestClient& blocked = client();
  blocked.upgrade();
  ASSERT_TRUE(until([&] { return blocked.ended; }));
  EXPECT_EQ(blocked.status(), 403u);
  EXPECT_EQ(rejected(Rejection::kRateLimited), 1u);
  EXPECT_EQ(rejected(Rejection::kBlocked), 1u);
  EXPECT_TRUE(upstream.sessions.empty());
}

TEST_F(Handshake, WhoIsBlockedWhileTheUpstreamIsAskedIsRefused) {
  upstream.answer = [](std::string_view) { return std::string(); };
  start();
  TestClient& one = client();
  one.upgrade();
  ASSERT_TRUE(until([&] { return !upstream.sessions.empty() && upstream.last().upgraded; }));
  engine.blocked = "127.0.0.1";
  gateway.end_blocked(traffic::Name("127.0.0.1"));
  ASSERT_TRUE(until([&] { return one.ended; }));
  EXPECT_EQ(one.status(), 403u);
  EXPECT_EQ(rejected(Rejection::kBlocked), 1u);
  EXPECT_EQ(engine.count(EventKind::kDisconnect), 1u) << "the engine had let it in";
  EXPECT_EQ(census.total(), 0u);
}

TEST_F(Handshake, ACapOnConnectionsIsNoBlockAndTheEngineHearsNoEndOfWhatItRefused) {
  start();
  engine.rule = [&](const traffic::Event& event) {
    return event.kind == EventKind::kConnect
               ? verdict(Decision::kDrop, Duration::max(), Reason::kAddressConnections)
               : traffic::Verdict{};
  };
  TestClient& refused = client();
  refused.upgrade();
  ASSERT_TRUE(until([&] { return refused.ended; }));
  EXPECT_EQ(refused.status(), 429u);
  EXPECT_NE(refused.head.find("Retry-After: 10\r\n"), std::string::npos) << refused.head;
  for (const auto& seen : engine.seen) EXPECT_NE(seen.kind, EventKind::kDisconnect);

  engine.rule = nullptr;
  connected();  // nothing is left of the refused one in the census either
  EXPECT_EQ(census.total(), 1u);
}

TEST_F(Handshake, AConnectionSaysHowManyItsAddressHas) {
  start({.trusted_proxies = {network("127.0.0.1")}});
  constexpr std::uint32_t kCap = 2;
  engine.rule = [](const traffic::Event& event) {
    return event.kind == EventKind::kConnect && event.address_connections > kCap
               ? verdict(Decision::kDrop, Duration::max(), Reason::kAddressConnections)
               : traffic::Verdict{};
  };
  connected("/", "X-User-Id: ann\r\n");
  TestClient& second = connected("/", "X-User-Id: bob\r\n");
  TestClient& third = client();
  third.upgrade("/", "X-User-Id: cid\r\n");
  ASSERT_TRUE(until([&] { return third.ended; }));
  EXPECT_EQ(third.status(), 429u);
  connected("/", "X-User-Id: dan\r\nX-Forwarded-For: 10.0.0.9\r\n");
  second.socket.close();
  ASSERT_TRUE(until([&] { return gateway.connections() == 2; }));
  connected("/", "X-User-Id: cid\r\n");
  std::vector<std::uint32_t> told;
  for (const auto& seen : engine.seen)
    if (seen.kind == EventKind::kConnect) told.push_back(seen.address_connections);
  EXPECT_EQ(told, (std::vector<std::uint32_t>{1, 2, 3, 1, 2}));
}

TEST(Census, GivesNoNumberTwiceHoweverManyThreadsAsk) {
  constexpr std::uint32_t kThreads = 4, kEach = 200;
  Census census;
  std::array<std::vector<std::uint32_t>, kThreads> numbers;
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&census, &mine = numbers[thread], thread] {
      for (std::uint32_t i = 0; i < kEach; ++i)
        mine.push_back(census.enter(thread * kEach + i, 7, {}).value_or(0));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::uint32_t> all;
  for (const auto& mine : numbers) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), kThreads * kEach);
  EXPECT_EQ(*all.begin(), 1u);
  EXPECT_EQ(*all.rbegin(), kThreads * kEach);
}

TEST_F(Handshake, AnUpstreamThatIsDownIsPassedOver) {
  std::string dead;
  {
    const testing::TestUpstream gone(loop);
    dead = gone.url();
  }
  start({}, {dead, upstream.url()});
  for (int i = 0; i < 3; ++i) connected();
  EXPECT_EQ(totals().upstream_failures, 1u) << "the first failure keeps it out for a while";
  EXPECT_EQ(upstreams->all()[1]->connections(), 3u);
}

TEST_F(Handshake, ConnectionsGoWhereTheFewestAre) {
  testing::TestUpstream other(loop);
  start({}, {upstream.url(), other.url()});
  for (int i = 0; i < 6; ++i) connected();
  EXPECT_EQ(upstream.sessions.size(), 3u);
  EXPECT_EQ(other.sessions.size(), 3u);
}

TEST_F(Handshake, WithoutAnybodyBehindTheAnswerIs502Or503) {
  std::string dead;
  {
    const testing::TestUpstream gone(loop);
    dead = gone.url();
  }
  start({}, {dead});
  TestClient& one = client();
  one.upgrade();
  ASSERT_TRUE(until([&] { return one.ended; }));
  EXPECT_EQ(one.status(), 502u);
  upstreams = nullptr;
  configure({});
  TestClient& two = client();
  two.upgrade();
  ASSERT_TRUE(until([&] { return two.ended; }));
  EXPECT_EQ(two.status(), 503u);
  EXPECT_EQ(engine.count(EventKind::kConnect), 2u);
  EXPECT_EQ(engine.count(EventKind::kNotServed), 2u) << "nobody is to blame for that";
  EXPECT_EQ(engine.count(EventKind::kDisconnect), 0u);
}

TEST_F(Handshake, CapsHoldInAllAndForAnAddress) {
  start({.connections_max = 3, .connections_per_address_max = 2});
  connected();
  TestClient& second = connected();
  TestClient& third = client();
  third.upgrade();
  ASSERT_TRUE(until([&] { return third.ended; }));
  EXPECT_EQ(third.status(), 503u);
  EXPECT_EQ(rejected(Rejection::kTooManyConnections), 1u);
  second.socket.close();
  ASSERT_TRUE(until([&] { return census.total() == 1; }));
  connected();
}

TEST_F(Handshake, HeadersAreBelievedFromTrustedProxiesOnly) {
  start();
  const std::string_view fields = "X-User-Id: alice\r\nX-Forwarded-For: 10.1.1.1, 192.0.2.7\r\n";
  connected("/", fields);
  EXPECT_EQ(engine.seen.back().user, "127.0.0.1");
  EXPECT_EQ(upstream.last().head.find("alice"), std::string::npos) << upstream.last().head;
  EXPECT_EQ(upstream.last().head.find("192.0.2.7"), std::string::npos) << upstream.last().head;

  configure({.trusted_proxies = {network("127.0.0.0/8")}});
  connected("/", fields);
  EXPECT_EQ(engine.seen.back().user, "alice");
  EXPECT_EQ(engine.seen.back().address, "192.0.2.7") << "the last one that is no proxy";
  EXPECT_NE(upstream.last().head.find("X-User-Id: alice"), std::string::npos);

  configure({.trusted_proxies = {network("127.0.0.0/8"), network("192.0.2.0/24")}});
  connected("/", fields);
  EXPECT_EQ(engine.seen.back().address, "10.1.1.1");
}

TEST_F(Handshake, AnIdentityHeaderThatStandsThereTwiceIsRefused) {
  start({.trusted_proxies = {network("127.0.0.1")}});
  const std::string forged = "X-User-Id: admin\r\n";
  for (const std::string added : {"X-User-Id: mallory\r\n", "x_user_id: mallory\r\n"}) {
    TestClient& one = client();
    one.upgrade("/", forged + added);
    ASSERT_TRUE(until([&] { return one.ended; }));
    EXPECT_EQ(one.status(), 400u) << added;
  }
  EXPECT_EQ(rejected(Rejection::kBadRequest), 2u);
  EXPECT_TRUE(engine.seen.empty());

  // Of somebody who is not trusted neither is believed, so there is nothing to doubt.
  configure({});
  connected("/", forged + forged);
  EXPECT_EQ(engine.seen.back().user, "127.0.0.1");
}

TEST_F(Handshake, ACookieOrATokenNamesTheUserAndABadTokenIsRefused) {
  struct Verifier : TokenVerifier {
    std::optional<std::string> user(std::string_view token) const override {
      if (token == "good" || token == "eya.b.c") return "carol";
      return std::nullopt;
    }
  };
  tokens = std::make_shared<Verifier>();
  start({.identity = {{IdentitySource::Kind::kToken, "token"},
                      {IdentitySource::Kind::kCookie, "uid"}}});
  connected("/?token=good");
  EXPECT_EQ(engine.seen.back().user, "carol");
  connected("/", "Authorization: Bearer good\r\n");
  EXPECT_EQ(engine.seen.back().user, "carol");
  connected("/", "Cookie: a=b; uid=dave\r\n");
  EXPECT_EQ(engine.seen.back().user, "dave");
  for (const auto& [target, fields] : std::vector<std::pair<std::string, std::string>>{
           {"/?token=bad", "Cookie: uid=dave\r\n"}, {"/", ""}}) {
    TestClient& one = client();
    one.upgrade(target, fields);
    ASSERT_TRUE(until([&] { return one.ended; }));
    EXPECT_EQ(one.status(), 401u);
  }
}

TEST_F(Handshake, AProxyHeaderTellsTheAddress) {
  start({.trusted_proxies = {network("127.0.0.1")}, .proxy_protocol = true});
  TestClient& one = client();
  std::string header("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16);
  header += std::string("\xC0\0\x02\x09\x7F\0\0\x01\x12\x34\0\x50", 12);
  one.write(header.substr(0, 10));
  settle();
  one.write(header.substr(10));
  settle();
  one.upgrade();
  ASSERT_TRUE(until([&] { return one.status() == 101; }));
  EXPECT_EQ(engine.seen.back().address, "192.0.2.9");

  TestClient& plain = client();
  plain.upgrade();
  ASSERT_TRUE(until([&] { return plain.ended; }));
  EXPECT_EQ(plain.status(), 400u);
}

/// Two threads, each with its loop and gateway; the user of a connection decides which one has it.
TEST(HandOver, AConnectionGoesToTheThreadThatOwnsItsUser) {
  epoll::Loop upstream_loop;
  testing::TestUpstream upstream(upstream_loop);
  const auto upstreams = Upstreams::make({upstream.url()}, nullptr).value();
  Options options;
  options.trusted_proxies = {network("127.0.0.1")};
  const auto settings = std::make_shared<const Settings>(options, upstreams, nullptr);

  Census census;
  epoll::Loop loops[2];
  testing::FakeEngine engines[2];
  for (testing::FakeEngine& engine : engines)
    engine.owners = [](ShardId shard) { return index(shard) % 2; };
  Gateway first(loops[0], engines[0], nullptr, census, 0);
  Gateway second(loops[1], engines[1], nullptr, census, 1);
  first.connect_peers({&first, &second});
  second.connect_peers({&first, &second});
  first.configure(settings);
  second.configure(settings);
  auto listener = epoll::Listener::open_at(epoll::Address::parse("127.0.0.1:0").value()).value();
  const epoll::Address address = listener.local();
  ASSERT_TRUE(first.listen(std::move(listener)));

  std::vector<std::thread> threads;
  threads.emplace_back([&] { loops[0].run(); });
  threads.emplace_back([&] { loops[1].run(); });
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(std::make_unique<TestClient>(address));
    clients.back()->upgrade("/", "X-User-Id: user-" + std::to_string(i) + "\r\n");
  }
  const auto give_up = std::chrono::steady_clock::now() + seconds{20};
  std::size_t answered = 0;
  while (answered < clients.size() && std::chrono::steady_clock::now() < give_up) {
    (void)upstream_loop.run_once(milliseconds{1});
    answered = 0;
    for (const auto& each : clients) {
      const bool was_in = each->status() == 101;
      each->read();
      if (!was_in && each->status() == 101) each->text("hello");
      answered += each->messages.size();
    }
  }
  EXPECT_EQ(answered, clients.size());
  const Totals totals = sum({&first, &second});
  EXPECT_EQ(totals.opened, clients.size());
  EXPECT_GT(totals.handed_over, 0u);
  for (epoll::Loop& loop : loops) loop.stop();
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < 2; ++i)
    for (const auto& seen : engines[i].messages())
      EXPECT_EQ(index(shard_of(hash64(seen.user))) % 2, i) << seen.user;
}

}  // namespace
}  // namespace liminal::gateway
