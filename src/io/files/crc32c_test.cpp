#include "io/files/crc32c.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace liminal::files {
namespace {

TEST(Crc32c, AgreesWithTheStandardsVectors) {
  EXPECT_EQ(crc32c(0, ""), 0u);
  EXPECT_EQ(crc32c(0, "123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(0, std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(0, std::string(32, '\xff')), 0x62a8ab43u);
}

/// By the definition: a bit at a time.
std::uint32_t slow_crc32c(const std::string& bytes) {
  std::uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0);
  }
  return ~crc;
}

RC_GTEST_PROP(Crc32c, IsThatOfTheDefinitionHoweverTheBytesAreCut, (const std::string& bytes)) {
  const auto cut = *rc::gen::inRange<std::size_t>(0, bytes.size() + 1);
  const std::uint32_t first = crc32c(0, std::string_view(bytes).substr(0, cut));
  RC_ASSERT(crc32c(first, std::string_view(bytes).substr(cut)) == slow_crc32c(bytes));
}

}  // namespace
}  // namespace liminal::files
