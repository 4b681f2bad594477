#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"
#include "core/traffic/alert.hpp"
#include "core/traffic/event.hpp"

namespace liminal::engine {

struct AlertOptions {
  /// A finding within this time of the last one of its user and type belongs to the same alert;
  /// an alert without a finding for so long is resolved.
  Duration calm = std::chrono::minutes{15};
  /// An open alert's growth (count, last seen, worst score) is told at most so often.
  Duration update_interval = std::chrono::seconds{1};
  /// So many distinct detectors on one user raise the severity by one step, twice as many by two.
  std::uint32_t escalate_at = 3;
  /// Open alerts a shard keeps; beyond it the one that was quiet longest is resolved.
  std::uint32_t open_max = 4096;
};
[[nodiscard]] Problems validate(const AlertOptions& options);

/// What became of an alert.
struct AlertChange {
  enum class Kind : std::uint8_t { kRaised, kUpdated, kEscalated, kResolved };
  Kind kind{};
  traffic::Alert alert;
};
[[nodiscard]] std::string_view name(AlertChange::Kind kind);

/// How often operators agreed with findings of a type, from which its confidence moves.
struct FeedbackCounts {
  std::uint32_t true_positives = 0;
  std::uint32_t false_positives = 0;
};

/// The alerts of one shard: findings go in, alerts with identity and a lifecycle come out.
///
/// While an alert is open there is no second one of its user and type: more findings raise its
/// count. It is resolved when calm, never reopened. Its number is never used again, also not after
/// a restart from an older snapshot (`adopt`). Every change of a severity, the first finding and
/// the resolution are told at once; growth at most once an interval, and nothing of it is lost.
///
/// Memory: about 1 KiB an open alert, at most `open_max`. Cost: one hash look-up a finding.
class AlertBook {
 public:
  AlertBook(ShardId shard, const AlertOptions& options) : shard_(shard), options_(options) {}
  AlertBook(AlertBook&&) = default;
  AlertBook& operator=(AlertBook&&) = default;

  /// What only a new alert needs, asked for when there is one.
  struct Context {
    traffic::Name user, address;
    SteadyTime now;
    std::uint64_t input = 0;
  };

  /// Takes one finding. `features()` gives the user's features, called for a new alert only.
  template <class ReadFeatures>
  void raise(const traffic::Finding& finding,
             const Context& context,
             ReadFeatures&& features,
             std::vector<AlertChange>& out) {
    if (Entry* open = find(context.user.hash, finding.type))
      return grow(*open, finding, context.now, out);
    begin(finding, context, features(), out);
  }

  /// Resolves what is calm and tells what grew. Once a second.
  void tick(SteadyTime now, std::vector<AlertChange>& out);

  /// An operator's word about an alert; it moves the confidence of later findings of its type
  /// (`count_feedback`) and stays with the alert. False when it is not open here any more.
  bool feedback(std::uint64_t number, traffic::FeedbackVerdict verdict);
  void count_feedback(traffic::FindingType type, traffic::FeedbackVerdict verdict);

  /// An alert that was acknowledged to the outside and that this book, restored from an older
  /// snapshot, does not know or knows less of.
  void adopt(const traffic::Alert& alert);

  void set_options(const AlertOptions& options) { options_ = options; }

  [[nodiscard]] std::size_t open_count() const { return index_.size(); }
  [[nodiscard]] std::uint64_t open_count(traffic::Severity severity) const {
    return open_by_severity_[static_cast<std::size_t>(severity)];
  }
  /// Calls `visit(const Alert&)` for those that are open, oldest first.
  template <class Visit>
  void for_each_open(Visit&& visit) const {
    for (const auto& [number, entry] : entries_) visit(entry.alert);
  }
  /// Those of one user, oldest first.
  [[nodiscard]] std::vector<traffic::Alert> open_of(std::string_view user) const;
  /// The highest severity open for a user, none when there is nothing.
  [[nodiscard]] std::optional<traffic::Severity> worst_of(std::uint64_t user_hash) const;
  [[nodiscard]] std::size_t memory_bytes() const;

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  struct Entry {
    traffic::Alert alert;
    std::uint64_t user_hash = 0;
    std::uint32_t detectors = 0;  ///< a bit each
    bool grew = false;
    SteadyTime told;
  };

  [[nodiscard]] static std::uint64_t key(std::uint64_t user_hash, traffic::FindingType type) {
    return mix64(user_hash + static_cast<std::uint64_t>(type) * 0x9e3779b97f4a7c15ULL);
  }
  [[nodiscard]] Entry* find(std::uint64_t user_hash, traffic::FindingType type) const;
  template <class Visit>
  void for_each_of(std::uint64_t user_hash, Visit&& visit) const;
  void begin(const traffic::Finding& finding,
             const Context& context,
             const traffic::Features& features,
             std::vector<AlertChange>& out);
  void grow(Entry& entry,
            const traffic::Finding& finding,
            SteadyTime now,
            std::vector<AlertChange>& out);
  Entry& insert(const traffic::Alert& alert, std::uint64_t user_hash);
  void resolve(std::uint64_t number, std::vector<AlertChange>& out);
  void resolve_quietest(std::vector<AlertChange>& out);
  [[nodiscard]] std::uint32_t detectors_on(std::uint64_t user_hash) const;
  [[nodiscard]] traffic::Severity escalated(traffic::Severity base, std::uint32_t detectors) const;
  void set_severity(Entry& entry, traffic::Severity severity);
  [[nodiscard]] float confidence(const traffic::Finding& finding) const;

  ShardId shard_;
  AlertOptions options_;
  std::map<std::uint64_t, Entry> entries_;           ///< by number: walked in order of birth
  std::unordered_map<std::uint64_t, Entry*> index_;  ///< by user and type: never walked
  std::uint64_t next_number_ = 1;
  std::array<std::uint64_t, 4> open_by_severity_{};
  std::array<FeedbackCounts, traffic::kFindingTypes> feedback_{};
};

}  // namespace liminal::engine
