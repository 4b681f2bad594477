#include "io/json/event_reader.hpp"

#include <simdjson.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "io/json/time_text.hpp"

namespace liminal::json {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kWholeLine;

tl::unexpected<EventError> wrong(std::string_view field, std::string_view what) {
  return tl::unexpected<EventError>(EventError{field, what});
}

/// What a field means, whichever of its names it has.
enum class Field : std::uint8_t { kUser, kKind, kTime, kAddress, kChannels, kBytes, kError, kHash };

struct FieldName {
  std::string_view name;
  Field field;
};
constexpr std::array<FieldName, 14> kFields{{
    {"user_id", Field::kUser},
    {"user", Field::kUser},
    {"kind", Field::kKind},
    {"timestamp", Field::kTime},
    {"t", Field::kTime},
    {"ip_address", Field::kAddress},
    {"ip", Field::kAddress},
    {"channel", Field::kChannels},
    {"channels", Field::kChannels},
    {"message_size", Field::kBytes},
    {"bytes", Field::kBytes},
    {"error", Field::kError},
    {"content_hash", Field::kHash},
    {"hash", Field::kHash},
}};

const FieldName* find_field(std::string_view name) {
  for (const FieldName& field : kFields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

struct KindName {
  std::string_view name;
  traffic::EventKind kind;
  bool error = false;
};
constexpr std::array<KindName, 8> kKinds{{
    {"message", traffic::EventKind::kMessage},
    {"error", traffic::EventKind::kMessage, true},
    {"connect", traffic::EventKind::kConnect},
    {"join", traffic::EventKind::kConnect},
    {"disconnect", traffic::EventKind::kDisconnect},
    {"part", traffic::EventKind::kDisconnect},
    {"subscribe", traffic::EventKind::kSubscribe},
    {"rate_limited", traffic::EventKind::kRateLimited},
}};

bool get_text(dom::element value, std::size_t bytes_max, std::string_view& out) {
  return value.get_string().get(out) == simdjson::SUCCESS && !out.empty() &&
         out.size() <= bytes_max;
}

/// A whole number from 0 to `max`; 2.0 is one, as in JSON Schema.
bool get_whole(dom::element value, std::uint64_t max, std::uint64_t& out) {
  if (value.get_uint64().get(out) == simdjson::SUCCESS) return out <= max;
  double real = 0;
  if (!value.is_double() || value.get_double().get(real) != simdjson::SUCCESS) return false;
  if (!(real >= 0 && real <= 0x1p53) || real != std::floor(real)) return false;
  out = static_cast<std::uint64_t>(real);
  return out <= max;
}

bool get_time(dom::element value, EventTime& out) {
  std::uint64_t whole = 0;
  double real = 0;
  std::string_view text;
  if (value.get_uint64().get(whole) == simdjson::SUCCESS) {
    if (whole > static_cast<std::uint64_t>(kSecondsMax)) return false;
    out = EventTime{std::chrono::seconds{static_cast<std::int64_t>(whole)}};
    return true;
  }
  if (value.get_double().get(real) == simdjson::SUCCESS) {
    if (!(real >= 0 && real <= static_cast<double>(kSecondsMax))) return false;
    // Apart, because seconds since 1970 times 10^9 no longer fit a double.
    const double whole_seconds = std::floor(real);
    out = EventTime{std::chrono::seconds{static_cast<std::int64_t>(whole_seconds)} +
                    from_seconds(real - whole_seconds)};
    return true;
  }
  if (value.get_string().get(text) != simdjson::SUCCESS) return false;
  const std::optional<EventTime> time = parse_time(text);
  if (time) out = *time;
  return time.has_value();
}

bool get_flag(dom::element value, bool& out) {
  std::uint64_t number = 0;
  if (value.get_bool().get(out) == simdjson::SUCCESS) return true;
  if (!get_whole(value, 1, number)) return false;
  out = number == 1;
  return true;
}

bool get_hash(dom::element value, std::optional<std::uint64_t>& out) {
  std::uint64_t whole = 0;
  std::int64_t negative = 0;
  std::string_view text;
  if (value.get_uint64().get(whole) == simdjson::SUCCESS) {
    out = whole;
  } else if (value.get_int64().get(negative) == simdjson::SUCCESS) {
    out = static_cast<std::uint64_t>(negative);  // 64 bits all the same
  } else if (value.get_string().get(text) == simdjson::SUCCESS && !text.empty()) {
    out = hash64(text);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::string text(const EventError& error) {
  if (error.field.empty()) return std::string(error.what);
  std::string words(error.field.substr(0, 64));
  return words.append(": ").append(error.what);
}

struct EventReader::Parser {
  dom::parser parser{kEventLineBytesMax};
  std::string padded;  // simdjson reads past the end of what it parses
  std::vector<traffic::Name> channels;
  std::vector<std::string> numbers;  // the texts of channels that are numbers

  simdjson::error_code parse(dom::parser& by, std::string_view json, dom::element& out) {
    padded.assign(json);
    padded.append(simdjson::SIMDJSON_PADDING, '\0');
    return by.parse(padded.data(), json.size(), false).get(out);
  }

  bool add_channel(dom::element value) {
    std::string_view name;
    std::uint64_t number = 0;
    if (channels.size() == traffic::kChannelsMax) return false;
    if (get_whole(value, std::numeric_limits<std::uint64_t>::max(), number)) {
      name = numbers.emplace_back(std::to_string(number));
    } else if (!get_text(value, traffic::kChannelBytesMax, name)) {
      return false;
    }
    channels.emplace_back(name);
    return true;
  }

  bool get_channels(dom::element value) {
    dom::array list;
    if (value.get_array().get(list) != simdjson::SUCCESS) return add_channel(value);
    for (const dom::element item : list) {
      if (!add_channel(item)) return false;
    }
    return true;
  }

  EventResult read(dom::element element, std::optional<EventTime> now);
  std::string_view take(Field field, dom::element value, traffic::Event& event, bool& failed);
};

/// Puts one field into the event. Returns what is wrong with it, or nothing.
std::string_view EventReader::Parser::take(Field field,
                                           dom::element value,
                                           traffic::Event& event,
                                           bool& failed) {
  std::string_view text;
  std::uint64_t number = 0;
  switch (field) {
    case Field::kUser:
      if (!get_text(value, traffic::kUserBytesMax, text)) return "must be text of 1 to 128 bytes";
      event.user = traffic::Name(text);
      return {};
    case Field::kKind:
      if (value.get_string().get(text) == simdjson::SUCCESS) {
        for (const KindName& kind : kKinds) {
          if (kind.name != text) continue;
          event.kind = kind.kind;
          failed = kind.error;
          return {};
        }
      }
      return "must be message, error, connect (join), disconnect (part), subscribe or rate_limited";
    case Field::kTime:
      if (!get_time(value, event.time))
        return "must be seconds since the epoch or RFC 3339, from 1970 to 2200";
      return {};
    case Field::kAddress:
      if (!get_text(value, traffic::kAddressBytesMax, text)) return "must be text of 1 to 64 bytes";
      event.address = traffic::Name(text);
      return {};
    case Field::kChannels:
      if (!get_channels(value))
        return "must be text of 1 to 256 bytes or a whole number, or an array of up to 64 of these";
      return {};
    case Field::kBytes:
      if (!get_whole(value, std::numeric_limits<std::uint32_t>::max(), number))
        return "must be a whole number from 0 to 4294967295";
      event.bytes = static_cast<std::uint32_t>(number);
      return {};
    case Field::kError:
      if (!get_flag(value, event.error)) return "must be true, false, 1 or 0";
      return {};
    case Field::kHash:
      if (!get_hash(value, event.content_hash))
        return "must be a whole number of 64 bits or text that is not empty";
      return {};
  }
  return "unknown field";
}

EventResult EventReader::Parser::read(dom::element element, std::optional<EventTime> now) {
  dom::object object;
  if (element.get_object().get(object) != simdjson::SUCCESS)
    return wrong(kWholeLine, "must be a JSON object");
  channels.clear();
  numbers.clear();
  numbers.reserve(traffic::kChannelsMax);  // `channels` points into it
  traffic::Event event;
  unsigned given = 0;
  bool failed = false;
  for (const dom::key_value_pair pair : object) {
    const FieldName* known = find_field(pair.key);
    if (known == nullptr) return wrong(pair.key, "unknown field");
    const unsigned bit = 1U << static_cast<unsigned>(known->field);
    if ((given & bit) != 0) return wrong(known->name, "given twice");
    given |= bit;
    if (const auto what = take(known->field, pair.value, event, failed); !what.empty())
      return wrong(known->name, what);
  }
  const auto has = [given](Field field) {
    return (given & (1U << static_cast<unsigned>(field))) != 0;
  };
  if (!has(Field::kUser)) return wrong("user_id", "is missing");
  if (!has(Field::kKind)) return wrong("kind", "is missing");
  if (!has(Field::kTime)) {
    if (!now) return wrong("t", "is missing");
    event.time = *now;
  }
  if (failed && has(Field::kError) && !event.error)
    return wrong("error", "must not be false when kind is error");
  event.error |= failed;
  event.channels = channels;
  return event;
}

EventReader::EventReader() : parser_(std::make_unique<Parser>()) {}
EventReader::~EventReader() = default;
EventReader::EventReader(EventReader&&) noexcept = default;
EventReader& EventReader::operator=(EventReader&&) noexcept = default;

EventResult EventReader::read(std::string_view line, std::optional<EventTime> now) {
  if (line.size() > kEventLineBytesMax) return wrong(kWholeLine, "is longer than 256 KiB");
  dom::element element;
  switch (const auto error = parser_->parse(parser_->parser, line, element)) {
    case simdjson::SUCCESS:
      return parser_->read(element, now);
    case simdjson::UTF8_ERROR:
      return wrong(kWholeLine, "is not valid UTF-8");
    default:
      static_cast<void>(error);
      return wrong(kWholeLine, "is not valid JSON");
  }
}

tl::expected<void, EventError> EventReader::read_all(std::string_view body,
                                                     std::optional<EventTime> now,
                                                     const Sink& sink) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = body.find_first_not_of(kBlank);
  if (first != std::string_view::npos && body[first] == '[') {
    dom::parser whole;  // of its own: its memory, many times a line's, is given back
    dom::element element;
    dom::array list;
    if (parser_->parse(whole, body, element) != simdjson::SUCCESS ||
        element.get_array().get(list) != simdjson::SUCCESS)
      return wrong(kWholeLine, "the array is not valid JSON");
    std::uint64_t line = 0;
    for (const dom::element item : list) sink(++line, parser_->read(item, now));
    return {};
  }
  for (std::uint64_t line = 1; !body.empty(); ++line) {
    const std::size_t end = body.find('\n');
    const std::string_view text = body.substr(0, end);
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    if (text.find_first_not_of(kBlank) == std::string_view::npos) continue;
    sink(line, read(text, now));
  }
  return {};
}

}  // namespace liminal::json
