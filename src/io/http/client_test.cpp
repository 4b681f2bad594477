#include "io/http/client.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "io/http/server.hpp"

namespace liminal::http {
namespace {

Url url_of(const Server& server, const std::string& target = "/") {
  return {
      .tls = false, .host = "127.0.0.1", .port = std::to_string(server.port()), .target = target};
}

std::unique_ptr<Server> serve(Handler handler) {
  return std::move(*Server::start(
      {}, std::move(handler), [](unsigned status, std::string_view, std::string_view) {
        return Response{.status = status, .headers = {}, .body = ""};
      }));
}

TEST(ParseUrl, TakesUrlsApart) {
  EXPECT_EQ(parse_url("http://example.org"), (Url{false, "example.org", "80", "/"}));
  EXPECT_EQ(parse_url("https://example.org/a?b#c"), (Url{true, "example.org", "443", "/a?b"}));
  EXPECT_EQ(parse_url("https://[::1]:8443?x"), (Url{true, "::1", "8443", "/?x"}));
}

TEST(ParseUrl, RefusesWhatIsNone) {
  for (const char* wrong : {"",
                            "example.org",
                            "ftp://example.org",
                            "http://",
                            "http://:80",
                            "http://a:0",
                            "http://a:65536",
                            "http://a:b",
                            "http://[::1",
                            "http://[::1]x",
                            "http://user:secret@example.org",
                            "http://exa mple.org",
                            "http://a\r\nHost: b"})
    EXPECT_FALSE(parse_url(wrong)) << wrong;
}

TEST(Client, SendsARequestAndGetsItsAnswer) {
  const auto server = serve([](Request request, const Reply& reply) {
    reply({.status = 202,
           .headers = {{"X-Seen",
                        request.method + " " + request.target + " " +
                            std::string(request.header("X-One").value_or(""))}},
           .body = request.body + "!"});
  });
  Client client;
  const auto answer = client.send("POST", url_of(*server, "/a?b"), {{"X-One", "1"}}, "hello");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 202u);
  EXPECT_EQ(answer->header("X-Seen"), "POST /a?b 1");
  EXPECT_EQ(answer->body, "hello!");
}

TEST(Client, SaysWhenNobodyAnswers) {
  Url url;
  {
    const auto server = serve([](Request, const Reply&) {});
    url = url_of(*server);
  }
  Client client;
  EXPECT_EQ(client.send("GET", url, {}, "").error().code, ErrorCode::kUnavailable);
}

TEST(Client, GivesUpWhenItsTimeIsOver) {
  const auto server = serve([](Request, const Reply&) {});  // never replies
  Client client({.timeout = std::chrono::milliseconds{50}, .body_bytes_max = 100, .ca_file = {}});
  EXPECT_EQ(client.send("GET", url_of(*server), {}, "").error().code, ErrorCode::kUnavailable);
}

TEST(Client, RefusesAnAnswerThatIsTooLarge) {
  const auto server = serve([](Request, const Reply& reply) {
    reply({.status = 200, .headers = {}, .body = std::string(1000, 'x')});
  });
  Client client({.timeout = std::chrono::seconds{10}, .body_bytes_max = 100, .ca_file = {}});
  EXPECT_EQ(client.send("GET", url_of(*server), {}, "").error().code, ErrorCode::kTooLarge);
}

TEST(Client, DoesNotSpeakTlsWithWhoDoesNot) {
  const auto server = serve([](Request, const Reply& reply) { reply({}); });
  Url url = url_of(*server);
  url.tls = true;
  Client client;
  EXPECT_EQ(client.send("GET", url, {}, "").error().code, ErrorCode::kUnavailable);
}

TEST(Client, IsCancelledWhileItWaits) {
  std::promise<void> asked;
  const auto server = serve([&](Request, const Reply&) { asked.set_value(); });
  Client client;
  std::thread canceller([&] {
    asked.get_future().wait();
    client.cancel();
  });
  EXPECT_EQ(client.send("GET", url_of(*server), {}, "").error().code, ErrorCode::kUnavailable);
  canceller.join();
  EXPECT_EQ(client.send("GET", url_of(*server), {}, "").error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace liminal::http
