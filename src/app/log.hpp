#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "app/configuration/configuration.hpp"

namespace liminal::app {

/// One place in the code that logs: its lines are limited together. A static of the caller.
class LogSite {
 public:
  /// At most this many lines a second; the next line after a pause says how many were left out.
  static constexpr std::uint32_t kLinesPerSecond = 10;

 private:
  friend class Log;
  std::atomic<std::int64_t> second_{0};
  std::atomic<std::uint32_t> lines_{0};
  std::atomic<std::uint64_t> left_out_{0};
};

/// Writes lines of key=value (or JSON objects) to the error output.
///
///     static LogSite site;
///     log.write(LogLevel::kWarning, site, "alert", {{"user", user}, {"type", type}});
///     2026-03-01T12:00:00.123Z WARNING alert user=eve type=message_flood
///
/// Thread-safe. A line is one write, so lines do not mix.
class Log {
 public:
  using Field = std::pair<std::string_view, std::string>;

  explicit Log(LogLevel level = LogLevel::kInfo,
               LogFormat format = LogFormat::kText,
               int descriptor = 2)
      : level_(level), format_(format), descriptor_(descriptor) {}

  void write(LogLevel level,
             LogSite& site,
             std::string_view event,
             std::initializer_list<Field> fields = {});

  void configure(LogLevel level, LogFormat format) {
    level_ = level;
    format_ = format;
  }

 private:
  std::atomic<LogLevel> level_;
  std::atomic<LogFormat> format_;
  const int descriptor_;
};

}  // namespace liminal::app
