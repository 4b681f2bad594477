#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "inject.hpp"
#include "judge.hpp"
#include "trace.hpp"

namespace liminal::bench {

/// Hours that users were there: from the first to the last that was seen of each.
[[nodiscard]] double hours_of_users(const Trace& trace);

/// Hits and misses over many traces.
class Score {
 public:
  Score() = default;
  /// For alerts whose clock is set to the trace's only up to this many seconds: they may be so much
  /// earlier or later.
  explicit Score(double tolerance_s) : tolerance_s_(tolerance_s) {}

  /// Adds the alerts of one trace. An alert about an abuser from the abuse's begin to 30 minutes
  /// after its end is true, a later one is neither, as is one about everybody; others are false.
  void add(const Trace& trace,
           std::span<const Injection> injections,
           std::span<const AlertLine> alerts);

  struct Kind {
    int injected = 0, found = 0, in_time = 0;
    std::vector<double> delays_s;
    std::map<std::string, int> first_by;  ///< which detector spoke first
  };
  struct Voice {
    int right = 0, wrong = 0;
  };

  [[nodiscard]] double recall() const;
  [[nodiscard]] double worst() const;
  [[nodiscard]] double fast_in_time() const;  ///< the worst fast kind's share
  [[nodiscard]] double false_per_1000_hours() const;
  [[nodiscard]] double precision() const;  ///< of alerts
  [[nodiscard]] double user_hours() const { return user_hours_; }

  [[nodiscard]] std::string line() const;   ///< in one line
  [[nodiscard]] std::string table() const;  ///< by kind and by detector
  /// What detect/confidence.cpp is made of: by detector and bucket of the score.
  [[nodiscard]] std::string confidence() const;

  std::vector<std::string> mistakes;  ///< false alerts and missed injections, in words

 private:
  std::array<Kind, kAbuses> kinds_;
  std::map<std::string, Voice> voices_;
  std::map<std::string, std::array<Voice, 4>> buckets_;
  int right_ = 0, wrong_ = 0;
  double user_hours_ = 0;
  double tolerance_s_ = 0;
};

}  // namespace liminal::bench
