#include "server/journal/entry.hpp"

#include <utility>

#include "core/base/hash.hpp"
#include "server/journal/call_codec.hpp"

namespace liminal::journal {

void begin_entries(ShardId shard, Writer& out) {
  out.put(kFormat);
  out.put(static_cast<std::uint8_t>(index(shard)));
}

void append_event(std::uint64_t input, const traffic::Event& event, Writer& out) {
  out.put(Kind::kEvent);
  out.put_varint(input);
  traffic::encode(event, out);
}

void append_tick(std::uint64_t input, SteadyTime now, Writer& out) {
  out.put(Kind::kTick);
  out.put_varint(input);
  out.put(nanoseconds(now));
}

void append_absorb(std::uint64_t input, std::uint64_t exchange, Writer& out) {
  out.put(Kind::kAbsorb);
  out.put_varint(input);
  out.put_varint(exchange);
}

void append_exchange(const engine::Exchange& exchange, Writer& out) {
  out.put(kFormat);
  out.put(kExchangeRecord);
  exchange.save(out);
}

void append_call(std::uint64_t input,
                 const engine::Call& call,
                 std::uint64_t settings_hash,
                 Writer& out) {
  out.put(Kind::kCall);
  out.put_varint(input);
  encode_call(call, settings_hash, out);
}

void append_settings(std::string_view text, Writer& out) {
  out.put(kFormat);
  out.put(kSettingsRecord);
  out.put_text(text);
}

std::shared_ptr<const engine::Settings> settings_of(const engine::Call& call) {
  if (const auto* use = std::get_if<engine::UseSettings>(&call)) return use->settings;
  if (const auto* resume = std::get_if<engine::Resume>(&call)) return resume->settings;
  return nullptr;
}

Result<bool> EntryReader::read(std::string_view record,
                               const std::function<bool(const Entry&)>& visit) {
  Reader in(record);
  const auto format = in.get<std::uint8_t>();
  const auto what = in.get<std::uint8_t>();
  if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
  if (format == 0 || format > kFormat) return failure(ErrorCode::kUnsupported, 0);
  if (what > kSettingsRecord) return failure(ErrorCode::kMalformed, 1);
  if (what == kExchangeRecord) return read_exchange(in);
  if (what == kSettingsRecord) {
    read_settings(in);
    return true;
  }
  if (only_ && index(*only_) != what) return true;
  while (!in.at_end()) {
    const Result<Entry> entry = read_entry(ShardId{what}, in);
    if (!entry) return tl::unexpected(entry.error());
    if (!visit(*entry)) return false;
  }
  return true;
}

Result<bool> EntryReader::read_exchange(Reader& in) {
  auto exchange = std::make_shared<engine::Exchange>();
  if (const Result<void> loaded = exchange->load(in); !loaded)
    return tl::unexpected(loaded.error());
  exchanges_[exchange->number % kExchangesWaitingMax] = std::move(exchange);
  return true;
}

void EntryReader::read_settings(Reader& in) {
  const std::string_view text = in.get_text();
  if (!in.ok() || !parse_) return;
  const std::uint64_t hash = hash64(text);
  if (settings(hash) != nullptr) return;
  settings_[next_settings_++ % kSettingsWaitingMax] = {hash, parse_(text)};
}

std::shared_ptr<const engine::Settings> EntryReader::settings(std::uint64_t hash) const {
  for (const Known& known : settings_)
    if (known.settings != nullptr && known.hash == hash) return known.settings;
  return nullptr;
}

Result<Entry> EntryReader::read_entry(ShardId shard, Reader& in) {
  Entry entry;
  entry.shard = shard;
  in.get(entry.kind);
  entry.input = in.get_varint();
  if (entry.kind == Kind::kEvent) {
    Result<traffic::StoredEvent> event = traffic::StoredEvent::decode(in);
    if (!event) return tl::unexpected(event.error());
    entry.event = std::move(*event);
  } else if (entry.kind == Kind::kTick) {
    entry.time = SteadyTime{Duration{in.get<Duration::rep>()}};
  } else if (entry.kind == Kind::kAbsorb) {
    entry.exchange = find(in.get_varint());
  } else if (entry.kind == Kind::kCall) {
    const auto settings_by_hash = [this](std::uint64_t hash) { return settings(hash); };
    if (!decode_call(in, entry.call, settings_by_hash))
      return failure(in.ok() ? ErrorCode::kMalformed : ErrorCode::kTruncated, in.position());
  } else {
    return failure(in.ok() ? ErrorCode::kMalformed : ErrorCode::kTruncated, in.position());
  }
  if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
  return entry;
}

std::shared_ptr<const engine::Exchange> EntryReader::find(std::uint64_t number) const {
  const auto& exchange = exchanges_[number % kExchangesWaitingMax];
  return exchange != nullptr && exchange->number == number ? exchange : nullptr;
}

namespace {

/// As a start of the program does: a shard with its own settings takes what the last life left.
Result<void> resume(const engine::Resume& call, engine::Shard& shard) {
  if (call.base != shard.inputs()) return failure(ErrorCode::kConflict, shard.inputs() + 1);
  if (call.settings == nullptr) return failure(ErrorCode::kMissing, call.first);
  if (call.first <= call.base) return failure(ErrorCode::kOutOfRange, call.first);
  engine::Shard again(shard.id(), call.settings, call.now);
  if (call.base != 0) {
    Writer state;
    shard.save(state);
    Reader in(state.bytes());
    if (const Result<void> loaded = again.load(in); !loaded) return loaded;
  }
  again.resume(call.first);
  shard = std::move(again);
  return {};
}

Result<void> carry_out(const Entry& entry, engine::Shard& shard, engine::Effects& out) {
  const auto* use = std::get_if<engine::UseSettings>(&entry.call);
  if (use != nullptr && use->settings == nullptr) return failure(ErrorCode::kMissing, entry.input);
  (void)engine::carry_out(entry.call, shard, out);
  return {};
}

}  // namespace

Result<void> apply(const Entry& entry,
                   engine::Shard& shard,
                   engine::Second& told,
                   engine::Effects& out) {
  const std::uint64_t expected = shard.inputs() + 1;
  if (entry.input < expected) return {};
  if (entry.kind == Kind::kCall) {
    if (const auto* life = std::get_if<engine::Resume>(&entry.call)) return resume(*life, shard);
  }
  if (entry.input > expected) return failure(ErrorCode::kConflict, expected);
  switch (entry.kind) {
    case Kind::kEvent:
      shard.step(entry.event.view(), out);
      return {};
    case Kind::kTick:
      shard.tick(entry.time, told, out);
      return {};
    case Kind::kAbsorb:
      if (entry.exchange == nullptr) return failure(ErrorCode::kMissing, expected);
      shard.absorb(*entry.exchange, out);
      return {};
    case Kind::kCall:
      return carry_out(entry, shard, out);
  }
  return failure(ErrorCode::kMalformed, expected);
}

}  // namespace liminal::journal
