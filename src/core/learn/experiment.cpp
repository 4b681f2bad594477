#include "core/learn/experiment.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"
#include "core/base/math.hpp"
#include "core/base/random.hpp"
#include "core/learn/tails.hpp"

namespace liminal::learn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kPriorWeight = 100;  ///< of the sample ratio's beta prior
constexpr double kGuardAlpha = .01;
constexpr Duration kDay = std::chrono::hours{24};
constexpr double kDaysMin = 1.5;   ///< in blocks that are there: two days, some of them left out
constexpr double kBlocksMin = 12;  ///< of blocks as long as days
constexpr std::uint8_t kVersion = 3;
constexpr std::uint8_t kVersioned = 0x80;  ///< what version 1 began with is below
constexpr double kGuardRows = 10;          ///< in the least number of rows, without a tolerance
constexpr double kGuardTold = 5;           ///< in the tolerance
constexpr std::uint32_t kGuardLook = 16;   ///< rows until a guard is looked at again

/// The mixture's precision, in parts of the information at which it is narrowest:
/// 1/x with x = log(1/α²) + log(1 + x).
double mixture_precision(double alpha) {
  const double evidence = -2 * log(alpha);
  double x = evidence + 1;
  for (int i = 0; i < 50; ++i) x = evidence + log1p(x);
  return 1 / x;
}

void save_moments(std::initializer_list<const stats::Moments*> all, Writer& out) {
  for (const stats::Moments* moments : all) moments->save(out);
}

void load_moments(std::initializer_list<stats::Moments*> all, Reader& in) {
  for (stats::Moments* moments : all) moments->load(in);
}

/// Root of the mean square.
double size_of(const stats::Moments& moments) {
  return sqrt(moments.variance() + moments.mean() * moments.mean());
}

/// Of the mean, by the sample; at least what one row of `size` among `rows` of 0 would give.
double variance_of_mean(const stats::Moments& moments, double size, double rows) {
  const auto n = static_cast<double>(moments.count());
  return n < 2 ? 0 : std::max(moments.variance() / (n - 1), size * size / (rows * rows));
}

double variance_of_mean(const stats::Moments& moments, double size) {
  return variance_of_mean(moments, size, static_cast<double>(moments.count()));
}

Interval interval_around(
    double estimate, double variance, double log_alpha, double precision, double planned) {
  if (!(variance > 0 && std::isfinite(variance))) return {-kInfinity, kInfinity};
  // Brownian motion in information time 1/variance; its mixture's precision is kappa.
  const double information = 1 / variance;
  const double kappa = precision / planned;
  const double evidence = log1p(information / kappa) + log_alpha;
  const double half = sqrt(variance * (1 + kappa / information) * evidence);
  return {estimate - half, estimate + half};
}

}  // namespace

Interval anytime_interval(double estimate, double variance, double alpha, double planned) {
  return interval_around(estimate, variance, -2 * log(alpha), mixture_precision(alpha), planned);
}

double fixed_test_variance(double effect, double alpha) {
  const double errors = effect / (normal_tail_quantile(alpha / 2) + kPlannedPower);
  return errors * errors;
}

void SampleRatio::observe(bool challenger) {
  const double seen = seen_[0] + seen_[1];
  const double meant = challenger ? share_ : 1 - share_;
  const double found = (kPriorWeight * meant + seen_[challenger ? 1 : 0]) / (kPriorWeight + seen);
  evidence_ += log(found / meant);
  highest_ = std::max(highest_, evidence_);
  seen_[challenger ? 1 : 0] += 1;
}

bool SampleRatio::mismatch() const { return highest_ > -log(kAlpha); }

double SampleRatio::observed_share() const {
  const double seen = seen_[0] + seen_[1];
  return seen > 0 ? seen_[1] / seen : 0;
}

void SampleRatio::save(Writer& out) const {
  for (const double number : {seen_[0], seen_[1], evidence_, highest_}) out.put(number);
}

void SampleRatio::load(Reader& in) {
  for (double* number : {&seen_[0], &seen_[1], &evidence_, &highest_}) in.get(*number);
  if (!(seen_[0] >= 0 && seen_[1] >= 0 && std::isfinite(seen_[0] + seen_[1]) &&
        std::isfinite(evidence_) && std::isfinite(highest_))) {
    in.fail();
  }
  if (!in.ok()) *this = SampleRatio(share_);
}

