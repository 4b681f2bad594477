#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"
#include "core/traffic/alert.hpp"

namespace liminal::signals {

/// The alerts that gateways tell a cluster of, each under a number of its own (`kOfGateways`).
///
/// A gateway tells how an alert is by now, with what was said of it, as often as it likes: what is
/// told again changes nothing, and what is told late takes nothing back. An alert is one of its
/// gateway's id and of when it began, since a gateway that begins anew counts from 1 again.
///
/// Whoever must first write to a disk what was told calls `place`, and `keep` once it is there: an
/// alert in between has its number, and nobody sees it. What is said or told meanwhile counts.
///
/// Thread-safe, by one short lock. Memory: some 1.5 KB an alert, `alerts_max` at most; the one that
/// was first told of goes first.
class GatewayAlerts {
 public:
  static constexpr std::size_t kAlertsMax = 10'000;

  explicit GatewayAlerts(std::size_t alerts_max = kAlertsMax) : alerts_max_(alerts_max) {}

  /// What somebody told, put together with what was known.
  struct Placed {
    traffic::JudgedAlert told;  ///< under its number here
    traffic::FeedbackVerdict before = traffic::FeedbackVerdict::kNone;
    bool grew = false;  ///< it was not known, or has findings that were not
    bool said = false;  ///< an operator's word came that is younger than what was known
    bool heard = true;  ///< the gateway knows what was said last
  };
  [[nodiscard]] Placed place(const traffic::JudgedAlert& told);
  /// The same once more, under its number: what has come of it by now. None when it was pushed out
  /// meanwhile.
  std::optional<Placed> keep(std::uint64_t number, const traffic::JudgedAlert& told);

  /// Whether it belongs into the ranking of these minutes: what is told long after its last finding
  /// is no burst of today.
  [[nodiscard]] static bool is_of_the_present(const traffic::Alert& alert, SteadyTime now);

  /// An alert as it was kept by an earlier process; `said_here`: the last word about it was said
  /// here.
  void adopt(traffic::JudgedAlert known, bool said_here = false);
  /// Gives no number up to this one, of which something is kept elsewhere.
  void count_from(std::uint64_t number);

  /// A word that was said here about one of them, at that time; gives what was said before. None
  /// when it is not known.
  std::optional<traffic::FeedbackVerdict> judge(std::uint64_t number,
                                                traffic::FeedbackVerdict verdict,
                                                std::string note,
                                                SteadyTime time);
  /// Words that were said here about a gateway's alerts, the last first, until it tells the same
  /// verdict itself or a younger one. A verdict that it gave before is none.
  [[nodiscard]] std::vector<traffic::JudgedAlert> said_here(std::string_view gateway,
                                                            std::size_t count_max) const;

  [[nodiscard]] std::optional<traffic::Alert> find(std::uint64_t number) const;
  /// In the order of their numbers; of one user unless `user` is empty.
  [[nodiscard]] std::vector<traffic::Alert> all(
      traffic::Severity severity_min = traffic::Severity::kLow, std::string_view user = {}) const;
  /// Whose they are, of members of an incident; in the order of names.
  [[nodiscard]] std::vector<std::string> gateways_of(std::span<const std::uint64_t> members) const;

  void clear();
  void save(Writer& out) const;
  /// Fails the reader when the bytes make no sense, and is then empty.
  void load(Reader& in);

 private:
  struct Key {
    std::string gateway;
    ShardId shard{};
    std::uint64_t number = 0;
    SteadyTime first_seen;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    traffic::JudgedAlert known;
    bool kept = false;
    bool said_here = false;  ///< what was said last was said here, and its gateway does not know
  };
  static Key key_of(const traffic::Alert& alert) {
    return {alert.origin.gateway, alert.origin.shard, alert.origin.number, alert.first_seen};
  }
  static Placed merge(const Entry& entry, std::uint64_t number, const traffic::JudgedAlert& told);
  void insert(std::uint64_t number, Entry entry);
  [[nodiscard]] const Entry* kept(std::uint64_t number) const;

  const std::size_t alerts_max_;
  mutable std::mutex mutex_;                // of what follows
  std::map<std::uint64_t, Entry> entries_;  ///< by number
  std::map<Key, std::uint64_t> numbers_;
  std::uint64_t last_ = 0;
};

}  // namespace liminal::signals
