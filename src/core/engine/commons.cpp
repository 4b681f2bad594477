#include "core/engine/commons.hpp"

#include <algorithm>
#include <bit>

#include "core/base/hash.hpp"
#include "core/traffic/codec.hpp"

namespace liminal::engine {
namespace {

constexpr std::uint8_t kCommonsVersion = 1;
constexpr std::uint8_t kExchangeVersion = 1;
/// What an address of an exchange takes at least, as saved: bounds what a loader allocates.
constexpr std::size_t kTotalBytesMin = 20;

}  // namespace

Problems validate(const CommonsOptions& options) {
  if (options.addresses_max >= 1 && options.addresses_max <= 16'777'216) return {};
  return {{"addresses_max", "must be between 1 and 16777216"}};
}

void Second::clear() {
  for (detect::Contribution& contribution : detect) contribution.clear();
  for (auto& reports : addresses) reports.clear();
}

void Second::save(ShardId shard, Writer& out) const {
  detect[index(shard)].save(out);
  const std::vector<AddressReport>& reports = addresses[index(shard)];
  out.put_varint(reports.size());
  for (const AddressReport& report : reports) {
    out.put_text(report.address);
    out.put(report.messages);
    out.put(report.bytes);
    out.put(report.connections);
  }
}

void Second::load(ShardId shard, Reader& in) {
  detect[index(shard)].load(in);
  std::vector<AddressReport>& reports = addresses[index(shard)];
  reports.clear();
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    AddressReport& report = reports.emplace_back();
    report.address = in.get_text();
    report.hash = traffic::Name(report.address).hash;
    in.get(report.messages);
    in.get(report.bytes);
    in.get(report.connections);
    if (report.address.empty() || report.address.size() > traffic::kAddressBytesMax) in.fail();
  }
}

void Commons::advance(const Second& told,
                      SteadyTime now,
                      const detect::Options& options,
                      Exchange& out) {
  out.number = ++number_;
  out.time = now;
  out.addresses.clear();
  out.rings.clear();
  total_addresses(told, out);
  rings_.learn(told.detect, now, options, population_, out.rings);
  population_.set_ringing(rings_.ringing());
  out.population_shift = population_.learn(told.detect, now, options.warm_up);
  out.population = population_;
}

/// Sums what the shards report; only addresses of more than one shard are anybody else's business.
void Commons::total_addresses(const Second& told, Exchange& out) {
  for (std::uint32_t shard = 0; shard < kShards; ++shard) {
    for (const AddressReport& report : told.addresses[shard]) {
      Address& address = touch(report.hash);
      address.shards |= std::uint64_t{1} << shard;
      address.connections = std::max<std::int64_t>(0, address.connections + report.connections);
      if (address.said != number_) {
        address.said = number_;
        address.place = out.addresses.size();
        AddressTotal& total = out.addresses.emplace_back();
        total.address = report.address;
        total.hash = report.hash;
      }
      AddressTotal& total = out.addresses[address.place];
      total.shards = address.shards;
      total.usage.messages += report.messages;
      total.usage.bytes += report.bytes;
      total.usage.connections = static_cast<std::uint32_t>(address.connections);
    }
  }
  std::erase_if(out.addresses,
                [](const AddressTotal& total) { return std::has_single_bit(total.shards); });
}

Commons::Address& Commons::touch(std::uint64_t hash) {
  const auto known = index_.find(hash);
  if (known != index_.end()) {
    addresses_.splice(addresses_.begin(), addresses_, known->second);
    return addresses_.front();
  }
  if (index_.size() >= options_.addresses_max) {
    index_.erase(addresses_.back().hash);
    addresses_.pop_back();
    ++evictions_;
  }
  addresses_.push_front({});
  addresses_.front().hash = hash;
  index_.emplace(hash, addresses_.begin());
  return addresses_.front();
}

void Commons::forget_connections() {
  for (Address& address : addresses_) address.connections = 0;
}

std::size_t Commons::memory_bytes() const {
  return sizeof *this + rings_.memory_bytes() + index_.size() * (sizeof(Address) + 16 + 40);
}

void Commons::save(Writer& out) const {
  out.put(kCommonsVersion);
  out.put_varint(number_);
  population_.save(out);
  rings_.save(out);
  out.put_varint(addresses_.size());
  for (const Address& address : addresses_) {
    out.put(address.hash);
    out.put(address.shards);
    out.put_varint(static_cast<std::uint64_t>(address.connections));
  }
}

Result<void> Commons::load(Reader& in) {
  if (in.get<std::uint8_t>() != kCommonsVersion) return failure(ErrorCode::kUnsupported);
  number_ = in.get_varint();
  population_.load(in);
  rings_.load(in);
  addresses_.clear();
  index_.clear();
  const std::uint64_t count = in.get_varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    Address address;
    in.get(address.hash);
    in.get(address.shards);
    const std::uint64_t connections = in.get_varint();
    if (connections > 0xffff'ffff || index_.size() >= options_.addresses_max ||
        index_.count(address.hash) != 0) {
      in.fail();
      break;
    }
    address.connections = static_cast<std::int64_t>(connections);
    addresses_.push_back(address);
    index_.emplace(address.hash, std::prev(addresses_.end()));
  }
  if (in.ok()) return {};
  const std::size_t position = in.position();
  *this = Commons(detect::Profile::kChat, options_);
  return failure(ErrorCode::kMalformed, position);
}

std::uint64_t Commons::state_hash() const {
  Writer out;
  save(out);
  return hash64(out.bytes());
}

void Exchange::save(Writer& out) const {
  out.put(kExchangeVersion);
  out.put_varint(number);
  out.put(nanoseconds(time));
  population.save(out);
  out.put(population_shift);
  out.put_varint(addresses.size());
  for (const AddressTotal& total : addresses) {
    out.put_text(total.address);
    out.put(total.hash);
    out.put(total.shards);
    out.put_varint(total.usage.messages);
    out.put_varint(total.usage.bytes);
    out.put_varint(total.usage.connections);
  }
  out.put_varint(rings.size());
  for (const detect::RingFinding& ring : rings) {
    out.put(ring.address);
    out.put(ring.user);
    traffic::save(ring.finding, out);
  }
}

Result<void> Exchange::load(Reader& in) {
  *this = Exchange();
  if (in.get<std::uint8_t>() != kExchangeVersion) return failure(ErrorCode::kUnsupported);
  number = in.get_varint();
  time = SteadyTime{Duration{in.get<Duration::rep>()}};
  population.load(in);
  population_shift = in.get<std::uint8_t>() != 0;
  std::uint64_t count = in.get_varint();
  if (count > in.remaining() / kTotalBytesMin) in.fail();
  for (; count > 0 && in.ok(); --count) {
    AddressTotal& total = addresses.emplace_back();
    total.address = in.get_text();
    in.get(total.hash);
    in.get(total.shards);
    total.usage.messages = static_cast<std::uint32_t>(in.get_varint());
    total.usage.bytes = in.get_varint();
    total.usage.connections = static_cast<std::uint32_t>(in.get_varint());
  }
  count = in.get_varint();
  if (count > in.remaining() / kTotalBytesMin) in.fail();
  for (; count > 0 && in.ok(); --count) {
    detect::RingFinding& ring = rings.emplace_back();
    in.get(ring.address);
    in.get(ring.user);
    if (!traffic::load(ring.finding, in)) in.fail();
  }
  if (!in.ok()) return failure(ErrorCode::kMalformed, in.position());
  return {};
}

}  // namespace liminal::engine
