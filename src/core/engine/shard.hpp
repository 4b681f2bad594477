#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/ids.hpp"
#include "core/detect/findings.hpp"
#include "core/detect/statistics.hpp"
#include "core/engine/alert_book.hpp"
#include "core/engine/champion.hpp"
#include "core/engine/commons.hpp"
#include "core/engine/effects.hpp"
#include "core/engine/enforcement_log.hpp"
#include "core/engine/options.hpp"
#include "core/features/crowd.hpp"
#include "core/features/user_features.hpp"
#include "core/features/user_table.hpp"
#include "core/limits/decide.hpp"
#include "core/traffic/record.hpp"

namespace liminal::engine {

/// Whom alerts about the champion itself name: the store and the API want a name.
inline constexpr std::string_view kModelName = "model:anomaly_detection";

/// What an operator sees of one user.
struct UserView {
  std::string user;
  std::string address;  ///< last seen; empty when not known any more
  SteadyTime first_seen, last_seen;
  bool active = false;  ///< has a session: false after a clean-up until the next event
  traffic::Features features;
  float reference_weight = 0;  ///< messages behind the user's own reference: 0 for newcomers
  /// Decayed message counts that are expected, and beyond which they surprise: 10, 60, 300, 900 s.
  std::array<detect::UserStatistics::Expectation, detect::kWindows> expected{};
  limits::InForce limit;  ///< its pointer is null; `override_` has the value
  std::optional<traffic::Override> override_;
  std::vector<traffic::Alert> alerts;  ///< open ones, oldest first
};

/// One of the 64 shards: all that is known of its users, and the path of a message.
///
/// `step`, `tick`, `absorb` and the control calls are its inputs; the same inputs in the same order
/// give the same effects and the same state, bit for bit, on every compiler and CPU. Inputs are
/// numbered; an alert names the input that raised it.
///
/// Time: an event counts at its own time, but never before its user's last event (it is counted as
/// late) and never more than the horizon after the last tick (counted as early): a wrong clock
/// cannot push a user into the future. `tick`, once a second, moves the shard's time, which never
/// goes back.
///
/// Not thread-safe: one owner at a time. Memory: about 1 KiB a user beside long ids.
class Shard {
 public:
  Shard(ShardId id, std::shared_ptr<const Settings> settings, SteadyTime now);

  /// The path of a message. `event.user` must belong to this shard.
  void step(const traffic::Event& event, Effects& out);

  /// Once a second: ends what is over and tells what the commons need, in this shard's place.
  void tick(SteadyTime now, Second& told, Effects& out);
  /// Once a second: takes what all shards learnt together.
  void absorb(const Exchange& exchange, Effects& out);

  // What operators decide.
  void set_settings(std::shared_ptr<const Settings> settings);
  /// False when there are too many already.
  bool set_override(const traffic::Override& override_);
  /// False when there was none.
  bool remove_override(std::string_view user);
  /// All of them: before those that the store has are set again after a restart.
  void remove_overrides();
  /// The verdict on an alert stays with it while it is open. False when it is not open here.
  bool feedback(std::uint64_t alert_number, traffic::FeedbackVerdict verdict);
  /// An operator's word moves the confidence of later findings of its type, in all shards.
  void count_feedback(traffic::FindingType type, traffic::FeedbackVerdict verdict);
  /// Forgets sessions and windows of users idle for longer than `age_max`; keeps what was learnt of
  /// them. Returns how many.
  std::size_t cleanup(Duration age_max);
  /// Takes an alert that was shown to the outside before a restart from an older snapshot.
  void adopt(const traffic::Alert& alert);
  /// After a restart: nobody is connected, and inputs count on from this one's number `first`,
  /// which must be above all that were given out before, also by a life that was lost with them.
  void resume(std::uint64_t first);

  /// After it was made elsewhere: shares settings that are equal to its own, and counts from zero.
  /// No input.
  void settle(std::shared_ptr<const Settings> settings) {
    settings_ = std::move(settings);
    counters_ = {};
  }

  /// From now on steps ask this model (`Effects::asks`): about every tenth message of a user, and
  /// while a rule is near (`detect::ModelOptions`). Forgotten at `resume`: who gives models gives
  /// them again. A fault is reported by the shard of `kModelName`, as an alert about that name.
  void use_champion(const ChampionInfo& champion,
                    const std::optional<ModelFault>& fault,
                    Effects& out);
  /// Takes what the model said; from its line on, and not within the cool-down, it is a finding
  /// about the user. False when another model is in force by now, or the user is forgotten.
  bool take(const Answer& answer, Effects& out);

  // Questions: they change nothing.
  /// Whether an override that is in force at the event's time blocks its user.
  [[nodiscard]] bool blocks(const traffic::Event& event) const;
  [[nodiscard]] std::optional<UserView> view(std::string_view user) const;
  /// What the detectors would say of the user now; none when the user is not known.
  [[nodiscard]] std::optional<std::vector<traffic::Finding>> analyze(std::string_view user) const;
  /// What goes on among all users of this shard. Takes some 100 µs.
  [[nodiscard]] features::CrowdSummary crowd() const { return crowd_.summary(now_); }
  /// Calls `visit(Name, const UserState&)` for users with a session, least recently active first.
  template <class Visit>
  void for_each_active(Visit&& visit) const {
    users_.for_each([&](const traffic::Name& name, const UserState& user) {
      if (user.active) visit(name, user);
    });
  }

