#include <cstddef>
#include <cstdint>

#include "core/base/check.hpp"
#include "io/files/crc32c.hpp"
#include "io/files/memory_file_system.hpp"
#include "io/files/replace.hpp"
#include "server/signals/scaling.hpp"

namespace {

using namespace liminal;

signals::ScalingOptions options() {
  return {.folder = "scaling", .save_interval = std::chrono::hours{1}};
}

/// The service that is kept; the empty name when there is none.
std::string only_service(const signals::Scaling& scaling) {
  const auto all = scaling.services(EventTime{}, 10);
  LIMINAL_CHECK(all.size() <= 1);
  return all.empty() ? "" : all.front().name;
}

}  // namespace

// The rest of a service's file may make no sense: it is set aside, or what is taken of it can be
// changed and saved. Where it lies depends on its name, which is the first text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  Reader in(body);
  const std::string name(in.get_text());
  files::MemoryFileSystem disk;
  Writer head;
  head.put(signals::Scaling::kMagic);
  head.put(signals::Scaling::kFormat);
  head.put(files::crc32c(0, body));
  LIMINAL_CHECK(disk.create_folder("scaling"));
  LIMINAL_CHECK(files::replace_file(
      disk, signals::Scaling::path("scaling", name), head.bytes() + std::string(body)));
  {
    signals::Scaling scaling(options(), disk);
    const std::string kept = only_service(scaling);
    if (kept.empty()) {
      LIMINAL_CHECK(scaling.counters().load_errors == 1);
      return 0;
    }
    LIMINAL_CHECK(kept == name);
    LIMINAL_CHECK(scaling.set_options(name, scaling.state(name)->options));
  }
  signals::Scaling again(options(), disk);
  LIMINAL_CHECK(again.counters().load_errors == 0);
  LIMINAL_CHECK(only_service(again) == name);
  return 0;
}
