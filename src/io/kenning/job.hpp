#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "io/kenning/scenario.hpp"
#include "io/kenning/series.hpp"
#include "io/kenning/statistics.hpp"

namespace liminal::kenning {

/// Why there are no models.
struct Failure {
  enum class Kind : std::uint8_t {
    kAbsent,     ///< the program is not there
    kRows,       ///< Kenning would fail on the rows
    kScenario,   ///< what is asked for is out of range
    kFolder,     ///< the job's folder cannot be written
    kCancelled,  ///< by whoever asked
    kNothing,    ///< it ran, and no model came
  };
  Kind kind = Kind::kNothing;
  std::string text;  ///< for a person
};

/// A model that came. Kenning said it is good; nothing else is known of it.
struct Candidate {
  std::uint32_t number = 0;  ///< by Kenning's own order, the best first
  std::string bytes;         ///< of the ONNX file
};

struct Found {
  std::vector<Candidate> candidates;     ///< at least one
  std::optional<Statistics> statistics;  ///< nothing where Kenning left none that can be read
  int exit_code = 0;                     ///< or minus the signal; says nothing of the models
  bool out_of_time = false;              ///< it was ended, long after its own limit
};

struct JobOptions {
  std::string program;  ///< Kenning's command: a path, or a name in PATH
  /// The job's own folder, which must be in no use: **what is in it is deleted first**. Stays, so
  /// that people can look at it.
  std::string folder;
  Scenario scenario{};
  /// How long it may take beyond its own limit, which counts the search alone: loading, exporting.
  std::chrono::milliseconds beyond = std::chrono::minutes(5);
  /// Between SIGTERM and SIGKILL.
  std::chrono::milliseconds patience = std::chrono::seconds(3);
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

/// Asked and told about ten times a second, on the calling thread.
struct Watch {
  std::function<bool()> cancelled;
  std::function<void(double progress)> tell;  ///< by its own limit, 0–1
};

inline constexpr std::size_t kModelBytesMax = std::size_t{64} << 20;
/// A program that prints more has lost its way, and is ended.
inline constexpr std::uintmax_t kOutputBytesMax = std::uintmax_t{64} << 20;

/// Runs `kenning automl optimize` on a series and brings the models that came of it. It is judged
/// by the files and by nothing else: Kenning says 0 without a model and 2 beside good ones.
///
/// Blocks; ends within `patience` when it is cancelled. However it ends, no process is left.
/// Cost: seconds to import its libraries, its minutes, and gigabytes of memory.
[[nodiscard]] tl::expected<Found, Failure> run(const Series& series,
                                               const JobOptions& options,
                                               const Watch& watch);

}  // namespace liminal::kenning
