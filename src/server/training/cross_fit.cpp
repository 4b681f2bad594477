#include "server/training/cross_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <string_view>
#include <utility>

#include "core/base/math.hpp"
#include "core/learn/metrics.hpp"
#include "core/learn/search.hpp"
#include "core/learn/split.hpp"
#include "server/training/prior.hpp"

namespace liminal::training {
namespace {

constexpr std::uint32_t kCrossFits = 3;
constexpr std::string_view kOffFact = "cross_fit.mean_off", kShiftFact = "cross_fit.shift";

learn::Folds thirds(const learn::Table& all, std::uint64_t seed) {
  return all.groups.empty() ? learn::stratified_folds(all.labels, kCrossFits, seed)
                            : learn::group_folds(all.groups, kCrossFits, seed);
}

std::size_t positives_of(const learn::Table& all, std::span<const std::uint32_t> rows) {
  return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [&](std::uint32_t row) {
    return learn::is_positive(all.labels[row]);
  }));
}

bool enough(const learn::Table& all, std::span<const std::uint32_t> rows) {
  const std::size_t positive = positives_of(all, rows);
  return std::min(positive, rows.size() - positive) >= learn::Search::kRowsMin;
}

/// Which rows are of the time of those that judge.
std::vector<std::uint8_t> late(const learn::Table& all, const HeldOut& held_out) {
  std::vector<std::uint8_t> found(all.rows());
  for (const auto* const rows : {&held_out.test, &held_out.between})
    for (const std::uint32_t row : *rows) found[row] = 1;
  return found;
}

}  // namespace

std::optional<CrossFit> cross_fit(const learn::Table& all,
                                  const HeldOut& held_out,
                                  std::uint64_t seed,
                                  const MakeOf& make) {
  const learn::Folds folds = thirds(all, seed);
  const std::vector<std::uint8_t> judging = late(all, held_out);
  std::vector<double> margins;
  std::vector<std::uint32_t> judged;
  for (std::uint32_t fold = 0; fold < folds.count; ++fold) {
    const std::vector<std::uint32_t> fitted = folds.outside(fold);
    if (!enough(all, fitted)) return std::nullopt;
    std::vector<std::uint32_t> asked = folds.inside(fold);
    std::erase_if(asked, [&](std::uint32_t row) { return judging[row] == 0; });
    const auto made = make(fitted);
    if (!made) return std::nullopt;
    const std::vector<double> said = margins_of(*made, all, asked);
    margins.insert(margins.end(), said.begin(), said.end());
    judged.insert(judged.end(), asked.begin(), asked.end());
  }
  const auto positive = static_cast<double>(positives_of(all, judged));
  if (positive < kPositivesToShift || margins.size() != judged.size()) return std::nullopt;
  const auto shift = shift_to(margins, positive / static_cast<double>(judged.size()));
  if (!shift) return std::nullopt;
  double said = 0;
  for (const double margin : margins) said += 1 / (1 + exp(-margin));
  return CrossFit{said / positive - 1, *shift};
}

learn::Asked<FittedAgain> fit_again(const learn::Table& all,
                                    const HeldOut& held_out,
                                    std::uint64_t seed,
                                    bool classes,
                                    const MakeOf& make,
                                    const std::function<bool(double)>& in_time) {
  using Clock = std::chrono::steady_clock;
  const auto begun = Clock::now();
  std::vector<std::uint32_t> rows(all.rows());
  std::iota(rows.begin(), rows.end(), 0U);
  auto made = make(rows);
  if (!made) return tl::unexpected(made.error());
  FittedAgain again{std::move(*made), std::nullopt};
  const double took_s = std::chrono::duration<double>(Clock::now() - begun).count();
  if (!classes || !in_time(kCrossFits * took_s)) return again;
  again.cross = cross_fit(all, held_out, seed, make);
  if (again.cross) add_to_margin(again.predictor, again.cross->shift);
  return again;
}

void remember(const CrossFit& cross, models::Metadata& shifted) {
  shifted.facts.emplace_back(kOffFact, fmt::format("{:.6g}", cross.off));
  shifted.facts.emplace_back(kShiftFact, fmt::format("{:.9g}", cross.shift));
}

std::string cross_fit_in_words(const models::Metadata& model) {
  const auto off = models::number_fact(model, kOffFact);
  if (!off) return {};
  return fmt::format(
      ". Fitted to two thirds of the users and asked of the others, its mean probability was off "
      "by "
      "{:+.0f} % in the time of those that judge, and is shifted by that",
      100 * *off);
}

double cross_fit_shift(const models::Metadata& model) {
  return models::number_fact(model, kShiftFact).value_or(0);
}

}  // namespace liminal::training
