#include "io/json/writer.hpp"

#include <charconv>
#include <cmath>

#include "io/json/time_text.hpp"

namespace liminal::json {
namespace {

/// How many bytes the UTF-8 sequence at the text's start takes; 0 when there is none.
std::size_t sequence_bytes(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  // The second byte's range excludes overlong forms, surrogates and what lies beyond U+10FFFF.
  unsigned low = 0x80, high = 0xbf;
  std::size_t size = 0;
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    size = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  }
  if (size == 0 || size > text.size() || byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return size;
}

void append_escaped(char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      constexpr std::string_view kHex = "0123456789abcdef";
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
  }
}

template <class T>
void append_number(T number, std::string& out) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  out.append(buffer, end);
}

}  // namespace

void append_quoted(std::string_view text, std::string& out) {
  out.push_back('"');
  while (!text.empty()) {
    std::size_t plain = 0;
    const auto is_plain = [](char c) { return c >= ' ' && c != '"' && c != '\\' && c != 0x7f; };
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto lead = static_cast<unsigned char>(text.front());
    std::size_t taken = 1;
    if (lead < 0x80) {
      append_escaped(text.front(), out);
    } else if (taken = sequence_bytes(text); taken > 0) {
      out.append(text.substr(0, taken));
    } else {
      out += "\xef\xbf\xbd";
      taken = 1;
    }
    text.remove_prefix(taken);
  }
  out.push_back('"');
}

void Writer::separate() {
  if (comma_) out_.push_back(',');
  comma_ = true;
}

void Writer::open(char bracket) {
  separate();
  out_.push_back(bracket);
  comma_ = false;
}

void Writer::close(char bracket) {
  out_.push_back(bracket);
  comma_ = true;
}

void Writer::key(std::string_view name) {
  separate();
  append_quoted(name, out_);
  out_.push_back(':');
  comma_ = false;
}

void Writer::raw(std::string_view json) {
  separate();
  out_.append(json);
}

void Writer::value(std::string_view text) {
  separate();
  append_quoted(text, out_);
}

void Writer::value(double number) {
  if (!std::isfinite(number)) return null();
  separate();
  append_number(number, out_);
}

void Writer::value(float number) {
  if (!std::isfinite(number)) return null();
  separate();
  append_number(number, out_);
}

void Writer::integer(std::int64_t number) {
  separate();
  append_number(number, out_);
}

void Writer::whole(std::uint64_t number) {
  separate();
  append_number(number, out_);
}

void Writer::value(SteadyTime time) { value(format_time(time)); }

}  // namespace liminal::json
