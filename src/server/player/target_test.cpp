#include "server/player/target.hpp"

#include <gtest/gtest.h>

namespace liminal::player {
namespace {

TEST(Target, ReadsUrls) {
  const auto target = Target::parse("ws://127.0.0.1:8080/chat?room=1#x");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->host, "127.0.0.1:8080");
  EXPECT_EQ(target->path, "/chat?room=1");
  EXPECT_EQ(target->address.text(), "127.0.0.1:8080");
  EXPECT_EQ(Target::parse("ws://127.0.0.1")->address.port(), 80);
  EXPECT_EQ(Target::parse("ws://127.0.0.1:9?x")->path, "/?x");
  EXPECT_EQ(Target::parse("ws://[::1]")->address.text(), "[::1]:80");
  EXPECT_TRUE(Target::parse("unix:/run/x.sock")->address.is_unix());
}

TEST(Target, KnowsWhoseCertificateItMustSee) {
  EXPECT_FALSE(Target::parse("ws://127.0.0.1")->ciphered);
  const auto target = Target::parse("wss://127.0.0.1/chat");
  ASSERT_TRUE(target);
  EXPECT_TRUE(target->ciphered);
  EXPECT_EQ(target->address.port(), 443);
  EXPECT_EQ(target->name, "127.0.0.1");
  EXPECT_EQ(Target::parse("wss://[::1]:9000")->name, "::1");
  EXPECT_EQ(Target::parse("wss://localhost:9000")->name, "localhost");
}

TEST(Target, RefusesWhatItCannotReach) {
  EXPECT_EQ(Target::parse("http://127.0.0.1").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(Target::parse("ws:///x").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(Target::parse("ws://127.0.0.1/a b").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(Target::parse("ws://127.0.0.1/\r\nX: y").error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace liminal::player
