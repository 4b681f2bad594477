#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/check.hpp"
#include "core/wire/json_peek.hpp"
#include "core/wire/utf8.hpp"

// Any text: no look outside it, values within their bound; and of JSON text, what a whole parser
// says.
namespace {

using nlohmann::json;
using namespace liminal::wire;

std::string expected(const json& value, const std::string& written) {
  if (value.is_string())
    return std::string(cut_at_character(value.get_ref<const std::string&>(), kPeekValueBytesMax));
  return value.is_number() ? written : "";
}

/// Numbers come as they are written, which a parser forgets: they are compared as numbers.
void check(const json& value, std::string_view found) {
  if (!value.is_number()) {
    LIMINAL_CHECK(found == expected(value, {}));
    return;
  }
  if (found.size() == kPeekValueBytesMax) return;
  const json read = json::parse(found, nullptr, false);
  LIMINAL_CHECK(read.is_number() && read == value);
}

const json& at(const json& value, const char* key) {
  static const json nothing;
  return value.is_object() && value.contains(key) ? value[key] : nothing;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::string> paths = {"channel", "type", "data.channel", "1"};
  static JsonPeek peek(paths);
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto values = peek.look(text);
  for (const std::string_view value : values) LIMINAL_CHECK(value.size() <= kPeekValueBytesMax);

  const json value = json::parse(text, nullptr, false);
  if (value.is_discarded() || text.substr(0, 3) == "\xEF\xBB\xBF") return 0;
  check(at(value, "channel"), values[0]);
  check(at(value, "type"), values[1]);
  check(at(at(value, "data"), "channel"), values[2]);
  check(value.is_array() && value.size() > 1 ? value[1] : at(value, "1"), values[3]);
  return 0;
}
