#include "core/stats/moments.hpp"

#include <limits>

namespace liminal::stats {

void Moments::add(double x) {
  ++count_;
  const double delta = x - mean_;
  mean_ += delta / static_cast<double>(count_);
  squares_ += delta * (x - mean_);
}

void Moments::merge(const Moments& other) {
  if (other.count_ == 0) return;
  const auto mine = static_cast<double>(count_);
  const auto theirs = static_cast<double>(other.count_);
  const double delta = other.mean_ - mean_;
  count_ += other.count_;
  mean_ += delta * theirs / (mine + theirs);
  squares_ += other.squares_ + delta * delta * mine * theirs / (mine + theirs);
}

void Moments::save(Writer& out) const {
  out.put(count_);
  out.put(mean_);
  out.put(squares_);
}

void Moments::load(Reader& in) {
  in.get(count_);
  in.get(mean_);
  in.get(squares_);
  constexpr double kMax = std::numeric_limits<double>::max();
  if (!(mean_ >= -kMax && mean_ <= kMax && squares_ >= 0 && squares_ <= kMax)) in.fail();
}

}  // namespace liminal::stats