Problems ExperimentOptions::validate() const {
  Problems problems;
  const auto require = [&](bool right, const char* key, const char* text) {
    if (!right) problems.push_back({key, text});
  };
  require(share >= .01 && share <= .99, "share", "must lie within .01 and .99");
  require(alpha >= .0001 && alpha <= .5, "alpha", "must lie within .0001 and .5");
  require(effect > 0 && std::isfinite(effect), "effect", "must be above 0");
  require(effect_ratio >= 0 && effect_ratio <= 1, "effect_ratio", "must lie within 0 and 1");
  require(block >= Duration{} && (block == Duration{} || mode == Mode::kShadow),
          "block",
          "must be 0 or more, and 0 in a split");
  require(rows_min >= 20 && std::isfinite(rows_min), "rows_min", "must be 20 at least");
  for (std::size_t i = 0; i < guards.size(); ++i) {
    if (!(guards[i].tolerance >= 0 && std::isfinite(guards[i].tolerance)))
      problems.push_back({"guards[" + std::to_string(i) + "].tolerance", "must be 0 or more"});
  }
  return problems;
}

std::string_view name(ExperimentState state) {
  switch (state) {
    case ExperimentState::kRunning:
      return "running";
    case ExperimentState::kChallengerBetter:
      return "challenger better";
    case ExperimentState::kChampionBetter:
      return "champion better";
    case ExperimentState::kNoDifference:
      return "no difference";
    case ExperimentState::kHarm:
      return "rolled back";
    case ExperimentState::kInvalid:
      return "invalid";
  }
  return "unknown";
}

Experiment::Plan::Plan(double alpha, double planned_variance)
    : evidence(-2 * liminal::log(alpha)),
      precision(mixture_precision(alpha)),
      planned(planned_variance) {}

Interval Experiment::Plan::interval(double estimate, double variance) const {
  return interval_around(estimate, variance, evidence, precision, planned);
}

Experiment::Experiment(ExperimentOptions options)
    : options_(std::move(options)), plan_(options_.alpha, 0), ratio_(options_.share) {
  LIMINAL_CHECK(options_.validate().empty());
  if (!(options_.effect_ratio > 0)) know_effect(options_.effect);
  for (const GuardRail& rail : options_.guards) {
    // Narrowest where a growth well beyond the tolerance is just told: harm that is great is to be
    // found soon, and what that costs later is little.
    const double told = kGuardTold * rail.tolerance;
    guards_.push_back(
        {GroupedArms(), Plan(kGuardAlpha, told > 0 ? fixed_test_variance(told, kGuardAlpha) : 0)});
  }
}

void Experiment::know_effect(double effect) {
  effect_ = effect;
  plan_.planned = fixed_test_variance(effect, options_.alpha);
}

std::optional<double> Experiment::effect() const {
  return effect_ > 0 ? std::optional(effect_) : std::nullopt;
}

Arm Experiment::assign(std::uint64_t user_hash) const {
  Random random(user_hash ^ mix64(options_.salt));
  return random.chance(options_.share) ? Arm::kChallenger : Arm::kChampion;
}

void Experiment::observe(Arm arm, double value, SteadyTime at) {
  if (state_ != ExperimentState::kRunning || !std::isfinite(value)) return;
  arms_[index(arm)].add(value);
  judge(at);
}

void Experiment::observe_user(Arm arm, SteadyTime at) {
  if (state_ != ExperimentState::kRunning) return;
  ratio_.observe(arm == Arm::kChallenger);
  if (ratio_.mismatch()) enter(ExperimentState::kInvalid, at);
}

void Experiment::observe_pair(double champion, double challenger, SteadyTime at) {
  if (state_ != ExperimentState::kRunning) return;
  if (!std::isfinite(champion) || !std::isfinite(challenger)) return;
  if (in_blocks()) {
    enter_block(at);
    if (state_ != ExperimentState::kRunning) return;
  }
  arms_[0].add(champion);
  arms_[1].add(challenger);
  (in_blocks() ? day_.rows : pairs_).add(challenger - champion);
  if (!in_blocks()) judge(at);
}

std::int64_t Experiment::blocks_a_day() const {
  return std::max<std::int64_t>(kDay / options_.block, 1);
}

