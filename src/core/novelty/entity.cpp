#include "core/novelty/entity.hpp"

#include <algorithm>

#include "core/base/math.hpp"

namespace liminal::novelty {
namespace {

constexpr Entity::Constants kConstants;

double prior_of(std::uint32_t metrics) {
  return kConstants.prior_novelty * exp(kConstants.prior_exponent * log(metrics));
}

/// What is emitted changes the line at once; the time that goes by, at so many rows.
constexpr std::uint32_t kLineEvery = 256;

}  // namespace

double Entity::coarse_max(std::uint32_t points, std::uint32_t metrics) {
  return prior_of(metrics) * exp(log(std::max(1U, points)) / kConstants.tail_exponent);
}

void Entity::count(double emitted, double weeks, double alarms_per_week) {
  by_rows_.learn(emitted, 1 / kConstants.budget_rows);
  by_time_.learn(emitted, weeks);
  const auto wished = static_cast<float>(alarms_per_week);
  if (!(emitted > 0) && rows_ % kLineEvery != 0 && wished == wished_) return;
  wished_ = wished;
  raised_ = static_cast<float>(
      alarms_per_week > 0
          ? by_time_.line(alarms_per_week)
          : std::max(1., by_rows_.line(kConstants.budget_rows / kConstants.budget)));
}

EntityScore Entity::step(const EntityRow& row, double alarms_per_week) {
  if (row.metrics != metrics_) {
    metrics_ = row.metrics;
    prior_ = prior_of(row.metrics);
  }
  ++rows_;
  const AlarmLine::Shape shape{kConstants.tail_exponent,
                               prior_,
                               std::min(kConstants.prior_points, kConstants.prior_rows * rows_),
                               kConstants.decay_points,
                               kConstants.budget};
  double known_max = score_max(rows_, row.deviation, kConstants.enough_rows);
  const double score = line_.score(row.evidence, shape);
  if (row.coarse > 0)
    known_max = std::min(known_max, line_.score(row.evidence - row.coarse, shape));
  line_.learn(row.evidence + row.doubtful, shape);
  const auto held = static_cast<double>(hold_.emit(score, kConstants.hold_rows));
  const double emitted = std::min(held, known_max);
  count(emitted, row.weeks, alarms_per_week);
  const auto on_line = [&](double told) {
    return std::min(static_cast<float>(told) / raised_, static_cast<float>(kScoreMax));
  };
  return {on_line(std::min(score, known_max)), on_line(emitted)};
}

bool Entity::is_known() const { return rows_ >= kConstants.enough_rows; }

void Entity::save(Writer& out) const {
  line_.save(out);
  hold_.save(out);
  out.put(rows_);
  by_rows_.save(out);
  by_time_.save(out);
  out.put(raised_);
  out.put(wished_);
}

void Entity::load(Reader& in, bool counted) {
  line_.load(in);
  hold_.load(in);
  in.get(rows_);
  if (rows_ > 1U << 30) in.fail();
  metrics_ = 0;
  if (!counted) return;
  by_rows_.load(in);
  by_time_.load(in);
  in.get(raised_);
  in.get(wished_);
  if (!(raised_ > .01F && raised_ < 1e3F) || !(wished_ >= 0 && wished_ <= 1e4F)) in.fail();
}

}  // namespace liminal::novelty
