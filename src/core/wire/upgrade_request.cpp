#include "core/wire/upgrade_request.hpp"

#include <algorithm>

#include "core/wire/handshake_key.hpp"

namespace liminal::wire {
namespace {

/// "Nothing is wrong" as a fault, to let the checks read as a list.
constexpr std::optional<UpgradeFault> kFine = std::nullopt;

/// What one hop says to the next: never passed on (RFC 9110, section 7.6.1).
constexpr std::string_view kHopByHop[] = {
    "Connection",
    "Upgrade",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Content-Length",
    "HTTP2-Settings",
    "Proxy-Authorization",
};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(
      names.begin(), names.end(), [&](std::string_view other) { return alike_name(name, other); });
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
  std::string_view version;
};

UpgradeResult<RequestLine> split(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return tl::unexpected(UpgradeFault::kStartLine);
  RequestLine parts{
      line.substr(0, first), line.substr(first + 1, second - first - 1), line.substr(second + 1)};
  if (parts.method.empty() || parts.target.empty()) return tl::unexpected(UpgradeFault::kStartLine);
  return parts;
}

bool is_http_version(std::string_view text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.size() == 8 && text.substr(0, 5) == "HTTP/" && digit(text[5]) && text[6] == '.' &&
         digit(text[7]);
}

/// A path with its query: visible ASCII, no fragment. What browsers leave unencoded there passes.
bool is_origin_form(std::string_view target) {
  return target.front() == '/' && std::all_of(target.begin(), target.end(), [](char c) {
           return c > ' ' && c < 0x7F && c != '#';
         });
}

/// `host[:port]` of the characters that a host can have (RFC 3986, section 3.2.2).
bool is_host(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~:[]%!$&'()*+,;=").find(c) != std::string_view::npos;
  });
}

std::optional<UpgradeFault> check_line(const RequestLine& line) {
  if (!is_http_version(line.version)) return UpgradeFault::kStartLine;
  if (line.version != "HTTP/1.1") return UpgradeFault::kVersion;
  if (line.method != "GET") return UpgradeFault::kMethod;
  return is_origin_form(line.target) ? kFine : UpgradeFault::kTarget;
}

std::optional<UpgradeFault> check_body(const Fields& fields) {
  if (fields.find("Transfer-Encoding")) return UpgradeFault::kBody;
  const std::optional<std::string_view> length = fields.find("Content-Length");
  if (length && *length != "0") return UpgradeFault::kBody;
  return fields.find("Expect") ? UpgradeFault::kExpectation : kFine;
}

/// `Upgrade: websocket` alone, and `Connection` with that option and none that names a field: the
/// next hop would drop the field that it names, the user's identity for one.
std::optional<UpgradeFault> check_upgrade(const Fields& fields) {
  const std::optional<std::string_view> protocol = fields.find("Upgrade");
  if (!protocol) return UpgradeFault::kNotAnUpgrade;
  if (!same_name(*protocol, "websocket")) return UpgradeFault::kUpgradeToOther;
  bool upgrades = false;
  for (const Field& field : fields) {
    if (!same_name(field.name, "Connection")) continue;
    const bool known = for_each_item(field.value, [&](std::string_view option) {
      const bool is_upgrade = same_name(option, "upgrade");
      upgrades = upgrades || is_upgrade;
      return is_upgrade || same_name(option, "keep-alive");
    });
    if (!known) return UpgradeFault::kConnectionOption;
  }
  return upgrades ? kFine : UpgradeFault::kNotAnUpgrade;
}

std::optional<UpgradeFault> check_websocket(const Fields& fields) {
  const std::optional<std::string_view> version = fields.find("Sec-WebSocket-Version");
  if (version != "13") return UpgradeFault::kWebSocketVersion;
  const std::optional<std::string_view> key = fields.find("Sec-WebSocket-Key");
  if (!key || !is_handshake_key(*key)) return UpgradeFault::kWebSocketKey;
  return kFine;
}

