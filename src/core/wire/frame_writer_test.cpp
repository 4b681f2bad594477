#include "core/wire/frame_writer.hpp"

#include <gtest/gtest.h>

#include "core/wire/content_check.hpp"
#include "core/wire/utf8.hpp"

namespace liminal::wire {
namespace {

using namespace std::string_literals;

// The examples of RFC 6455, section 5.7.
TEST(FrameWriter, WritesTheExamplesOfTheStandard) {
  std::string out;
  append_frame(out, Opcode::kText, "Hello");
  EXPECT_EQ(out, "\x81\x05Hello");

  out.clear();
  append_frame(out, Opcode::kText, "Hello", Mask{{0x37, 0xfa, 0x21, 0x3d}});
  EXPECT_EQ(out, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");

  out.clear();
  append_frame(out, Opcode::kText, "Hel", std::nullopt, false);
  append_frame(out, Opcode::kContinuation, "lo");
  EXPECT_EQ(out, "\x01\x03Hel\x80\x02lo");

  EXPECT_EQ(FrameHeader(Opcode::kBinary, true, 256, std::nullopt).bytes(), "\x82\x7E\x01\x00"s);
  EXPECT_EQ(FrameHeader(Opcode::kBinary, true, 65536, std::nullopt).bytes(),
            "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"s);
}

TEST(FrameWriter, ACloseFrameCarriesItsCodeAndReason) {
  std::string out;
  append_close(out, CloseCode::kPolicyViolation, "slow down");
  EXPECT_EQ(out, "\x88\x0B\x03\xF0slow down"s);
  EXPECT_EQ(read_close(std::string_view(out).substr(2)).code, CloseCode::kPolicyViolation);
  EXPECT_EQ(read_close(std::string_view(out).substr(2)).reason, "slow down");
}

TEST(FrameWriter, ACodeThatMayNotBeSentLeavesTheCloseFrameEmpty) {
  for (const CloseCode code :
       {CloseCode::kNoStatus, CloseCode::kAbnormal, CloseCode{1015}, CloseCode{0}}) {
    std::string out;
    append_close(out, code, "x");
    EXPECT_EQ(out, "\x88\x00"s);
  }
}

TEST(FrameWriter, ALongReasonIsCutAtACharacter) {
  std::string reason;
  for (int i = 0; i < 100; ++i) reason += "\u00e9";
  std::string out;
  append_close(out, CloseCode::kNormal, reason);
  const std::string_view payload = std::string_view(out).substr(2);
  EXPECT_EQ(payload.size(), 124u);  // 2 + 61 whole characters of 2 bytes
  EXPECT_TRUE(is_utf8(read_close(payload).reason));
}

}  // namespace
}  // namespace liminal::wire
