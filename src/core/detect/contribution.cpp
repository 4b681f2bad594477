#include "core/detect/contribution.hpp"

#include <algorithm>

#include "core/detect/loading.hpp"

namespace liminal::detect {
namespace {

constexpr std::uint8_t kVersion = 2;  // 1: without contents
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
  return messages == 0 && active == 0 && rejoins == 0 && repeated.empty() && notes.empty();
}

void Contribution::note(const AddressNote& note) {
  if (notes.size() < kNotesMax)
    notes.push_back(note);
  else
    ++notes_dropped;
}

void Contribution::note_repeated(std::uint16_t content) {
  const auto known = std::find_if(repeated.begin(), repeated.end(), [content](const auto& each) {
    return each.content == content;
  });
  if (known != repeated.end())
    ++known->users;
  else if (repeated.size() < kContentsMax)
    repeated.push_back({content, 1});
}

void Contribution::clear() {
  std::vector<AddressNote> kept_notes = std::move(notes);
  std::vector<RepeatedContent> kept_contents = std::move(repeated);
  kept_notes.clear();
  kept_contents.clear();
  *this = {};
  notes = std::move(kept_notes);
  repeated = std::move(kept_contents);
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
  out.put(repeating);
  out.put_varint(repeated.size());
  for (const RepeatedContent& each : repeated) {
    out.put(each.content);
    out.put_varint(each.users);
  }
}

void Contribution::load(Reader& in) {
  clear();
  const auto version = in.get<std::uint8_t>();
  if (version < 1 || version > kVersion) in.fail();
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
  if (version == 1) return;
  repeating = get_amount<double>(in);
  const std::uint64_t contents = in.get_varint();
  if (contents > kContentsMax) return in.fail();
  for (std::uint64_t left = contents; left > 0 && in.ok(); --left) {
    RepeatedContent& each = repeated.emplace_back();
    in.get(each.content);
    each.users = static_cast<std::uint32_t>(std::min<std::uint64_t>(in.get_varint(), 1U << 30));
    if (each.content == 0) in.fail();
  }
}

}  // namespace liminal::detect