std::optional<UpgradeFault> check_fields(const Fields& fields) {
  const std::optional<std::string_view> host = fields.find("Host");
  if (!host || !is_host(*host)) return UpgradeFault::kHost;
  if (const auto fault = check_body(fields)) return fault;
  if (const auto fault = check_upgrade(fields)) return fault;
  return check_websocket(fields);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

constexpr std::string_view kUpgradeFields = "Upgrade: websocket\r\nConnection: Upgrade\r\n";

}  // namespace

UpgradeResult<UpgradeRequest> parse_upgrade_request(std::string_view bytes) {
  const UpgradeResult<Head> head = parse_head(bytes);
  if (!head) return tl::unexpected(head.error());
  const UpgradeResult<RequestLine> line = split(head->start_line);
  if (!line) return tl::unexpected(line.error());
  if (const auto fault = check_line(*line)) return tl::unexpected(*fault);
  if (const auto fault = check_fields(head->fields)) return tl::unexpected(*fault);
  return UpgradeRequest{line->target,
                        *head->fields.find("Host"),
                        *head->fields.find("Sec-WebSocket-Key"),
                        head->fields};
}

UpgradeResult<std::optional<UpgradeRequest>> UpgradeRequestReader::read(std::string_view buffered,
                                                                        const HeadLimits& limits) {
  const UpgradeResult<std::size_t> size = scanner_.scan(buffered, limits);
  if (!size) return tl::unexpected(size.error());
  if (*size == 0) return std::optional<UpgradeRequest>{};
  UpgradeResult<UpgradeRequest> request = parse_upgrade_request(buffered.substr(0, *size));
  if (!request) return tl::unexpected(request.error());
  if (buffered.size() > *size) return tl::unexpected(UpgradeFault::kEarlyBytes);
  return std::optional<UpgradeRequest>{*request};
}

void append_request(std::string& out, const UpgradeRequest& request, const Forwarding& forwarding) {
  const std::string_view target = forwarding.target.empty() ? request.target : forwarding.target;
  out.append("GET ").append(target).append(" HTTP/1.1\r\n");
  for (const Field& field : request.fields) {
    if (is_one_of(field.name, kHopByHop) || is_one_of(field.name, forwarding.dropped)) continue;
    if (forwarding.strip_extensions && alike_name(field.name, "Sec-WebSocket-Extensions")) continue;
    const bool new_host = same_name(field.name, "Host") && !forwarding.host.empty();
    append_field(out, field.name, new_host ? forwarding.host : field.value);
  }
  out.append(kUpgradeFields);
  for (const Field& field : forwarding.added) append_field(out, field.name, field.value);
  out.append("\r\n");
}

void append_client_request(std::string& out,
                           std::string_view host,
                           std::string_view target,
                           std::string_view key,
                           std::span<const Field> fields) {
  out.append("GET ").append(target).append(" HTTP/1.1\r\n");
  append_field(out, "Host", host);
  out.append(kUpgradeFields);
  append_field(out, "Sec-WebSocket-Key", key);
  append_field(out, "Sec-WebSocket-Version", "13");
  for (const Field& field : fields) append_field(out, field.name, field.value);
  out.append("\r\n");
}

std::optional<std::string_view> query_parameter(std::string_view target, std::string_view name) {
  const std::size_t question = target.find('?');
  if (question == std::string_view::npos) return std::nullopt;
  for (std::string_view rest = target.substr(question + 1); !rest.empty();) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name)
      return equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return std::nullopt;
}

std::optional<std::string_view> cookie(std::string_view value, std::string_view name) {
  while (!value.empty()) {
    const std::size_t end = value.find(';');
    std::string_view pair = value.substr(0, end);
    while (!pair.empty() && pair.front() == ' ') pair.remove_prefix(1);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
      std::string_view found = pair.substr(equals + 1);
      if (found.size() >= 2 && found.front() == '"' && found.back() == '"')
        found = found.substr(1, found.size() - 2);
      return found;
    }
    value.remove_prefix(end == std::string_view::npos ? value.size() : end + 1);
  }
  return std::nullopt;
}

}  // namespace liminal::wire
