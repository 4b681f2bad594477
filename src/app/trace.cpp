#include "app/trace.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

namespace liminal::app {
namespace {

std::string_view word(traffic::EventKind kind) {
  switch (kind) {
    case traffic::EventKind::kConnect:
      return "join";
    case traffic::EventKind::kDisconnect:
      return "part";
    default:
      return traffic::name(kind);
  }
}

void write_text(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

tl::expected<std::unique_ptr<std::istream>, std::string_view> open_trace(const std::string& file) {
  if (file == "-") return std::make_unique<std::istream>(std::cin.rdbuf());
  std::error_code error;
  // Which opens, and then cannot be read.
  if (std::filesystem::is_directory(file, error))
    return tl::unexpected<std::string_view>("is a directory: name the files in it");
  auto text = std::make_unique<std::ifstream>(file, std::ios::binary);
  if (!*text) return tl::unexpected<std::string_view>("cannot be opened");
  return text;
}

void write_trace_line(const traffic::Event& event, std::string& out) {
  const auto microseconds =
      std::chrono::duration_cast<std::chrono::microseconds>(event.time.time_since_epoch()).count();
  fmt::format_to(std::back_inserter(out),
                 R"({{"t":{}.{:06},"user":)",
                 microseconds / 1'000'000,
                 microseconds % 1'000'000);
  write_text(event.user.text, out);
  fmt::format_to(std::back_inserter(out), R"(,"kind":"{}")", word(event.kind));
  if (!event.address.empty()) {
    out += R"(,"ip":)";
    write_text(event.address.text, out);
  }
  if (event.kind == traffic::EventKind::kMessage)
    fmt::format_to(std::back_inserter(out), R"(,"bytes":{})", event.bytes);
  if (event.error) out += R"(,"error":1)";
  if (!event.channels.empty()) {
    out += R"(,"channel":)";
    write_text(event.channels[0].text, out);
  }
  if (event.content_hash)
    fmt::format_to(std::back_inserter(out), R"(,"hash":{})", *event.content_hash);
  out += "}\n";
}

}  // namespace liminal::app
