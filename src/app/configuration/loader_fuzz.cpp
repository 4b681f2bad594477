#include <cstddef>
#include <cstdint>
#include <string>

#include "app/configuration/loader.hpp"
#include "app/configuration/report.hpp"
#include "core/base/check.hpp"

/// Any text is either a configuration or has problems; a configuration that counts is printed as a
/// file that counts too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal::app;
  Sources sources;
  sources.file_name = "fuzz.toml";
  sources.file_text.assign(reinterpret_cast<const char*>(data), size);
  const Loaded loaded = load(sources);
  if (!loaded.problems.empty()) return 0;
  // Secrets are not printed, and with them goes what needs them.
  if (!loaded.configuration.api.token.empty()) return 0;
  sources.file_text = print(loaded);
  LIMINAL_CHECK(load(sources).problems.empty());
  return 0;
}
