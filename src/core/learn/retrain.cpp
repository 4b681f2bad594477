#include "core/learn/retrain.hpp"

#include <algorithm>
#include <array>

namespace liminal::learn {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr Duration kDay = std::chrono::hours{24};
constexpr std::uint32_t kDoublingsMax = 20;
constexpr std::array<std::string_view, kTriggers> kNames{"decay", "drift", "feedback", "schedule"};

Duration doubled(Duration first, std::uint32_t times, Duration most) {
  Duration wait = std::min(first, most);
  for (std::uint32_t i = 0; i < std::min(times, kDoublingsMax) && wait < most; ++i)
    wait = std::min(2 * wait, most);
  return wait;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void save(const std::optional<SteadyTime>& time, Writer& out) {
  out.put(static_cast<std::uint8_t>(time ? 1 : 0));
  out.put(time ? nanoseconds(*time) : std::int64_t{0});
}

std::optional<SteadyTime> load_time(Reader& in) {
  const bool there = in.get<std::uint8_t>() != 0;
  const SteadyTime time{Duration{in.get<std::int64_t>()}};
  return there ? std::optional(time) : std::nullopt;
}

}  // namespace

std::string_view name(Trigger trigger) { return kNames[static_cast<std::size_t>(trigger)]; }

Problems RetrainOptions::validate() const {
  Problems problems;
  const auto require = [&](bool right, const char* key, const char* text) {
    if (!right) problems.push_back({key, text});
  };
  constexpr Duration kMost = 366 * kDay;
  require(every >= Duration::zero() && every <= kMost, "every", "must be at most a year");
  require(!daily_at || (*daily_at >= Duration::zero() && *daily_at < kDay),
          "daily_at",
          "must be a time of the day");
  require(rest >= Duration::zero() && rest <= kMost, "rest", "must be at most a year");
  require(retry > Duration::zero() && retry <= kMost, "retry", "must be above 0, at most a year");
  require(retry_max >= retry && retry_max <= kMost,
          "retry_max",
          "must be at least retry, at most a year");
  return problems;
}

Duration Retraining::rest(const RetrainOptions& options) const {
  return doubled(options.rest, fruitless_, std::max(options.rest, options.retry_max));
}

std::optional<SteadyTime> Retraining::not_before(const RetrainOptions& options) const {
  if (failures_ == 0 || !last_) return std::nullopt;
  return *last_ + doubled(options.retry, failures_ - 1, options.retry_max);
}

std::optional<SteadyTime> Retraining::next(const RetrainOptions& options, SteadyTime now) const {
  const SteadyTime last = std::min(last_.value_or(since_), now);
  if (failures_ > 0) return last + doubled(options.retry, failures_ - 1, options.retry_max);
  if (options.daily_at) {
    const Duration since_midnight = last.time_since_epoch() % kDay;
    const SteadyTime today = last - since_midnight + *options.daily_at;
    return today > last ? today : today + kDay;
  }
  if (options.every == Duration::zero()) return std::nullopt;
  return last + options.every;
}

std::optional<Retraining::Due> Retraining::due(const RetrainOptions& options,
                                               const RetrainFacts& facts,
                                               SteadyTime now) const {
  if (facts.under_way || !ended_) return std::nullopt;
  const auto at = next(options, now);
  const bool by_clock = at && now >= *at;
  if (failures_ > 0) {
    if (!by_clock) return std::nullopt;
    return why_ ? Due{why_->trigger, why_->reason}
                : Due{Trigger::kSchedule, "again, after a failure"};
  }
  const bool rested = !last_ || now - std::min(*last_, now) >= rest(options);
  if (facts.champion && rested) {
    if (options.decay && facts.decayed) return Due{Trigger::kDecay, "its errors have grown"};
    if (options.drift && !facts.drifted.empty())
      return Due{Trigger::kDrift, "drift of " + joined(facts.drifted)};
    if (options.feedback > 0 && facts.feedback >= options.feedback)
      return Due{Trigger::kFeedback, std::to_string(facts.feedback) + " new words of people"};
  }
  if (by_clock) return Due{Trigger::kSchedule, "it is time"};
  return std::nullopt;
}

void Retraining::began(std::uint64_t job, std::optional<Due> why, SteadyTime now) {
  job_ = job;
  ended_ = false;
  why_ = std::move(why);
  refusal_.clear();
  began_ = last_ = now;
}

void Retraining::ended(std::uint64_t job, bool succeeded, bool promoted, SteadyTime now) {
  if (job != job_ || ended_) return;
  ended_ = true;
  last_ = now;
  const bool own = why_.has_value();
  // What a person began and failed is theirs to try again.
  failures_ = succeeded ? 0 : failures_ + (own ? 1U : 0U);
  if (promoted) {
    fruitless_ = 0;
  } else if (succeeded && own && why_->trigger != Trigger::kSchedule) {
    ++fruitless_;
  }
}

void Retraining::refused(const Due& why, std::string text, SteadyTime now) {
  why_ = why;
  refusal_ = std::move(text);
  last_ = now;
  ++failures_;
}

void Retraining::clamp(SteadyTime now) {
  since_ = std::min(since_, now);
  for (auto* const time : {&began_, &last_})
    if (*time) *time = std::min(**time, now);
}

void Retraining::looked(const Due& why, SteadyTime now) {
  why_ = why;
  refusal_.clear();
  last_ = began_ = now;
  failures_ = 0;
  if (why.trigger != Trigger::kSchedule) ++fruitless_;
}

void Retraining::save(Writer& out) const {
  out.put(kFormat);
  out.put(nanoseconds(since_));
  learn::save(began_, out);
  learn::save(last_, out);
  out.put(job_);
  out.put(static_cast<std::uint8_t>(ended_ ? 1 : 0));
  out.put(static_cast<std::uint8_t>(why_ ? 1 : 0));
  out.put(why_ ? why_->trigger : Trigger::kSchedule);
  out.put_text(why_ ? why_->reason : "");
  out.put_text(refusal_);
  out.put(failures_);
  out.put(fruitless_);
}

void Retraining::load(Reader& in) {
  if (in.get<std::uint8_t>() != kFormat) in.fail();
  since_ = SteadyTime{Duration{in.get<std::int64_t>()}};
  began_ = load_time(in);
  last_ = load_time(in);
  in.get(job_);
  ended_ = in.get<std::uint8_t>() != 0;
  const bool why = in.get<std::uint8_t>() != 0;
  const auto trigger = in.get<std::uint8_t>();
  if (trigger >= kTriggers) in.fail();
  const std::string reason(in.get_text());
  why_ = why && in.ok() ? std::optional(Due{Trigger(trigger), reason}) : std::nullopt;
  refusal_ = in.get_text();
  in.get(failures_);
  in.get(fruitless_);
  if (!in.ok()) *this = Retraining();
}

}  // namespace liminal::learn
