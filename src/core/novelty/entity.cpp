#include "core/novelty/entity.hpp"

#include <algorithm>

#include "core/base/math.hpp"

namespace liminal::novelty {
namespace {

constexpr Entity::Constants kConstants;

double prior_of(std::uint32_t metrics) {
  return kConstants.prior_novelty * exp(kConstants.prior_exponent * log(metrics));
}

}  // namespace

EntityScore Entity::step(const EntityRow& row) {
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
  const double known_max = score_max(rows_, row.deviation, kConstants.enough_rows);
  const double score = line_.score(row.evidence, shape);
  line_.learn(row.evidence + row.doubtful, shape);
  const float emitted = hold_.emit(score, kConstants.hold_rows);
  return {static_cast<float>(std::min(score, known_max)),
          static_cast<float>(std::min(static_cast<double>(emitted), known_max))};
}

bool Entity::is_known() const { return rows_ >= kConstants.enough_rows; }

void Entity::save(Writer& out) const {
  line_.save(out);
  hold_.save(out);
  out.put(rows_);
}

void Entity::load(Reader& in) {
  line_.load(in);
  hold_.load(in);
  in.get(rows_);
  if (rows_ > 1U << 30) in.fail();
  metrics_ = 0;
}

}  // namespace liminal::novelty
