#include <string>

#include "core/base/check.hpp"
#include "server/hub/protocol.hpp"

// Whatever a client sends: a request or an error, and what is passed on to others is one message
// of valid JSON.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  static hub::RequestReader reader;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto request = reader.read(text);
  if (!request) {
    LIMINAL_CHECK(!request.error().empty());
    return 0;
  }
  LIMINAL_CHECK(request->channel.size() <= 256);
  if (request->kind != hub::Request::Kind::kPublish) return 0;
  const auto again =
      reader.read(R"({"type":"publish","channel":"c","content":)" + request->content + "}");
  LIMINAL_CHECK(again && again->content == request->content);
  LIMINAL_CHECK(!hub::message(request->channel, request->content, "eve", {}).empty());
  return 0;
}
