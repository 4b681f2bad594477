#include <benchmark/benchmark.h>

#include <array>
#include <string>

#include "core/wire/content_check.hpp"
#include "core/wire/frame_parser.hpp"
#include "core/wire/frame_writer.hpp"

namespace liminal::wire {
namespace {

constexpr std::size_t kFrames = 16;

std::string frames_of(std::size_t payload_bytes) {
  std::string stream;
  for (std::size_t i = 0; i < kFrames; ++i)
    append_frame(stream,
                 Opcode::kText,
                 std::string(payload_bytes, 'x'),
                 Mask::from_bits(static_cast<std::uint32_t>(i * 2654435761U)));
  return stream;
}

/// Headers alone: what a relay pays for finding its frames.
void BM_Header(benchmark::State& state) {
  const std::string stream = frames_of(static_cast<std::size_t>(state.range(0)));
  FrameParser parser(Sender::kClient);
  for (auto _ : state) {
    std::string_view in = stream;
    while (const auto part = parser.next(in, {})) benchmark::DoNotOptimize(part->payload.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kFrames));
}
BENCHMARK(BM_Header)->Arg(64)->Arg(1024);

/// Header, unmasking into scratch and UTF-8: all that wire does for a message.
void BM_Look(benchmark::State& state) {
  const std::string stream = frames_of(static_cast<std::size_t>(state.range(0)));
  std::array<char, 2048> scratch;
  FrameParser parser(Sender::kClient);
  ContentCheck check;
  for (auto _ : state) {
    std::string_view in = stream;
    while (const auto part = parser.next(in, {})) {
      apply_mask(part->mask, part->payload, scratch.data());
      benchmark::DoNotOptimize(check.check(*part, {scratch.data(), part->payload.size()}));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kFrames));
}
BENCHMARK(BM_Look)->Arg(64)->Arg(1024);

}  // namespace
}  // namespace liminal::wire
