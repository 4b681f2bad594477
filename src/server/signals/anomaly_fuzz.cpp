#include <cstddef>
#include <cstdint>

#include "core/base/check.hpp"
#include "io/files/memory_file_system.hpp"
#include "server/signals/anomaly.hpp"
#include "server/signals/state_file.hpp"

namespace {

using namespace liminal;

novelty::Batch rows() {
  novelty::Batch batch{"web", {"cpu"}, {}};
  for (int i = 0; i < 3; ++i)
    batch.rows.push_back({EventTime{std::chrono::minutes{30'000'000 + i}}, {{0, .5 + .1 * i}}});
  return batch;
}

}  // namespace

// A saved file of settings may be damaged: it is refused whole, or all in it holds and can be
// saved. (What was learnt of sources: core/novelty/source_fuzz.cpp.)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using signals::Anomaly;
  files::MemoryFileSystem disk;
  LIMINAL_CHECK(disk.create_folder("data"));
  LIMINAL_CHECK(signals::StateFile(disk, "data", Anomaly::kSettingsFile, Anomaly::kSettingsFormat)
                    .write(EventTime{}, {reinterpret_cast<const char*>(data), size}));
  const Anomaly::Options options{.settings_max = 1'000'000, .folder = "data"};
  Anomaly anomaly(options, disk);
  bool readable = true;
  (void)anomaly.load([&readable](std::string_view, const Error&) { readable = false; });
  const auto before = anomaly.describe("web", "cpu");
  LIMINAL_CHECK(readable || !before);
  LIMINAL_CHECK(anomaly.score(rows(), true));
  LIMINAL_CHECK(anomaly.declare("own", "metric", {{.alarms_per_week = 2}}));
  Anomaly again(options, disk);
  (void)again.load([](std::string_view, const Error&) { LIMINAL_CHECK(false); });
  const auto after = again.describe("web", "cpu");
  LIMINAL_CHECK(before.has_value() == after.has_value());
  if (before) LIMINAL_CHECK(before->status.settings == after->status.settings);
  LIMINAL_CHECK(again.describe("own", "metric")->status.settings.alarms_per_week == 2);
  return 0;
}
