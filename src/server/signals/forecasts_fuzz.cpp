#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "core/base/check.hpp"
#include "io/files/memory_file_system.hpp"
#include "server/signals/forecasts.hpp"

namespace {

using namespace liminal;
using signals::Forecasts;

/// Does all that is due: one task each is there at a time.
class Worker {
 public:
  bool take(std::function<void()> task) {
    waiting_ = std::move(task);
    return true;
  }
  void work() {
    while (waiting_) std::exchange(waiting_, nullptr)();
  }

 private:
  std::function<void()> waiting_;
};

void check_are_sane(const std::vector<Forecasts::Line>& lines) {
  for (const Forecasts::Line& line : lines) {
    LIMINAL_CHECK(line.lacks >= Duration{});
    if (!line.outlook) continue;
    LIMINAL_CHECK(line.outlook->ahead.mean.size() == forecast::TimedForecaster::kHorizon);
    LIMINAL_CHECK(line.outlook->missing <= line.outlook->points);
  }
}

}  // namespace

// A saved file of forecasts may be damaged: it is refused whole, or all in it goes on and can be
// saved.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  files::MemoryFileSystem disk;
  (void)disk.create_folder("data");
  Worker worker;
  const auto run = [&worker](std::function<void()> task) { return worker.take(std::move(task)); };
  Forecasts forecasts({.series_max = 4, .own_max = 0, .folder = "data"}, disk, run);
  LIMINAL_CHECK(signals::StateFile(disk, "data", Forecasts::kFile, Forecasts::kFormat)
                    .write(EventTime{}, {reinterpret_cast<const char*>(data), size}));
  const bool loaded = forecasts.load().has_value();
  worker.work();
  const auto lines = forecasts.lines();
  LIMINAL_CHECK(loaded || lines.empty());
  check_are_sane(lines);
  for (std::int64_t step = 0; step < 3; ++step) {
    const EventTime at{forecast::TimedForecaster::Step{5'900'000 + step}};
    for (const Forecasts::Line& line : lines)
      forecasts.observe({line.source, {line.metric}, {{at, {{0, 1}}}}, {}}, at);
    worker.work();
  }
  check_are_sane(forecasts.lines());
  if (lines.empty()) return 0;
  LIMINAL_CHECK(forecasts.save(EventTime{}));
  Forecasts again({.series_max = 4, .own_max = 0, .folder = "data"}, disk, run);
  LIMINAL_CHECK(again.load());
  LIMINAL_CHECK(again.lines().size() == lines.size());
  return 0;
}
