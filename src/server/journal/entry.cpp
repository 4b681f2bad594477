#include "server/journal/entry.hpp"

#include <utility>

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

Result<bool> EntryReader::read(std::string_view record,
                               const std::function<bool(const Entry&)>& visit) {
  Reader in(record);
  const auto format = in.get<std::uint8_t>();
  const auto what = in.get<std::uint8_t>();
  if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
  if (format != kFormat) return failure(ErrorCode::kUnsupported, 0);
  if (what > kExchangeRecord) return failure(ErrorCode::kMalformed, 1);
  if (what == kExchangeRecord) return read_exchange(in);
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

Result<void> apply(const Entry& entry,
                   engine::Shard& shard,
                   engine::Second& told,
                   engine::Effects& out) {
  const std::uint64_t expected = shard.inputs() + 1;
  if (entry.input < expected) return {};
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
  }
  return failure(ErrorCode::kMalformed, expected);
}

}  // namespace liminal::journal
