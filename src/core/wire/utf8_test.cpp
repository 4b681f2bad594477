#include "core/wire/utf8.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace liminal::wire {
namespace {

/// Decodes and judges one character at a time, as RFC 3629 says in words.
bool is_utf8_by_definition(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto at = [&](std::size_t k) {
      return std::uint32_t{static_cast<unsigned char>(text[k])};
    };
    const std::uint32_t first = at(i);
    const std::size_t size = first < 0x80             ? 1
                             : (first & 0xE0) == 0xC0 ? 2
                             : (first & 0xF0) == 0xE0 ? 3
                             : (first & 0xF8) == 0xF0 ? 4
                                                      : 0;
    if (size == 0 || i + size > text.size()) return false;
    std::uint32_t character = size == 1 ? first : first & (0x7FU >> size);
    for (std::size_t k = 1; k < size; ++k) {
      if ((at(i + k) & 0xC0) != 0x80) return false;
      character = character << 6 | (at(i + k) & 0x3F);
    }
    const std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (character < least[size] || character > 0x10FFFF ||
        (character >= 0xD800 && character <= 0xDFFF))
      return false;
    i += size;
  }
  return true;
}

TEST(Utf8, AgreesWithTheDefinitionOnAllShortTexts) {
  std::string text;
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      text.assign({static_cast<char>(a), static_cast<char>(b)});
      ASSERT_EQ(is_utf8(text), is_utf8_by_definition(text)) << a << " " << b;
    }
  }
}

TEST(Utf8, AgreesWithTheDefinitionAtTheEdgesOfLongCharacters) {
  const unsigned edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                            0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                            0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
  for (const unsigned a : edges)
    for (const unsigned b : edges)
      for (const unsigned c : edges)
        for (const unsigned d : edges) {
          const std::string text{static_cast<char>(a),
                                 static_cast<char>(b),
                                 static_cast<char>(c),
                                 static_cast<char>(d)};
          ASSERT_EQ(is_utf8(text), is_utf8_by_definition(text))
              << a << " " << b << " " << c << " " << d;
        }
}

TEST(Utf8, RefusesAtTheFirstByteThatCannotBeMended) {
  Utf8Validator validator;
  EXPECT_TRUE(validator.feed("caf\xC3"));
  EXPECT_FALSE(validator.complete());
  EXPECT_TRUE(validator.feed("\xA9"));
  EXPECT_TRUE(validator.complete());
  EXPECT_TRUE(validator.feed("\xF4"));
  EXPECT_FALSE(validator.feed("\x90"));  // would be above U+10FFFF
  EXPECT_FALSE(validator.feed("ok"));
  EXPECT_FALSE(validator.complete());
}

rc::Gen<std::string> texts_of(rc::Gen<std::string> piece) {
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(std::move(piece)),
                      [](const std::vector<std::string>& pieces) {
                        std::string text;
                        for (const std::string& one : pieces) text += one;
                        return text;
                      });
}

/// Texts of ASCII and characters of every length.
rc::Gen<std::string> valid_texts() {
  return texts_of(rc::gen::element<std::string>("plain ascii text of some length ", "é", "€", "😀"));
}

/// The same with damage now and then.
rc::Gen<std::string> texts() {
  return texts_of(rc::gen::weightedElement<std::string>({{6, "plain ascii text of some length "},
                                                         {4, "é"},
                                                         {4, "€"},
                                                         {4, "😀"},
                                                         {1, "\xED\xA0\x80"},
                                                         {1, "\xC0\xAF"},
                                                         {1, "\x80"},
                                                         {1, "\xF0\x9F"}}));
}

RC_GTEST_PROP(Utf8, AnyCuttingGivesTheSameAnswer, ()) {
  const std::string text = *texts();
  Utf8Validator validator;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto size = *rc::gen::inRange<std::size_t>(1, 40);
    (void)validator.feed(std::string_view(text).substr(at, size));
    at += size;
  }
  RC_ASSERT(validator.complete() == is_utf8_by_definition(text));
  RC_ASSERT(is_utf8(text) == is_utf8_by_definition(text));
}

RC_GTEST_PROP(Utf8, ATextIsCutBetweenCharactersOnly, (std::size_t size)) {
  const std::string text = *valid_texts();
  const std::string_view cut = cut_at_character(text, size % 300);
  RC_ASSERT(is_utf8(cut));
  RC_ASSERT(cut.size() <= size % 300);
  RC_ASSERT(cut.size() + 3 >= std::min(text.size(), size % 300));
}

}  // namespace
}  // namespace liminal::wire
