#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/learn/promote.hpp"
#include "server/training/builtin.hpp"

namespace liminal::training {

/// With what a new model is compared, and on which of the held-out rows.
struct Comparison {
  std::vector<float> champion;        ///< what it says of all of them; empty: chance, or the median
  std::vector<std::uint32_t> places;  ///< of those that decide, among the held-out ones
  bool with_champion = false;         ///< else with the rows' baseline, if anything
  std::string note;                   ///< for the report; may be empty
};

/// The champion as it was judged, on the rows that it has not learnt: where these are too few, the
/// champion as it answers on what is later than it; where these are, too, all rows, which favours
/// the champion. `test` are the rows held out.
[[nodiscard]] Comparison compare(const BuiltinOptions& options,
                                 const Rows& rows,
                                 const HeldOut& held_out,
                                 const learn::Table& test);

/// The population stability index of each feature against the rows of the champion, the largest
/// first; empty when these are not known.
[[nodiscard]] std::vector<std::pair<std::string, double>> drift_since(
    const std::optional<learn::WatchReference>& champion, const learn::Table& table);

/// Parts of the rows that decide which must not get much worse: what people judged, the busiest
/// quarter, the last third of the time. Rows are counted within `places`.
[[nodiscard]] std::vector<learn::Slice> slices_of(const Rows& rows,
                                                  const HeldOut& held_out,
                                                  const learn::Table& test,
                                                  const std::vector<std::uint32_t>& places);

/// People's labels among the held-out rows from which they can be believed alone.
inline constexpr std::size_t kJudgedMin = 20;

/// What later rows are compared with: those that judge, and what was said of them. Errors of
/// classes are those of what people judged, for that is what comes to be known later.
[[nodiscard]] learn::WatchReference watched(models::Task task,
                                            const Rows& rows,
                                            const HeldOut& held_out,
                                            const learn::Table& test,
                                            std::span<const float> said);

/// How many more rows of a class it takes until as many as `judging_min` of each judge, in words;
/// nothing of what is enough. `held` are those of `all` that judge.
[[nodiscard]] std::vector<std::string> rows_to_judge(double judging_min,
                                                     std::span<const float> all,
                                                     std::span<const float> held);

/// Positive users alike who must judge: fewer show no difference, and without a champion to be
/// measured by no mean probability either (`learn::PairedAuc::line`, `learn::CalibrationBias`).
inline constexpr double kUsersMin = 4, kUsersMinFirst = 7;

/// How many more users with anomalous rows it takes until such as judge count as `users_min` alike,
/// in four cases of five, in words; nothing when they do, or where users are not known. `held` are
/// those of `all` that judge.
[[nodiscard]] std::optional<std::string> users_to_judge(double users_min,
                                                        const learn::Table& all,
                                                        const learn::Table& held);

}  // namespace liminal::training
