#include "core/detect/statistics.hpp"

#include <algorithm>

#include "core/base/hash.hpp"
#include "core/base/math.hpp"
#include "core/detect/lines.hpp"
#include "core/detect/surprise.hpp"

namespace liminal::detect {

static_assert(sizeof(UserStatistics) <= 504);

namespace {

using traffic::Detector;
using traffic::Event;
using traffic::EventKind;

/// One step of a Bernoulli CUSUM: the log-likelihood ratio of rate `bad` against `good`.
float bernoulli(float sum, bool hit, double good, double bad) {
  const double step = log(hit ? bad / good : (1 - bad) / (1 - good));
  return static_cast<float>(std::clamp(static_cast<double>(sum) + step, 0., kCusumMax));
}

/// What a size must exceed for its sums to grow.
constexpr double kSizeDrift = 3.2, kOwnSizeDrift = .7;

double log_size(std::uint32_t bytes) { return log(std::max(1., static_cast<double>(bytes))); }

float clamped(double sum) { return static_cast<float>(std::clamp(sum, 0., kLongCusumMax)); }

}  // namespace

float UserStatistics::step(const Event& event,
                           SteadyTime now,
                           const Options& options,
                           const Population& population,
                           Contribution& learnt,
                           Findings& out) {
  meet(event, now, learnt);
  const Stamp at = stamp(now);
  reference_.advance(at);
  if (event.kind == EventKind::kMessage)
    return learn_message(event, now, options, population, learnt, out);
  if (event.kind == EventKind::kContinued && sent_)
    return learn_rest(event, now, options, population, learnt, out);
  Judgement judgement;
  if (event.kind == EventKind::kFailed && sent_) {
    learn_failure(at, population, learnt);
    judgement.expected = expect(population);
    judge_message(judgement, at, options, population);
  }
  if (event.kind == EventKind::kConnect && count_connect(at, learnt))
    judge_reconnects(judgement, options, population);
  if (event.kind == EventKind::kNotServed) take_back_connect(at);
  if (event.kind == EventKind::kSubscribe && count_new_channels(event, at))
    judge_channels(judgement, options);
  report(judgement, options, population, 0, out);
  return judgement.highest();
}

float UserStatistics::score(const Event& event,
                            SteadyTime now,
                            const Options& options,
                            const Population& population,
                            Findings& out) const {
  Contribution nobody_learns;
  UserStatistics copy = *this;
  return copy.step(event, now, options, population, nobody_learns, out);
}

float UserStatistics::analyze(SteadyTime now,
                              const Options& options,
                              const Population& population,
                              Findings& out) const {
  if (empty()) return 0;
  UserStatistics then = *this;
  const Stamp at = then.stamp(now);
  then.reference_.advance(at);
  if (sent_) {
    const double pause_s = std::max(0., seconds(now - last_message_));
    then.let_time_pass(pause_s, population);
    then.accumulate_rate(0, std::max(0., seconds(now - last_own_)), then.expect(population));
    // A rhythm that stopped a while ago says nothing about now.
    if (seconds(now - last_own_) > kWindowSeconds.back()) {
      then.gaps_ = {};
      then.steady_cusum_ = 0;
    }
  }
  then.let_events_pass(at);
  Judgement judgement;
  judgement.expected = then.expect(population);
  then.judge_message(judgement, at, options, population);
  then.judge_reconnects(judgement, options, population);
  then.judge_channels(judgement, options);
  then.report(judgement, options, population, population.log_bytes_mean(), out);
  return judgement.highest();
}

void UserStatistics::meet(const Event& event, SteadyTime now, Contribution& learnt) {
  const auto address = static_cast<std::uint32_t>(event.address.hash);
  if (!seen_) {
    seen_ = true;
    born_ = now;
    address_ = address;
    if (address != 0)
      learnt.note({.address = event.address.hash, .user = event.user.hash, .first = true});
  } else if (address != 0 && address != address_) {
    // Who goes back and forth between two addresses is at home in both.
    if (address_ != 0 && address != last_address_) address_changed_ = stamp(now);
    last_address_ = address_;
    address_ = address;
  }
}

float UserStatistics::learn_message(const Event& event,
                                    SteadyTime now,
                                    const Options& options,
                                    const Population& population,
                                    Contribution& learnt,
                                    Findings& out) {
  const Stamp at = stamp(now);
  Message message;
  message.first = !sent_;
  message.pause_s = sent_ ? std::max(0., seconds(now - last_message_)) : 0;
  message.log_bytes = log_size(event.bytes);

  let_time_pass(message.pause_s, population);
  look_at_content(event, at, message, population);
  if (message.common) {
    learn_signal(event, at, message, population, learnt);
    if (message.first) last_own_ = now;
    sent_ = true;
    last_message_ = std::max(last_message_, now);
    return 0;
  }
  const double own_pause_s = message.first ? 0 : std::max(0., seconds(now - last_own_));
  const bool new_hour = hour_of_day(now) != hour_of_day(last_own_) || message.first;
  const bool new_channel = count_new_channels(event, at);
  for (float& count : counts_) count += 1;
  if (!message.first) accumulate_gaps(own_pause_s, population);
  const Expected expected = expect(population);
  accumulate_rate(1, own_pause_s, expected);
  accumulate_errors(event.error, at, population);
  accumulate_repeats(message, population);
  accumulate_sizes(surprise_of(message.log_bytes, population));
  accumulate_channels(event);

  Judgement judgement;
  judgement.expected = expected;
  judge_message(judgement, at, options, population);
  if (new_channel) judge_channels(judgement, options);
  if (new_hour) judge_hour(judgement, now, options);
  report(judgement, options, population, message.log_bytes, out);

  if (population.repeats_shifted())
    repeat_cusum_ = std::min(repeat_cusum_, static_cast<float>(.5 * line(Detector::kRepeatCusum)));
  if (population.shifted(kWindows))
    rate_cusum_ = std::min(rate_cusum_, static_cast<float>(.5 * line(Detector::kRateCusum)));
  if (new_hour) note_hour(now);
  note_habits(event, message, judgement.suspicion);
  contribute(event, at, message, judgement, population, learnt);
  sent_ = true;
  last_own_ = last_message_ = std::max(last_message_, now);
  return judgement.highest();
}

float UserStatistics::learn_rest(const Event& event,
                                 SteadyTime now,
                                 const Options& options,
                                 const Population& population,
                                 Contribution& learnt,
                                 Findings& out) {
  const double counted = log_size(event.counted), whole = log_size(event.bytes);
  take_back_sizes(surprise_of(counted, population));
  accumulate_sizes(surprise_of(whole, population));
  Judgement judgement;
  judgement.expected = expect(population);
  judge_message(judgement, stamp(now), options, population);
  // Of everything else the message was judged when it began.
  std::array<float, traffic::kDetectors> of_sizes{};
  for (const Detector detector : {Detector::kSizeUp, Detector::kTakeover})
    of_sizes[static_cast<std::size_t>(detector)] = judgement[detector];
  judgement.scores = of_sizes;
  report(judgement, options, population, whole, out);
  correct_size(counted, whole, judgement.suspicion, population, learnt);
  return judgement.highest();
}

void UserStatistics::let_time_pass(double pause_s, const Population& population) {
  // The time constants divide each other: one exponential makes all decays.
  const double by_1800 = exp(-pause_s / kEvidenceSeconds);
  const double by_900 = by_1800 * by_1800;
  const double by_300 = by_900 * by_900 * by_900;
  const double by_60 = by_300 * by_300 * by_300 * by_300 * by_300;
  const double by_20 = by_60 * by_60 * by_60;
  const double by_10 = by_20 * by_20;
  const std::array<double, kWindows> decays{by_10, by_60, by_300, by_900};
  for (std::size_t i = 0; i < kWindows; ++i)
    counts_[i] = static_cast<float>(static_cast<double>(counts_[i]) * decays[i]);
  signals_ = static_cast<float>(static_cast<double>(signals_) * by_60);
  // As the population's, which forgets faster where users send many.
  const double present = population.mean(1) > 30 ? by_10 : by_60;
  for (float* own : {&light_messages_, &light_errors_})
    *own = static_cast<float>(static_cast<double>(*own) * present);
  for (float* evidence : {&error_cusum_, &repeat_cusum_, &size_up_, &larger_, &smaller_})
    *evidence = static_cast<float>(static_cast<double>(*evidence) * by_1800);
}

void UserStatistics::let_events_pass(Stamp now) {
  const auto decay = [](float& count, double elapsed_s, double constant_s) {
    count = static_cast<float>(static_cast<double>(count) * exp(-elapsed_s / constant_s));
  };
  decay(new_channels_, channel_at_.until(now), kNewChannelsSeconds);
  decay(rejoins_60s_, rejoined_at_.until(now), 60);
  decay(rejoins_300s_, rejoined_at_.until(now), 300);
}

void UserStatistics::accumulate_rate(double messages, double pause_s, const Expected& expected) {
  // Gamma-Poisson mixture of 2.5 times against 2.5² times the expected rate: `kRatio` is both the
  // lowest rate that counts and the step from there to the rate that is looked for.
  constexpr double kRatio = 2.5, kLogRatio = .91629073187415506518;  // its logarithm
  const double usual = kRatio * expected.unfloored_900s / 900;
  const double overdispersion = 2.5 * (1 + 7.5 * usual) / 1.11625;
  const double step = (messages * kLogRatio - (kRatio - 1) * usual * pause_s) / overdispersion;
  rate_cusum_ = clamped(static_cast<double>(rate_cusum_) + step);
}

UserStatistics::ErrorRates UserStatistics::error_rates(const Population& population) const {
  const Habits& usual = reference_.settled();
  const double own = (.4 + 9 * population.error_rate() + static_cast<double>(usual.errors)) /
                     (30 + static_cast<double>(usual.weight));
  const double present = population.present_error_rate(light_messages_, light_errors_);
  const double good = std::min(.6, std::max(own, 1.3 * present));
  return {.good = good, .bad = std::clamp(2 * good, .35, .95)};
}

void UserStatistics::accumulate_errors(bool error, Stamp now, const Population& population) {
  const auto [good, bad] = error_rates(population);
  if (error || error_cusum_ > 0) error_cusum_ = bernoulli(error_cusum_, error, good, bad);
  if (error_cusum_ <= .01F) no_errors_at_ = now;
}

/// The message was counted when it came, as one that succeeded: that step is taken back.
void UserStatistics::learn_failure(Stamp now, const Population& population, Contribution& learnt) {
  const auto [good, bad] = error_rates(population);
  const double undone = error_cusum_ > 0 ? log((1 - good) / (1 - bad)) : 0;
  error_cusum_ = bernoulli(error_cusum_ + static_cast<float>(undone), true, good, bad);
  if (error_cusum_ <= .01F) no_errors_at_ = now;
  reference_.open().errors += 1;
  const double light = 1 / std::max(1., static_cast<double>(counts_[1]));
  learnt.light_errors += light;
  light_errors_ += static_cast<float>(light);
  // The population hears of some twelve messages a minute of each user, and was told of a success.
  learnt.errors.sum += std::min(1., 12 * light);
}

void UserStatistics::look_at_content(const Event& event,
                                     Stamp now,
                                     Message& message,
                                     const Population& population) {
  if (!event.content_hash) return;
  message.content = content_mark(*event.content_hash, event.bytes);
  message.repeated =
      std::find(contents_.begin(), contents_.end(), message.content) != contents_.end();
  contents_[next_content_ % contents_.size()] = message.content;
  next_content_ = static_cast<std::uint8_t>((next_content_ + 1) % contents_.size());
  constexpr std::uint32_t kBriefBytes = 12;
  message.brief = event.bytes < kBriefBytes;
  const bool known = *event.content_hash == traffic::kSignalContent ||
                     population.common_contents().holds(message.content);
  message.may_be_timer = is_short(message.content) && event.channels.empty();
  const bool signal =
      known || (message.repeated && message.may_be_timer && pulse_.beat(message.content, now));
  if (!signal) return;
  // Who says it more often than a client would says it himself.
  constexpr float kSignalsMax = 30;  // within about a minute
  signals_ += 1;
  message.common = signals_ <= kSignalsMax;
  if (pulsed_) return;
  // Until now it was taken for the user's own.
  pulsed_ = true;
  gaps_ = {};
  steady_cusum_ = repeat_cusum_ = 0;
}

void UserStatistics::accumulate_repeats(const Message& message, const Population& population) {
  if (message.content == 0) return;
  constexpr double kBad = .5;
  double good = std::max(.08, population.brief_repeat_rate());
  if (!message.brief) {
    const Habits& usual = reference_.settled();
    good = (30 * population.repeat_rate() + 1.5 * static_cast<double>(usual.repeats)) /
           (30 + static_cast<double>(usual.weight));
  }
  // A client's timer needs six times to be told from its user.
  constexpr double kFastSeconds = 1;
  const bool slow = message.may_be_timer && message.pause_s >= kFastSeconds;
  const double least = slow ? .1 : .02;
  good = std::clamp(good, least, .35);
  if (message.repeated || repeat_cusum_ > 0)
    repeat_cusum_ = bernoulli(repeat_cusum_, message.repeated, good, kBad);
}

UserStatistics::SizeSurprise UserStatistics::surprise_of(double log_bytes,
                                                         const Population& population) const {
  constexpr double kSurpriseMax = 10;
  const Habits& usual = reference_.settled();
  const auto own = static_cast<double>(usual.weight);
  const auto sum = static_cast<double>(usual.log_bytes);
  const double mean = (8 * population.log_bytes_mean() + sum) / (8 + own);
  const double about_mean =
      static_cast<double>(usual.log_bytes_squared) - sum * sum / std::max(1., own);
  // People differ: about their own mean sizes vary less than about the population's.
  const double prior = population.log_bytes_variance() * (own > 8 ? .75 : 1);
  const double variance = (12 * prior + std::max(0., about_mean)) / (12 + own);
  const double z = (log_bytes - mean) / std::max(.3, sqrt(variance));
  const double surprising =
      std::min({normal_surprise(z), kSurpriseMax, population.size_surprise(log_bytes)});
  return {surprising, z};
}

void UserStatistics::accumulate_sizes(const SizeSurprise& size) {
  size_up_ = clamped(static_cast<double>(size_up_) + size.surprising - kSizeDrift);
  smaller_ = clamped(static_cast<double>(smaller_) - std::max(size.z, -3.) - kOwnSizeDrift);
  larger_ = clamped(static_cast<double>(larger_) + std::min(size.z, 3.) - kOwnSizeDrift);
}

/// A sum at zero did not go down by a whole step: there is nothing to take back.
void UserStatistics::take_back_sizes(const SizeSurprise& size) {
  const auto take_back = [](float& sum, double step) {
    if (sum > 0) sum = clamped(static_cast<double>(sum) - step);
  };
  take_back(size_up_, size.surprising - kSizeDrift);
  take_back(smaller_, -std::max(size.z, -3.) - kOwnSizeDrift);
  take_back(larger_, std::min(size.z, 3.) - kOwnSizeDrift);
}

void UserStatistics::accumulate_gaps(double pause_s, const Population& population) {
  constexpr double kRegular = .75, kTellApart = .55;
  const double log_gap = log(std::max(pause_s, .02));
  const double good = std::max(.15, population.steady_rate());
  if (gaps_.size() >= Gaps::kGapsMin && good < kTellApart)
    steady_cusum_ = bernoulli(steady_cusum_, gaps_.steady(log_gap), good, kRegular);
  else
    steady_cusum_ = 0;
  gaps_.add(log_gap);
}

void UserStatistics::accumulate_channels(const Event& event) {
  constexpr float kReferenceMin = 8, kMax = 12;
  if (event.channels.empty() || reference_.settled().weight < kReferenceMin) return;
  // log(.5/.97) and log(.5/.03): ordinary users are in an unseen channel with 3 of 100 messages.
  constexpr float kKnown = -.66268797F, kUnseen = 2.8134107F;
  const bool known = std::all_of(
      event.channels.begin(), event.channels.end(), [this](const traffic::Name& channel) {
        return reference_.settled().channels.knows(channel.hash);
      });
  unseen_channels_ = std::clamp(unseen_channels_ + (known ? kKnown : kUnseen), 0.F, kMax);
}

bool UserStatistics::count_new_channels(const Event& event, Stamp now) {
  constexpr double kArrivalSeconds = 6;
  int found = 0;
  for (const traffic::Name& channel : event.channels) {
    if (channels_.knows(channel.hash)) continue;
    channels_.add(channel.hash);
    if (channels_.full()) {
      channels_ = {};
      channels_.add(channel.hash);
    }
    ++found;
  }
  if (found == 0) return false;
  const double kept = exp(-channel_at_.until(now) / kNewChannelsSeconds);
  // Who arrives joins the usual channels at once.
  const double each = Stamp{born_, born_}.until(now) < kArrivalSeconds ? .3 : 1;
  new_channels_ = static_cast<float>(static_cast<double>(new_channels_) * kept + each * found);
  channel_at_ = now;
  return true;
}

bool UserStatistics::count_connect(Stamp now, Contribution& learnt) {
  constexpr double kArrivalSeconds = 60;
  const bool again = connected_ || Stamp{born_, born_}.until(now) > kArrivalSeconds;
  connected_ = true;
  if (!again) {
    rejoined_at_ = now;
    return false;
  }
  const double elapsed_s = rejoined_at_.until(now);
  rejoins_60s_ = static_cast<float>(static_cast<double>(rejoins_60s_) * exp(-elapsed_s / 60) + 1);
  rejoins_300s_ =
      static_cast<float>(static_cast<double>(rejoins_300s_) * exp(-elapsed_s / 300) + 1);
  rejoined_at_ = now;
  // Only the first of a series is news about the population.
  if (rejoins_60s_ < 1.5F) learnt.rejoins += 1;
  return true;
}

/// Leaves a little less than if it had never been counted, since it has decayed a little by now.
void UserStatistics::take_back_connect(Stamp now) {
  const double elapsed_s = rejoined_at_.until(now);
  const auto less = [elapsed_s](float& count, double constant_s) {
    const double rest = static_cast<double>(count) * exp(-elapsed_s / constant_s) - 1;
    count = static_cast<float>(std::max(0., rest));
  };
  less(rejoins_60s_, 60);
  less(rejoins_300s_, 300);
  rejoined_at_ = now;
}

void UserStatistics::note_hour(SteadyTime now) {
  constexpr std::uint8_t kMax = 200;
  std::uint8_t& hours = hours_[hour_of_day(now)];
  if (++hours < kMax) return;
  for (std::uint8_t& each : hours_) each = static_cast<std::uint8_t>(each / 2);
}

}  // namespace liminal::detect
