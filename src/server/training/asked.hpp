#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/learn/metrics.hpp"
#include "core/learn/table.hpp"
#include "core/models/scorer.hpp"

namespace liminal::training {

/// What a model says of each row.
[[nodiscard]] std::vector<float> scores(const models::Evaluator& evaluator,
                                        const learn::Table& table);
/// The same; empty when it could not answer.
[[nodiscard]] std::vector<float> scores(const models::Scorer& scorer, const learn::Table& table);

/// What one row asked alone takes, as on the path of messages.
[[nodiscard]] double latency_us(const models::Evaluator& evaluator, const learn::Table& table);
[[nodiscard]] double latency_us(const models::Scorer& scorer, const learn::Table& table);

/// What shuffling a feature's values costs of `measure`; features without which a foreign model
/// cannot answer are left out.
using Losses = std::vector<std::pair<std::string, double>>;
[[nodiscard]] Losses shuffle_losses(const models::Evaluator& evaluator,
                                    const learn::Table& table,
                                    const learn::Measure& measure,
                                    std::uint64_t seed);
[[nodiscard]] Losses shuffle_losses(const models::Scorer& scorer,
                                    const learn::Table& table,
                                    const learn::Measure& measure,
                                    std::uint64_t seed);

/// Of rows that are flagged from a score of .5 on; NaN where nothing was flagged, or positive.
struct Decisions {
  double precision, recall, f1;
};
[[nodiscard]] Decisions decisions_of(std::span<const float> scores, std::span<const float> labels);

}  // namespace liminal::training
