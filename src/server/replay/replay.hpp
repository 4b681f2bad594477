#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <istream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/engine/local_engine.hpp"
#include "io/json/event_reader.hpp"

namespace liminal::replay {

/// A trace to replay: its name for messages, and its text.
struct Trace {
  std::string name;
  std::unique_ptr<std::istream> text;
};

/// What a replay counted.
struct Summary {
  std::uint64_t events = 0;
  std::uint64_t rejected = 0;  ///< lines that are no event
  std::uint64_t alerts = 0;
  std::map<std::string, std::uint64_t> alerts_by_type;
  std::uint64_t users = 0;
  std::uint64_t shadow = 0;    ///< events that enforcing would have delayed, dropped or closed
  std::uint64_t enforced = 0;  ///< that were
  double first_s = 0, last_s = 0;
  std::uint64_t state_hash = 0;
};

/// Runs traces through the engine alone, in the order of their times (of equal times the earlier
/// file's first), and writes alerts as NDJSON: each once, as it stood in the end, in the order in
/// which they were raised; last a summary. Bad lines are named on `complaints` (the first ten) and
/// counted, and do not stop the others.
///
/// Memory: the engine's, a line a file, and alerts since the oldest that is still open.
class Replay {
 public:
  /// `options` must be valid.
  Replay(const engine::Options& options, std::FILE* alerts, std::FILE* complaints)
      : engine_(options), out_(alerts), complaints_(complaints) {}

  Summary run(std::vector<Trace> inputs);

 private:
  struct Source {
    Trace input;
    json::EventReader reader;
    std::string line;
    std::uint64_t line_number = 0;
    bool done = false;
    traffic::Event event;
  };
  struct Raised {
    traffic::Alert alert;
    bool final = false;
  };

  void read_next(Source& source);
  void complain(const Source& source, const std::string& what);
  void take(const engine::Effects& effects);
  void write_final();
  void write(const traffic::Alert& alert);
  void write_summary();

  engine::LocalEngine engine_;
  std::FILE* out_;
  std::FILE* complaints_;
  Summary summary_;
  std::deque<Raised> raised_;  ///< not written yet, in the order of raising
  std::uint64_t written_ = 0;
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> open_;  ///< place by alert
};

}  // namespace liminal::replay
