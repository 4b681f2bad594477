#include "core/wire/upgrade_response.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "core/base/reason_phrase.hpp"
#include "core/wire/handshake_key.hpp"

namespace liminal::wire {
namespace {

constexpr std::optional<UpgradeFault> kFine = std::nullopt;

constexpr std::string_view kHopByHop[] = {
    "Connection",
    "Upgrade",
    "Keep-Alive",
    "Proxy-Connection",
    "Trailer",
    "Transfer-Encoding",
    "Content-Length",
};

/// `HTTP/1.1 101 Switching Protocols`; the reason may be missing with its space.
UpgradeResult<unsigned> parse_status(std::string_view line) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  if (line.substr(0, 5) != "HTTP/") return tl::unexpected(UpgradeFault::kStartLine);
  if (line.substr(0, kVersion.size()) != kVersion) return tl::unexpected(UpgradeFault::kVersion);
  line.remove_prefix(kVersion.size());
  const bool three_digits =
      line.size() >= 3 &&
      std::all_of(line.begin(), line.begin() + 3, [](char c) { return c >= '0' && c <= '9'; });
  if (!three_digits || line[0] == '0' || (line.size() > 3 && line[3] != ' '))
    return tl::unexpected(UpgradeFault::kStartLine);
  unsigned status = 0;
  std::from_chars(line.data(), line.data() + 3, status);
  return status;
}

bool has_option(const Fields& fields, std::string_view name, std::string_view option) {
  for (const Field& field : fields) {
    if (!same_name(field.name, name)) continue;
    if (!for_each_item(field.value,
                       [&](std::string_view item) { return !same_name(item, option); }))
      return true;
  }
  return false;
}

/// Whether a value is one of a comma-separated list, case and all.
bool is_listed(std::string_view value, std::string_view list) {
  return !for_each_item(list, [&](std::string_view item) { return item != value; });
}

std::optional<UpgradeFault> check_switching(const Fields& fields, const UpgradeOffer& offer) {
  const auto upgrade = fields.find("Upgrade");
  if (!upgrade || !has_option(fields, "Connection", "upgrade")) return UpgradeFault::kNotAnUpgrade;
  if (!same_name(*upgrade, "websocket")) return UpgradeFault::kUpgradeToOther;
  if (fields.find("Transfer-Encoding") || fields.find("Content-Length")) return UpgradeFault::kBody;
  if (fields.find("Sec-WebSocket-Accept") != text(accept_key(offer.key)))
    return UpgradeFault::kAcceptKey;
  if (fields.find("Sec-WebSocket-Extensions") && !offer.extensions)
    return UpgradeFault::kExtensionNotOffered;
  if (fields.count("Sec-WebSocket-Protocol") > 1) return UpgradeFault::kDuplicateField;
  const auto subprotocol = fields.find("Sec-WebSocket-Protocol");
  if (subprotocol && !is_listed(*subprotocol, offer.subprotocols))
    return UpgradeFault::kSubprotocolNotOffered;
  return kFine;
}

/// What a client acts on, and how to read a body.
constexpr std::string_view kForClients[] = {"Location", "Retry-After", "WWW-Authenticate"};
constexpr std::string_view kOfBodies[] = {"Content-Type", "Content-Encoding"};

template <std::size_t N>
std::vector<Field> chosen(const Fields& fields, const std::string_view (&names)[N]) {
  std::vector<Field> found;
  for (const Field& field : fields) {
    if (std::any_of(std::begin(names), std::end(names), [&](std::string_view name) {
          return same_name(field.name, name);
        }))
      found.push_back(field);
  }
  return found;
}

void append_fields(std::string& out, std::span<const Field> fields) {
  for (const Field& field : fields)
    out.append(field.name).append(": ").append(field.value).append("\r\n");
}

/// Text inside a JSON string. Control characters and what is not ASCII become `?`: the details are
/// our own sentences, and a client's bytes do not belong into them.
void append_json_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    const bool printable = c >= 0x20 && c < 0x7F;
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(printable ? c : '?');
  }
}

void append_number(std::string& out, std::size_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

/// What a status must come with (RFC 9110, sections 15.5.6 and 15.5.22; RFC 6455, section 4.4).
std::string_view required_fields(unsigned status) {
  if (status == 426)
    return "Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n";
  if (status == 405) return "Allow: GET\r\nConnection: close\r\n";
  return "Connection: close\r\n";
}

void append_status_line(std::string& out, unsigned status) {
  out.append("HTTP/1.1 ");
  append_number(out, status);
  out.append(" ").append(reason_phrase(status)).append("\r\n").append(required_fields(status));
}

void append_body(std::string& out, std::string_view body) {
  out.append("Content-Length: ");
  append_number(out, body.size());
  out.append("\r\n\r\n").append(body);
}

}  // namespace

UpgradeResult<std::optional<UpgradeResponse>> UpgradeResponseReader::read(
    std::string_view buffered, const UpgradeOffer& offer, const HeadLimits& limits) {
  const UpgradeResult<std::size_t> size = scanner_.scan(buffered, limits);
  if (!size) return tl::unexpected(size.error());
  if (*size == 0) return std::optional<UpgradeResponse>{};
  const UpgradeResult<Head> head = parse_head(buffered.substr(0, *size));
  if (!head) return tl::unexpected(head.error());
  const UpgradeResult<unsigned> status = parse_status(head->start_line);
  if (!status) return tl::unexpected(status.error());
  if (*status == 101) {
    if (const auto fault = check_switching(head->fields, offer)) return tl::unexpected(*fault);
  }
  return std::optional<UpgradeResponse>{UpgradeResponse{*status, head->fields, *size}};
}

void append_response(std::string& out, const UpgradeResponse& response) {
  out.append("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
  for (const Field& field : response.fields) {
    const bool hop_by_hop =
        std::any_of(std::begin(kHopByHop), std::end(kHopByHop), [&](std::string_view name) {
          return same_name(field.name, name);
        });
    if (!hop_by_hop) out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  out.append("\r\n");
}

void append_switching(std::string& out, std::string_view key, std::string_view subprotocol) {
  out.append("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
  out.append("Sec-WebSocket-Accept: ").append(text(accept_key(key))).append("\r\n");
  if (!subprotocol.empty())
    out.append("Sec-WebSocket-Protocol: ").append(subprotocol).append("\r\n");
  out.append("\r\n");
}

void append_refusal(std::string& out,
                    unsigned status,
                    std::string_view detail,
                    std::span<const Field> fields) {
  std::string body = R"({"type":"about:blank","title":")";
  body.append(reason_phrase(status)).append(R"(","status":)");
  append_number(body, status);
  body.append(R"(,"detail":")");
  append_json_text(body, detail);
  body.append("\"}\n");

  append_status_line(out, status);
  append_fields(out, fields);
  out.append("Content-Type: application/problem+json\r\n");
  append_body(out, body);
}

void append_passed_refusal(std::string& out,
                           const UpgradeResponse& refusal,
                           std::optional<std::string_view> body) {
  const std::vector<Field> fields = chosen(refusal.fields, kForClients);
  if (!body)
    return append_refusal(out, refusal.status, "the server behind refused the connection", fields);
  append_status_line(out, refusal.status);
  append_fields(out, fields);
  append_fields(out, chosen(refusal.fields, kOfBodies));
  append_body(out, *body);
}

}  // namespace liminal::wire
