#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/check.hpp"
#include "io/files/memory_file_system.hpp"
#include "server/signals/limits.hpp"
#include "server/signals/state_file.hpp"

namespace {

using namespace liminal;

constexpr std::size_t kShown = 100;

void check_are_sane(const std::vector<signals::Limits::Line>& lines) {
  for (const signals::Limits::Line& line : lines) {
    LIMINAL_CHECK(std::isfinite(line.limit.value));
    if (!line.passage) continue;
    LIMINAL_CHECK(line.passage->probability >= 0 && line.passage->probability <= 1);
    if (line.passage->expected_s) LIMINAL_CHECK(*line.passage->expected_s >= 0);
  }
}

void run(std::string_view bytes, std::uint64_t format) {
  files::MemoryFileSystem disk;
  (void)disk.create_folder("data");
  signals::Limits limits({.limits_max = 50, .folder = "data"}, disk);
  LIMINAL_CHECK(signals::StateFile(disk, "data", signals::Limits::kFile, format)
                    .write(EventTime{}, std::string(bytes)));
  const bool loaded = limits.load().has_value();
  const auto lines = limits.lines(kShown, "");
  LIMINAL_CHECK(loaded || lines.empty());
  check_are_sane(lines);
  for (std::int64_t minute = 0; minute < 3; ++minute) {
    const EventTime at{std::chrono::minutes{30'000'000 + minute}};
    for (const signals::Limits::Line& line : lines)
      limits.observe(line.source, line.metric, .5 + .1 * static_cast<double>(minute), at);
  }
  check_are_sane(limits.lines(kShown, ""));
  if (lines.empty()) return;
  LIMINAL_CHECK(limits.save());
  signals::Limits again({.limits_max = 50, .folder = "data"}, disk);
  LIMINAL_CHECK(again.load());
  LIMINAL_CHECK(again.lines(kShown, "").size() == lines.size());
}

}  // namespace

// A saved file, of this format or the one before, of limits may be damaged: it is refused whole, or
// all in it goes on and can be saved.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::uint64_t format : {signals::Limits::kFormat, signals::Limits::kFormatBefore})
    run(bytes, format);
  return 0;
}
