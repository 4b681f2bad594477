#include "core/scaling/load_line.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "core/base/math.hpp"

namespace liminal::scaling {
namespace {

constexpr double kLevelsPerOctave = 4;
/// Of the level's standard deviations; and of how many minutes these must be.
constexpr double kClip = 4, kClipPointsMin = 8;
/// Of the level's mean, where errors are in proportion to it.
constexpr double kClipRatio = 3;
/// A level of constant values may change by that part of them before it is clipped.
constexpr double kClipFloor = .01;
/// Less of a level is forgotten.
constexpr float kWeightMin = 1e-3F;
/// 95 % efficiency for normal errors.
constexpr double kCauchy = 2.385, kHuber = 1.345;
/// The median of the square of a standard normal variable.
constexpr double kMedianSquare = .4549364;
constexpr int kRounds = 8;
/// What a constant may seem to change by, in parts of it.
constexpr double kRounding = 1e-6;
/// Of the value without load: less of it is as good as none of what falls to 0.
constexpr double kEnded = .1;
/// What an older version knew counts as so many minutes: it did not know wrong ones.
constexpr double kOldPointsMax = 60;
/// A level speaks for the line when it holds that part of the points, and that many.
constexpr double kUsualShare = .02, kUsualPoints = 3;
/// And when it lies no further than so many times the load that a request usually meets.
constexpr double kUsualReach = 1.5;
/// Fewer levels do not know what they do not fit.
constexpr std::size_t kLevelsMin = 3;
/// The highest levels only bound while they hold less than that of the points.
constexpr double kHighestShare = .15;
/// Times the middle load: what lies beyond counts as that when the usual one is sought.
constexpr double kUsualClip = 4;
/// Beyond that their squares would not fit a `float`.
constexpr double kLoadMin = 1e-15, kLoadMax = 1e15, kValueMax = 1e15;

/// What a level is to the line.
enum class Role : std::uint8_t {
  kPoint,
  kBound,
  kFar,  ///< beyond the usual loads, or too few there: it may bound, but not lift an end
  kOdd,  ///< too few below them: nothing
};

/// One level, or its bounds.
struct Item {
  double weight, x, y, xx, xy, yy;
  Role role;
};

struct Weighted {
  double value, weight;
};
/// The value below or at which that part of the weight lies; 0 of none.
double quantile(std::vector<Weighted>& values, double part) {
  std::sort(values.begin(), values.end(), [](const Weighted& a, const Weighted& b) {
    return a.value < b.value;
  });
  double total = 0, below = 0;
  for (const Weighted& one : values) total += one.weight;
  for (const Weighted& one : values) {
    below += one.weight;
    if (below >= part * total) return one.value;
  }
  return 0;
}
double median(std::vector<Weighted>& values) { return quantile(values, .5); }

/// Tells the levels that speak from those that are far from where the line is known: minutes of
/// which a part was above an end, or that were turned away, lie there.
void tell_usual(std::span<Item> items) {
  std::vector<Weighted> loads;
  double total = 0;
  for (const Item& item : items) {
    if (item.role == Role::kBound) continue;
    loads.push_back({item.x, item.weight});
    total += item.weight;
  }
  const double most = kUsualClip * median(loads);
  // As requests meet it, not minutes: a service that sleeps at night is known by its days.
  for (Weighted& one : loads) one.weight *= std::min(one.value, most);
  const double usual = median(loads);
  for (Item& item : items) {
    if (item.role == Role::kBound) continue;
    const bool few = item.weight < std::max(kUsualPoints, kUsualShare * total);
    if (item.x > kUsualReach * usual || (few && item.x > usual)) {
      item.role = Role::kFar;
    } else if (few) {
      item.role = Role::kOdd;
    }
  }
}

/// Least squares of weights for each minute.
struct Sums {
  double weight = 0, x = 0, y = 0, xx = 0, xy = 0;
  void add(const Item& item, double each) {
    const double w = each * item.weight;
    weight += w;
    x += w * item.x;
    y += w * item.y;
    xx += w * item.x * item.x + each * item.xx;
    xy += w * item.x * item.y + each * item.xy;
  }
  [[nodiscard]] double spread() const { return xx - x * x / weight; }
  [[nodiscard]] bool varies(double spread_min) const {
    const double mean = x / weight;
    return spread() > spread_min * spread_min * mean * mean * weight;
  }
  [[nodiscard]] LoadLine::Fit line() const {
    LoadLine::Fit fit;
    fit.slope = (xy - x * y / weight) / spread();
    fit.centre = x / weight;
    fit.intercept = y / weight - fit.slope * fit.centre;
    return fit;
  }
};

class Fitting {
 public:
  Fitting(std::span<Item> items, const LoadLine::Law& law) : items_(items), law_(law) {}

