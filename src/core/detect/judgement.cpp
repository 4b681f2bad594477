#include <algorithm>

#include "core/base/math.hpp"
#include "core/detect/lines.hpp"
#include "core/detect/statistics.hpp"
#include "core/detect/surprise.hpp"

namespace liminal::detect {
namespace {

using traffic::Detector;

/// Surprises below this change no score, no weight of learning and no evidence of a take-over.
constexpr double kNegligible = 1.5;

/// From nat of the steady gaps' CUSUM to the metronome's deviations.
constexpr double kSteadyScale = 6. / 11;

constexpr std::array<Detector, kRateStatistics> kRateDetectors{Detector::kRateSurprise10s,
                                                               Detector::kRateSurprise60s,
                                                               Detector::kRateSurprise300s,
                                                               Detector::kRateSurprise900s,
                                                               Detector::kRateCusum,
                                                               Detector::kRateSurprise10s};

/// Evidence beyond a dead zone, up to a cap: none of the parts of a take-over makes it alone.
double beyond(double evidence, double cap) { return std::clamp(evidence - kNegligible, 0., cap); }

float ratio(double evidence, double alarm_line, const StatisticOptions& options) {
  return static_cast<float>(evidence / (alarm_line * static_cast<double>(options.line_factor)));
}

}  // namespace

float UserStatistics::Judgement::highest() const {
  return *std::max_element(scores.begin(), scores.end());
}

UserStatistics::Expected UserStatistics::expect(const Population& population) const {
  constexpr double kPriorWeight = 12;  // of the population against the user's own messages
  constexpr double kBusy = 30;         // above this a count's relative spread is known well
  // Who is quieter than others may wake up; who raised the rate step by step, hour by hour, is
  // still compared with what others do.
  constexpr double kFloor = .5, kCeiling = 10;
  const Habits& usual = reference_.settled();
  const double own = static_cast<double>(usual.weight);
  const double share = 1 / (kPriorWeight + own);
  Expected expected;
  for (std::size_t i = 0; i < kWindows; ++i) {
    const double others = population.mean(i);
    const double mean = (kPriorWeight * others + static_cast<double>(usual.counts[i])) * share;
    expected.count[i] = 1 + std::clamp(mean, kFloor * others, kCeiling * others);
    expected.dispersion[i] = population.dispersion(i);
    if (expected.count[i] > kBusy && own >= 20) {
      const double spread =
          (kPriorWeight * population.spread(i) + own * population.own_spread(i)) * share;
      expected.dispersion[i] = 1 / std::max(.125, spread);
    }
    expected.unfloored_900s = 1 + std::min(mean, kCeiling * others);  // of the last window
  }
  return expected;
}

void UserStatistics::judge_message(Judgement& judgement,
                                   Stamp now,
                                   const Options& options,
                                   const Population& population) const {
  judge_rates(judgement, now, options, population);
  judge_evidence(judgement, now, options, population);
  const double regular = regularity(population);
  // With 12 to 16 gaps the spread itself is uncertain; what lasts is added up.
  const double certain = .7 + .06 * (static_cast<double>(gaps_.size()) - 11);
  const double rhythm = std::max(std::max(0., regular) * std::min(1., certain),
                                 static_cast<double>(steady_cusum_) * kSteadyScale);
  if (!population.warming_up() && !population.shifted()) {
    judgement[Detector::kMetronome] =
        ratio(rhythm, line(Detector::kMetronome), options.of(Detector::kMetronome));
  }
  judgement.suspicion =
      std::max(judgement.suspicion, static_cast<float>(regular / line(Detector::kMetronome)));
  judge_takeover(judgement, now, regular, options, population);
}

void UserStatistics::judge_rates(Judgement& judgement,
                                 Stamp now,
                                 const Options& options,
                                 const Population& population) const {
  const Expected& expected = judgement.expected;
  std::array<double, kRateStatistics> evidence{};
  for (std::size_t i = 0; i < kWindows; ++i) {
    const auto count = static_cast<double>(counts_[i]);
    if (!surely_below(count, expected.count[i], expected.dispersion[i], kNegligible))
      evidence[i] = surprise(count, expected.count[i], expected.dispersion[i]);
  }
  evidence[kRateCusum] = static_cast<double>(rate_cusum_);
  evidence[kRateJump] = jump(now);

  // Slow statistics speak of those who are also above their expectation in the shorter windows, and
  // later of newcomers, whose own expectation is only the population's.
  // Where all send a lot, twice the usual is somebody who has just come.
  const double above_usual = population.mean(1) > 30 ? 2.5 : 1.4;
  const bool still_high = static_cast<double>(counts_[1]) >= above_usual * expected.count[1] &&
                          static_cast<double>(counts_[2]) >= above_usual * expected.count[2];
  const double newcomer = 1 + .2 * 12 / (12 + static_cast<double>(reference_.settled().weight));
  for (std::size_t i = 0; i < kRateStatistics; ++i) {
    const Detector detector = kRateDetectors[i];
    const double raw = evidence[i] / line(detector);
    judgement.rates[i] = static_cast<float>(raw);
    if (population.shifted(i)) continue;
    judgement.suspicion = std::max(judgement.suspicion, static_cast<float>(raw));
    const bool slow = i == kWindows - 1 || i == kRateCusum;
    if (population.warming_up() || (slow && !still_high)) continue;
    const double later = i == 0 || i == kRateJump ? 1 : newcomer;
    judgement[detector] = std::max(
        judgement[detector], ratio(evidence[i], line(detector) * later, options.of(detector)));
  }
}

double UserStatistics::jump(Stamp now) const {
  constexpr double kDispersion = 6;  // lets a client triple its rate, as between scenes of a game
  constexpr double kBusyCount = 30, kAgeMinSeconds = 30;
  const double age_s = Stamp{born_, born_}.until(now);
  if (counts_[0] < kBusyCount || age_s < kAgeMinSeconds) return 0;
  // The longer window less the shorter one hardly sees the last seconds, which are what is judged.
  const double weight_s = kWindowSeconds[2] * (1 - exp(-age_s / kWindowSeconds[2])) -
                          kWindowSeconds[1] * (1 - exp(-age_s / kWindowSeconds[1]));
  const double before = static_cast<double>(counts_[2] - counts_[1]);
  const double usual = kWindowSeconds[0] * before / weight_s;
  if (usual < kBusyCount) return 0;
  return surprise(static_cast<double>(counts_[0]), usual, kDispersion);
}

void UserStatistics::judge_evidence(Judgement& judgement,
                                    Stamp now,
                                    const Options& options,
                                    const Population& population) const {
  // Where users send hundreds of messages a minute, a stretch of failures must also last.
  constexpr double kBusyMean = 30, kLastsSeconds = 10;
  const bool lasts = population.mean(1) < kBusyMean || no_errors_at_.until(now) >= kLastsSeconds;
  const auto judge = [&](Detector detector, float evidence, bool speaks) {
    const auto raw = static_cast<double>(evidence);
    judgement.suspicion = std::max(judgement.suspicion, static_cast<float>(raw / line(detector)));
    if (speaks) {
      judgement[detector] = ratio(raw, line(detector) + population.caution(), options.of(detector));
    }
  };
  judge(Detector::kErrorCusum, error_cusum_, lasts);
  judge(Detector::kRepeatCusum, repeat_cusum_, !population.repeats_shifted());
  judge(Detector::kSizeUp, size_up_, true);
}

double UserStatistics::regularity(const Population& population) const {
  if (gaps_.size() < Gaps::kGapsMin) return 0;
  return (population.gap_spread_mean() - log(gaps_.spread())) / population.gap_spread_deviation();
}

void UserStatistics::judge_takeover(Judgement& judgement,
                                    Stamp now,
                                    double regular,
                                    const Options& options,
                                    const Population& population) const {
  constexpr float kReferenceMin = 8;
  constexpr double kNewAddressSeconds = 3600, kNewAddress = 3;
  if (reference_.settled().weight < kReferenceMin) return;
  double rate = .3 * static_cast<double>(rate_cusum_);
  for (std::size_t i = 1; i < kWindows; ++i) {
    constexpr std::array<Detector, kWindows> kOf{Detector::kRateSurprise10s,
                                                 Detector::kRateSurprise60s,
                                                 Detector::kRateSurprise300s,
                                                 Detector::kRateSurprise900s};
    if (!population.shifted(i))
      rate = std::max(rate, static_cast<double>(judgement.rates[i]) * line(kOf[i]));
  }
  const double size = static_cast<double>(std::max({size_up_, larger_, smaller_}));
  const std::array<double, kTakeoverParts> parts{
      beyond(rate, 8),
      beyond(static_cast<double>(error_cusum_), 6),
      population.repeats_shifted() ? 0 : beyond(static_cast<double>(repeat_cusum_), 6),
      beyond(size, 8),
      beyond(static_cast<double>(unseen_channels_), 5),
      beyond(regular, 5),
      address_changed_.until(now) < kNewAddressSeconds ? kNewAddress : 0.};
  double sum = 0;
  for (std::size_t i = 0; i < kTakeoverParts; ++i) {
    judgement.takeover[i] = static_cast<float>(parts[i]);
    sum += parts[i];
  }
  const double alarm = line(Detector::kTakeover);
  judgement[Detector::kTakeover] =
      ratio(sum, alarm + population.caution(), options.of(Detector::kTakeover));
  judgement.suspicion = std::max(judgement.suspicion, static_cast<float>(sum / alarm));
}

void UserStatistics::judge_reconnects(Judgement& judgement,
                                      const Options& options,
                                      const Population& population) const {
  // When others come back too, a server restarted or a network broke.
  const double others = std::max(0., population.rejoins() - static_cast<double>(rejoins_60s_));
  const double expected = .35 + std::min(2., .15 * others);
  judgement.reconnects_expected = static_cast<float>(expected);
  judgement[Detector::kReconnects] =
      ratio(surprise(static_cast<double>(rejoins_300s_), expected, kReconnectDispersion),
            line(Detector::kReconnects),
            options.of(Detector::kReconnects));
}

void UserStatistics::judge_channels(Judgement& judgement, const Options& options) const {
  judgement[Detector::kNewChannels] = ratio(
      surprise(static_cast<double>(new_channels_), kNewChannelsExpected, kNewChannelsDispersion),
      line(Detector::kNewChannels),
      options.of(Detector::kNewChannels));
}

void UserStatistics::judge_hour(Judgement& judgement,
                                SteadyTime now,
                                const Options& options) const {
  constexpr unsigned kActiveHoursMin = 60;
  unsigned total = 0;
  for (const std::uint8_t hours : hours_) total += hours;
  if (total < kActiveHoursMin) return;
  const std::size_t hour = hour_of_day(now);
  const unsigned near = unsigned{hours_[(hour + 23) % 24]} + hours_[hour] + hours_[(hour + 1) % 24];
  judgement[Detector::kHourOfDay] = ratio(log((total + 24.) / (near + 1.)),
                                          line(Detector::kHourOfDay),
                                          options.of(Detector::kHourOfDay));
}

}  // namespace liminal::detect
