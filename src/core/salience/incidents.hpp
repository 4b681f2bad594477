#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/salience/ranker.hpp"

namespace liminal::salience {

/// Whose story an incident is: everybody's, or one source's (a host, a user).
enum class Scope : std::uint8_t { kGlobal, kSource };
inline constexpr std::size_t kScopes = 2;
[[nodiscard]] std::string_view name(Scope scope);

/// Whether something of it still goes on.
enum class IncidentStatus : std::uint8_t { kOpen, kEnded };
[[nodiscard]] std::string_view name(IncidentStatus status);

struct IncidentOptions {
  /// A silence longer than this ends the story.
  Duration global_gap = std::chrono::minutes{15};
  Duration source_gap = std::chrono::minutes{10};
  /// Where something happens all the time a story would never end: after so long a new one begins.
  Duration length_max = std::chrono::hours{4};
  /// Its last alert is resolved when it was silent for so long (engine::AlertOptions::calm).
  Duration calm = std::chrono::minutes{15};
  /// Of what lies so far back half counts.
  Duration half_life = std::chrono::hours{24};
  /// Incidents kept of each scope; beyond it the one that counts least by now is forgotten.
  std::uint32_t incidents_max = 512;
  /// What an incident keeps of its members, of types and of entities; beyond it they only count.
  std::uint32_t members_max = 200, types_max = 64, entities_max = 64;
};
[[nodiscard]] Problems validate(const IncidentOptions& options);

/// What an incident has of one type.
struct IncidentPart {
  std::string type;
  std::uint64_t count = 0;
  double type_excess = 0;  ///< the largest `Item::type_excess`
};

/// Events that tell one story.
struct Incident {
  std::uint64_t number = 0;  ///< counts up, never used again: its id
  Scope scope = Scope::kGlobal;
  SteadyTime first_seen, last_seen;
  std::uint64_t members = 0;         ///< all of them
  std::uint64_t events = 0;          ///< joinings: a member may join again
  std::uint64_t entities = 0;        ///< sources, as far as they are told apart
  std::vector<std::uint64_t> ids;    ///< of the first members
  std::vector<std::string> sources;  ///< of the first entities, in order of appearance
  std::vector<IncidentPart> parts;   ///< types, in order of appearance
  double log_odds = -1e300;          ///< of its most salient item
  double excess = 0;                 ///< Σ over its types of `type_excess`
  double salience = 0;               ///< 0–1
  /// Members that somebody judged to be nothing, of those in `ids`.
  std::vector<std::uint64_t> dismissed;
  // As of a moment (`Incidents::seen`):
  IncidentStatus status = IncidentStatus::kOpen;
  double salience_now = 0;  ///< `salience`, halved for each half-life since `last_seen`

  /// Every member was judged to be nothing.
  [[nodiscard]] bool is_dismissed() const { return dismissed.size() == members; }
  /// "message_flood and 3 more kinds, ann and 4 others".
  [[nodiscard]] std::string title() const;
  /// Why it is as salient as it is, in words and numbers.
  [[nodiscard]] std::string explanation() const;
};

/// One event on its way into its incidents.
struct IncidentEvent {
  std::uint64_t id = 0;  ///< of the member; a member may come again
  std::string_view type, source;
  SteadyTime time;
  double log_odds = 0;  ///< of its salience
  double type_excess = 0;
  bool dismissed = false;  ///< somebody judged the member to be nothing
};

/// Which incidents are asked for.
struct IncidentQuery {
  std::optional<Scope> scope{};
  std::optional<IncidentStatus> status{};
  std::optional<SteadyTime> since{};  ///< last seen then or later
  std::size_t count = 20;
};

/// Groups events into incidents as they come: each into one of everybody's and one of its source,
/// unless those were silent for too long or have lasted too long.
///
/// An incident of a source is as salient as its most salient item, p. Everybody's has
/// 1 − (1 − p)·e^(−E/10), E the sum over its distinct types of how much rarer they were than what
/// is noticed: distinct rare phases count, repetitions do not. On intrusion alerts that puts 38 of
/// 40 phases of the attacks into the first twenty (bench/ranking).
///
/// An incident is open until its last alert is resolved, or every one of its alerts was judged to
/// be nothing. What it counts for by now is its salience, halved for each day since it was last
/// seen.
///
/// Time that goes back counts as the incident's last. Memory: some 300 bytes an incident and 100 a
/// member, type and entity, all capped. Cost: some 300 ns an event, plus the members' scan.
///
/// Source: our own study (docs/salience.md); there E has the rarity of the cell and no p.
class Incidents {
 public:
  explicit Incidents(const IncidentOptions& options = {}) : options_(options) {}

  /// The incidents an event joined: everybody's, its source's.
  using Joined = std::array<std::uint64_t, kScopes>;
  Joined add(const IncidentEvent& event);

  /// A final score of an item of this source at this time: what it was provisionally may grow.
  void raise(std::string_view source, SteadyTime time, double log_odds);

  /// Somebody judged a member to be nothing, or took that back.
  void dismiss(std::uint64_t id, bool is_nothing);
  /// All that were judged to be nothing, of incidents that were just loaded.
  void dismiss(const std::unordered_set<std::uint64_t>& ids);
  /// How long after its last alert an incident is open, from now on.
  void set_calm(Duration calm) { options_.calm = calm; }
  /// Forgets what was last seen before that.
  void forget(SteadyTime before);

  /// What deserves a human at that time: everybody's before those of sources, open ones before
  /// ended ones and these before dismissed ones, by what they count for by now.
  [[nodiscard]] std::vector<Incident> present(const IncidentQuery& query, SteadyTime now) const;
  /// A copy with what is of a moment.
  [[nodiscard]] Incident seen(const Incident& incident, SteadyTime now) const;

  /// The most salient first, of one scope, however old; equal ones the newest first.
  [[nodiscard]] std::vector<const Incident*> best(Scope scope, std::size_t count) const;
  /// The source's incident that an event of this time belongs to: the last one that had begun and
  /// had not been silent for too long. Null when there is none (any more).
  [[nodiscard]] const Incident* of(std::string_view source, SteadyTime time) const;
  [[nodiscard]] const Incident* find(Scope scope, std::uint64_t number) const;
  [[nodiscard]] std::size_t size(Scope scope) const { return at(scope).incidents.size(); }
  [[nodiscard]] std::size_t memory_bytes() const;

  /// Without what was dismissed: whoever keeps the judgements tells it again.
  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  struct Book {
    std::map<std::uint64_t, Incident> incidents;          ///< by number
    std::unordered_map<std::string, std::uint64_t> open;  ///< by source; never walked
    std::uint64_t last = 0;
  };
  [[nodiscard]] const Book& at(Scope scope) const {
    return books_[static_cast<std::size_t>(scope)];
  }
  [[nodiscard]] bool goes_on(const Incident& incident, SteadyTime time) const;
  Incident& incident_of(Scope scope, std::string_view source, SteadyTime time);
  void join(Incident& incident, const IncidentEvent& event) const;
  [[nodiscard]] IncidentStatus status(const Incident& incident, SteadyTime now) const;
  [[nodiscard]] double salience_now(const Incident& incident, SteadyTime now) const;
  static std::map<std::uint64_t, Incident>::iterator erase(
      Book& book, std::map<std::uint64_t, Incident>::iterator at);
  void make_room(Book& book, SteadyTime now) const;

  IncidentOptions options_;
  std::array<Book, kScopes> books_;
};

}  // namespace liminal::salience
