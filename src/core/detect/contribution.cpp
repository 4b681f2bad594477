#include "core/detect/contribution.hpp"

#include <algorithm>

#include "core/detect/loading.hpp"

namespace liminal::detect {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kNoteBytesMin = 8 + 8 + 4 + 4 + 1;

/// Visits every number once, in the order of the format.
template <class Self, class Visit>
void numbers(Self& self, Visit&& visit) {
  const auto moments = [&visit](auto& of) {
    visit(of.count);
    visit(of.sum);
    visit(of.squares);
  };
  for (auto& of : self.counts) moments(of);
  for (auto& of : self.excess) moments(of);
  moments(self.log_bytes);
  moments(self.log_bytes_within);
  visit(self.gap_spread.count);
  visit.any_sign(self.gap_spread.sum);  // of a logarithm
  visit(self.gap_spread.squares);
  moments(self.errors);
  moments(self.repeats);
  moments(self.brief_repeats);
  visit(self.messages);
  visit(self.light_messages);
  visit(self.light_errors);
  visit(self.rejoins);
  visit(self.active);
  for (auto& over : self.over) visit(over);
}

}  // namespace

bool Contribution::empty() const {
  return messages == 0 && active == 0 && rejoins == 0 && notes.empty();
}

void Contribution::note(const AddressNote& note) {
  if (notes.size() < kNotesMax)
    notes.push_back(note);
  else
    ++notes_dropped;
}

void Contribution::clear() {
  std::vector<AddressNote> kept = std::move(notes);
  kept.clear();
  *this = {};
  notes = std::move(kept);
}

void Contribution::save(Writer& out) const {
  out.put(kVersion);
  numbers(*this, NumberWriter{out});
  for (const std::uint32_t count : sizes) out.put_varint(count);
  out.put_varint(notes_dropped);
  out.put_varint(notes.size());
  for (const AddressNote& note : notes) {
    out.put(note.address);
    out.put(note.user);
    out.put(note.log_bytes);
    out.put(note.content);
    out.put(note.first);
  }
}

void Contribution::load(Reader& in) {
  clear();
  if (in.get<std::uint8_t>() != kVersion) in.fail();
  numbers(*this, NumberReader{in});
  for (std::uint32_t& count : sizes)
    count = static_cast<std::uint32_t>(std::min<std::uint64_t>(in.get_varint(), 1U << 30));
  notes_dropped = in.get_varint();
  const std::uint64_t count = in.get_varint();
  if (count > kNotesMax || count * kNoteBytesMin > in.remaining()) return in.fail();
  notes.resize(static_cast<std::size_t>(count));
  for (AddressNote& note : notes) {
    in.get(note.address);
    in.get(note.user);
    note.log_bytes = get_number(in);
    in.get(note.content);
    note.first = in.get<std::uint8_t>() != 0;
  }
}

}  // namespace liminal::detect
