#include "core/base/codec.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace liminal {
namespace {

RC_GTEST_PROP(Codec,
              GivesBackWhatWasPut,
              (std::uint64_t number, const std::string& text, double x)) {
  Writer out;
  out.put_varint(number);
  out.put_text(text);
  out.put(x);
  out.put(number);

  Reader in(out.bytes());
  RC_ASSERT(in.get_varint() == number);
  RC_ASSERT(in.get_text() == text);
  RC_ASSERT(in.get<double>() == x);
  RC_ASSERT(in.get<std::uint64_t>() == number);
  RC_ASSERT(in.at_end());
}

RC_GTEST_PROP(Codec,
              CutAnywhereFailsAndStaysFailed,
              (std::uint64_t number, const std::string& text)) {
  Writer out;
  out.put_varint(number);
  out.put_text(text);
  const std::string whole = out.bytes();
  const std::string cut = whole.substr(0, *rc::gen::inRange<std::size_t>(0, whole.size()));

  Reader in(cut);
  (void)in.get_varint();
  (void)in.get_text();

  RC_ASSERT(!in.ok());
  RC_ASSERT(in.get<std::uint32_t>() == 0u);
  RC_ASSERT(!in.finish());
}

TEST(Codec, RefusesAVarintThatDoesNotEnd) {
  Reader in("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
  EXPECT_EQ(in.get_varint(), 0u);
  EXPECT_FALSE(in.ok());
}

TEST(Codec, RefusesALengthBeyondTheEnd) {
  Writer out;
  out.put_varint(~0ULL);
  Reader in(out.bytes());
  EXPECT_TRUE(in.get_text().empty());
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace liminal
