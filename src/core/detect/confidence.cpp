#include "core/detect/confidence.hpp"

#include <array>

namespace liminal::detect {
namespace {

/// Upper ends of the score's buckets; the last has none.
constexpr std::array<float, 3> kScores{1.15F, 1.5F, 2.5F};
using Row = std::array<float, kScores.size() + 1>;

/// Share of the alerts that were true, by detector and bucket of the score that raised them: 138
/// traces of the tuning half of bench/abuse (`bench_abuse --half tuning --confidence`), thin cells
/// drawn to the detector's share, nothing above .99. One of 25 users there was an abuser: where
/// abuse is rarer these are too high until feedback moves them.
constexpr std::array<Row, traffic::kDetectors> kShares{{
    {.97F, .97F, .98F, .98F},  // rule
    {.98F, .99F, .99F, .99F},  // rate surprise, 10 s
    {.93F, .93F, .94F, .94F},  // 60 s
    {.99F, .99F, .99F, .99F},  // 300 s
    {.98F, .98F, .98F, .98F},  // 900 s
    {.98F, .98F, .98F, .98F},  // rate CUSUM
    {.95F, .97F, .97F, .97F},  // errors
    {.99F, .99F, .99F, .99F},  // repeats
    {.97F, .99F, .99F, .99F},  // sizes
    {.98F, .99F, .99F, .99F},  // reconnects
    {.99F, .99F, .99F, .99F},  // new channels
    {.98F, .98F, .98F, .98F},  // metronome
    {.98F, .99F, .99F, .99F},  // ring
    {.98F, .98F, .98F, .98F},  // take-over
    {.50F, .50F, .50F, .50F},  // hour of day: not measured
    {.50F, .50F, .50F, .50F},  // population: not about a user
    {.50F, .50F, .50F, .50F},  // model: brings its own
}};

}  // namespace

float confidence(traffic::Detector detector, float score) {
  const Row& row = kShares[static_cast<std::size_t>(detector)];
  std::size_t bucket = 0;
  while (bucket < kScores.size() && score >= kScores[bucket]) ++bucket;
  return row[bucket];
}

}  // namespace liminal::detect
