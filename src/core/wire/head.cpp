#include "core/wire/head.hpp"

#include <algorithm>

namespace liminal::wire {
namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// The characters of a token (RFC 9110, section 5.6.2), which names are made of.
constexpr auto kTokenChars = [] {
  std::array<bool, 256> allowed{};
  for (unsigned c = '0'; c <= '9'; ++c) allowed[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) allowed[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) allowed[c] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~"))
    allowed[static_cast<unsigned char>(c)] = true;
  return allowed;
}();

bool is_token(std::string_view text) {
  if (text.empty()) return false;
  return std::all_of(
      text.begin(), text.end(), [](char c) { return kTokenChars[static_cast<unsigned char>(c)]; });
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view value) {
  while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
  return value;
}

/// Fields whose second occurrence somebody would read instead of the first.
constexpr std::string_view kSingleFields[] = {
    "Host",
    "Upgrade",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Origin",
    "Content-Length",
    "Content-Type",
    "Sec-WebSocket-Accept",
    "Authorization",
    "Transfer-Encoding",
    "Expect",
};

bool repeats(const Fields& fields) {
  return std::any_of(std::begin(kSingleFields),
                     std::end(kSingleFields),
                     [&](std::string_view name) { return fields.count(name) > 1; });
}

/// A control character, by which no head may be split or hidden. CR and LF are seen to apart.
bool is_control(unsigned char c) {
  return (c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7F;
}

UpgradeResult<Field> parse_field(std::string_view line) {
  if (is_blank(line.front())) return tl::unexpected(UpgradeFault::kFolded);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return tl::unexpected(UpgradeFault::kFieldName);
  return Field{line.substr(0, colon), trimmed(line.substr(colon + 1))};
}

/// The line up to its CR LF, taken off `rest`; the scanner has seen that each line has one.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
  return line;
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return lower(x) == lower(y);
         });
}

bool alike_name(std::string_view a, std::string_view b) {
  const auto folded = [](char c) { return c == '_' ? '-' : lower(c); };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) {
           return folded(x) == folded(y);
         });
}

bool Fields::add(Field field) {
  if (size_ == fields_.size()) return false;
  fields_[size_++] = field;
  return true;
}

std::optional<std::string_view> Fields::find(std::string_view name) const {
  const Field* found =
      std::find_if(begin(), end(), [&](const Field& field) { return same_name(field.name, name); });
  if (found == end()) return std::nullopt;
  return found->value;
}

std::size_t Fields::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      begin(), end(), [&](const Field& field) { return same_name(field.name, name); }));
}

UpgradeResult<std::size_t> HeadScanner::scan(std::string_view buffered, const HeadLimits& limits) {
  const std::size_t end = std::min(buffered.size(), limits.bytes_max);
  for (; seen_ < end; ++seen_) {
    const char c = buffered[seen_];
    if (is_control(static_cast<unsigned char>(c)))
      return tl::unexpected(UpgradeFault::kControlCharacter);
    const bool after_cr = seen_ > 0 && buffered[seen_ - 1] == '\r';
    if ((c == '\n') != after_cr) return tl::unexpected(UpgradeFault::kBareLineEnd);
    if (c == '\n') {
      const bool empty_line = seen_ == line_start_ + 1;
      if (empty_line && in_start_line_) return tl::unexpected(UpgradeFault::kStartLine);
      if (empty_line) return ++seen_;
      line_start_ = seen_ + 1;
      in_start_line_ = false;
    } else if (in_start_line_ && seen_ >= limits.target_bytes_max) {
      return tl::unexpected(UpgradeFault::kTargetTooLong);
    }
  }
  if (seen_ >= limits.bytes_max) return tl::unexpected(UpgradeFault::kHeadTooLarge);
  return std::size_t{0};
}

UpgradeResult<Head> parse_head(std::string_view head) {
  Head parsed;
  parsed.start_line = take_line(head);
  while (true) {
    const std::string_view line = take_line(head);
    if (line.empty()) break;
    const UpgradeResult<Field> field = parse_field(line);
    if (!field) return tl::unexpected(field.error());
    if (!parsed.fields.add(*field)) return tl::unexpected(UpgradeFault::kTooManyFields);
  }
  if (repeats(parsed.fields)) return tl::unexpected(UpgradeFault::kDuplicateField);
  return parsed;
}

std::string_view name(UpgradeFault fault) {
  switch (fault) {
    case UpgradeFault::kTargetTooLong:
      return "the request target is too long";
    case UpgradeFault::kHeadTooLarge:
      return "the header section is too large";
    case UpgradeFault::kTooManyFields:
      return "there are too many header fields";
    case UpgradeFault::kControlCharacter:
      return "a control character stands in the header section";
    case UpgradeFault::kBareLineEnd:
      return "a line does not end in CR LF";
    case UpgradeFault::kStartLine:
      return "the first line is malformed";
    case UpgradeFault::kVersion:
      return "the protocol is not HTTP/1.1";
    case UpgradeFault::kFolded:
      return "a header field is folded over two lines";
    case UpgradeFault::kFieldName:
      return "a header field's name is malformed";
    case UpgradeFault::kDuplicateField:
      return "a header field that must be single is repeated";
    case UpgradeFault::kMethod:
      return "the method must be GET";
    case UpgradeFault::kTarget:
      return "the request target must be a path";
    case UpgradeFault::kHost:
      return "the Host field is missing or malformed";
    case UpgradeFault::kBody:
      return "an upgrade has no body";
    case UpgradeFault::kExpectation:
      return "no expectation can be met";
    case UpgradeFault::kNotAnUpgrade:
      return "this is a WebSocket endpoint: an upgrade is required";
    case UpgradeFault::kUpgradeToOther:
      return "the only protocol to upgrade to is websocket";
    case UpgradeFault::kConnectionOption:
      return "the Connection field has an option that an upgrade does not need";
    case UpgradeFault::kWebSocketVersion:
      return "the WebSocket version must be 13";
    case UpgradeFault::kWebSocketKey:
      return "the Sec-WebSocket-Key field is missing or malformed";
    case UpgradeFault::kEarlyBytes:
      return "bytes were sent before the upgrade was answered";
    case UpgradeFault::kAcceptKey:
      return "the Sec-WebSocket-Accept field does not match the key";
    case UpgradeFault::kExtensionNotOffered:
      return "an extension was chosen that was not offered";
    case UpgradeFault::kSubprotocolNotOffered:
      return "a subprotocol was chosen that was not offered";
  }
  return "the upgrade is malformed";
}

unsigned status(UpgradeFault fault) {
  switch (fault) {
    case UpgradeFault::kTargetTooLong:
      return 414;
    case UpgradeFault::kHeadTooLarge:
    case UpgradeFault::kTooManyFields:
      return 431;
    case UpgradeFault::kVersion:
      return 505;
    case UpgradeFault::kMethod:
      return 405;
    case UpgradeFault::kExpectation:
      return 417;
    case UpgradeFault::kNotAnUpgrade:
    case UpgradeFault::kWebSocketVersion:
      return 426;
    default:
      return 400;
  }
}

}  // namespace liminal::wire
