#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace liminal::remote_write {

/// What one request may hold. Prometheus sends some thousand samples in some hundred kilobytes.
struct Limits {
  std::size_t bytes_max = std::size_t{16} << 20;  ///< decompressed
  std::size_t series_max = 20'000;
  std::size_t labels_max = 400'000;   ///< of all series together
  std::size_t samples_max = 100'000;  ///< of all series together
};

struct Label {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const Label&, const Label&) = default;
};

struct Sample {
  std::int64_t timestamp_ms = 0;
  double value = 0;  ///< NaN: missing, or the mark that the series has ended
};

struct Series {
  std::vector<Label> labels;  ///< by name, each once, neither empty
  std::vector<Sample> samples;

  /// The value of a label; empty when there is none.
  [[nodiscard]] std::string_view label(std::string_view name) const;
};

/// A `prometheus.WriteRequest`. Its texts lie in the message that it was read from.
struct Request {
  std::vector<Series> series;
  // What is counted only.
  std::uint64_t invalid_samples = 0;  ///< of series whose labels do not name them
  /// The first such series: kMissing, it has no `__name__`; kConflict, a label is empty or there
  /// twice. Its position is its number in the message.
  std::optional<Error> invalid{};
  std::uint64_t histograms = 0;  ///< native ones
  std::uint64_t exemplars = 0;
  std::uint64_t metadata = 0;
};

/// Decompresses a Snappy block. kTooLarge: it would become larger than that, and nothing was
/// allocated; kMalformed: it is none.
[[nodiscard]] Result<std::string> decompress(std::string_view body, std::size_t bytes_max);

/// Reads a decompressed message of Prometheus' remote-write 1.0. Fields that are not known are
/// passed over, as Protocol Buffers has it.
///
/// Series whose labels do not name them are left out and counted: one sender's fault must not cost
/// what the others behind the same Prometheus say.
///
/// Errors: kTooLarge, a limit is exceeded; kMalformed at a byte, it is no such message.
///
/// Cost: some 100 ns a label or sample. Memory: bounded by the limits, about 45 MiB.
///
/// Source: the specification's prompb.WriteRequest (field numbers).
[[nodiscard]] Result<Request> read(std::string_view message, const Limits& limits = {});

}  // namespace liminal::remote_write
