#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"
#include "core/traffic/event.hpp"
#include "core/traffic/record.hpp"
#include "core/traffic/verdict.hpp"

namespace liminal::engine {

/// What the audit log gets of what is enforced on users: every enforcement, told or counted.
///
/// The first one of a stretch is an entry of its own, and so is the first that is harsher than
/// those before it. Others are counted, and told by number: with the next entry, which `tick` makes
/// a minute after the last one. A stretch ends when a minute after an entry there is nothing to
/// tell.
///
/// Of more than `kUsersMax` users at once the others are not noted (counters have them).
///
/// Memory: some 150 bytes a user on whom something was enforced in the last minute. Cost: that of
/// finding a user among those; nothing for what is allowed.
class EnforcementLog {
 public:
  static constexpr std::size_t kUsersMax = 16'384;

  EnforcementLog() = default;
  /// For who enforces beside the engine: the entries' `actor`, a literal.
  explicit EnforcementLog(std::string_view actor) : actor_(actor) {}

  /// Takes a decision other than allow.
  void note(const traffic::Event& event,
            const traffic::Verdict& verdict,
            SteadyTime now,
            std::vector<traffic::AuditEntry>& out);

  /// Once a second.
  void tick(SteadyTime now, std::vector<traffic::AuditEntry>& out);

  /// Tells what is left, at the end.
  void finish(SteadyTime now, std::vector<traffic::AuditEntry>& out);

  [[nodiscard]] std::size_t memory_bytes() const;
  void save(Writer& out) const;
  /// False, and then in no use, when the bytes make no sense.
  [[nodiscard]] bool load(Reader& in);

 private:
  using Counts = std::array<std::uint32_t, 4>;  ///< by decision
  struct Stretch {
    std::string user;
    SteadyTime noted;                ///< the last entry
    Counts counts{};                 ///< since then
    traffic::Decision harshest{};    ///< so far
    traffic::Reason reason{};        ///< of the last one
    traffic::FindingType finding{};  ///< likewise, if it was one
  };
  [[nodiscard]] static std::string counted(const Counts& counts);
  /// An entry about what was counted; false when there is nothing to tell.
  bool tell(Stretch& stretch, SteadyTime now, std::vector<traffic::AuditEntry>& out) const;

  std::string_view actor_ = "engine";
  std::map<std::uint64_t, Stretch> stretches_;  ///< by the hash of the user
};

}  // namespace liminal::engine
