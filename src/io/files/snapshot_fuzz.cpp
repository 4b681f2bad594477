// Any bytes as a snapshot, as they are and with their checksum put right, so that what lies behind
// it is reached too: what opens, sealed again, is the same bytes.
#include <cstdint>
#include <cstring>
#include <string>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"
#include "io/files/snapshot.hpp"

namespace {

void try_open(const std::string& bytes) {
  using namespace liminal;
  const Result<files::Snapshot> snapshot = files::open_snapshot(bytes);
  if (!snapshot) return;
  LIMINAL_CHECK(files::seal_snapshot(snapshot->header, snapshot->payload) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  try_open(bytes);
  if (size < sizeof(std::uint64_t)) return 0;
  const std::size_t sealed = size - sizeof(std::uint64_t);
  const std::uint64_t checksum = liminal::hash64(std::string_view(bytes).substr(0, sealed));
  std::memcpy(bytes.data() + sealed, &checksum, sizeof checksum);
  try_open(bytes);
  return 0;
}
