#include <benchmark/benchmark.h>

#include <string>

#include "core/wire/mask.hpp"

namespace liminal::wire {
namespace {

/// Into scratch, as the gateway does to look; one byte off alignment, as payloads behind a header.
void BM_ApplyMask(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const std::string source(size + 1, 'x');
  std::string scratch(size, '\0');
  const Mask mask = Mask::from_bits(0x12345678);
  for (auto _ : state) {
    apply_mask(mask, std::string_view(source).substr(1), scratch.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ApplyMask)->Arg(16)->Arg(64)->Arg(1024)->Arg(65536);

}  // namespace
}  // namespace liminal::wire
