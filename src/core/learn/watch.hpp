#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/codec.hpp"
#include "core/learn/decay.hpp"
#include "core/learn/drift.hpp"
#include "core/learn/table.hpp"
#include "core/models/model.hpp"

namespace liminal::learn {

/// What the rows were like that a version was trained on, and what it made of rows that it had not
/// seen: what later rows are compared with. Some 400 bytes a feature.
struct WatchReference {
  struct Column {
    std::string name;
    Reference reference;
  };
  std::vector<Column> features;
  Reference score;  ///< without bins: not known
  ErrorReference errors;

  /// Versioned by its first byte. What makes no sense fails the reader and leaves nothing.
  void save(Writer& out) const;
  void load(Reader& in);
};

/// Places of at most one row of a group a minute, as `Watch` is to be given them: the first of
/// each. All of them where groups or times are not known.
[[nodiscard]] std::vector<std::uint32_t> one_a_minute(const Table& table);

/// Of all rows of a training, and of those `held_out` and what the model said of them. `errors` are
/// those of `erred`, rows of `held_out` by their place; none: not known.
[[nodiscard]] WatchReference reference_of(const Table& all,
                                          const Table& held_out,
                                          std::span<const float> said,
                                          std::span<const double> errors,
                                          std::span<const std::uint32_t> erred);

/// The error of one answer: (p − y)² of a probability, |p − y| of a value.
[[nodiscard]] double error_of(models::Task task, double said, double truth);

/// Compares what passes by with what a version was trained on: each feature, the score, and the
/// errors where the truth comes to be known.
///
/// Give it one row of a user a minute. Memory: some 700 bytes a feature. Cost: some 10 ns a feature
/// and row.
class Watch {
 public:
  struct Line {
    std::string name;
    Drift drift;
  };

  explicit Watch(const WatchReference& reference);

  /// `row` holds a value for each feature.
  void observe(std::span<const float> row, double score);
  void observe_error(double error) { decay_.observe(error); }

  [[nodiscard]] const std::vector<Line>& features() const { return features_; }
  [[nodiscard]] const Drift& score() const { return score_; }
  [[nodiscard]] const Decay& decay() const { return decay_; }
  /// The highest of all statistics in parts of its line: 1 is the alarm line.
  [[nodiscard]] double drift() const;
  /// What lies beyond its line: names of features, "the score". Empty: nothing does.
  [[nodiscard]] std::vector<std::string> drifted() const;
  [[nodiscard]] double rows() const { return rows_; }  ///< seen since it began or was calmed

  /// Forgets what was seen, not the reference.
  void calm();

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  std::vector<Line> features_;
  Drift score_;
  Decay decay_;
  double rows_ = 0;
};

}  // namespace liminal::learn
