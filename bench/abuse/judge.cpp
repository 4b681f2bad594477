#include "judge.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <map>
#include <unordered_map>

#include "core/base/ids.hpp"
#include "core/detect/population.hpp"
#include "core/detect/rings.hpp"
#include "core/detect/rules.hpp"
#include "core/detect/statistics.hpp"
#include "core/traffic/alert.hpp"

namespace liminal::bench {
namespace {

using traffic::EventKind;
using traffic::FeatureId;

constexpr double kCalmSeconds = 900;

/// The features that the default rules read, exactly, at the cost of keeping a minute of events.
class ExactFeatures {
 public:
  void learn(const TraceEvent& event) {
    now_ = event.t;
    if (event.channel != 0) channels_[event.channel] = event.t;
    if (event.kind == EventKind::kConnect) {
      if (connected_) reconnects_.push_back(event.t);
      connected_ = true;
    }
    if (event.kind == EventKind::kMessage) {
      // A bucket of 20 that refills with 10 a second.
      tokens_ = std::min(20., tokens_ + 10 * (messages_.empty() ? 2 : event.t - last_));
      last_ = event.t;
      const bool refused = tokens_ < 1;
      if (!refused) tokens_ -= 1;
      const bool same = event.content != 0 && event.content == content_;
      content_ = event.content;
      add({event.t, event.bytes, event.error, refused, same});
    }
    while (!messages_.empty() && messages_.front().t <= event.t - 60) {
      count(messages_.front(), -1);
      messages_.pop_front();
    }
    while (!reconnects_.empty() && reconnects_.front() <= event.t - 60) reconnects_.pop_front();
  }

  [[nodiscard]] float read(FeatureId id) const {
    const auto messages = static_cast<double>(messages_.size());
    const auto ratio = [messages](double sum) {
      return messages > 0 ? static_cast<float>(sum / messages) : 0.F;
    };
    switch (id) {
      case FeatureId::kMessagesPerMinute:
        return static_cast<float>(messages);
      case FeatureId::kAvgMessageSize:
        return ratio(bytes_);
      case FeatureId::kErrorRate:
        return ratio(errors_);
      case FeatureId::kRateLimitViolations:
        return static_cast<float>(refused_);
      case FeatureId::kChannelsCount:
        return static_cast<float>(
            std::count_if(channels_.begin(), channels_.end(), [this](const auto& used) {
              return used.second > now_ - 3600;
            }));
      case FeatureId::kReconnectsPerMinute:
        return static_cast<float>(reconnects_.size());
      case FeatureId::kSameContentRatio:
        return ratio(same_);
      default:
        return 0;
    }
  }

 private:
  struct Message {
    double t;
    std::uint32_t bytes;
    bool error, refused, same;
  };
  void add(const Message& message) {
    messages_.push_back(message);
    count(message, 1);
  }
  void count(const Message& message, double by) {
    bytes_ += by * message.bytes;
    errors_ += message.error ? by : 0;
    refused_ += message.refused ? by : 0;
    same_ += message.same ? by : 0;
  }

  std::deque<Message> messages_;
  std::deque<double> reconnects_;
  std::map<std::uint64_t, double> channels_;  // when last used
  double now_ = 0, last_ = 0, tokens_ = 20, bytes_ = 0, errors_ = 0, refused_ = 0, same_ = 0;
  std::uint64_t content_ = 0;
  bool connected_ = false;
};

struct User {
  detect::UserStatistics statistics;
  detect::RuleState rules;
  ExactFeatures features;
  std::map<traffic::FindingType, double> spoke;
};

class Judge {
 public:
  Judge(const detect::Options& options, Part part)
      : options_(options), part_(part), rules_(options_), population_(options.profile) {}

  void step(const TraceEvent& event) {
    const auto second = static_cast<std::int64_t>(event.t);
    if (second != second_) exchange(event.t);
    second_ = second;
    const SteadyTime now = time(event.t);
    const abuse::EngineEvent as_taken(event, {});
    const traffic::Event& seen = as_taken.get();
    names_.emplace(seen.user.hash, event.user);
    User& user = users_[event.user];
    user.features.learn(event);
    findings_.clear();
    user.statistics.step(
        seen, now, options_, population_, shards_[index(shard_of(seen.user.hash))], findings_);
    if (part_ == Part::kRules) findings_.clear();
    if (part_ != Part::kStatistics) {
      rules_.evaluate(
          event.kind,
          user.rules,
          [&user](FeatureId id) { return user.features.read(id); },
          now,
          population_,
          findings_);
    }
    for (const traffic::Finding& finding : findings_) alert(event.t, event.user, user, finding);
  }

  std::vector<AlertLine> take() {
    exchange(static_cast<double>(second_) + 1);
    return std::move(alerts_);
  }

 private:
  static SteadyTime time(double t) {
    return SteadyTime{std::chrono::hours{24 * 365 * 50} + from_seconds(t)};
  }

  void exchange(double t) {
    const SteadyTime now = time(std::floor(t));
    population_.learn(shards_, now, options_.warm_up);
    std::vector<detect::RingFinding> found;
    rings_.learn(shards_, now, options_, population_, found);
    population_.set_ringing(rings_.ringing());
    for (const detect::RingFinding& ring : found) {
      const bool rule = ring.finding.detector == traffic::Detector::kRule;
      if ((part_ == Part::kRules && !rule) || (part_ == Part::kStatistics && rule)) continue;
      const std::string& name = names_.at(ring.user);
      alert(t, name, users_[name], ring.finding);
    }
    for (detect::Contribution& shard : shards_) shard.clear();
  }

  void alert(double t, const std::string& name, User& user, const traffic::Finding& finding) {
    const auto [spoke, fresh] = user.spoke.try_emplace(finding.type, t);
    if (fresh || t - spoke->second > kCalmSeconds) {
      alerts_.push_back({t,
                         name,
                         std::string(traffic::info(finding.type).name),
                         std::string(traffic::name(finding.detector)),
                         finding.score,
                         traffic::explanation(finding)});
    }
    spoke->second = t;
  }

  const detect::Options options_;
  Part part_;
  detect::Rules rules_;
  detect::Population population_;
  detect::Rings rings_;
  std::array<detect::Contribution, kShards> shards_;
  std::unordered_map<std::string, User> users_;
  std::unordered_map<std::uint64_t, std::string> names_;
  detect::Findings findings_;
  std::vector<AlertLine> alerts_;
  std::int64_t second_ = -1;
};

}  // namespace

std::vector<AlertLine> judge(const Trace& trace, const detect::Options& options, Part part) {
  Judge judge(options, part);
  for (const TraceEvent& event : trace) judge.step(event);
  return judge.take();
}

}  // namespace liminal::bench
