#include "io/http/server.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace liminal::http {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Response error_page(unsigned status, std::string_view detail, std::string_view request_id) {
  return {status,
          {{"Content-Type", "text/plain"}, {"X-Request-Id", std::string(request_id)}},
          std::string(detail)};
}

/// Answers with what it was asked.
void echo(const Request& request, const Reply& reply) {
  reply({200, {}, request.method + " " + request.target + " " + request.body});
}

std::unique_ptr<Server> start(Options options, Handler handler = echo) {
  auto server = Server::start(options, std::move(handler), error_page);
  EXPECT_TRUE(server);
  return std::move(*server);
}

/// A client that sends bytes and reads answers, blocking.
class Client {
 public:
  explicit Client(const Server& server) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // refused before it was all sent
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  /// Reads until `end` was read, or the connection is closed.
  std::string until(std::string_view end) {
    std::size_t at = 0;
    while ((at = read_.find(end)) == std::string::npos && receive()) {
    }
    const std::string text = read_.substr(0, at == std::string::npos ? at : at + end.size());
    read_.erase(0, text.size());
    return text;
  }

  std::string rest() {
    while (receive()) {
    }
    return read_;
  }

 private:
  bool receive() {
    char buffer[4096];
    const auto count = ::recv(socket_, buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    read_.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  int socket_;
  std::string read_;
};

TEST(Server, KeepsTheConnectionAndAnswersInOrder) {
  const auto server = start({});
  Client client(*server);

  client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.until("GET /a "), StartsWith("HTTP/1.1 200 OK\r\n"));
  client.send(
      "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
      "GET /c HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

  client.until("POST /b hi");
  client.until("GET /c ");
  EXPECT_THAT(client.rest(), AllOf(HasSubstr("Connection: close\r\n"), EndsWith("GET /d ")));
}

TEST(Server, ReadsChunkedBodiesAndByteByByte) {
  const auto server = start({});
  Client client(*server);
  for (const char c : std::string("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
    client.send({&c, 1});
  EXPECT_THAT(client.until("POST / abcde"), HasSubstr("200 OK"));
}

TEST(Server, AnswersHeadWithoutABody) {
  const auto server = start({});
  Client client(*server);
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.rest(), AllOf(HasSubstr("Content-Length: 7\r\n"), EndsWith("\r\n\r\n")));
}

TEST(Server, InvitesABodyThatIsAnnounced) {
  const auto server = start({});
  Client client(*server);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  EXPECT_THAT(client.until("POST / hi"), StartsWith("HTTP/1.1 200 OK"));
}

TEST(Server, RefusesWhatExceedsItsBounds) {
  const auto server = start({.header_bytes_max = 2048, .body_bytes_max = 2048});
  const std::string much(100'000, 'a');
  const std::pair<std::string, const char*> cases[] = {
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2049\r\n\r\n" + much, "HTTP/1.1 413 "},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" + much,
       "HTTP/1.1 413 "},
      {"POST / HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\nContent-Length: 2049\r\n\r\n" + much,
       "HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain\r\nX-Request-Id: mine\r\n"},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: " + much, "HTTP/1.1 431 "},
      {"GET /" + much, "HTTP/1.1 431 "}};
  for (const auto& [bytes, expected] : cases) {
    Client client(*server);
    client.send(bytes);
    EXPECT_THAT(client.rest(), AllOf(StartsWith(expected), HasSubstr("Connection: close")));
  }
}

TEST(Server, RefusesWhatIsNoRequestOrAmbiguous) {
  const auto server = start({});
  const std::pair<const char*, const char*> cases[] = {
      {"nonsense\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/9.9\r\nHost: a\r\n\r\n", "HTTP/1.1 505 "},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
       "HTTP/1.1 400 "},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
       "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "HTTP/1.1 400 "}};
  for (const auto& [bytes, expected] : cases) {
    Client client(*server);
    client.send(bytes);
    EXPECT_THAT(client.rest(), StartsWith(expected)) << bytes;
  }
}

TEST(Server, ClosesWhatIsIdleOrTooSlow) {
  const auto server = start({.idle_timeout = 20ms, .receive_timeout = 20ms});
  Client idle(*server);
  Client slow(*server);
  slow.send("GET / HT");
  EXPECT_EQ(idle.rest(), "");
  EXPECT_EQ(slow.rest(), "");
}

TEST(Server, SaysWhenItsHandlerTakesTooLong) {
  std::vector<Reply> kept;
  {
    const auto server =
        start({.handler_timeout = 20ms}, [&kept](Request, Reply reply) { kept.push_back(reply); });
    Client client(*server);
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(client.until("in time"), StartsWith("HTTP/1.1 503 "));
    kept.at(0)({200, {}, "too late"});
    client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine-7\r\n\r\n");
    EXPECT_THAT(client.until("in time"),
                AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("X-Request-Id: mine-7\r\n")));
  }
  kept.at(1)({200, {}, "the server is gone"});
}

TEST(Server, TakesAnswersFromAnyThread) {
  std::vector<std::jthread> threads;
  const auto server = start({.threads = 2}, [&threads](Request request, Reply reply) {
    threads.emplace_back([request, reply] { echo(request, reply); });
  });
  Client client(*server);
  for (int i = 0; i < 20; ++i) {
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(client.until("GET / "), HasSubstr("200 OK"));
  }
}

TEST(Server, ClosesTheConnectionBeyondItsMaximum) {
  const auto server = start({.connections_max = 1});
  Client first(*server);
  first.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  first.until("GET / ");
  Client second(*server);
  EXPECT_EQ(second.rest(), "");
  EXPECT_EQ(server->connections(), 1U);
}

TEST(Server, StopsAfterWhatWasBegunIsAnswered) {
  std::mutex mutex;
  std::condition_variable arrived;
  std::optional<Reply> kept;
  const auto server = start({}, [&](Request, Reply reply) {
    const std::lock_guard lock(mutex);
    kept = std::move(reply);
    arrived.notify_all();
  });
  Client busy(*server);
  Client idle(*server);
  busy.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  {
    std::unique_lock lock(mutex);
    arrived.wait(lock, [&kept] { return kept.has_value(); });
  }

  std::jthread stopping([&server] { server->stop(10s); });
  EXPECT_EQ(idle.rest(), "");  // closed at once
  (*kept)({200, {}, "done"});

  EXPECT_THAT(busy.rest(), AllOf(HasSubstr("Connection: close"), EndsWith("done")));
}

constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(Server, SendsPiecesAsTheyAreMade) {
  std::mutex mutex;
  std::condition_variable asked;
  std::function<void(Piece)> give;
  const auto next_given = [&] {
    std::unique_lock lock(mutex);
    asked.wait(lock, [&give] { return give != nullptr; });
    return std::exchange(give, nullptr);
  };
  const auto server = start({}, [&](const Request& request, const Reply& reply) {
    if (request.target != "/") return echo(request, reply);
    EXPECT_TRUE(request.takes_pieces);
    reply({200, {}, "one", [&](std::function<void(Piece)> to) {
             const std::lock_guard lock(mutex);
             give = std::move(to);
             asked.notify_all();
           }});
  });
  Client client(*server);

  client.send(std::string(kGet) + "GET /after HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.until("3\r\none\r\n"), HasSubstr("Transfer-Encoding: chunked\r\n"));
  const auto give_second = next_given();
  give_second({std::string(20, 'x'), Piece::Then::kMore});
  give_second({"a second time", Piece::Then::kEnd});
  EXPECT_EQ(client.until("x\r\n"), "14\r\n" + std::string(20, 'x') + "\r\n");
  next_given()({"", Piece::Then::kMore});
  next_given()({"end", Piece::Then::kEnd});
  EXPECT_EQ(client.until("0\r\n\r\n"), "3\r\nend\r\n0\r\n\r\n");
  EXPECT_THAT(client.until("GET /after "), HasSubstr("Content-Length: 11\r\n"));
}

TEST(Server, ClosesBeforeTheEndOfWhatBroke) {
  const auto server = start({}, [](const Request&, const Reply& reply) {
    reply({200, {}, "one", [](const std::function<void(Piece)>& give) {
             give({"why", Piece::Then::kBroken});
           }});
  });
  Client client(*server);
  client.send(kGet);
  EXPECT_THAT(client.rest(), EndsWith("\r\n\r\n3\r\none\r\n3\r\nwhy\r\n"));
}

/// Pieces without end, and whether somebody still has use for them.
struct Endless {
  std::promise<void> gone;
  std::atomic<std::size_t> made{0};
  ~Endless() { gone.set_value(); }
};

TEST(Server, MakesPiecesNoFasterThanTheyAreRead) {
  constexpr std::size_t kPieceBytes = 1 << 20;
  auto endless = std::make_shared<Endless>();
  auto gone = endless->gone.get_future();
  std::weak_ptr<Endless> weak = endless;
  const auto server = start({.send_timeout = 50ms}, [&](const Request&, const Reply& reply) {
    reply({200, {}, "", [all = std::move(endless)](const std::function<void(Piece)>& give) {
             ++all->made;
             give({std::string(kPieceBytes, 'x'), Piece::Then::kMore});
           }});
  });
  Client client(*server);
  client.send(kGet);
  std::size_t most = 0;  // the kernel's buffers take some, and then nobody reads
  while (gone.wait_for(1ms) == std::future_status::timeout) {
    if (const auto alive = weak.lock()) most = alive->made;
  }
  EXPECT_GE(most, 1U);
  EXPECT_LE(most, 32U);
}

TEST(Server, LetsGoOfPiecesThatNobodyWaitsFor) {
  auto endless = std::make_shared<Endless>();
  auto gone = endless->gone.get_future();
  const auto server = start({}, [&](const Request&, const Reply& reply) {
    reply({200, {}, "", [all = std::move(endless)](const std::function<void(Piece)>& give) {
             give({"x", Piece::Then::kMore});
           }});
  });
  {
    Client client(*server);
    client.send(kGet);
    client.until("x");
  }
  EXPECT_EQ(gone.wait_for(30s), std::future_status::ready);
}

TEST(Server, OffersNoPiecesToWhoCannotTakeThem) {
  const auto server = start({}, [](const Request& request, const Reply& reply) {
    reply({200, {}, request.takes_pieces ? "pieces" : "whole"});
  });
  Client old(*server);
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.rest(), EndsWith("whole"));
  Client head(*server);
  head.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(head.until("\r\n\r\n"), HasSubstr("Content-Length: 5\r\n"));
}

TEST(Server, SaysWhyItCannotListen) {
  const auto server = start({});
  const auto taken = Server::start({.port = server->port()}, echo, error_page);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kIo);
  EXPECT_EQ(taken.error().position, static_cast<std::uint64_t>(EADDRINUSE));
  EXPECT_EQ(Server::start({.host = "localhost"}, echo, error_page).error().code,
            ErrorCode::kMalformed);
}

TEST(Options, AreRefusedWithEveryProblemNamed) {
  EXPECT_TRUE(validate(Options{}).empty());
  const Problems problems = validate({.host = "x", .threads = 0, .idle_timeout = 0ms});
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_EQ(problems[2].key, "idle_timeout");
}

}  // namespace
}  // namespace liminal::http
