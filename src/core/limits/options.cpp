#include "core/limits/options.hpp"

#include <utility>

#include "core/limits/gcra.hpp"

namespace liminal::limits {
namespace {

constexpr std::uint32_t kActiveMinutesMax = 100;

/// Collects problems below one key.
class Checker {
 public:
  Checker(Problems& found, std::string at) : found_(found), at_(std::move(at)) {}

  [[nodiscard]] Checker in(std::string_view key) const { return {found_, path(key)}; }

  void require(bool right, std::string_view key, std::string text) {
    if (!right) found_.push_back({path(key), std::move(text)});
  }

  /// Written so that NaN is wrong.
  void within(double value, double low, double high, std::string_view key, std::string text) {
    require(value >= low && value <= high, key, std::move(text));
  }

 private:
  [[nodiscard]] std::string path(std::string_view key) const {
    return at_.empty() ? std::string(key) : at_ + "." + std::string(key);
  }

  Problems& found_;
  std::string at_;
};

/// The least rates whose periods, slowed down as far as can be, still fit 63 bits.
constexpr double kMessagesPerSecondMin = 1e-5;
constexpr double kBytesPerSecondMin = 1;
constexpr double kPerSecondMax = 1e9;

void check(const RateOptions& rate, double least, Checker at) {
  if (rate.per_second == 0) return;
  at.within(rate.per_second,
            least,
            kPerSecondMax,
            "per_second",
            least == kBytesPerSecondMin ? "must be 0 (no limit) or 1 to 1e9"
                                        : "must be 0 (no limit) or 0.00001 to 1e9");
  at.require(rate.burst >= 1, "burst", "must be at least 1");
  // Written so that a rate that is wrong already is not named twice.
  at.require(!(static_cast<double>(rate.burst) > rate.per_second * seconds(kAllowanceMax)) ||
                 !(rate.per_second >= least),
             "burst",
             "must not exceed what the rate allows in a day");
}

void check(const SubjectOptions& subject, const CapOptions& message_bytes, Checker at) {
  check(subject.messages, kMessagesPerSecondMin, at.in("messages"));
  check(subject.messages_sustained, kMessagesPerSecondMin, at.in("messages_sustained"));
  check(subject.bytes, kBytesPerSecondMin, at.in("bytes"));
  check(subject.bytes_sustained, kBytesPerSecondMin, at.in("bytes_sustained"));
  const auto holds_a_message = [&](const RateOptions& bytes, std::string_view key) {
    at.in(key).require(
        bytes.per_second == 0 || bytes.burst == 0 || bytes.burst >= message_bytes.max,
        "burst",
        "must hold the largest message (message_bytes.max), or that one would never pass");
  };
  holds_a_message(subject.bytes, "bytes");
  holds_a_message(subject.bytes_sustained, "bytes_sustained");
}

void check(const ControllerOptions& controller, Checker at) {
  at.within(controller.floor_ratio, 1. / kPaceRange, 1, "floor_ratio", "must be 1/64 to 1");
  at.within(controller.ceiling_ratio, 1, kPaceRange, "ceiling_ratio", "must be 1 to 64");
  at.within(controller.calm_score, 0, 1, "calm_score", "must be 0 to 1 (the alarm line)");
  at.require(controller.worst_score > controller.calm_score && controller.worst_score <= 200,
             "worst_score",
             "must be above calm_score and at most 200");
  at.require(controller.slow_down > Duration::zero(), "slow_down", "must be longer than zero");
  at.require(controller.recover > Duration::zero(), "recover", "must be longer than zero");
  at.within(controller.personal_quantile, .5, 1, "personal_quantile", "must be 0.5 to 1");
  at.within(controller.personal_headroom, 1, 100, "personal_headroom", "must be 1 to 100");
  at.require(controller.personal_floor_ratio >= controller.floor_ratio &&
                 controller.personal_floor_ratio <= 1,
             "personal_floor_ratio",
             "must be floor_ratio to 1");
  at.within(controller.personal_minutes_min,
            1,
            kActiveMinutesMax,
            "personal_minutes_min",
            "must be 1 to 100");
  at.require(
      controller.personal_follow > Duration::zero(), "personal_follow", "must be longer than zero");
}

void check(const std::vector<std::string>& names, Checker at, std::string_view key) {
  for (std::size_t i = 0; i < names.size(); ++i)
    at.require(
        !names[i].empty(), std::string(key) + "[" + std::to_string(i) + "]", "must not be empty");
}

}  // namespace

Problems validate(const Options& options, std::string_view at) {
  Problems found;
  Checker root(found, std::string(at));
  check(options.user, options.message_bytes, root.in("user"));
  check(options.address, options.message_bytes, root.in("address"));
  check(options.connection, options.message_bytes, root.in("connection"));
  root.require(
      options.delay_max >= Duration::zero() && options.delay_max <= std::chrono::minutes{1},
      "delay_max",
      "must be 0 to 1min");
  check(options.close_after, kMessagesPerSecondMin, root.in("close_after"));
  check(options.allow_users, root, "allow_users");
  check(options.allow_addresses, root, "allow_addresses");
  check(options.controller, root.in("controller"));
  return found;
}

}  // namespace liminal::limits
