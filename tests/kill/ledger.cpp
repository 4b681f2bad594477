#include "ledger.hpp"

#include <algorithm>
#include <chrono>
#include <sstream>

#include "io/sqlite/store.hpp"
#include "victim.hpp"

namespace liminal::kill_test {
namespace {

using sqlite::Database;
using sqlite::Store;

/// Looks up, in what the database holds, what must be there.
class Search {
 public:
  Search(Database& database, std::vector<std::string>& problems)
      : database_(database), problems_(problems) {}

  void expect(bool holds, const std::string& what) {
    if (!holds) problems_.push_back(what);
  }
  [[nodiscard]] std::set<std::uint64_t> numbers(sqlite::Sql sql) {
    std::set<std::uint64_t> found;
    const auto done = database_.each(sql, {}, [&](const sqlite::Row& row) {
      found.insert(static_cast<std::uint64_t>(row.integer(0)));
    });
    expect(done.has_value(), "a query failed");
    return found;
  }
  void expect_all(const std::set<std::uint64_t>& wanted,
                  const std::set<std::uint64_t>& found,
                  const std::string& what) {
    for (const std::uint64_t number : wanted)
      expect(found.count(number) != 0, what + " " + std::to_string(number) + " is missing");
  }

 private:
  Database& database_;
  std::vector<std::string>& problems_;
};

}  // namespace

void Ledger::read(std::string_view output, std::int64_t killed_ns) {
  killed_ns_ = killed_ns;
  rows_.clear();
  std::istringstream lines{std::string(output)};
  std::string kind;
  std::uint64_t number = 0, count = 0;
  unsigned shard = 0;
  while (lines >> kind) {
    if (kind == "alert") {
      lines >> shard >> number >> count;
      std::uint64_t& known = alerts_[{static_cast<std::uint8_t>(shard), number}];
      known = std::max(known, count);
      ++acknowledged_;
    } else if (kind == "group" || kind == "feedback") {
      lines >> number;
      (kind == "group" ? groups_ : feedback_).insert(number);
      ++acknowledged_;
    } else {
      lines >> number >> count;
      rows_[number] = static_cast<std::int64_t>(count);
    }
  }
}

Ledger::Verdict Ledger::judge(const std::string& directory) const {
  Verdict verdict;
  const auto start = std::chrono::steady_clock::now();
  Store::Options options;
  options.directory = directory;
  const auto opened = Store::open(options);
  if (!opened || !(*opened)->health().writable()) {
    verdict.problems.push_back("the store does not open");
    return verdict;
  }
  verdict.open_ns = (std::chrono::steady_clock::now() - start).count();

  auto database =
      Database::open(directory + "/" + std::string(sqlite::kDatabaseFile), {.read_only = true});
  if (!database) {
    verdict.problems.push_back("the database does not open");
    return verdict;
  }
  Search search(*database, verdict.problems);
  std::string check;
  (void)database->each("PRAGMA integrity_check", {}, [&](const auto& row) { check = row.text(0); });
  search.expect(check == "ok", "integrity check: " + check);

  for (const auto& [id, count] : alerts_) {
    const auto found = (*opened)->alert(ShardId{id.first}, id.second);
    search.expect(found && *found && (*found)->count >= count,
                  "alert " + std::to_string(id.first) + "-" + std::to_string(id.second) +
                      " is missing or older");
  }
  const auto audited = search.numbers("SELECT CAST(subject AS INTEGER) FROM audit");
  const auto answered = search.numbers("SELECT request_hash FROM answers");
  search.expect_all(groups_, audited, "audit entry");
  search.expect_all(groups_, answered, "answer");
  search.expect(audited == answered, "a group is there in parts");
  search.expect_all(feedback_, search.numbers("SELECT alert FROM feedback"), "feedback");
  const auto overrides = (*opened)->overrides(SteadyTime{});
  const double rate = overrides && !overrides->empty() ? overrides->front().messages_per_second : 0;
  // Groups are committed in order: the override is the one of the last group that is there.
  search.expect(audited.empty() || rate == static_cast<double>(*audited.rbegin()),
                "the override is not the last one");

  const auto kept = search.numbers("SELECT CAST(substr(user, 4) AS INTEGER) FROM feature_rows");
  for (const auto& [number, time_ns] : rows_) {
    if (kept.count(number) != 0) continue;
    ++verdict.rows_lost;
    verdict.rows_lost_ns = std::max(verdict.rows_lost_ns, killed_ns_ - time_ns);
  }
  search.expect(verdict.rows_lost_ns <= 1'000'000'000, "rows older than a second are lost");
  const auto counted = (*opened)->counts();
  search.expect(counted && counted->feature_rows == kept.size(), "rows are miscounted");
  return verdict;
}

}  // namespace liminal::kill_test