/// Ends the block that went on, and the day, when `at` is of another.
void Experiment::enter_block(SteadyTime at) {
  const std::int64_t now = nanoseconds(at), length = options_.block.count();
  const std::int64_t day = day_.block / blocks_a_day();
  if (day_.block < 0 || now < day_.begun + day * blocks_a_day() * length) {
    // The first; or the time was set back: of a day that is seen twice, neither half is its own.
    day_ = {};
    day_.begun = now;
    day_.block = 0;
  }
  const std::int64_t number = (now - day_.begun) / length;
  if (number <= day_.block) return;
  day_.fullest = std::max(day_.fullest, day_.rows.count());
  if (2 * day_.rows.count() >= day_.fullest) day_.blocks.add(day_.rows.mean());
  day_.rows = {};
  day_.block = number;
  if (number / blocks_a_day() == day) return;
  pairs_.merge(day_.blocks);
  day_.blocks = {};
  judge(at);
}

void Experiment::observe_guard(
    std::size_t number, Arm arm, double value, std::uint64_t user_hash, SteadyTime at) {
  LIMINAL_CHECK(number < guards_.size());
  if (state_ != ExperimentState::kRunning || !std::isfinite(value)) return;
  Guard& guard = guards_[number];
  guard.arms.add(arm, user_hash, value);
  // A look is dear, and none is needed after every row.
  if (++guard.unseen < kGuardLook) return;
  if (options_.mode == ExperimentOptions::Mode::kShadow && arm == Arm::kChampion) return;
  guard.unseen = 0;
  if (broke(guard, options_.guards[number].tolerance))
    enter(ExperimentState::kHarm, at, static_cast<std::uint32_t>(number));
}

bool Experiment::broke(const Guard& guard, double tolerance) const {
  const double fewest =
      std::min(guard.arms.rows(Arm::kChampion), guard.arms.rows(Arm::kChallenger));
  if (fewest < options_.rows_min) return false;
  const auto [grown, variance, groups] =
      guard.arms.growth(options_.mode == ExperimentOptions::Mode::kShadow);
  if (!(grown > tolerance)) return false;
  Plan plan = guard.plan;
  // Without a tolerance nothing but the number of rows says where: narrowest at so many in an arm.
  if (!(plan.planned > 0)) plan.planned = variance * fewest / (kGuardRows * options_.rows_min);
  const double half = grown - plan.interval(grown, variance).low;
  const double error = sqrt(variance);
  return grown - error * student_alike(half / error, groups - 1) > tolerance;
}

void Experiment::observe_agreement(bool agreed) { agreement_.add(agreed ? 1 : 0); }

void Experiment::observe_latency(Arm arm, double us) {
  if (std::isfinite(us)) latency_[index(arm)].add(us);
}

std::optional<double> Experiment::difference() const {
  if (options_.mode == ExperimentOptions::Mode::kShadow)
    return pairs_.count() > 0 ? std::optional(pairs_.mean()) : std::nullopt;
  if (arms_[0].count() == 0 || arms_[1].count() == 0) return std::nullopt;
  return arms_[1].mean() - arms_[0].mean();
}

double Experiment::variance() const {
  const double size = std::max(size_of(arms_[0]), size_of(arms_[1]));
  return options_.mode == ExperimentOptions::Mode::kShadow
             ? variance_of_mean(pairs_, std::max(size, effect_), rows(Arm::kChampion))
             : variance_of_mean(arms_[0], size) + variance_of_mean(arms_[1], size);
}

bool Experiment::enough() const {
  if (std::min(rows(Arm::kChampion), rows(Arm::kChallenger)) < options_.rows_min) return false;
  if (!in_blocks()) return true;
  const double fewest = std::max(kDaysMin * static_cast<double>(blocks_a_day()), kBlocksMin);
  return static_cast<double>(pairs_.count()) >= fewest;
}

Interval Experiment::interval() const {
  const std::optional<double> found_difference = difference();
  if (!enough() || !effect() || !found_difference) return {-kInfinity, kInfinity};
  Interval found = plan_.interval(*found_difference, variance());
  if (!in_blocks() || !std::isfinite(found.high)) return found;
  const double error = sqrt(variance()), half = (found.high - found.low) / 2;
  const double wider =
      error * student_alike(half / error, static_cast<double>(pairs_.count() - 1)) - half;
  return {found.low - wider, found.high + wider};
}

double Experiment::rows(Arm arm) const { return static_cast<double>(arms_[index(arm)].count()); }

