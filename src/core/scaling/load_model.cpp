#include "core/scaling/load_model.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"
#include "core/base/math.hpp"

namespace liminal::scaling {
namespace {

constexpr double kMemoryMinutes = 4 * 1440;
constexpr std::uint64_t kFirstSolution = 720, kFirstErrorSolution = 1440;
constexpr std::int64_t kCutMinutes = 720;
// Penalties, in parts of the weight.
constexpr double kPenalty = 1e-4, kErrorPenalty = 3e-4;
// Bounds of what is foretold, in ln load.
constexpr double kMeanMin = -1, kMeanMax = 3;
constexpr double kScaleMin = .02, kScaleMax = 1, kScaleUnknown = .15;
/// e^E[ln |r|] is below E|r|; the constant makes a scale of it.
constexpr double kScaleFactor = 1.5;
constexpr double kErrorMin = .01;
constexpr double kErrorMemory = 30;  // minutes
/// Before anything is known of residuals: 17 % above the level.
constexpr double kHeadroomUnknown = .16;

double decay_of(double minutes) { return exp(minutes * log1p(-1 / kMemoryMinutes)); }

}  // namespace

LoadModel::LoadModel(std::uint32_t horizon) : history_(horizon) {}

LoadModel::ScaleFeatures LoadModel::scale_features(const LoadHistory::Features& features,
                                                   double recent_error) {
  ScaleFeatures out{};
  for (std::size_t i = 0; i < kColumns; ++i)
    out[i] = LoadHistory::keeps_sign(i) ? features[i] : std::abs(features[i]);
  out[kColumns] = static_cast<float>(log(recent_error + kErrorMin));
  return out;
}

bool LoadModel::step(std::int64_t minute, double load) {
  LIMINAL_CHECK(load >= 0 && load <= kLoadMax);
  if (history_.minutes() > 0) {
    if (minute <= history_.last_minute()) return false;
    if (minute - history_.last_minute() > kGapMax) *this = LoadModel(horizon());
  }
  if (history_.minutes() > 0) {
    while (history_.last_minute() + 1 < minute) miss(history_.last_minute() + 1);
  }
  history_.push(minute, load);
  learn();
  keep_time(minute);
  foretell();
  return true;
}

void LoadModel::miss(std::int64_t minute) {
  history_.push(minute, std::nullopt);
  learn();
  keep_time(minute);
  const std::size_t at = (history_.minutes() - 1) % (horizon() + 1);
  if (pending_.size() <= at) pending_.resize(at + 1);
  pending_[at].known = false;
  residuals_.skip();
}

void LoadModel::learn() {
  const auto growth = history_.growth_learnt();
  if (!growth) return;
  const Pending& then = pending_[(history_.minutes() - 1 - horizon()) % (horizon() + 1)];
  if (!then.known) return;
  const double error = std::abs(*growth - then.mean);
  growth_.add(then.features, *growth);
  error_.add(scale_features(then.features, then.recent_error), log(std::max(error, kErrorMin)));
  recent_error_ += (error - recent_error_) / kErrorMemory;
  // The present minute is not among the expected ones yet.
  residuals_.observe(horizon() - 1, (*growth - then.mean) / then.scale);
}

void LoadModel::keep_time(std::int64_t minute) {
  const std::uint64_t age = history_.minutes() - 1;
  if (minute % 60 == 0) {
    const double factor = decay_of(60);
    growth_.decay(factor);
    error_.decay(factor);
    residuals_.decay(factor);
    if (age >= kFirstSolution && growth_.weight() > 1) {
      growth_.solve(kPenalty);
      solved_ = true;
      if (age >= kFirstErrorSolution) {
        error_.solve(kErrorPenalty);
        error_solved_ = true;
      }
    }
  }
  if (age >= kFirstSolution && minute % kCutMinutes == 0) residuals_.cut(decay_of(1));
}

void LoadModel::foretell() {
  const LoadHistory::Features features = history_.features();
  mean_ = solved_ ? std::clamp(growth_.predict(features), kMeanMin, kMeanMax) : 0;
  scale_ = kScaleUnknown;
  if (error_solved_) {
    const double foretold = error_.predict(scale_features(features, recent_error_));
    scale_ = std::clamp(kScaleFactor * exp(foretold), kScaleMin, kScaleMax);
  }
  const std::size_t at = (history_.minutes() - 1) % (horizon() + 1);
  if (pending_.size() <= at) pending_.resize(at + 1);
  pending_[at] = {features, mean_, scale_, recent_error_, true};
  residuals_.expect(mean_ + scale_);
}

double LoadModel::peak(double probability) const {
  const double growth = ready() ? mean_ + scale_ * residuals_.upper(mean_ + scale_, probability)
                                : mean_ + kHeadroomUnknown;
  const double load = history_.load_of(history_.level() + growth);
  return load < history_.load_min() ? 0 : load;
}

std::size_t LoadModel::memory_bytes() const {
  return sizeof *this - sizeof history_ - sizeof residuals_ + history_.memory_bytes() +
         residuals_.memory_bytes() + growth_.memory_bytes() + error_.memory_bytes() +
         pending_.capacity() * sizeof(Pending);
}

std::uint64_t LoadModel::state_hash() const {
  Writer out;
  save(out);
  return hash64(out.bytes());
}

void LoadModel::save(Writer& out) const {
  history_.save(out);
  residuals_.save(out);
  growth_.save(out);
  error_.save(out);
  out.put_varint(pending_.size());
  for (const Pending& pending : pending_) {
    out.put(pending.known);
    if (!pending.known) continue;
    for (const float feature : pending.features) out.put(feature);
    out.put(pending.mean);
    out.put(pending.scale);
    out.put(pending.recent_error);
  }
  out.put(solved_);
  out.put(error_solved_);
  out.put(recent_error_);
  out.put(mean_);
  out.put(scale_);
}

Result<void> LoadModel::load(Reader& in) {
  if (const auto loaded = history_.load(in); !loaded) return loaded;
  if (const auto loaded = residuals_.load(in); !loaded) return loaded;
  if (const auto loaded = growth_.load(in); !loaded) return loaded;
  if (const auto loaded = error_.load(in); !loaded) return loaded;
  const std::uint64_t size = in.get_varint();
  if (size != std::min<std::uint64_t>(history_.minutes(), horizon() + 1)) in.fail();
  const auto finite = [&in](auto& value) {
    in.get(value);
    if (!(std::abs(value) < 1e6F)) in.fail();
  };
  pending_.clear();
  for (std::uint64_t i = 0; in.ok() && i < size; ++i) {
    Pending pending{};
    pending.known = in.get<std::uint8_t>() != 0;
    if (pending.known) {
      for (float& feature : pending.features) finite(feature);
      finite(pending.mean);
      finite(pending.scale);
      finite(pending.recent_error);
      if (!(pending.scale >= kScaleMin) || !(pending.recent_error >= 0)) in.fail();
    }
    pending_.push_back(pending);
  }
  solved_ = in.get<std::uint8_t>() != 0;
  error_solved_ = in.get<std::uint8_t>() != 0;
  finite(recent_error_);
  finite(mean_);
  finite(scale_);
  if (!(recent_error_ >= 0) || !(scale_ >= kScaleMin)) in.fail();
  return in.finish();
}

}  // namespace liminal::scaling