  std::optional<LoadLine::Fit> run(double spread_min) {
    double total = 0;
    for (const Item& item : items_) total += item.role == Role::kPoint ? item.weight : 0;
    drop_highest(total);
    Sums all;
    std::size_t levels = 0;
    for (const Item& item : items_) {
      if (item.role != Role::kPoint) continue;
      all.add(item, 1);
      levels += 1;
      highest_ = std::max(highest_, std::abs(item.y));
    }
    if (total < 3 || !all.varies(spread_min)) return std::nullopt;
    take(all.line());
    if (levels >= kLevelsMin) begin();
    for (int i = 0; i < kRounds; ++i) refine();
    for (const Item& item : items_) {
      if (speaks(item)) fit_.levels += 1;
    }
    return std::isfinite(fit_.slope) && std::isfinite(fit_.intercept) ? std::optional(fit_)
                                                                      : std::nullopt;
  }

 private:
  /// The highest levels, while they hold the least part of the points, only bound: crowds of
  /// seconds lie there.
  void drop_highest(double total) {
    for (double left = kHighestShare * total;;) {
      Item* highest = nullptr;
      for (Item& item : items_) {
        if (item.role == Role::kPoint && (!highest || item.x > highest->x)) highest = &item;
      }
      if (!highest || highest->weight >= left) return;
      left -= highest->weight;
      highest->role = Role::kFar;
    }
  }

  void take(const LoadLine::Fit& line) {
    fit_.slope = line.slope;
    fit_.intercept = line.intercept;
    fit_.centre = line.centre;
  }

  /// The median of the slopes between levels, and of what is left.
  void begin() {
    std::vector<Weighted> values;
    for (const Item& item : items_) {
      if (item.role == Role::kPoint) values.push_back({item.x, item.weight});
    }
    const double usual = median(values);
    values.clear();
    for (std::size_t i = 0; i < items_.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const Item &a = items_[i], &b = items_[j];
        const double apart = std::abs(a.x - b.x);
        if (a.role != Role::kPoint || b.role != Role::kPoint || !(apart > 0)) continue;
        // The nearer, the less certain; and none is more certain for being far beyond the others.
        values.push_back(
            {(a.y - b.y) / (a.x - b.x),
             std::min(apart, usual) * sqrt(a.weight * b.weight / (a.weight + b.weight))});
      }
    }
    fit_.slope = median(values);
    values.clear();
    for (const Item& item : items_) {
      if (item.role == Role::kPoint) values.push_back({item.y - fit_.slope * item.x, item.weight});
    }
    fit_.intercept = median(values);
  }

  [[nodiscard]] double unit(const Item& item) const {
    return law_.relative_noise ? std::max(fit_.at(item.x), kEnded * highest_) : 1;
  }
  [[nodiscard]] bool is_bound(const Item& item) const {
    return item.role == Role::kBound ||
           (item.role == Role::kPoint && law_.falls && item.y < kEnded * fit_.intercept);
  }
  [[nodiscard]] bool speaks(const Item& item) const {
    return item.role == Role::kPoint && !is_bound(item);
  }
  [[nodiscard]] bool is_kept(const Item& item) const {
    return law_.falls ? fit_.at(item.x) <= item.y : fit_.at(item.x) >= item.y;
  }

  void refine() {
    measure();
    Sums sums;
    for (const Item& item : items_) {
      if (item.role == Role::kOdd) continue;
      const bool bound = is_bound(item);
      if ((bound || item.role == Role::kFar) && is_kept(item)) continue;
      const double variance = variance_of(item);
      const double z = std::abs(item.y - fit_.at(item.x)) / sqrt(variance);
      const double trust = bound ? std::min(1., kHuber / z) : 1 / (1 + z * z / (kCauchy * kCauchy));
      sums.add(item, trust / variance / item.weight);
    }
    if (!(sums.weight > 0) || !(sums.spread() > 0)) return;
    const double misfit = misfit_;
    take(sums.line());
    fit_.slope_error = 1 / sqrt(sums.spread());
    fit_.centre_variance = 1 / sums.weight;
    const double far = law_.relative_noise ? kEnded * highest_ : 1;
    fit_.misfit_variance = misfit * far * far;
  }

  [[nodiscard]] double variance_of(const Item& item) const {
    const double own = kRounding * highest_;
    const double of = unit(item);
    return of * of * (noise_ / item.weight + misfit_) + own * own;
  }

