#include <algorithm>

#include "core/base/math.hpp"
#include "core/detect/confidence.hpp"
#include "core/detect/lines.hpp"
#include "core/detect/statistics.hpp"
#include "core/detect/surprise.hpp"

namespace liminal::detect {
namespace {

using traffic::Detector;
using traffic::Evidence;
using traffic::Finding;
using traffic::FindingType;
using traffic::Signal;

constexpr std::array<Signal, kWindows> kCountSignals{
    Signal::kMessages10s, Signal::kMessages60s, Signal::kMessages300s, Signal::kMessages900s};

}  // namespace

FindingType UserStatistics::type_of(Detector detector) const {
  switch (detector) {
    case Detector::kRateSurprise10s:
    case Detector::kRateSurprise60s:
      return FindingType::kMessageFlood;
    case Detector::kRateSurprise300s:
    case Detector::kRateSurprise900s:
      return FindingType::kBehaviorDeviation;
    case Detector::kRateCusum:
      return FindingType::kSlowFlood;
    case Detector::kErrorCusum:
      return FindingType::kErrorSpike;
    case Detector::kRepeatCusum:
      return FindingType::kContentSpam;
    case Detector::kSizeUp:
      return FindingType::kSizeChange;
    case Detector::kReconnects: {
      // A broken client comes back on its timer and says nothing; a storm is faster, or talks.
      constexpr float kLoopRejoinsMax = 8, kSilent = .5F;
      return counts_[2] < kSilent && rejoins_60s_ < kLoopRejoinsMax ? FindingType::kConnectionLoop
                                                                    : FindingType::kReconnectStorm;
    }
    case Detector::kNewChannels:
      return FindingType::kChannelPatternChange;
    case Detector::kMetronome:
      return FindingType::kAutomatedClient;
    case Detector::kTakeover:
      return FindingType::kAccountTakeover;
    case Detector::kHourOfDay:
      return FindingType::kUnusualHours;
    case Detector::kRing:
      return FindingType::kAddressRing;
    case Detector::kPopulation:
      return FindingType::kPopulationShift;
    case Detector::kRule:
    case Detector::kModel:
      break;
  }
  return FindingType::kModelAnomaly;
}

void UserStatistics::report(const Judgement& judgement,
                            const Options& options,
                            const Population& population,
                            double log_bytes,
                            Findings& out) const {
  for (std::size_t i = 0; i < judgement.scores.size(); ++i) {
    const float score = judgement.scores[i];
    if (!(score >= 1)) continue;
    Finding* const finding = out.add();
    if (finding == nullptr) return;
    finding->detector = static_cast<Detector>(i);
    finding->type = type_of(finding->detector);
    finding->severity = traffic::info(finding->type).severity;
    finding->action = traffic::info(finding->type).action;
    finding->mode = options.statistics[i].mode;
    finding->score = score;
    finding->confidence = confidence(finding->detector, score);
    explain(*finding, judgement, population, log_bytes);
  }
}

void UserStatistics::explain(Finding& finding,
                             const Judgement& judgement,
                             const Population& population,
                             double log_bytes) const {
  const float score = finding.score;
  const auto cusum = [&](Signal signal, float evidence) {
    finding.add({signal, evidence, 0, evidence / score, score});
  };
  switch (finding.detector) {
    case Detector::kRateSurprise10s:
    case Detector::kRateSurprise60s:
    case Detector::kRateSurprise300s:
    case Detector::kRateSurprise900s: {
      const auto i = static_cast<std::size_t>(finding.detector) -
                     static_cast<std::size_t>(Detector::kRateSurprise10s);
      finding.add({kCountSignals[i], counts_[i], 0, expectation(i, population).high, score});
      break;
    }
    case Detector::kRateCusum:
      finding.add({Signal::kMessages900s,
                   counts_[3],
                   0,
                   static_cast<float>(judgement.expected.count[3]),
                   score});
      break;
    case Detector::kErrorCusum:
      cusum(Signal::kErrorEvidence, error_cusum_);
      break;
    case Detector::kRepeatCusum:
      cusum(Signal::kRepeatEvidence, repeat_cusum_);
      break;
    case Detector::kSizeUp: {
      cusum(Signal::kSizeEvidence, size_up_);
      const double usual = population.log_bytes_mean();
      const double spread = 2 * sqrt(population.log_bytes_variance());
      finding.add({Signal::kMessageBytes,
                   static_cast<float>(exp(log_bytes)),
                   static_cast<float>(exp(usual - spread)),
                   static_cast<float>(exp(usual + spread)),
                   0});
      break;
    }
    case Detector::kReconnects:
      finding.add({Signal::kReconnects300s,
                   rejoins_300s_,
                   0,
                   static_cast<float>(count_at(static_cast<double>(judgement.reconnects_expected),
                                               kReconnectDispersion,
                                               line(Detector::kReconnects))),
                   score});
      break;
    case Detector::kNewChannels:
      finding.add({Signal::kNewChannels120s,
                   new_channels_,
                   0,
                   static_cast<float>(count_at(
                       kNewChannelsExpected, kNewChannelsDispersion, line(Detector::kNewChannels))),
                   score});
      break;
    case Detector::kMetronome: {
      const double usual = population.gap_spread_mean();
      const double spread = 2 * population.gap_spread_deviation();
      finding.add({Signal::kGapSpread,
                   static_cast<float>(gaps_.spread()),
                   static_cast<float>(exp(usual - spread)),
                   static_cast<float>(exp(usual + spread)),
                   score});
      break;
    }
    case Detector::kTakeover:
      explain_takeover(finding, judgement);
      break;
    case Detector::kHourOfDay:
      finding.add({traffic::signal(traffic::FeatureId::kUnusualHoursRatio), 1, 0, 0, score});
      break;
    default:
      break;
  }
}

void UserStatistics::explain_takeover(Finding& finding, const Judgement& judgement) const {
  const std::array<Signal, kTakeoverParts> signals{Signal::kMessages300s,
                                                   Signal::kErrorEvidence,
                                                   Signal::kRepeatEvidence,
                                                   Signal::kSizeEvidence,
                                                   Signal::kUnseenChannels,
                                                   Signal::kGapSpread,
                                                   Signal::kNewAddress};
  const double spread = gaps_.size() >= Gaps::kGapsMin ? gaps_.spread() : 0;
  const std::array<float, kTakeoverParts> observed{counts_[2],
                                                   error_cusum_,
                                                   repeat_cusum_,
                                                   std::max({size_up_, larger_, smaller_}),
                                                   unseen_channels_,
                                                   static_cast<float>(spread),
                                                   1};
  const std::array<float, kTakeoverParts> usual{
      static_cast<float>(judgement.expected.count[2]), 1.5F, 1.5F, 1.5F, 1.5F, 0, 0};
  float sum = 0;
  for (const float part : judgement.takeover) sum += part;
  for (std::size_t i = 0; i < kTakeoverParts; ++i) {
    if (judgement.takeover[i] > 0) {
      finding.add(
          {signals[i], observed[i], 0, usual[i], finding.score * judgement.takeover[i] / sum});
    }
  }
}

UserStatistics::Expectation UserStatistics::expectation(std::size_t window,
                                                        const Population& population) const {
  constexpr std::array<Detector, kWindows> kOf{Detector::kRateSurprise10s,
                                               Detector::kRateSurprise60s,
                                               Detector::kRateSurprise300s,
                                               Detector::kRateSurprise900s};
  const Expected expected = expect(population);
  return {static_cast<float>(expected.count[window]),
          static_cast<float>(
              count_at(expected.count[window], expected.dispersion[window], line(kOf[window])))};
}

}  // namespace liminal::detect
