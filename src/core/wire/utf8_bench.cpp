#include <benchmark/benchmark.h>

#include <string>

#include "core/wire/utf8.hpp"

namespace liminal::wire {
namespace {

std::string repeated(std::string_view piece, std::size_t bytes) {
  std::string text;
  while (text.size() + piece.size() <= bytes) text += piece;
  return text;
}

void validate(benchmark::State& state, std::string_view piece) {
  const std::string text = repeated(piece, static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(text.data());
    benchmark::DoNotOptimize(is_utf8(text));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void BM_Ascii(benchmark::State& state) { validate(state, "plain text "); }
void BM_Cyrillic(benchmark::State& state) { validate(state, "привет, мир "); }
void BM_Chinese(benchmark::State& state) { validate(state, "你好，世界"); }
BENCHMARK(BM_Ascii)->Arg(64)->Arg(1024);
BENCHMARK(BM_Cyrillic)->Arg(64)->Arg(1024);
BENCHMARK(BM_Chinese)->Arg(64)->Arg(1024);

}  // namespace
}  // namespace liminal::wire
