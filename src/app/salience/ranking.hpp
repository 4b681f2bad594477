#pragma once

#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "app/salience/events.hpp"
#include "core/salience/judgement.hpp"
#include "io/json/salience_event.hpp"

namespace liminal::app {

/// Events by how much they deserve a human, from what they say of themselves.
class SalienceRanking {
 public:
  /// `events` must outlive it.
  explicit SalienceRanking(const std::vector<json::SalienceEvent>& events);

  /// A line of JSON an event, in the order of the events: its score, its rank from 1 (equal ones in
  /// their order) and the terms that make the score. One that was left out has a line in its place
  /// too: null and no terms, and why.
  void write(std::FILE* out, std::span<const SalienceEvents::LeftOut> left_out = {}) const;

  /// A bar for each of the first thousand ranks, as high as its score.
  [[nodiscard]] std::string svg(const std::string& name) const;

 private:
  const std::vector<json::SalienceEvent>& events_;
  std::vector<salience::Judgement> judged_;
  std::vector<std::size_t> order_;  ///< places in `events`, the most salient first
};

}  // namespace liminal::app
