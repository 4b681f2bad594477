#include "server/hub/protocol.hpp"

#include <simdjson.h>

#include <optional>

#include "core/traffic/event.hpp"
#include "core/wire/frame_writer.hpp"
#include "io/json/time_text.hpp"
#include "io/json/writer.hpp"

namespace liminal::hub {
namespace {

namespace dom = simdjson::dom;

struct KindName {
  std::string_view name;
  Request::Kind kind;
};
constexpr KindName kKinds[] = {
    {"subscribe", Request::Kind::kSubscribe},
    {"unsubscribe", Request::Kind::kUnsubscribe},
    {"publish", Request::Kind::kPublish},
    {"broadcast", Request::Kind::kPublish},
    {"ping", Request::Kind::kPing},
};

std::optional<Request::Kind> kind_of(std::string_view name) {
  for (const KindName& kind : kKinds)
    if (kind.name == name) return kind.kind;
  return std::nullopt;
}

tl::unexpected<std::string_view> wrong(std::string_view what) {
  return tl::unexpected<std::string_view>(what);
}

std::string_view text_of(dom::object object, const char* key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

RequestResult read_object(dom::object object) {
  const std::optional<Request::Kind> kind = kind_of(text_of(object, "type"));
  if (!kind) return wrong("type must be subscribe, unsubscribe, publish, broadcast or ping");
  Request request{*kind, {}, {}};
  if (*kind == Request::Kind::kPing) return request;

  request.channel = text_of(object, "channel");
  if (request.channel.empty() || request.channel.size() > traffic::kChannelBytesMax)
    return wrong("channel must be a text of 1 to 256 bytes");
  if (*kind != Request::Kind::kPublish) return request;

  dom::element content;
  if (object["content"].get(content) != simdjson::SUCCESS) return wrong("content is missing");
  request.content = simdjson::minify(content);
  return request;
}

std::string frame(const json::Writer& text) {
  std::string out;
  out.reserve(text.text().size() + wire::kFrameHeaderBytesMax);
  wire::append_frame(out, wire::Opcode::kText, text.text());
  return out;
}

json::Writer answer(std::string_view type) {
  json::Writer out;
  out.begin_object();
  out.field("type", type);
  return out;
}

std::string about_channel(std::string_view type, std::string_view channel) {
  json::Writer out = answer(type);
  out.field("channel", channel);
  out.end_object();
  return frame(out);
}

}  // namespace

struct RequestReader::Parser {
  dom::parser parser;
};

RequestReader::RequestReader() : parser_(std::make_unique<Parser>()) {}
RequestReader::~RequestReader() = default;

RequestResult RequestReader::read(std::string_view message) {
  dom::element root;
  dom::object object;
  const auto parsed = parser_->parser.parse(message.data(), message.size()).get(root);
  if (parsed != simdjson::SUCCESS) return wrong("the message is not JSON");
  if (root.get(object) != simdjson::SUCCESS) return wrong("the message is not a JSON object");
  return read_object(object);
}

std::string subscribed(std::string_view channel) { return about_channel("subscribed", channel); }

std::string unsubscribed(std::string_view channel) {
  return about_channel("unsubscribed", channel);
}

std::string pong() {
  json::Writer out = answer("pong");
  out.end_object();
  return frame(out);
}

std::string error(std::string_view text) {
  json::Writer out = answer("error");
  out.field("message", text);
  out.end_object();
  return frame(out);
}

std::string message(std::string_view channel,
                    std::string_view content,
                    std::string_view sender,
                    EventTime time) {
  json::Writer out = answer("message");
  out.field("channel", channel);
  out.key("content");
  out.raw(content);
  out.field("sender", sender);
  out.field("timestamp", json::format_time(SteadyTime{time.time_since_epoch()}));
  out.end_object();
  return frame(out);
}

}  // namespace liminal::hub
