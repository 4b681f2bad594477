#include "server/gateway/upstream_url.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace liminal::gateway {
namespace {

TEST(UpstreamUrl, IsTakenApart) {
  const auto check = [](const char* url, const char* target, const char* host, bool ciphered) {
    const auto read = parse_upstream(url);
    ASSERT_TRUE(read) << url << ' ' << read.error();
    EXPECT_EQ(read->target, target);
    EXPECT_EQ(read->host, host);
    EXPECT_EQ(read->ciphered, ciphered);
  };
  check("ws://chat-1:9000", "chat-1:9000", "chat-1", false);
  check("ws://chat_1.example/", "chat_1.example:80", "chat_1.example", false);
  check("wss://chat.example", "chat.example:443", "chat.example", true);
  check("ws://[::1]:9000/", "[::1]:9000", "::1", false);
  check("wss://[2001:db8::1]", "[2001:db8::1]:443", "2001:db8::1", true);
  check("ws://10.1.2.3:65535", "10.1.2.3:65535", "10.1.2.3", false);
  check("unix:/run/chat.sock", "unix:/run/chat.sock", "", false);
  check("unix:chat.sock", "unix:chat.sock", "", false);
}

TEST(UpstreamUrl, ThatIsNoneIsToldWhatIsWrongWithIt) {
  const std::pair<const char*, const char*> cases[] = {
      {"http://a:1", "is not ws://, wss:// or unix:"},
      {"", "is not ws://, wss:// or unix:"},
      {"ws://a:9000/path", "has a path: leave it out, since clients ask for theirs"},
      {"ws://a?q", "has a path: leave it out, since clients ask for theirs"},
      {"ws://u:p@a:1", "has a user name, which no upstream is told: leave it out"},
      {"ws://", "names no host"},
      {"wss:///", "names no host"},
      {"ws://:9000", "names no host"},
      {"ws://a:99999", "has a port that is not 1 to 65535"},
      {"ws://a:0", "has a port that is not 1 to 65535"},
      {"ws://a:", "has a port that is not 1 to 65535"},
      {"ws://a:-1", "has a port that is not 1 to 65535"},
      {"ws://a:80 ", "has a port that is not 1 to 65535"},
      {"ws://[::1]9000", "has a host that is neither a name nor an address"},
      {"ws://[::g]:9000", "has a host that is neither a name nor an address"},
      {"ws://::1:9000", "has an IPv6 address without the brackets around it"},
      {"ws://fe80::1", "has an IPv6 address without the brackets around it"},
      {"ws://999.1.1.1:80", "has a host that is neither a name nor an address"},
      {"ws://a b:80", "has a host that is neither a name nor an address"},
      {"unix:", "names no path of a Unix socket"},
  };
  for (const auto& [url, wrong] : cases) {
    const auto read = parse_upstream(url);
    ASSERT_FALSE(read) << url;
    EXPECT_EQ(read.error(), wrong) << url;
  }
  const auto read = parse_upstream("unix:/" + std::string(200, 'x'));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error(), "has a path that is too long for a Unix socket");
}

}  // namespace
}  // namespace liminal::gateway