  /// The variance of one minute, and that of levels about the line beyond it.
  void measure() {
    std::vector<Weighted> own;
    for (const Item& item : items_) {
      if (!speaks(item) || item.weight <= 1) continue;
      const double of = unit(item),
                   left = item.yy - 2 * fit_.slope * item.xy + fit_.slope * fit_.slope * item.xx;
      own.push_back({std::max(0., left) / (of * of) / (item.weight - 1), item.weight - 1});
    }
    // Of most of them: what is wrong in a level is its own.
    noise_ = median(own);
    std::vector<Weighted> beyond;
    for (const Item& item : items_) {
      if (!speaks(item)) continue;
      const double off = (item.y - fit_.at(item.x)) / unit(item);
      beyond.push_back({off * off / kMedianSquare - noise_ / item.weight, 1});
    }
    const auto n = static_cast<double>(beyond.size());
    misfit_ = n > 2 ? std::max(0., median(beyond)) * n / (n - 2) : 0;
  }

  std::span<Item> items_;
  LoadLine::Law law_;
  LoadLine::Fit fit_;
  double highest_ = 0, noise_ = 0, misfit_ = 0;
};

/// What is known, with what each level is to the line.
template <typename Levels>
std::vector<Item> gather(const Levels& levels) {
  std::vector<Item> items;
  const auto add = [&](const auto& of, Role role) {
    if (!(of.weight > 0 && of.x > 0)) return;
    const auto d = [](float value) { return static_cast<double>(value); };
    items.push_back({d(of.weight), d(of.x), d(of.y), d(of.xx), d(of.xy), d(of.yy), role});
  };
  for (const auto& one : levels) {
    add(one.points, Role::kPoint);
    add(one.bounds, Role::kBound);
  }
  tell_usual(items);
  return items;
}

}  // namespace

void LoadLine::Moments::add(double load, double value, bool relative) {
  const double old_weight = static_cast<double>(weight), old_y = static_cast<double>(y);
  if (relative && old_weight >= 1) value = std::min(value, kClipRatio * old_y);
  if (old_weight >= kClipPointsMin) {
    const double spread = sqrt(static_cast<double>(yy) / old_weight);
    const double reach = kClip * std::max(spread, kClipFloor * std::abs(old_y));
    if (reach > 0) value = std::clamp(value, old_y - reach, old_y + reach);
  }
  const double total = old_weight + 1;
  const double dx = load - static_cast<double>(x), dy = value - old_y;
  const auto put = [](float& to, double what) {
    to = static_cast<float>(static_cast<double>(to) + what);
  };
  put(xx, dx * dx * old_weight / total);
  put(xy, dx * dy * old_weight / total);
  put(yy, dy * dy * old_weight / total);
  put(x, dx / total);
  put(y, dy / total);
  weight = static_cast<float>(total);
}

void LoadLine::Moments::decay(float factor) {
  if (weight <= 0) return;
  for (float* const sum : {&weight, &xx, &xy, &yy}) *sum *= factor;
  if (weight < kWeightMin) *this = {};
}

void LoadLine::Moments::merge(const Moments& other) {
  const float total = weight + other.weight, dx = other.x - x, dy = other.y - y;
  if (!(total > 0)) return;
  const float both = weight * (other.weight / total);
  xx += other.xx + both * dx * dx;
  xy += other.xy + both * dx * dy;
  yy += other.yy + both * dy * dy;
  x += dx * (other.weight / total);
  y += dy * (other.weight / total);
  weight = total;
}

LoadLine::Level& LoadLine::level(double load) {
  constexpr double kOctave = .6931471805599453;  // ln 2
  const auto key = static_cast<std::int32_t>(std::floor(kLevelsPerOctave * log(load) / kOctave));
  constexpr auto kSize = static_cast<std::int32_t>(kLevels);
  Level& found = levels_[static_cast<std::size_t>(((key % kSize) + kSize) % kSize)];
  if (found.key != key) found = Level{key, {}, {}};
  return found;
}

void LoadLine::add(double load, double value) {
  if (load >= kLoadMin && load <= kLoadMax)
    level(load).points.add(load, std::clamp(value, -kValueMax, kValueMax), law_.relative_noise);
}

void LoadLine::add_bound(double load, double value) {
  if (load >= kLoadMin && load <= kLoadMax)
    level(load).bounds.add(load, std::clamp(value, -kValueMax, kValueMax), law_.relative_noise);
}

void LoadLine::decay(double factor) {
  for (Level& one : levels_) {
    one.points.decay(static_cast<float>(factor));
    one.bounds.decay(static_cast<float>(factor));
  }
}

