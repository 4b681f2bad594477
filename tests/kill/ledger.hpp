#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace liminal::kill_test {

/// What a victim has said, over all its lives, and what must therefore be in the database.
class Ledger {
 public:
  /// Takes the output of one life, which was ended at `killed_ns` (CLOCK_MONOTONIC).
  void read(std::string_view output, std::int64_t killed_ns);

  struct Verdict {
    std::vector<std::string> problems;  ///< empty: all is there
    std::uint64_t rows_lost = 0;        ///< of the last life
    std::int64_t rows_lost_ns = 0;      ///< the oldest of them was that much older than the kill
    std::int64_t open_ns = 0;           ///< opening the store
  };
  /// Opens the store and looks for everything; also whether the database is intact.
  [[nodiscard]] Verdict judge(const std::string& directory) const;

  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }

 private:
  std::uint64_t acknowledged_ = 0;
  std::map<std::pair<std::uint8_t, std::uint64_t>, std::uint64_t> alerts_;  ///< → count
  std::set<std::uint64_t> groups_, feedback_;
  std::map<std::uint64_t, std::int64_t> rows_;  ///< of the last life → when
  std::int64_t killed_ns_ = 0;
};

}  // namespace liminal::kill_test
