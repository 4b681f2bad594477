#include <algorithm>

#include "core/base/hash.hpp"
#include "core/base/math.hpp"
#include "core/detect/lines.hpp"
#include "core/detect/loading.hpp"
#include "core/detect/statistics.hpp"

namespace liminal::detect {
namespace {

constexpr std::uint8_t kVersion = 2;  // 1: without common contents

constexpr std::uint8_t kRepeating = 1U << kRateStatistics;  // a bit of `over_`, beside those

/// From .7 of the alarm line on a message counts less, at the line nothing.
float trust(float suspicion) {
  constexpr float kTrusted = .7F;
  return std::clamp((1 - suspicion) / (1 - kTrusted), 0.F, 1.F);
}

}  // namespace

void UserStatistics::note_habits(const traffic::Event& event,
                                 const Message& message,
                                 float suspicion) {
  if (suspicion >= 1) reference_.distrust();
  const float weight = trust(suspicion);
  Habits& now = reference_.open();
  now.weight += weight;
  for (std::size_t i = 0; i < kWindows; ++i) now.counts[i] += weight * (counts_[i] - 1);
  const auto log_bytes = static_cast<float>(message.log_bytes);
  now.log_bytes += weight * log_bytes;
  now.log_bytes_squared += weight * log_bytes * log_bytes;
  if (event.error) now.errors += weight;
  if (message.repeated && !message.brief) now.repeats += weight;
  for (const traffic::Name& channel : event.channels) now.channels.add(channel.hash);
}

void UserStatistics::correct_size(double counted,
                                  double whole,
                                  float suspicion,
                                  const Population& population,
                                  Contribution& learnt) {
  if (suspicion >= 1) reference_.distrust();
  const auto weight = static_cast<double>(trust(suspicion));
  Habits& now = reference_.open();
  now.log_bytes += static_cast<float>(weight * (whole - counted));
  now.log_bytes_squared += static_cast<float>(weight * (whole * whole - counted * counted));
  // What was contributed may have been learnt by now. Where the beginning was a sample the whole is
  // one, too: a population that sends in pieces has both sizes. It may miss one where another
  // message of the user, over a second connection, came in between.
  const auto sample =
      std::find(contributed_at_.begin(), contributed_at_.end(), stamp(last_message_));
  if (sample != contributed_at_.end()) contribute_size(whole, suspicion, population, learnt);
}

void UserStatistics::contribute_size(double log_bytes,
                                     float suspicion,
                                     const Population& population,
                                     Contribution& learnt) const {
  const Habits& usual = reference_.settled();
  if (suspicion < 1) {
    const double step = std::clamp(log_bytes * 5, 0., static_cast<double>(kSizeSteps - 1));
    learnt.sizes[static_cast<std::size_t>(step)] += 1;
  }
  const double spread = 3 * sqrt(population.log_bytes_variance());
  const double deviation = std::clamp(log_bytes - population.log_bytes_mean(), -spread, spread);
  learnt.log_bytes.add(population.log_bytes_mean() + deviation, deviation);
  if (usual.weight >= 10) {
    const double within = 3 * sqrt(population.log_bytes_variance_within());
    const auto own_mean = static_cast<double>(usual.log_bytes / usual.weight);
    learnt.log_bytes_within.add(0, std::clamp(log_bytes - own_mean, -within, within));
  }
}

/// What the client says by itself: that the user is there, and nothing of what it does.
void UserStatistics::learn_signal(const traffic::Event& event,
                                  Stamp now,
                                  const Message& message,
                                  const Population& population,
                                  Contribution& learnt) {
  learnt.messages += 1;
  contribute_activity(event, now, message, population, learnt);
}

void UserStatistics::contribute_activity(const traffic::Event& event,
                                         Stamp now,
                                         const Message& message,
                                         const Population& population,
                                         Contribution& learnt) {
  constexpr double kActiveSeconds = 120;
  const bool due = active_at_.until(now) > kActiveSeconds;
  const bool begins = message.repeated && !due &&
                      std::count(contents_.begin(), contents_.end(), message.content) == 2;
  if (!(due || begins) || population.ringing(event.address.hash)) return;
  if (begins) return learnt.note_repeated(message.content);
  active_at_ = now;
  over_ = 0;
  learnt.active += 1;
  contribute_contents(learnt);
}

void UserStatistics::contribute(const traffic::Event& event,
                                Stamp now,
                                const Message& message,
                                const Judgement& judgement,
                                const Population& population,
                                Contribution& learnt) {
  learnt.messages += 1;
  const double light = 1 / std::max(1., static_cast<double>(counts_[1]));
  learnt.light_messages += light;
  light_messages_ += static_cast<float>(light);
  if (event.error) {
    learnt.light_errors += light;
    light_errors_ += static_cast<float>(light);
  }

  contribute_activity(event, now, message, population, learnt);
  for (std::size_t i = 0; i < kRateStatistics; ++i) {
    const auto bit = static_cast<std::uint8_t>(1U << i);
    if (judgement.rates[i] < 1 || (over_ & bit) != 0 || population.ringing(event.address.hash))
      continue;
    over_ = static_cast<std::uint8_t>(over_ | bit);
    learnt.over[i] += 1;
  }
  if (static_cast<double>(repeat_cusum_) >= line(traffic::Detector::kRepeatCusum) &&
      (over_ & kRepeating) == 0 && !population.ringing(event.address.hash)) {
    over_ = static_cast<std::uint8_t>(over_ | kRepeating);
    learnt.repeating += 1;
  }
  contribute_ordinary(event, now, message, judgement, population, learnt);

  constexpr double kYoungSeconds = 1800;
  if (event.address.hash != 0 && Stamp{born_, born_}.until(now) < kYoungSeconds) {
    learnt.note({.address = event.address.hash,
                 .user = event.user.hash,
                 .log_bytes = static_cast<float>(message.log_bytes),
                 .content = event.content_hash
                                ? static_cast<std::uint32_t>(mix64(*event.content_hash) >> 32 | 1)
                                : 0});
  }
}

/// What the user repeats at present.
void UserStatistics::contribute_contents(Contribution& learnt) const {
  auto sorted = contents_;
  std::sort(sorted.begin(), sorted.end());
  const auto* first = sorted.data();
  for (const auto* const end = sorted.data() + sorted.size(); first != end;) {
    const auto* const last =
        std::find_if(first, end, [first](auto each) { return each != *first; });
    if (*first != 0 && last - first > 1) learnt.note_repeated(*first);
    first = last;
  }
}

void UserStatistics::contribute_ordinary(const traffic::Event& event,
                                         Stamp now,
                                         const Message& message,
                                         const Judgement& judgement,
                                         const Population& population,
                                         Contribution& learnt) {
  constexpr float kReferenceMin = 20;
  constexpr double kBusy = 30, kOftenSeconds = 5;
  const Habits& usual = reference_.settled();
  bool any = false;
  for (std::size_t i = 0; i < kWindows; ++i) {
    const bool fast = population.learns_fast(i);
    double every_s = kWindowSeconds[i] / 2;
    if (fast) every_s = std::min(every_s, kOftenSeconds);
    if (contributed_at_[i].until(now) < every_s) continue;
    contributed_at_[i] = now;
    any = true;
    const auto count = static_cast<double>(counts_[i]);
    double deviation = count - 1 - population.mean(i);
    // What is far out moves the population no further than four deviations.
    const double limit = 4 * population.deviation(i);
    if (!fast) deviation = std::clamp(deviation, -limit, limit);
    learnt.counts[i].add(population.mean(i) + deviation, deviation);
    const double expected = judgement.expected.count[i];
    if (usual.weight >= kReferenceMin && expected > kBusy) {
      const double off = count / expected - 1;
      learnt.excess[i].add(std::min(off * off, 4 * population.own_spread(i) + .05), 0);
    }
  }
  if (!any) return;

  contribute_size(message.log_bytes, judgement.suspicion, population, learnt);
  const bool ordinary = judgement.suspicion < .7F;
  if (ordinary) learnt.errors.add(event.error ? 1 : 0, 0);
  if (message.content != 0 && (ordinary || population.repeats_shifted())) {
    (message.brief ? learnt.brief_repeats : learnt.repeats).add(message.repeated ? 1 : 0, 0);
  }
  // Who sends like a machine moves what is regular ten times more slowly, but moves it: there are
  // populations of machines.
  const bool trusted = judgement.suspicion < .7F || population.warming_up();
  const double gap_s = trusted ? 60 : 600;
  if (gaps_.size() >= Gaps::kGapsMin && gap_contributed_at_.until(now) > gap_s) {
    gap_contributed_at_ = now;
    const double mean = population.gap_spread_mean();
    const double limit = 3 * population.gap_spread_deviation();
    const double off = std::clamp(log(gaps_.spread()) - mean, -limit, limit);
    learnt.gap_spread.add(mean + off, off);
  }
}

template <class Self, class Visit>
void UserStatistics::numbers(Self& self, Visit&& visit) {
  for (auto& count : self.counts_) visit(count);
  visit(self.rate_cusum_);
  visit(self.error_cusum_);
  visit(self.repeat_cusum_);
  visit(self.size_up_);
  visit(self.larger_);
  visit(self.smaller_);
  visit(self.steady_cusum_);
  visit(self.unseen_channels_);
  visit(self.new_channels_);
  visit(self.light_messages_);
  visit(self.light_errors_);
  visit(self.rejoins_60s_);
  visit(self.rejoins_300s_);
}

void UserStatistics::save(Writer& out) const {
  out.put(kVersion);
  out.put(
      static_cast<std::uint8_t>((seen_ ? 1U : 0U) | (sent_ ? 2U : 0U) | (connected_ ? 4U : 0U)));
  out.put(nanoseconds(born_));
  out.put(nanoseconds(last_message_));
  reference_.save(out);
  numbers(*this, NumberWriter{out});
  for (const std::uint16_t content : contents_) out.put(content);
  out.put(next_content_);
  gaps_.save(out);
  channels_.save(out);
  out.put(address_);
  out.put(last_address_);
  for (const Stamp* at : {&address_changed_,
                          &no_errors_at_,
                          &active_at_,
                          &gap_contributed_at_,
                          &channel_at_,
                          &rejoined_at_})
    at->save(out);
  for (const Stamp& at : contributed_at_) at.save(out);
  for (const std::uint8_t hours : hours_) out.put(hours);
  out.put(over_);
  out.put(nanoseconds(last_own_));
  out.put(signals_);
  pulse_.save(out);
  out.put(pulsed_);
}

void UserStatistics::load(Reader& in) {
  *this = {};
  const auto version = in.get<std::uint8_t>();
  if (version < 1 || version > kVersion) in.fail();
  const auto flags = in.get<std::uint8_t>();
  seen_ = (flags & 1U) != 0;
  sent_ = (flags & 2U) != 0;
  connected_ = (flags & 4U) != 0;
  born_ = SteadyTime{Duration{in.get<std::int64_t>()}};
  last_message_ = SteadyTime{Duration{in.get<std::int64_t>()}};
  reference_.load(in);
  numbers(*this, NumberReader{in});
  for (std::uint16_t& content : contents_) in.get(content);
  next_content_ = static_cast<std::uint8_t>(in.get<std::uint8_t>() % contents_.size());
  gaps_.load(in);
  channels_.load(in);
  in.get(address_);
  in.get(last_address_);
  for (Stamp* at : {&address_changed_,
                    &no_errors_at_,
                    &active_at_,
                    &gap_contributed_at_,
                    &channel_at_,
                    &rejoined_at_})
    at->load(in);
  for (Stamp& at : contributed_at_) at.load(in);
  for (std::uint8_t& hours : hours_) in.get(hours);
  in.get(over_);
  last_own_ = last_message_;
  if (version > 1) {
    last_own_ = SteadyTime{Duration{in.get<std::int64_t>()}};
    signals_ = get_amount(in);
    pulse_.load(in);
    pulsed_ = in.get<std::uint8_t>() != 0;
  }
  if (!in.ok()) *this = {};
}

}  // namespace liminal::detect
