#include <gtest/gtest.h>

#include "server/gateway/options.hpp"
#include "server/gateway/outbox.hpp"
#include "server/gateway/proxy_protocol.hpp"

namespace liminal::gateway {
namespace {

std::string proxy_header(char command, char family, const std::string& block) {
  return std::string("\r\n\r\n\0\r\nQUIT\n", 12) + command + family +
         static_cast<char>(block.size() >> 8) + static_cast<char>(block.size() & 0xff) + block;
}

TEST(ProxyHeader, TellsTheSourceAndItsOwnSize) {
  const std::string four = std::string("\x0A\x01\x02\x03\x7F\0\0\x01\x12\x34\0\x50", 12);
  const std::string bytes = proxy_header('\x21', '\x11', four + "more") + "GET /";
  const auto header = parse_proxy_header(bytes);
  ASSERT_TRUE(header && *header);
  EXPECT_EQ((*header)->bytes, 32u);
  EXPECT_EQ((*header)->source->text(), "10.1.2.3:4660");
  for (std::size_t size = 0; size < 32; ++size) {
    const auto part = parse_proxy_header(std::string_view(bytes).substr(0, size));
    ASSERT_TRUE(part) << size;
    EXPECT_FALSE(part->has_value()) << size;
  }
}

TEST(ProxyHeader, HealthChecksHaveNoSourceAndNonsenseIsRefused) {
  EXPECT_FALSE((*parse_proxy_header(proxy_header('\x20', '\0', ""))).value().source.has_value());
  EXPECT_FALSE(parse_proxy_header("GET / HTTP/1.1"));
  EXPECT_FALSE(parse_proxy_header("\r\n\r\nX"));
  EXPECT_FALSE(parse_proxy_header(proxy_header('\x11', '\x11', std::string(12, 'x'))));
  EXPECT_FALSE(parse_proxy_header(proxy_header('\x22', '\x11', std::string(12, 'x'))));
  EXPECT_FALSE(parse_proxy_header(proxy_header('\x21', '\x11', "short")));
  EXPECT_FALSE(parse_proxy_header(proxy_header('\x21', '\x21', std::string(12, 'x'))));
  EXPECT_FALSE(parse_proxy_header(proxy_header('\x21', '\x11', std::string(600, 'x'))));
}

TEST(Gather, CopiesOnlyWhatDoesNotStandTogether) {
  const std::string memory = "abcdef";
  const std::string_view all = memory;
  Gather gather;
  gather.add(all.substr(0, 2));
  gather.add(all.substr(2, 2));
  EXPECT_EQ(gather.bytes().data(), memory.data());
  gather.add(all.substr(5));
  EXPECT_EQ(gather.bytes(), "abcdf");
  gather.add_copy("x");
  EXPECT_EQ(gather.bytes(), "abcdfx");
  gather.clear();
  gather.add(all.substr(3));
  EXPECT_EQ(gather.bytes().data(), memory.data() + 3);
}

TEST(Options, DefaultsAreFineAndAllProblemsAreNamed) {
  EXPECT_TRUE(validate(Options{}).empty());
  Options bad;
  bad.identity.clear();
  bad.connections_max = 0;
  bad.idle_timeout = Duration::zero();
  bad.high_water_bytes = 1;
  bad.channel_path = "data..room";
  EXPECT_GE(validate(bad).size(), 5u);
}

}  // namespace
}  // namespace liminal::gateway
