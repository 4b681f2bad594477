#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/learn/table.hpp"
#include "core/models/model.hpp"

namespace liminal::training {

/// What parts rows that learn from rows that judge, wherever they lie.
struct Parting {
  /// Where time parts them: what judges begins there, what is learnt from ends so long before.
  struct Cut {
    double begin_s = 0, gap_s = 0;
  };
  bool users = false;        ///< a third of the users judges
  std::optional<Cut> cut{};  ///< later rows judge
  bool values = false;       ///< a quarter of the rows judges, by what they say; alone
};

/// Rows to learn from and rows that only judge, both by their place in the table.
struct HeldOut {
  std::vector<std::uint32_t> train, test;
  std::string how;  ///< in words
  /// Rows of the time of `test` and of the users of `train`, that neither learn nor judge: they
  /// tell how often a class occurs among rows like those that judge. Empty: none are.
  std::vector<std::uint32_t> between{};
  /// What is never learnt from, in this training and any other: a third of the users, or a quarter
  /// of the rows by what they say.
  bool users = false, values = false;
  std::optional<double> until_s{};   ///< nothing after that was learnt from
  std::optional<Parting> parting{};  ///< none: they are parted by their place alone

  /// All that the parting leaves for that was learnt from, not `train` alone.
  void learn_all_before();
};

// Which users (or, without users and times, which rows) judge is the same in every training, so
// that models of different trainings can be compared on rows that none of them has seen.

/// Holds rows of classes out by user and time: what is tested is later than what is learnt from and
/// of other users. Where too few of a class would be left for that, by user alone, then by time
/// alone, then a quarter by chance; `how` says which it was.
/// `table` has at least 40 rows of each class.
[[nodiscard]] HeldOut hold_out_classes(const learn::Table& table, std::uint64_t seed);

/// The last quarter of the time, with a gap of `gap_s` before it, and of other users, where ten are
/// known and enough rows are left; else other users alone, then the last quarter alone, then a
/// quarter by chance.
[[nodiscard]] HeldOut hold_out_values(const learn::Table& table, double gap_s, std::uint64_t seed);

/// Of each row of a table with the same columns, 1 where it is learnt from: of other rows the same
/// as of those that `parting` was found for. Users and times must be known where it asks for them.
[[nodiscard]] std::vector<std::uint8_t> learnt_from(const Parting& parting,
                                                    const learn::Table& table);

/// Writes into a judged model's facts what it has not learnt.
void remember(const HeldOut& held_out, models::Metadata& judged);
/// The places of a table's rows that a model of these facts cannot have learnt.
[[nodiscard]] std::vector<std::uint32_t> unseen_by(const models::Metadata& judged,
                                                   const learn::Table& table);

}  // namespace liminal::training
