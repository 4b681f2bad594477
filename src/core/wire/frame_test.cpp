#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "core/wire/content_check.hpp"
#include "core/wire/frame_parser.hpp"
#include "core/wire/frame_writer.hpp"
#include "core/wire/upgrade_request.hpp"
#include "core/wire/upgrade_response.hpp"
namespace liminal::wire {
namespace {
TEST(Frame, Smoke) {
  std::string s;
  append_frame(s, Opcode::kText, "hello", Mask::from_bits(0x01020304));
  FrameParser p(Sender::kClient);
  std::string_view in = s;
  auto part = p.next(in, {});
  ASSERT_TRUE(part);
  EXPECT_TRUE(part->is_whole_message());
  std::string plain(part->payload.size(), 0);
  apply_mask(part->mask, part->payload, plain.data());
  EXPECT_EQ(plain, "hello");
  EXPECT_FALSE(p.next(in, {}));
}
TEST(Upgrade, Smoke) {
  std::string s;
  append_client_request(s, "example.com", "/chat?token=x", "dGhlIHNhbXBsZSBub25jZQ==", {});
  UpgradeRequestReader r;
  auto q = r.read(s, {});
  ASSERT_TRUE(q) << name(q.error());
  ASSERT_TRUE(*q);
  std::string a;
  append_switching(a, (*q)->key);
  EXPECT_NE(a.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos);
  UpgradeResponseReader rr;
  auto b = rr.read(a, {(*q)->key, {}, false}, {});
  ASSERT_TRUE(b) << name(b.error());
  EXPECT_TRUE((**b).switched());
}
}  // namespace
}  // namespace liminal::wire