double LoadLine::Fit::error_at(double load) const {
  const double away = (load - centre) * slope_error;
  return sqrt(centre_variance + away * away + misfit_variance);
}

std::optional<LoadLine::Fit> LoadLine::fit(double spread_min) const {
  std::vector<Item> items = gather(levels_);
  return Fitting(items, law_).run(spread_min);
}

double LoadLine::proportional() const {
  std::vector<Weighted> slopes;
  for (const Item& item : gather(levels_)) {
    if (item.role == Role::kPoint) slopes.push_back({item.y / item.x, item.weight});
  }
  return median(slopes);
}

double LoadLine::mean() const {
  double weight = 0, sum = 0;
  for (const Level& one : levels_) {
    weight += static_cast<double>(one.points.weight);
    sum += static_cast<double>(one.points.weight) * static_cast<double>(one.points.y);
  }
  return weight > 0 ? sum / weight : 0;
}

double LoadLine::points() const {
  double sum = 0;
  for (const Level& one : levels_) sum += static_cast<double>(one.points.weight);
  return sum;
}

double LoadLine::bounds() const {
  double sum = 0;
  for (const Level& one : levels_) sum += static_cast<double>(one.bounds.weight);
  return sum;
}

double LoadLine::low_bound() const {
  std::vector<Weighted> loads;
  for (const Level& one : levels_) {
    if (one.bounds.weight > 0)
      loads.push_back({static_cast<double>(one.bounds.x), static_cast<double>(one.bounds.weight)});
  }
  return quantile(loads, .1);
}

void LoadLine::begin_with(const std::array<double, 7>& sums) {
  levels_ = {};
  const auto& [points, weight, x, y, xx, xy, yy] = sums;
  if (!(points > 0) || !(weight > 0)) return;
  const double mean_x = x / weight, mean_y = y / weight;
  const double var_x = std::max(0., xx / weight - mean_x * mean_x);
  const double cov = xy / weight - mean_x * mean_y;
  const double slope = var_x > 0 ? cov / var_x : 0;
  const double rest = std::max(0., yy / weight - mean_y * mean_y - slope * cov);
  const double all = std::min(points, kOldPointsMax);
  // Three levels of the same moments. Loads of which the deviation exceeds the mean are drawn in,
  // which leaves the line.
  constexpr double kSide = .45;
  const double apart = std::min(sqrt(var_x / (2 * kSide)), .9 * mean_x);
  for (const double side : {-1., 0., 1.}) {
    const double at = mean_x + side * apart, part = all * (side == 0 ? 1 - 2 * kSide : kSide);
    if (!(at >= kLoadMin && at <= kLoadMax)) continue;
    level(at).points.merge(
        {static_cast<float>(part),
         static_cast<float>(at),
         static_cast<float>(std::clamp(mean_y + slope * side * apart, -kValueMax, kValueMax)),
         0,
         0,
         static_cast<float>(std::min(part * rest, kValueMax * kValueMax))});
  }
}

void LoadLine::save(Writer& out) const {
  const auto known = [](const Level& one) {
    return one.points.weight > 0 || one.bounds.weight > 0;
  };
  out.put_varint(static_cast<std::uint64_t>(std::count_if(levels_.begin(), levels_.end(), known)));
  for (const Level& one : levels_) {
    if (!known(one)) continue;
    out.put(one.key);
    for (const Moments* const of : {&one.points, &one.bounds}) {
      for (const float value : {of->weight, of->x, of->y, of->xx, of->xy, of->yy}) out.put(value);
    }
  }
}

Result<void> LoadLine::load(Reader& in) {
  levels_ = {};
  const std::uint64_t count = in.get_varint();
  if (count > kLevels) in.fail();
  constexpr std::int32_t kKeyMax = 1000;
  for (std::uint64_t i = 0; in.ok() && i < count; ++i) {
    Level one;
    in.get(one.key);
    for (Moments* const of : {&one.points, &one.bounds}) {
      for (float* const value : {&of->weight, &of->x, &of->y, &of->xx, &of->xy, &of->yy}) {
        in.get(*value);
        if (!std::isfinite(*value)) in.fail();
      }
      if (of->weight < 0 || of->x < 0 || of->xx < 0 || of->yy < 0) in.fail();
    }
    if (std::abs(one.key) > kKeyMax) in.fail();
    if (!in.ok()) break;
    constexpr auto kSize = static_cast<std::int32_t>(kLevels);
    levels_[static_cast<std::size_t>(((one.key % kSize) + kSize) % kSize)] = one;
  }
  return in.finish();
}

}  // namespace liminal::scaling
