#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "core/base/time.hpp"
#include "core/engine/champion.hpp"
#include "core/engine/effects.hpp"
#include "core/engine/options.hpp"
#include "core/traffic/alert.hpp"
#include "core/traffic/record.hpp"

namespace liminal::engine {

class Shard;

// What is decided about a shard beside the path of a message: by operators, by a reload, by a
// restart. An input like an event: the journal keeps it, and a replay gives it again. `Shard` says
// what each means.

struct UseSettings {
  std::shared_ptr<const Settings> settings;  ///< null: what the journal had of them is lost
};
struct SetOverride {
  traffic::Override decision;
};
struct RemoveOverride {
  std::string user;
};
struct RemoveOverrides {};
struct GiveFeedback {
  std::uint64_t alert_number = 0;
  traffic::FeedbackVerdict verdict{};
};
struct CountFeedback {
  traffic::FindingType type{};
  traffic::FeedbackVerdict verdict{};
};
struct CleanUp {
  Duration age_max{};
};
struct Adopt {
  traffic::Alert alert;
};
/// A life of the program begins, with what the shard was after its input `base`: 0 is a fresh one,
/// made at `now`.
struct Resume {
  std::uint64_t base = 0;
  std::uint64_t first = 0;  ///< the number of this input, from which on this life counts
  SteadyTime now;
  std::shared_ptr<const Settings> settings;  ///< as of `UseSettings`
};
/// From now on this model is asked; none when it is not there. `fault` says why one was taken out.
struct UseChampion {
  ChampionInfo champion;
  std::optional<ModelFault> fault;
};
struct TakeAnswer {
  Answer answer;
};

/// In the order of their numbers in the journal: append only.
using Call = std::variant<UseSettings,
                          SetOverride,
                          RemoveOverride,
                          RemoveOverrides,
                          GiveFeedback,
                          CountFeedback,
                          CleanUp,
                          Adopt,
                          Resume,
                          UseChampion,
                          TakeAnswer>;

/// Gives a shard this input; what it brings about goes into `out`. Returns what the shard's
/// function of that name does, as a number: how many, or whether (1, 0). A `UseSettings` must have
/// settings; a `Resume`'s are the shard's already.
std::uint64_t carry_out(const Call& call, Shard& shard, Effects& out);

}  // namespace liminal::engine
