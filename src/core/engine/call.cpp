#include "core/engine/call.hpp"

#include "core/engine/shard.hpp"

namespace liminal::engine {
namespace {

struct CarryOut {
  Shard& shard;
  Effects& out;

  std::uint64_t operator()(const UseSettings& call) const {
    shard.set_settings(call.settings);
    return 1;
  }
  std::uint64_t operator()(const SetOverride& call) const {
    return shard.set_override(call.decision) ? 1 : 0;
  }
  std::uint64_t operator()(const RemoveOverride& call) const {
    return shard.remove_override(call.user) ? 1 : 0;
  }
  std::uint64_t operator()(const RemoveOverrides&) const {
    shard.remove_overrides();
    return 1;
  }
  std::uint64_t operator()(const GiveFeedback& call) const {
    return shard.feedback(call.alert_number, call.verdict) ? 1 : 0;
  }
  std::uint64_t operator()(const CountFeedback& call) const {
    shard.count_feedback(call.type, call.verdict);
    return 1;
  }
  std::uint64_t operator()(const CleanUp& call) const { return shard.cleanup(call.age_max); }
  std::uint64_t operator()(const Adopt& call) const {
    shard.adopt(call.alert);
    return 1;
  }
  std::uint64_t operator()(const Resume& call) const {
    shard.resume(call.first);
    return 1;
  }
  std::uint64_t operator()(const UseChampion& call) const {
    shard.use_champion(call.champion, call.fault, out);
    return 1;
  }
  std::uint64_t operator()(const TakeAnswer& call) const {
    return shard.take(call.answer, out) ? 1 : 0;
  }
};

}  // namespace

std::uint64_t carry_out(const Call& call, Shard& shard, Effects& out) {
  return std::visit(CarryOut{shard, out}, call);
}

}  // namespace liminal::engine
