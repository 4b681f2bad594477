#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/http/server.hpp"

namespace liminal::http {
namespace {

// Closed loop over one connection with so many requests in flight; the server shares the machine
// with the client, so read the ratio of the two rows, not the rate.
void round_trips(benchmark::State& state) {
  const auto server = Server::start(
      {},
      [](Request, Reply reply) {
        reply({200, {{"Content-Type", "application/json"}}, "{}"});
      },
      [](unsigned status, std::string_view, std::string_view) {
        return Response{status, {}, {}};
      });
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons((*server)->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    state.SkipWithError("cannot connect");
  std::string batch;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    batch += "GET /ml/status HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
  // Every answer is as long as the first.
  char buffer[65536];
  const auto request =
      static_cast<std::size_t>(batch.size()) / static_cast<std::size_t>(state.range(0));
  if (::send(client, batch.data(), request, 0) < 0) state.SkipWithError("closed");
  const auto answer = ::recv(client, buffer, sizeof buffer, 0);
  for (auto _ : state) {
    if (::send(client, batch.data(), batch.size(), 0) < 0) break;
    for (std::int64_t left = answer * state.range(0); left > 0;) {
      const auto count = ::recv(client, buffer, sizeof buffer, 0);
      if (count <= 0) return state.SkipWithError("closed");
      left -= count;
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  ::close(client);
}
BENCHMARK(round_trips)->Arg(1)->Arg(16)->UseRealTime();

}  // namespace
}  // namespace liminal::http
