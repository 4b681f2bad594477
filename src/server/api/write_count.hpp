#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace liminal::api {

/// What became of what was remote-written.
enum class WriteResult : std::uint8_t {
  kLearnt,
  kMissing,     ///< not a number, or the mark that a series ended
  kDuplicate,   ///< at the time of its series' last sample
  kLate,        ///< before it
  kOutOfRange,  ///< before 1970, more than five minutes ahead, or beyond ±1e100
  kBeyond,      ///< of a series for which there is no room
  kReserved,    ///< of the program's own totals and judgements
  kHistogram,   ///< a native histogram
  kExemplar,
  kInvalid,  ///< of a series without a name, or with an empty label or one twice
};
inline constexpr std::array<std::string_view, 10> kWriteResults{"learnt",
                                                                "missing",
                                                                "duplicate",
                                                                "late",
                                                                "out_of_range",
                                                                "beyond_limits",
                                                                "reserved",
                                                                "histogram",
                                                                "exemplar",
                                                                "invalid"};

/// Counts them. Thread-safe.
class WriteCount {
 public:
  void add(WriteResult result, std::uint64_t count) {
    counts_[static_cast<std::size_t>(result)].fetch_add(count, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t of(std::size_t result) const {
    return counts_[result].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, kWriteResults.size()> counts_{};
};

}  // namespace liminal::api
