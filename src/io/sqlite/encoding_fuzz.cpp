#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "io/sqlite/encoding.hpp"

/// A finding that decodes encodes to a prefix of the same bytes; nothing else happens.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto finding = liminal::sqlite::decode_finding(bytes);
  if (finding && !bytes.starts_with(liminal::sqlite::encode(*finding))) std::abort();
  (void)liminal::sqlite::FeatureMapping::by_names(bytes).decode(bytes);
  return 0;
}
