#include <cstddef>
#include <cstdint>

#include "core/base/check.hpp"
#include "io/json/event_reader.hpp"

// Whatever is posted: no crash, and an event that is accepted keeps its stated bounds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  json::EventReader reader;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto check = [](std::uint64_t line, const json::EventResult& result) {
    LIMINAL_CHECK(line > 0);
    if (!result) {
      LIMINAL_CHECK(!json::text(result.error()).empty());
      return;
    }
    LIMINAL_CHECK(!result->user.empty() && result->user.text.size() <= traffic::kUserBytesMax);
    LIMINAL_CHECK(result->address.text.size() <= traffic::kAddressBytesMax);
    LIMINAL_CHECK(result->channels.size() <= traffic::kChannelsMax);
    LIMINAL_CHECK(result->time >= EventTime{});
    Writer out;
    encode(*result, out);
    Reader in(out.bytes());
    LIMINAL_CHECK(traffic::StoredEvent::decode(in).has_value());
  };
  static_cast<void>(reader.read_all(body, EventTime{}, check));
  return 0;
}