double Experiment::agreement() const { return agreement_.count() == 0 ? 1 : agreement_.mean(); }

void Experiment::judge(SteadyTime at) {
  if (!effect()) {
    const double size = std::abs(arms_[0].mean());
    // While the champion makes no error, no part of it is a difference.
    if (!enough() || !(size > 0)) return;
    know_effect(options_.effect_ratio * size);
  }
  const Interval now = interval();
  if (now.low > 0) {
    enter(ExperimentState::kChallengerBetter, at);
  } else if (now.high < 0) {
    enter(ExperimentState::kChampionBetter, at);
  } else if (now.low > -effect_ && now.high < effect_) {
    enter(ExperimentState::kNoDifference, at);
  }
}

void Experiment::enter(ExperimentState state, SteadyTime at, std::uint32_t guard) {
  state_ = state;
  log_.push_back({at,
                  state,
                  difference().value_or(0),
                  interval(),
                  rows(Arm::kChampion) + rows(Arm::kChallenger),
                  guard});
}

void Experiment::Day::save(Writer& out) const {
  out.put(begun);
  out.put(block);
  out.put(fullest);
  rows.save(out);
  blocks.save(out);
}

void Experiment::Day::load(Reader& in) {
  in.get(begun);
  in.get(block);
  in.get(fullest);
  rows.load(in);
  blocks.load(in);
  if (block < -1) in.fail();
}

void Experiment::save(Writer& out) const {
  out.put(static_cast<std::uint8_t>(kVersioned | kVersion));
  out.put(options_.mode);
  out.put(options_.block.count());
  out.put(effect_);
  day_.save(out);
  out.put(state_);
  save_moments({&arms_[0], &arms_[1], &pairs_, &agreement_, &latency_[0], &latency_[1]}, out);
  out.put_varint(guards_.size());
  for (const Guard& guard : guards_) guard.arms.save(out);
  ratio_.save(out);
  out.put_varint(log_.size());
  for (const ExperimentDecision& line : log_) {
    out.put(nanoseconds(line.at));
    out.put(line.state);
    for (const double number : {line.difference, line.interval.low, line.interval.high, line.rows})
      out.put(number);
    out.put(line.guard);
  }
}

void Experiment::load(Reader& in) {
  ExperimentOptions options = options_;
  *this = Experiment(std::move(options));
  auto first = in.get<std::uint8_t>();
  const unsigned version = first >= kVersioned ? static_cast<unsigned>(first - kVersioned) : 1U;
  if (first >= kVersioned) {
    if (version != kVersion && version != 2) in.fail();
    // Rows, and blocks of another length, are of another kind: no interval holds of both at once.
    if (in.get<ExperimentOptions::Mode>() != options_.mode) in.fail();
    if (in.get<std::int64_t>() != options_.block.count()) in.fail();
    const auto effect = in.get<double>();
    if (!(effect >= 0 && std::isfinite(effect))) in.fail();
    if (options_.effect_ratio > 0 && effect > 0) know_effect(effect);
    day_.load(in);
    in.get(first);
  } else if (in_blocks()) {
    in.fail();  // of what was not kept in blocks nobody knows which belong together
  }
  state_ = ExperimentState{first};
  if (state_ > ExperimentState::kInvalid) in.fail();
  load_moments({&arms_[0], &arms_[1], &pairs_, &agreement_, &latency_[0], &latency_[1]}, in);
  if (in.get_varint() != guards_.size()) in.fail();
  for (Guard& guard : guards_) {
    if (version == kVersion) {
      guard.arms.load(in);
    } else {
      stats::Moments of_rows[2];
      load_moments({&of_rows[0], &of_rows[1]}, in);
    }
  }
  ratio_.load(in);
  const std::uint64_t lines = in.get_varint();
  if (lines > in.remaining()) in.fail();
  for (std::uint64_t i = 0; i < lines && in.ok(); ++i) {
    ExperimentDecision line;
    line.at = SteadyTime{Duration{in.get<std::int64_t>()}};
    in.get(line.state);
    if (line.state > ExperimentState::kInvalid) in.fail();
    for (double* number : {&line.difference, &line.interval.low, &line.interval.high, &line.rows})
      in.get(*number);
    in.get(line.guard);
    log_.push_back(line);
  }
  if (!in.ok()) *this = Experiment(std::move(options_));
}

}  // namespace liminal::learn
