#include "trace.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <fstream>

namespace liminal::bench {
namespace {

using traffic::EventKind;

std::optional<EventKind> kind_by_name(std::string_view name) {
  if (name == "join") return EventKind::kConnect;
  if (name == "message") return EventKind::kMessage;
  if (name == "part") return EventKind::kDisconnect;
  if (name == "subscribe") return EventKind::kSubscribe;
  return std::nullopt;
}

std::string_view trace_name(EventKind kind) {
  constexpr std::array<std::string_view, traffic::kEventKinds> kNames{
      "message", "join", "part", "subscribe", "message"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::optional<TraceEvent> parse(simdjson::dom::parser& parser, const std::string& line) {
  simdjson::dom::element json;
  if (parser.parse(line).get(json) != simdjson::SUCCESS) return std::nullopt;
  TraceEvent event;
  std::string_view user, kind, address;
  if (json["t"].get(event.t) != simdjson::SUCCESS || json["user"].get(user) != simdjson::SUCCESS ||
      json["kind"].get(kind) != simdjson::SUCCESS)
    return std::nullopt;
  const auto known = kind_by_name(kind);
  if (!known) return std::nullopt;
  event.kind = *known;
  event.user = user;
  if (json["ip"].get(address) == simdjson::SUCCESS) event.address = address;
  std::uint64_t number = 0;
  if (json["bytes"].get(number) == simdjson::SUCCESS)
    event.bytes = static_cast<std::uint32_t>(number);
  if (json["error"].get(number) == simdjson::SUCCESS) event.error = number != 0;
  if (json["channel"].get(number) == simdjson::SUCCESS) event.channel = number;
  if (json["hash"].get(number) == simdjson::SUCCESS) event.content = number;
  return event;
}

}  // namespace

std::optional<Trace> read_trace(const std::filesystem::path& file) {
  std::ifstream in(file);
  simdjson::dom::parser parser;
  Trace trace;
  for (std::string line; std::getline(in, line);) {
    auto event = parse(parser, line);
    if (!event) return std::nullopt;
    trace.push_back(std::move(*event));
  }
  return trace;
}

void write_trace(const std::filesystem::path& file, const Trace& trace) {
  std::ofstream out(file);
  for (const TraceEvent& event : trace) {
    out << fmt::format(R"({{"t":{:.3f},"user":"{}","kind":"{}","bytes":{},"ip":"{}","error":{})",
                       event.t,
                       event.user,
                       trace_name(event.kind),
                       event.bytes,
                       event.address,
                       event.error ? 1 : 0);
    if (event.channel != 0) out << fmt::format(R"(,"channel":{})", event.channel);
    if (event.content != 0) out << fmt::format(R"(,"hash":{})", event.content);
    out << "}\n";
  }
}

void sort(Trace& trace) {
  std::stable_sort(trace.begin(), trace.end(), [](const TraceEvent& a, const TraceEvent& b) {
    return a.t < b.t;
  });
}

}  // namespace liminal::bench
