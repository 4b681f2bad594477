#pragma once

#include <cstdint>
#include <string>

/// The process that writes under load until it is killed, and what it says about that.
///
/// It prints a line for each write once it was acknowledged, in one write(2), so that whoever reads
/// the pipe afterwards knows every acknowledgement that was given:
///
///   alert SHARD NUMBER COUNT     the alert with this count of findings
///   group SEQUENCE               override, audit entry and answer of this sequence, together
///   feedback NUMBER              feedback about alert 0-NUMBER
///   row SEQUENCE NANOSECONDS     a row was taken, not acknowledged, at this time of
///   CLOCK_MONOTONIC
namespace liminal::kill_test {

/// Writes into a data directory from `first` on, until it is killed.
[[noreturn]] void be_victim(const std::string& directory, std::uint64_t first, std::uint64_t seed);

/// Who is overridden in the groups.
inline constexpr const char* kOverridden = "ann";

}  // namespace liminal::kill_test
