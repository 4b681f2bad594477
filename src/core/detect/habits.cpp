#include "core/detect/habits.hpp"

#include "core/detect/loading.hpp"

namespace liminal::detect {

void Habits::add(const Habits& other, float factor) {
  weight += factor * other.weight;
  for (std::size_t i = 0; i < kWindows; ++i) counts[i] += factor * other.counts[i];
  log_bytes += factor * other.log_bytes;
  log_bytes_squared += factor * other.log_bytes_squared;
  errors += factor * other.errors;
  repeats += factor * other.repeats;
  channels.add(other.channels);
}

void Habits::scale(float factor) {
  weight *= factor;
  for (float& count : counts) count *= factor;
  log_bytes *= factor;
  log_bytes_squared *= factor;
  errors *= factor;
  repeats *= factor;
}

void Habits::save(Writer& out) const {
  out.put(weight);
  for (const float count : counts) out.put(count);
  out.put(log_bytes);
  out.put(log_bytes_squared);
  out.put(errors);
  out.put(repeats);
  channels.save(out);
}

void Habits::load(Reader& in) {
  weight = get_amount(in);
  for (float& count : counts) count = get_amount(in);
  log_bytes = get_amount(in);
  log_bytes_squared = get_amount(in);
  errors = get_amount(in);
  repeats = get_amount(in);
  channels.load(in);
}

void Reference::advance(Stamp now) {
  if (opened_.empty()) opened_ = now;
  // After three empty buckets nothing is left to move.
  for (int i = 0; i < 3 && opened_.until(now) >= kBucketSeconds; ++i) {
    settled_.add(waiting_, waiting_trust_);
    if (settled_.weight > kWeightMax) settled_.scale(kWeightMax / settled_.weight);
    waiting_ = open_;
    waiting_trust_ = open_trust_;
    open_ = {};
    open_trust_ = 1;
    opened_ = opened_.plus(kBucketSeconds);
  }
  if (opened_.until(now) >= kBucketSeconds) opened_ = now;
}

void Reference::save(Writer& out) const {
  settled_.save(out);
  waiting_.save(out);
  open_.save(out);
  out.put(waiting_trust_);
  out.put(open_trust_);
  opened_.save(out);
}

void Reference::load(Reader& in) {
  settled_.load(in);
  waiting_.load(in);
  open_.load(in);
  waiting_trust_ = get_amount(in);
  open_trust_ = get_amount(in);
  opened_.load(in);
}

}  // namespace liminal::detect
