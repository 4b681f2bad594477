#include "app/log.hpp"

#include <unistd.h>

#include "io/json/writer.hpp"

namespace liminal::app {
namespace {

constexpr std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarning:
      return "WARNING";
    case LogLevel::kError:
      return "ERROR";
  }
  return "ERROR";
}

/// Bare when that is unambiguous, else as a JSON text.
void append_value(std::string& line, const std::string& value) {
  const bool bare = !value.empty() && value.find_first_of(" \"=\\\n\r\t") == std::string::npos &&
                    value.find_first_not_of(' ') != std::string::npos;
  if (bare) {
    line += value;
    return;
  }
  json::Writer quoted;
  quoted.value(value);
  line += quoted.text();
}

SteadyTime wall_time() {
  return SteadyTime{
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
}

std::string time_text(SteadyTime time) {
  json::Writer quoted;
  quoted.value(time);
  return quoted.text().substr(1, quoted.text().size() - 2);
}

}  // namespace

void Log::write(LogLevel level,
                LogSite& site,
                std::string_view event,
                std::initializer_list<Field> fields) {
  if (level < level_.load(std::memory_order_relaxed)) return;
  const SteadyTime now = wall_time();
  const std::int64_t second =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (site.second_.exchange(second) != second) site.lines_ = 0;
  if (site.lines_.fetch_add(1) >= LogSite::kLinesPerSecond) {
    ++site.left_out_;
    return;
  }
  const std::uint64_t left_out = site.left_out_.exchange(0);

  std::string line;
  if (format_.load(std::memory_order_relaxed) == LogFormat::kJson) {
    json::Writer out;
    out.begin_object();
    out.field("time", now);
    out.field("level", level_name(level));
    out.field("event", event);
    for (const auto& [key, value] : fields) out.field(key, value);
    if (left_out > 0) out.field("left_out", left_out);
    out.end_object();
    line = out.take();
  } else {
    line = time_text(now);
    line.append(" ").append(level_name(level)).append(" ").append(event);
    for (const auto& [key, value] : fields) {
      line.append(" ").append(key).append("=");
      append_value(line, value);
    }
    if (left_out > 0) line += " left_out=" + std::to_string(left_out);
  }
  line += '\n';
  // Nobody is there to be told when the log itself cannot be written.
  [[maybe_unused]] const auto written = ::write(descriptor_, line.data(), line.size());
}

}  // namespace liminal::app
