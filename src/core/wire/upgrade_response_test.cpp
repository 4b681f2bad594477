#include "core/wire/upgrade_response.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace liminal::wire {
namespace {

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr const char* kGood =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    "Sec-WebSocket-Protocol: chat\r\n"
    "Set-Cookie: a=1\r\n"
    "\r\n";
const UpgradeOffer kOffer{kKey, "superchat, chat", false};

std::string with(std::string_view from, std::string_view to) {
  std::string response = kGood;
  return response.replace(response.find(from), from.size(), to);
}

std::optional<UpgradeFault> fault_of(const std::string& bytes, const UpgradeOffer& offer = kOffer) {
  UpgradeResponseReader reader;
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    const auto response = reader.read(std::string_view(bytes).substr(0, size), offer, {});
    if (!response) return response.error();
  }
  return std::nullopt;
}

TEST(UpgradeResponse, AcceptsTheAnswerToItsOfferAndKeepsWhatFollows) {
  const std::string bytes = std::string(kGood) + "\x81\x02hi";
  UpgradeResponseReader reader;
  const auto response = reader.read(bytes, kOffer, {});
  ASSERT_TRUE(response) << name(response.error());
  ASSERT_TRUE(*response);
  EXPECT_TRUE((*response)->switched());
  EXPECT_EQ(bytes.substr((*response)->head_bytes), "\x81\x02hi");

  std::string out;
  append_response(out, **response);
  EXPECT_EQ(out, kGood);
}

TEST(UpgradeResponse, RefusesAnAnswerThatIsNotOne) {
  using F = UpgradeFault;
  struct {
    std::string response;
    UpgradeFault fault;
  } const cases[] = {
      {with("s3pPLMBi", "s3pPLMBj"), F::kAcceptKey},
      {with("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", ""), F::kAcceptKey},
      {with("Set-Cookie: a=1", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
       F::kDuplicateField},
      {with("Upgrade: websocket\r\n", ""), F::kNotAnUpgrade},
      {with("Upgrade: websocket", "Upgrade: h2c"), F::kUpgradeToOther},
      {with("Connection: Upgrade\r\n", ""), F::kNotAnUpgrade},
      {with("Connection: Upgrade", "Connection: close"), F::kNotAnUpgrade},
      {with("Protocol: chat", "Protocol: other"), F::kSubprotocolNotOffered},
      {with("Protocol: chat", "Protocol: Chat"), F::kSubprotocolNotOffered},
      {with("Set-Cookie: a=1", "Sec-WebSocket-Protocol: chat"), F::kDuplicateField},
      {with("Set-Cookie: a=1", "Sec-WebSocket-Extensions: permessage-deflate"),
       F::kExtensionNotOffered},
      {with("Set-Cookie: a=1", "Content-Length: 0"), F::kBody},
      {with("Set-Cookie: a=1", "Transfer-Encoding: chunked"), F::kBody},
      {with("HTTP/1.1", "HTTP/1.0"), F::kVersion},
      {with("HTTP/1.1 101", "HTTP/1.1 1"), F::kStartLine},
      {with("HTTP/1.1 101", "HTTP/1.1 0101"), F::kStartLine},
      {with("HTTP/1.1 101", "HTTP/1.1  101"), F::kStartLine},
      {with("HTTP/1.1 101", "SPDY/1.1 101"), F::kStartLine},
      {with("Set-Cookie: a=1\r\n", "Set-Cookie: a=1\n"), F::kBareLineEnd},
  };
  for (const auto& bad : cases) {
    const auto fault = fault_of(bad.response);
    ASSERT_TRUE(fault) << bad.response;
    EXPECT_EQ(*fault, bad.fault) << bad.response << name(*fault);
  }
  EXPECT_EQ(fault_of(kGood, {kKey, "", false}), F::kSubprotocolNotOffered);
}

TEST(UpgradeResponse, GivesAnyOtherStatusAsItIs) {
  UpgradeResponseReader reader;
  const std::string bytes = "HTTP/1.1 403\r\nContent-Length: 2\r\n\r\nno";
  const auto response = reader.read(bytes, kOffer, {});
  ASSERT_TRUE(response && *response);
  EXPECT_EQ((*response)->status, 403u);
  EXPECT_FALSE((*response)->switched());
}

TEST(UpgradeResponse, AServersOwnAnswerIsAccepted) {
  std::string bytes;
  append_switching(bytes, kKey, "chat");
  EXPECT_EQ(fault_of(bytes), std::nullopt);
}

TEST(Refusal, SaysWhatTheClientMayDoInstead) {
  std::string out;
  append_refusal(out, UpgradeFault::kWebSocketVersion);
  EXPECT_EQ(
      out,
      "HTTP/1.1 426 Upgrade Required\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade, close\r\n"
      "Sec-WebSocket-Version: 13\r\n"
      "Content-Type: application/problem+json\r\n"
      "Content-Length: 107\r\n"
      "\r\n"
      R"({"type":"about:blank","title":"Upgrade Required","status":426,"detail":"the WebSocket version must be 13"})"
      "\n");
  out.clear();
  append_refusal(out, UpgradeFault::kMethod);
  EXPECT_NE(out.find("\r\nAllow: GET\r\n"), std::string::npos);
  out.clear();
  const std::vector<Field> retry = {{"Retry-After", "2"}};
  append_refusal(out, 429, "a \"quoted\"\n detail", retry);
  EXPECT_NE(out.find("\r\nRetry-After: 2\r\n"), std::string::npos);
  EXPECT_NE(out.find(R"(a \"quoted\"? detail)"), std::string::npos);
}

}  // namespace
}  // namespace liminal::wire
