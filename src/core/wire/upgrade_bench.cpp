#include <benchmark/benchmark.h>

#include <string>

#include "core/wire/handshake_key.hpp"
#include "core/wire/upgrade_request.hpp"

namespace liminal::wire {
namespace {

/// What a browser sends, some 500 bytes.
constexpr std::string_view kRequest =
    "GET /chat?room=1&token=eyJhbGciOiJIUzI1NiJ9 HTTP/1.1\r\n"
    "Host: gateway.example:8080\r\n"
    "Connection: Upgrade\r\n"
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)\r\n"
    "Upgrade: websocket\r\n"
    "Origin: https://gateway.example\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-US,en;q=0.9\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

void BM_ReadRequest(benchmark::State& state) {
  for (auto _ : state) {
    UpgradeRequestReader reader;
    benchmark::DoNotOptimize(reader.read(kRequest, {}));
  }
}
BENCHMARK(BM_ReadRequest);

void BM_AcceptKey(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(accept_key("dGhlIHNhbXBsZSBub25jZQ=="));
}
BENCHMARK(BM_AcceptKey);

}  // namespace
}  // namespace liminal::wire
