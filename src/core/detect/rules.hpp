#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"
#include "core/detect/findings.hpp"
#include "core/detect/options.hpp"
#include "core/detect/population.hpp"
#include "core/traffic/event.hpp"

namespace liminal::detect {

/// What the rules remember of one user: when each of them last spoke. Memory: 64 bytes.
class RuleState {
 public:
  void save(Writer& out) const;
  void load(Reader& in);

 private:
  friend class Rules;
  /// Seconds since the epoch plus one; 0 for never. Until 2106.
  std::array<std::uint32_t, kRulesMax> spoke_s_{};
};

/// Which events can push a feature over its line: only then a rule needs to look.
[[nodiscard]] bool can_move(traffic::EventKind kind, traffic::FeatureId feature);

/// The configured rules: fixed lines that features must not cross, which speak at once, need no
/// learning and are as blunt as that. A rule that spoke about a user is silent about the same user
/// for its cool-down, but what it does to messages it does to each that finds its line crossed; one
/// that drops speaks of no message that has passed.
///
/// Cost: reads the features of the rules that the event's kind can move, usually one or two.
class Rules {
 public:
  /// `options` must be valid and outlive this.
  explicit Rules(const Options& options);

  /// Adds to `out` what the rules say about a user after an event, and what those that are silent
  /// still do (`Findings::standing`). `read(FeatureId)` gives a feature of the user as of `now`, as
  /// float; NaN never crosses a line. Returns whether a feature
  /// came near to a line (`ModelOptions::near_ratio`) or crossed one, cool-downs and how ordinary
  /// it is aside.
  template <class Read>
  bool evaluate(traffic::EventKind kind,
                RuleState& state,
                Read&& read,
                SteadyTime now,
                const Population& population,
                Findings& out) const {
    bool near = false;
    for (std::uint32_t left = movable_[static_cast<std::size_t>(kind)]; left != 0;
         left &= left - 1) {
      const auto i = static_cast<std::size_t>(std::countr_zero(left));
      const RuleOptions& rule = options_->rules[i];
      const float value = read(rule.feature);
      near = near || comes_near(rule, value);
      if (!crosses(rule, value)) continue;
      const bool silent = cooling_down(state, i, now);
      if (silent && (stopping_[static_cast<std::size_t>(kind)] >> i & 1U) == 0) continue;
      if (rule.messages_min > 0 || rule.ordinary_factor > 0) {
        const float messages = read(traffic::FeatureId::kMessagesPerMinute);
        if (!(messages >= rule.messages_min) || ordinary(rule, value, messages, population))
          continue;
      }
      if (silent) {
        out.add_standing({rule.type, rule.mode, rule.action});
      } else {
        report(i, value, state, now, population, out);
      }
    }
    return near;
  }

  /// The same at `now` without an event: all rules, cool-downs aside, changing nothing.
  template <class Read>
  void analyze(Read&& read, SteadyTime now, const Population& population, Findings& out) const {
    RuleState fresh;
    for (std::size_t kind = 0; kind < traffic::kEventKinds; ++kind)
      (void)evaluate(static_cast<traffic::EventKind>(kind), fresh, read, now, population, out);
  }

 private:
  [[nodiscard]] static bool crosses(const RuleOptions& rule, float value) {
    return rule.comparison == Comparison::kAbove ? value > rule.threshold : value < rule.threshold;
  }
  [[nodiscard]] bool comes_near(const RuleOptions& rule, float value) const {
    const float ratio = options_->model.near_ratio;
    return rule.comparison == Comparison::kAbove ? value >= ratio * rule.threshold
                                                 : value * ratio <= rule.threshold;
  }
  [[nodiscard]] bool cooling_down(const RuleState& state, std::size_t rule, SteadyTime now) const;
  [[nodiscard]] static bool ordinary(const RuleOptions& rule,
                                     float value,
                                     float messages,
                                     const Population& population);
  void report(std::size_t rule,
              float value,
              RuleState& state,
              SteadyTime now,
              const Population& population,
              Findings& out) const;

  const Options* options_;
  /// Bits of the rules that an event of each kind can move.
  std::array<std::uint32_t, traffic::kEventKinds> movable_{};
  /// Of these, rules that drop or close where the event is something that can be stopped.
  std::array<std::uint32_t, traffic::kEventKinds> stopping_{};
};

}  // namespace liminal::detect