  [[nodiscard]] ShardId id() const { return id_; }
  [[nodiscard]] SteadyTime now() const { return now_; }
  /// Inputs so far: the number of the last one.
  [[nodiscard]] std::uint64_t inputs() const { return inputs_; }
  /// In the table.
  [[nodiscard]] std::size_t users() const { return users_.size(); }
  /// With a session, which lasts until it is cleaned up or the user evicted.
  [[nodiscard]] std::size_t active_users() const { return active_users_; }
  /// Seen within five minutes.
  [[nodiscard]] double users_seen_recently() const { return crowd_.active_users(now_); }
  [[nodiscard]] const AlertBook& alerts() const { return alerts_; }
  [[nodiscard]] const std::map<std::string, traffic::Override, std::less<>>& overrides() const {
    return overrides_;
  }
  [[nodiscard]] const ChampionInfo& champion() const { return champion_; }
  [[nodiscard]] const Settings& settings() const { return *settings_; }
  [[nodiscard]] std::shared_ptr<const Settings> shared_settings() const { return settings_; }
  [[nodiscard]] Counters counters() const;
  [[nodiscard]] std::size_t memory_bytes() const;

  /// Versioned (docs/formats/snapshot.md). Counters and settings are not part of it.
  void save(Writer& out) const;
  /// Fails, and is then as new, when the bytes make no sense.
  [[nodiscard]] Result<void> load(Reader& in);
  [[nodiscard]] std::uint64_t state_hash() const;

  /// What is kept of one user.
  struct UserState {
    features::UserFeatures features;
    detect::UserStatistics statistics;
    limits::UserLimits limits;
    detect::RuleState rules;
    SteadyTime first{}, last{};
    std::uint64_t address = 0;        ///< hash of the last one
    std::uint32_t row_s = 0;          ///< when the last row was handed out, seconds since the epoch
    std::uint32_t asked_s = 0;        ///< when the champion was asked last
    std::uint32_t model_spoke_s = 0;  ///< when it was last above its line
    std::uint8_t messages = 0;        ///< seen, up to 255
    std::uint8_t messages_unasked = 0;  ///< since it was asked
    bool active = false;
    bool overridden = false;
  };

 private:
  struct AddressState {
    limits::AddressLimits limits;
    limits::AddressUsage told;  ///< at the tick `told_at`; its connections hold on
    std::uint64_t told_at = 0;
    bool used = false;  ///< within this second
  };

  /// Connections whose use is kept at once; beyond it the oldest is forgotten, and begins anew.
  static constexpr std::size_t kConnectionsMax = 16'384;

  UserState& meet(const traffic::Event& event, SteadyTime& now);
  [[nodiscard]] AddressState* address_of(const traffic::Event& event);
  [[nodiscard]] limits::ConnectionLimits* connection_of(const traffic::Event& event);
  [[nodiscard]] features::Learnt learn_features(UserState& user,
                                                const traffic::Event& event,
                                                SteadyTime now,
                                                bool violates) const;
  /// Whether a rule is near.
  bool judge(UserState& user, const traffic::Event& event, SteadyTime now, Effects& out);
  void ask_model(
      UserState& user, const traffic::Event& event, bool near, SteadyTime now, Effects& out);
  void report(const ModelFault& fault, Effects& out);
  void raise(const traffic::Finding& finding,
             const traffic::Event& event,
             const UserState& user,
             SteadyTime now,
             Effects& out);
  void act(const detect::Ruling& ruling,
           const traffic::Event& event,
           traffic::Verdict& verdict) const;
  void account(const traffic::Event& event, SteadyTime now, Effects& out);
  void hand_out_row(UserState& user, const traffic::Event& event, SteadyTime now, Effects& out);
  void tell_addresses(std::vector<AddressReport>& out);
  void expire_overrides(Effects& out);
  [[nodiscard]] const traffic::Override* override_of(const UserState& user,
                                                     std::string_view name) const;
  [[nodiscard]] const traffic::Override* find_override(std::string_view name) const;
  void reset();

  ShardId id_;
  std::shared_ptr<const Settings> settings_;
  SteadyTime now_;
  std::uint64_t inputs_ = 0;
  features::UserTable<UserState> users_;
  features::UserTable<AddressState> addresses_;
  /// By the event's number, which grows with time; only where policies limit connections.
  std::map<std::uint64_t, limits::ConnectionLimits> connections_;
  std::uint64_t ticks_ = 0;
  std::vector<std::string> used_addresses_;  ///< within this second, in the order of first use
  AlertBook alerts_;
  std::map<std::string, traffic::Override, std::less<>> overrides_;
  detect::Population population_;
  detect::Contribution contribution_;
  ChampionInfo champion_;
  features::Crowd crowd_;
  EnforcementLog enforced_;
  std::size_t active_users_ = 0;
  Counters counters_;
  detect::Findings findings_;  ///< of the event in hand
};

}  // namespace liminal::engine
