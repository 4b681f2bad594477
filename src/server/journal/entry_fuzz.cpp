// Any bytes as a record of the journal: entries that are read, written again, are read the same.
#include <cstdint>
#include <string>

#include "core/base/check.hpp"
#include "server/journal/entry.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  journal::EntryReader reader;
  Writer again;
  std::size_t count = 0;
  (void)reader.read(bytes, [&](const journal::Entry& entry) {
    if (entry.kind == journal::Kind::kAbsorb) return false;
    if (count++ == 0) journal::begin_entries(entry.shard, again);
    if (entry.kind == journal::Kind::kEvent)
      journal::append_event(entry.input, entry.event.view(), again);
    else if (entry.kind == journal::Kind::kCall)
      journal::append_call(entry.input, entry.call, 0, again);
    else
      journal::append_tick(entry.input, entry.time, again);
    return true;
  });
  if (count == 0) return 0;
  std::size_t read_again = 0;
  const auto more = journal::EntryReader().read(again.bytes(), [&](const journal::Entry&) {
    ++read_again;
    return true;
  });
  LIMINAL_CHECK(more.has_value() && read_again == count);
  return 0;
}
