#include "io/epoll/socket.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace liminal::epoll {
namespace {

TEST(Address, ReadsWhatItWrites) {
  for (const char* text : {"127.0.0.1:80", "[::1]:443", "0.0.0.0:0", "unix:/tmp/x.sock"}) {
    const Result<Address> address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
  }
  EXPECT_EQ(Address::parse(":8080")->text(), "0.0.0.0:8080");
  EXPECT_EQ(Address::parse("[::ffff:10.0.0.1]:1")->host(), "10.0.0.1");
}

TEST(Address, RefusesWhatIsNone) {
  for (const char* text :
       {"", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "::1:80", "a:1", "unix:", "1:2:3"})
    EXPECT_FALSE(Address::parse(text)) << text;
  EXPECT_EQ(Address::parse("unix:/" + std::string(200, 'x')).error().code, ErrorCode::kTooLarge);
}

TEST(Network, ContainsItsAddressesOnly) {
  const Network ten = Network::parse("10.0.0.0/9").value();
  EXPECT_TRUE(ten.contains("10.127.255.255"));
  EXPECT_FALSE(ten.contains("10.128.0.0"));
  EXPECT_FALSE(ten.contains("::1"));
  EXPECT_FALSE(ten.contains(""));
  EXPECT_TRUE(ten.contains(Address::parse("[::ffff:10.0.0.1]:1").value()));
  EXPECT_TRUE(Network::parse("0.0.0.0/0")->contains("1.2.3.4"));
  EXPECT_TRUE(Network::parse("2001:db8::/32")->contains("2001:db8:1::9"));
  EXPECT_TRUE(Network::parse("unix:")->contains(Address::parse("unix:/tmp/x").value()));
  EXPECT_FALSE(Network::parse("::/0")->contains(Address::parse("unix:/tmp/x").value()));
  for (const char* text : {"", "/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "::/129", "ten"})
    EXPECT_FALSE(Network::parse(text)) << text;
}

TEST(Socket, AListenerOnAUnixSocketTakesOverTheFileThatADeadOneLeft) {
  const Address at =
      Address::parse("unix:/tmp/liminal_socket_test_" + std::to_string(::getpid())).value();
  { ASSERT_TRUE(Listener::open_at(at)); }
  const Result<Listener> second = Listener::open_at(at);
  ASSERT_TRUE(second);
  const Result<Listener> third = Listener::open_at(at);
  ASSERT_FALSE(third) << "the second one still listens";
  EXPECT_EQ(third.error().position, static_cast<std::uint64_t>(EADDRINUSE));
  ::unlink(at.host().substr(5).c_str());
}

TEST(Socket, ThoseWhoShareAPortDoNotShareItWithAnotherProgram) {
  const Address any = Address::parse("127.0.0.1:0").value();
  EXPECT_TRUE(Listener::check_free(any));
  Result<Listener> first = Listener::open_at(any, {.share_port = true});
  ASSERT_TRUE(first);
  const Address at = first->local();
  const Result<void> taken = Listener::check_free(at);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().position, static_cast<std::uint64_t>(EADDRINUSE));
  EXPECT_TRUE(Listener::open_at(at, {.share_port = true})) << "its own threads share it";
  first->close();
  EXPECT_TRUE(Listener::check_free(at)) << "nobody is left";
}

}  // namespace
}  // namespace liminal::epoll
