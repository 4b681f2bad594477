#include "core/wire/mask.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace liminal::wire {
namespace {

/// The definition: byte i of the payload XOR byte i mod 4 of the key (RFC 6455, section 5.3).
std::string masked_by_definition(Mask mask, std::string_view from) {
  std::string to;
  for (std::size_t i = 0; i < from.size(); ++i)
    to.push_back(static_cast<char>(static_cast<unsigned char>(from[i]) ^ mask.key[i % 4]));
  return to;
}

TEST(Mask, IsAppliedAsDefinedForEverySizeAndAlignment) {
  const Mask mask = Mask::from_bits(0x9A3B5C7D);
  std::string source(400, '\0');
  for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<char>(i * 37);
  for (std::size_t offset = 0; offset < 9; ++offset) {
    for (std::size_t size = 0; size < 300; ++size) {
      const std::string_view from = std::string_view(source).substr(offset, size);
      std::string to(size + 1, '#');
      apply_mask(mask, from, to.data());
      ASSERT_EQ(to.substr(0, size), masked_by_definition(mask, from)) << offset << " " << size;
      ASSERT_EQ(to.back(), '#');
    }
  }
}

RC_GTEST_PROP(Mask, TwiceInPlaceIsNothing, (const std::string& text, std::uint32_t bits)) {
  std::string bytes = text;
  apply_mask(Mask::from_bits(bits), bytes, bytes.data());
  apply_mask(Mask::from_bits(bits), bytes, bytes.data());
  RC_ASSERT(bytes == text);
}

RC_GTEST_PROP(Mask, TurnedItGoesOnInTheMiddle, (const std::string& text, std::uint32_t bits)) {
  const Mask mask = Mask::from_bits(bits);
  const auto cut = *rc::gen::inRange<std::size_t>(0, text.size() + 1);
  std::string bytes = text;
  apply_mask(mask, std::string_view(text).substr(0, cut), bytes.data());
  apply_mask(mask.turned(cut), std::string_view(text).substr(cut), bytes.data() + cut);
  RC_ASSERT(bytes == masked_by_definition(mask, text));
}

}  // namespace
}  // namespace liminal::wire
