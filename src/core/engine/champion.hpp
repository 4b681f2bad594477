#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/ids.hpp"
#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/models/scorer.hpp"
#include "core/traffic/finding.hpp"
#include "core/traffic/schema.hpp"

/// The model that shards ask about users: the champion of `anomaly_detection`.
///
/// A shard never computes it. A step says what it wants to know (`Ask`), somebody computes a score
/// (`Champion`) and gives it back as an input of its own (`Answer`). So a slow model delays
/// nothing, and a replay needs the answers only, which the journal has, and no file of a model.
namespace liminal::engine {

/// Which model is asked, and what its scores mean: all that a shard has to know of it.
struct ChampionInfo {
  std::uint32_t version = 0;              ///< in the registry, from 1; 0: there is none
  std::array<std::uint8_t, 32> sha256{};  ///< of its file
  float line = .5F;                       ///< the score from which on it is an alarm; above 0
  bool probability = false;               ///< the score is a calibrated probability

  [[nodiscard]] bool there() const { return version != 0; }
  friend bool operator==(const ChampionInfo&, const ChampionInfo&) = default;
};
void save(const ChampionInfo& info, Writer& out);
/// False when the bytes make no sense.
[[nodiscard]] bool load(ChampionInfo& info, Reader& in);

/// Why a model was taken out of the path of decisions.
struct ModelFault {
  enum class Kind : std::uint8_t {
    kSlow,    ///< over its budget a row
    kFailed,  ///< it failed, or what it gave was no number
    kStuck,   ///< it did not come back
  };
  Kind kind = Kind::kSlow;
  std::uint32_t version = 0;
  float row_seconds = 0;         ///< what a row took, or the wait for it so far
  float row_seconds_budget = 0;  ///< what it may take
  friend bool operator==(const ModelFault&, const ModelFault&) = default;
};
[[nodiscard]] std::string_view name(ModelFault::Kind kind);

/// What a step wants to know of a user.
struct Ask {
  ShardId shard{};
  std::uint64_t user = 0;  ///< hash of the name
  SteadyTime time;         ///< at which the event counted
  traffic::Features features;
};

/// What a champion said of it.
struct Answer {
  std::uint32_t version = 0;
  std::uint64_t user = 0;
  SteadyTime time;  ///< the ask's
  float score = 0;  ///< a number
  /// Above the line: what each feature makes of score / line, the most first; empty when there was
  /// no time for it.
  std::vector<traffic::Evidence> why;
};

/// What one feature makes of a score. What a model expects of it nobody knows: NaN.
[[nodiscard]] traffic::Evidence part_of_score(traffic::Signal feature,
                                              float observed,
                                              float contribution);

/// A version of a model, ready to be asked.
/// Thread rule: immutable; any number of threads may ask at once, if `ScoreRows` allows it.
class Champion {
 public:
  /// Scores of `out.size()` rows, which follow each other in `rows`. False when it failed.
  using ScoreRows = std::function<bool(std::span<const float> rows, std::span<float> out)>;
  using Made = tl::expected<std::shared_ptr<const Champion>, Problems>;

  /// A model of classification or anomaly, whoever computes it, its features all of the traffic's
  /// schema. `version` ≥ 1.
  [[nodiscard]] static Made of(std::shared_ptr<const models::Scorer> scorer,
                               std::uint32_t version,
                               const std::array<std::uint8_t, 32>& sha256);

  /// The same of a model that the core evaluates.
  [[nodiscard]] static Made create(models::Model model,
                                   std::uint32_t version,
                                   const std::array<std::uint8_t, 32>& sha256);

  /// The same of a model that somebody else computes; `features` in the order of its rows, `usual`
  /// as `models::Scorer` says.
  [[nodiscard]] static Made foreign(const ChampionInfo& info,
                                    const std::vector<std::string>& features,
                                    ScoreRows score,
                                    std::vector<float> usual = {});

  Champion(const Champion&) = delete;
  Champion& operator=(const Champion&) = delete;

  [[nodiscard]] const ChampionInfo& info() const { return info_; }
  /// Computed by the core: quick enough for the thread of a shard.
  [[nodiscard]] bool own() const { return scorer_->model() != nullptr; }

  /// Scores of asks, in their order. False when it failed or a score is no number.
  [[nodiscard]] bool score(std::span<const Ask> asks, std::span<float> out) const;

  /// What `Answer::why` has. Own trees and linear models exactly, networks and foreign ones by
  /// sampling. Takes about 1 ms of 100 trees. Empty when a foreign one failed.
  [[nodiscard]] std::vector<traffic::Evidence> explain(const Ask& ask, float score) const;

  /// The whole answer at once; none when it failed.
  [[nodiscard]] std::optional<Answer> answer(const Ask& ask) const;

 private:
  Champion() = default;
  [[nodiscard]] Problems arrange();
  void put_row(const traffic::Features& features, std::span<float> row) const;

  ChampionInfo info_;
  std::vector<traffic::FeatureId> features_;  ///< of a row, in its order
  std::shared_ptr<const models::Scorer> scorer_;
};

}  // namespace liminal::engine
