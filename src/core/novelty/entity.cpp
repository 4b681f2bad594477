#include "core/novelty/entity.hpp"

#include "core/base/math.hpp"
#include "core/novelty/metric_detector.hpp"

namespace liminal::novelty {
namespace {

constexpr Entity::Constants kConstants;

double prior_of(std::uint32_t metrics) {
  return kConstants.prior_novelty * exp(kConstants.prior_exponent * log(metrics));
}

}  // namespace

EntityScore Entity::step(double evidence, std::uint32_t metrics) {
  if (metrics != metrics_) {
    metrics_ = metrics;
    prior_ = prior_of(metrics);
  }
  const AlarmLine::Shape shape{kConstants.tail_exponent,
                               prior_,
                               kConstants.prior_points,
                               kConstants.decay_points,
                               kConstants.budget};
  ++rows_;
  const double score = line_.score(evidence, shape);
  line_.learn(evidence, shape);
  const double points = kConstants.hold * static_cast<double>(MetricDetector::belief_points(rows_));
  return {static_cast<float>(score), hold_.emit(score, points)};
}

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
