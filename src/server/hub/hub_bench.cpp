#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "server/hub/hub.hpp"

namespace liminal::hub {
namespace {

class Sink : public Peer {
 public:
  [[nodiscard]] std::string_view user() const override { return "user"; }
  void failed() override {}
  [[nodiscard]] bool send(std::string_view frames) override {
    bytes += frames.size();
    return true;
  }
  std::size_t bytes = 0;
};

/// One publication to a channel of so many members; what a socket costs is not in it.
void BM_Publish(benchmark::State& state) {
  Hub hub(Options{});
  std::vector<Sink> members(static_cast<std::size_t>(state.range(0)));
  for (Sink& member : members) {
    hub.join(member);
    (void)hub.receive(member, R"({"type":"subscribe","channel":"lobby"})", {});
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(hub.receive(
        members[0], R"({"type":"publish","channel":"lobby","content":"hello, everybody"})", {}));
    while (hub.deliver(1024)) {
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Publish)->Arg(1)->Arg(100)->Arg(10'000);

}  // namespace
}  // namespace liminal::hub
