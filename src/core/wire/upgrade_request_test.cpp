#include "core/wire/upgrade_request.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "core/wire/handshake_key.hpp"

namespace liminal::wire {
namespace {

using namespace std::string_literals;

constexpr const char* kGood =
    "GET /chat?room=1&token=a%20b HTTP/1.1\r\n"
    "Host: gateway.example:8080\r\n"
    "User-Agent: test\r\n"
    "Connection: keep-alive, Upgrade\r\n"
    "Upgrade: WebSocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: chat, superchat\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    "X-Forwarded-For: 10.0.0.1\r\n"
    "Cookie: theme=dark; session=\"abc\"\r\n"
    "\r\n";

std::string with(std::string_view from, std::string_view to) {
  std::string request = kGood;
  const std::size_t at = request.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return request.replace(at, from.size(), to);
}

/// The answer to bytes that come in pieces of one size: a fault, or the target, or "" for "more".
struct Answer {
  std::optional<UpgradeFault> fault;
  std::string target;
  friend bool operator==(const Answer&, const Answer&) = default;
};

Answer read(const std::string& bytes, std::size_t piece, const HeadLimits& limits = {}) {
  UpgradeRequestReader reader;
  for (std::size_t size = std::min(piece, bytes.size());;
       size = std::min(size + piece, bytes.size())) {
    const std::string arrived = bytes.substr(0, size);
    const auto request = reader.read(arrived, limits);
    if (!request) return {request.error(), {}};
    if (*request) return {std::nullopt, std::string((*request)->target)};
    if (size == bytes.size()) return {};
  }
}

TEST(UpgradeRequest, ReadsWhatAClientSends) {
  UpgradeRequestReader reader;
  const std::string bytes = kGood;
  const auto answer = reader.read(bytes, {});
  ASSERT_TRUE(answer) << name(answer.error());
  ASSERT_TRUE(*answer);
  const UpgradeRequest& request = **answer;
  EXPECT_EQ(request.target, "/chat?room=1&token=a%20b");
  EXPECT_EQ(request.host, "gateway.example:8080");
  EXPECT_EQ(request.key, "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(request.fields.find("x-forwarded-FOR"), "10.0.0.1");
  EXPECT_EQ(request.fields.find("Authorization"), std::nullopt);
  EXPECT_EQ(query_parameter(request.target, "token"), "a%20b");
  EXPECT_EQ(query_parameter(request.target, "toke"), std::nullopt);
  EXPECT_EQ(query_parameter("/chat?flag&x=", "flag"), "");
  EXPECT_EQ(cookie(*request.fields.find("Cookie"), "session"), "abc");
  EXPECT_EQ(cookie(*request.fields.find("Cookie"), "theme"), "dark");
  EXPECT_EQ(cookie(*request.fields.find("Cookie"), "sess"), std::nullopt);
}

TEST(UpgradeRequest, AcceptsWhatBrowsersAndLibrariesVary) {
  for (const std::string& request : {
           with("GET /chat?room=1&token=a%20b", "GET /"),
           with("GET /chat?room=1&token=a%20b", "GET /a?q={x|y}^`[z]\\"),
           with("Connection: keep-alive, Upgrade", "connection:upgrade"),
           with("Connection: keep-alive, Upgrade", "Connection: , Upgrade ,"),
           with("Connection: keep-alive, Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"),
           with("User-Agent: test", "X-Empty:"),
           with("User-Agent: test", "X-Latin: caf\xE9\t!"),
           with("User-Agent: test", "Content-Length: 0"),
           with("Host: gateway.example:8080", "Host: [::1]:8080"),
           with("User-Agent: test", "Cookie: a=1\r\nCookie: b=2"),
       }) {
    EXPECT_EQ(read(request, 1000).fault, std::nullopt) << request;
  }
}

struct BadCase {
  const char* what;
  std::string request;
  UpgradeFault fault;
  unsigned status;
};

std::vector<BadCase> bad_cases() {
  using F = UpgradeFault;
  const std::string version = "Sec-WebSocket-Version: 13";
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const std::string host = "Host: gateway.example:8080";
  const std::string agent = "User-Agent: test";
  const std::string line = "GET /chat?room=1&token=a%20b HTTP/1.1";
  return {
      {"bare LF", with(agent + "\r\n", agent + "\n"), F::kBareLineEnd, 400},
      {"bare CR", with(agent, "User-Agent: te\rst"), F::kBareLineEnd, 400},
      {"CR CR LF", with(agent, agent + "\r"), F::kBareLineEnd, 400},
      {"NUL in a value", with(agent, "User-Agent: te\0st"s), F::kControlCharacter, 400},
      {"NUL in a name", with(agent, "User\0Agent: x"s), F::kControlCharacter, 400},
      {"escape character", with(agent, "User-Agent: \x1B[0m"), F::kControlCharacter, 400},
      {"vertical tab", with(agent, "User-Agent: a\vb"), F::kControlCharacter, 400},
      {"delete character", with(agent, "User-Agent: \x7F"), F::kControlCharacter, 400},
      {"TLS client hello", "\x16\x03\x01\x02\x00\x01"s, F::kControlCharacter, 400},
      {"empty line first", "\r\n"s + kGood, F::kStartLine, 400},
      {"folded field", with(agent, agent + "\r\n more"), F::kFolded, 400},
      {"folded by a tab", with(agent, agent + "\r\n\tmore"), F::kFolded, 400},
      {"first field folded", with(host, " " + host), F::kFolded, 400},
      {"space before the colon", with(agent, "User-Agent : test"), F::kFieldName, 400},
      {"tab before the colon", with(agent, "User-Agent\t: test"), F::kFieldName, 400},
      {"space in a name", with(agent, "User Agent: test"), F::kFieldName, 400},
      {"no colon", with(agent, "User-Agent"), F::kFieldName, 400},
      {"no name", with(agent, ": test"), F::kFieldName, 400},
      {"name not ASCII", with(agent, "Us\xC3\xA9r: test"), F::kFieldName, 400},
      {"name in parentheses", with(agent, "(User): test"), F::kFieldName, 400},
      {"two spaces in the request line", with("GET ", "GET  "), F::kStartLine, 400},
      {"no version", with(line, "GET /"), F::kStartLine, 400},
      {"HTTP/0.9", with("HTTP/1.1", "HTTP/0.9"), F::kVersion, 505},
      {"HTTP/1.0", with("HTTP/1.1", "HTTP/1.0"), F::kVersion, 505},
      {"HTTP/2.0", with("HTTP/1.1", "HTTP/2.0"), F::kVersion, 505},
      {"HTTP/1.1 and more", with("HTTP/1.1", "HTTP/1.1 "), F::kStartLine, 400},
      {"HTTP/1.10", with("HTTP/1.1", "HTTP/1.10"), F::kStartLine, 400},
      {"http/1.1", with("HTTP/1.1", "http/1.1"), F::kStartLine, 400},
      {"POST", with("GET ", "POST "), F::kMethod, 405},
      {"get", with("GET ", "get "), F::kMethod, 405},
      {"absolute form", with("GET /chat", "GET http://a.example/chat"), F::kTarget, 400},
      {"asterisk", with("GET /chat?room=1&token=a%20b", "GET *"), F::kTarget, 400},
      {"fragment", with("GET /chat", "GET /#chat"), F::kTarget, 400},
      {"target not ASCII", with("GET /chat", "GET /ch\xC3\xA4t"), F::kTarget, 400},
      {"tab in the target", with("GET /chat", "GET /\tchat"), F::kTarget, 400},
      {"no host", with(host + "\r\n", ""), F::kHost, 400},
      {"empty host", with(host, "Host:"), F::kHost, 400},
      {"host with a path", with(host, "Host: a.example/x"), F::kHost, 400},
      {"host with a user", with(host, "Host: me@a.example"), F::kHost, 400},
      {"two hosts", with(host, host + "\r\nhost: other.example"), F::kDuplicateField, 400},
      {"the same host twice", with(host, host + "\r\n" + host), F::kDuplicateField, 400},
      {"two upgrades",
       with("Upgrade: WebSocket", "Upgrade: websocket\r\nUpgrade: websocket"),
       F::kDuplicateField,
       400},
      {"two keys", with(key, key + "\r\n" + key), F::kDuplicateField, 400},
      {"two versions", with(version, version + "\r\n" + version), F::kDuplicateField, 400},
      {"two origins", with(agent, "Origin: a\r\nOrigin: b"), F::kDuplicateField, 400},
      {"two lengths",
       with(agent, "Content-Length: 0\r\nContent-Length: 0"),
       F::kDuplicateField,
       400},
      {"two authorizations",
       with(agent, "Authorization: a\r\nauthorization: b"),
       F::kDuplicateField,
       400},
      {"body", with(agent, "Content-Length: 5"), F::kBody, 400},
      {"length with a sign", with(agent, "Content-Length: +0"), F::kBody, 400},
      {"length list", with(agent, "Content-Length: 0, 0"), F::kBody, 400},
      {"chunked body", with(agent, "Transfer-Encoding: chunked"), F::kBody, 400},
      {"identity body", with(agent, "Transfer-Encoding: identity"), F::kBody, 400},
      {"expectation", with(agent, "Expect: 100-continue"), F::kExpectation, 417},
      {"no upgrade", with("Upgrade: WebSocket\r\n", ""), F::kNotAnUpgrade, 426},
      {"upgrade to something else",
       with("Upgrade: WebSocket", "Upgrade: h2c"),
       F::kUpgradeToOther,
       400},
      {"upgrade to a choice",
       with("Upgrade: WebSocket", "Upgrade: h2c, websocket"),
       F::kUpgradeToOther,
       400},
      {"no connection", with("Connection: keep-alive, Upgrade\r\n", ""), F::kNotAnUpgrade, 426},
      {"connection without upgrade",
       with("keep-alive, Upgrade", "keep-alive"),
       F::kNotAnUpgrade,
       426},
      {"connection names a field",
       with("keep-alive, Upgrade", "Upgrade, X-Forwarded-For"),
       F::kConnectionOption,
       400},
      {"connection close",
       with("keep-alive, Upgrade", "Upgrade, close"),
       F::kConnectionOption,
       400},
      {"old version", with(version, "Sec-WebSocket-Version: 8"), F::kWebSocketVersion, 426},
      {"no version field", with(version + "\r\n", ""), F::kWebSocketVersion, 426},
      {"version list", with(version, "Sec-WebSocket-Version: 13, 8"), F::kWebSocketVersion, 426},
      {"no key", with(key + "\r\n", ""), F::kWebSocketKey, 400},
      {"short key", with(key, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="), F::kWebSocketKey, 400},
      {"key not canonical",
       with(key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="),
       F::kWebSocketKey,
       400},
      {"key with a space inside",
       with(key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25 ZQ=="),
       F::kWebSocketKey,
       400},
  };
}

TEST(UpgradeRequest, RefusesEveryMalformedRequestHoweverItIsCut) {
  for (const BadCase& bad : bad_cases()) {
    SCOPED_TRACE(bad.what);
    const Answer at_once = read(bad.request, bad.request.size());
    ASSERT_TRUE(at_once.fault);
    EXPECT_EQ(*at_once.fault, bad.fault) << name(*at_once.fault);
    EXPECT_EQ(status(*at_once.fault), bad.status);
    EXPECT_EQ(read(bad.request, 1), at_once);
  }
}

TEST(UpgradeRequest, RefusesEarlyBytes) {
  EXPECT_EQ(read(kGood + "\x81"s, 10'000).fault, UpgradeFault::kEarlyBytes);
}

TEST(UpgradeRequest, RefusesHeadsOverTheirBounds) {
  const std::string good = kGood;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
    EXPECT_EQ(read(good, piece, {.bytes_max = good.size()}).fault, std::nullopt);
    EXPECT_EQ(read(good, piece, {.bytes_max = good.size() - 1}).fault, UpgradeFault::kHeadTooLarge);
    EXPECT_EQ(read(std::string(20'000, 'x'), piece).fault, UpgradeFault::kTargetTooLong);
    EXPECT_EQ(read(with("User-Agent: test", "X: " + std::string(9000, 'x')), piece).fault,
              UpgradeFault::kHeadTooLarge);
    std::string many;
    for (int i = 0; i < 60; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
    EXPECT_EQ(read(with("User-Agent: test\r\n", many), piece).fault, UpgradeFault::kTooManyFields);
  }
  EXPECT_EQ(status(UpgradeFault::kTargetTooLong), 414u);
  EXPECT_EQ(status(UpgradeFault::kHeadTooLarge), 431u);
  EXPECT_EQ(status(UpgradeFault::kTooManyFields), 431u);
}

TEST(UpgradeRequest, IsWrittenAnewForTheUpstream) {
  const std::string bytes = kGood;
  const auto request = parse_upgrade_request(bytes);
  ASSERT_TRUE(request);
  const std::vector<std::string_view> dropped = {"X-Forwarded-For", "Cookie"};
  const std::vector<Field> added = {{"X-Forwarded-For", "10.0.0.1, 192.0.2.7"},
                                    {"X-User-Id", "eve"}};
  std::string out;

  append_request(
      out, *request, {.dropped = dropped, .added = added, .host = "backend:9000", .target = {}});

  EXPECT_EQ(out,
            "GET /chat?room=1&token=a%20b HTTP/1.1\r\n"
            "Host: backend:9000\r\n"
            "User-Agent: test\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: chat, superchat\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "X-Forwarded-For: 10.0.0.1, 192.0.2.7\r\n"
            "X-User-Id: eve\r\n"
            "\r\n");
  EXPECT_TRUE(parse_upgrade_request(out));
}

TEST(UpgradeRequest, DropsWhatAnUpstreamCouldTakeForADroppedField) {
  const std::string bytes = with("User-Agent: test", "X_user-id: admin");
  const auto request = parse_upgrade_request(bytes);
  ASSERT_TRUE(request);
  const std::vector<std::string_view> dropped = {"X-User-Id"};
  std::string out;
  append_request(
      out,
      *request,
      {.dropped = dropped, .added = {}, .host = {}, .target = {}, .strip_extensions = false});
  EXPECT_EQ(out.find("admin"), std::string::npos);
  EXPECT_NE(out.find("permessage-deflate"), std::string::npos);
}

RC_GTEST_PROP(UpgradeRequest, ReadsWhatAClientWrites, (const std::vector<std::uint8_t>& seed)) {
  std::array<std::uint8_t, 16> random{};
  for (std::size_t i = 0; i < std::min<std::size_t>(16, seed.size()); ++i) random[i] = seed[i];
  const auto key = handshake_key(random);
  const std::vector<Field> fields = {{"X-User-Id", "user 1"}};
  std::string bytes;
  append_client_request(bytes, "localhost:8080", "/x?y=z", text(key), fields);

  const auto request = parse_upgrade_request(bytes);

  RC_ASSERT(request.has_value());
  RC_ASSERT(request->key == text(key));
  RC_ASSERT(request->fields.find("X-User-Id") == "user 1");
}

RC_GTEST_PROP(UpgradeRequest, AnyCuttingOfADamagedRequestGivesTheSameAnswer, ()) {
  std::string bytes = kGood;
  const auto damage = *rc::gen::inRange(0, 3);
  for (int i = 0; i < damage; ++i)
    bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] = *rc::gen::oneOf(
        rc::gen::arbitrary<char>(), rc::gen::element('\r', '\n', ' ', ':', '\0', ','));
  const Answer at_once = read(bytes, bytes.size());
  // Only bytes behind the head depend on the cut: a damaged end may come before the old one.
  if (at_once.fault == UpgradeFault::kEarlyBytes) return;
  RC_ASSERT(read(bytes, 1) == at_once);
  RC_ASSERT(read(bytes, *rc::gen::inRange<std::size_t>(2, 100)) == at_once);
}

}  // namespace
}  // namespace liminal::wire
