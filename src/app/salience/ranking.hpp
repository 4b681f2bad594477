#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "core/salience/judgement.hpp"
#include "io/json/salience_event.hpp"

namespace liminal::app {

/// Events by how much they deserve a human, from what they say of themselves.
class SalienceRanking {
 public:
  /// `events` must outlive it.
  explicit SalienceRanking(const std::vector<json::SalienceEvent>& events);

  /// A line of JSON an event, in the order of the events: its score, its rank from 1 (equal ones in
  /// their order) and the terms that make the score.
  void write(std::FILE* out) const;

  /// A bar for each of the first thousand ranks, as high as its score.
  [[nodiscard]] std::string svg(const std::string& name) const;

 private:
  const std::vector<json::SalienceEvent>& events_;
  std::vector<salience::Judgement> judged_;
  std::vector<std::size_t> order_;  ///< places in `events`, the most salient first
};

}  // namespace liminal::app
