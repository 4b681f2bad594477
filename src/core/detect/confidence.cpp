#include "core/detect/confidence.hpp"

#include <array>

namespace liminal::detect {
namespace {

/// Upper ends of the score's buckets; the last has none.
constexpr std::array<float, 3> kScores{1.15F, 1.5F, 2.5F};
using Row = std::array<float, kScores.size() + 1>;

/// (true + 1) / (all + 2) of the first alerts of each incident.
constexpr std::array<Row, traffic::kDetectors> kShares{{
    {.5F, .5F, .5F, .5F},  // rule
    {.5F, .5F, .5F, .5F},  // rate surprise, 10 s
    {.5F, .5F, .5F, .5F},  // 60 s
    {.5F, .5F, .5F, .5F},  // 300 s
    {.5F, .5F, .5F, .5F},  // 900 s
    {.5F, .5F, .5F, .5F},  // rate CUSUM
    {.5F, .5F, .5F, .5F},  // errors
    {.5F, .5F, .5F, .5F},  // repeats
    {.5F, .5F, .5F, .5F},  // sizes
    {.5F, .5F, .5F, .5F},  // reconnects
    {.5F, .5F, .5F, .5F},  // new channels
    {.5F, .5F, .5F, .5F},  // metronome
    {.5F, .5F, .5F, .5F},  // ring
    {.5F, .5F, .5F, .5F},  // take-over
    {.5F, .5F, .5F, .5F},  // hour of day
    {.5F, .5F, .5F, .5F},  // population
    {.5F, .5F, .5F, .5F},  // model
}};

}  // namespace

float confidence(traffic::Detector detector, float score) {
  const Row& row = kShares[static_cast<std::size_t>(detector)];
  std::size_t bucket = 0;
  while (bucket < kScores.size() && score >= kScores[bucket]) ++bucket;
  return row[bucket];
}

}  // namespace liminal::detect
