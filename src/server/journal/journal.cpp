#include "server/journal/journal.hpp"

#include <utility>
#include <vector>

#include "core/base/hash.hpp"

namespace liminal::journal {
namespace {

constexpr std::size_t kHeadBytes = 2;
constexpr std::uint64_t kNoExchange = 0;

}  // namespace

Problems validate(const Options& options, std::string_view at) {
  Problems found = files::validate(options.log, at);
  // A shard's buffer becomes one record of the log, with the entry that filled it.
  constexpr std::size_t kEntryBytesMax = std::size_t{64} << 10;
  const bool fits = options.shard_bytes_max >= 4096 &&
                    options.shard_bytes_max <= files::kRecordBytesMax - kEntryBytesMax;
  if (!fits) found.push_back({std::string(at) + ".shard_bytes_max", "must be 4 KiB to 15 MiB"});
  if (options.interval <= options.interval.zero())
    found.push_back({std::string(at) + ".interval", "must be longer than zero"});
  if (options.sync_interval < options.interval)
    found.push_back({std::string(at) + ".sync_interval", "must not be below the interval"});
  return found;
}

Result<std::unique_ptr<Journal>> Journal::open(files::FileSystem& system,
                                               const Options& options,
                                               SteadyTime now) {
  Result<files::SegmentLog> log = files::SegmentLog::open(system, options.log, now);
  if (!log) return tl::unexpected(log.error());
  return std::unique_ptr<Journal>(new Journal(options, std::move(*log), now));
}

Journal::Journal(const Options& options, files::SegmentLog log, SteadyTime now)
    : options_(options), log_(std::move(log)), now_(nanoseconds(now)) {
  for (std::uint8_t shard = 0; shard < kShards; ++shard)
    begin_entries(ShardId{shard}, buffers_[shard].entries);
  counters_.bytes = log_.bytes();
  counters_.begin = log_.begin();
  counters_.log = log_.counters();
  thread_ = std::thread([this] { run(); });
}

Journal::~Journal() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Journal::event(ShardId shard, std::uint64_t input, const traffic::Event& event) {
  record(shard, [&](Writer& out) { append_event(input, event, out); });
}

void Journal::tick(ShardId shard, std::uint64_t input, SteadyTime now) {
  record(shard, [&](Writer& out) { append_tick(input, now, out); });
  std::int64_t latest = now_.load(std::memory_order_relaxed);
  while (latest < nanoseconds(now) && !now_.compare_exchange_weak(latest, nanoseconds(now))) {
  }
}

void Journal::absorb(ShardId shard, std::uint64_t input, const engine::Exchange& exchange) {
  keep(exchange);  // before the entry that refers to it
  record(shard, [&](Writer& out) { append_absorb(input, exchange.number, out); });
}

template <class Append>
void Journal::record(ShardId shard, Append append) {
  Buffer& buffer = buffers_[index(shard)];
  const std::lock_guard lock(buffer.mutex);
  if (buffer.entries.bytes().size() >= options_.shard_bytes_max) {
    ++dropped_inputs_;
    return;
  }
  append(buffer.entries);
}

void Journal::call(ShardId shard, std::uint64_t input, const engine::Call& call) {
  const std::shared_ptr<const engine::Settings> settings = settings_of(call);
  const std::uint64_t hash = settings == nullptr ? 0 : keep(settings);
  record(shard, [&](Writer& out) { append_call(input, call, hash, out); });
}

void Journal::keep(const engine::Exchange& exchange) {
  const std::lock_guard lock(shared_mutex_);
  if (exchange.number == last_exchange_ && exchange.number != kNoExchange) return;
  last_exchange_ = exchange.number;
  Writer out;
  append_exchange(exchange, out);
  keep(out.take());
}

/// All shards get the same settings, one after the other: described once.
std::uint64_t Journal::keep(const std::shared_ptr<const engine::Settings>& settings) {
  if (!options_.describe) return 0;
  const std::lock_guard lock(shared_mutex_);
  if (last_settings_ == settings) return last_settings_hash_;
  const std::string text = options_.describe(*settings);
  last_settings_ = settings;
  last_settings_hash_ = hash64(text);
  Writer out;
  append_settings(text, out);
  keep(out.take());
  return last_settings_hash_;
}

void Journal::keep(std::string record) {
  if (shared_.size() >= kExchangesWaitingMax) {
    ++dropped_inputs_;
    return;
  }
  shared_.push_back(std::move(record));
}

Counters Journal::counters() const {
  const std::lock_guard lock(mutex_);
  Counters counters = counters_;
  counters.dropped_inputs = dropped_inputs_;
  return counters;
}

void Journal::run() {
  std::unique_lock lock(mutex_);
  auto synced = std::chrono::steady_clock::now();
  for (bool last = false; !last;) {
    changed_.wait_for(lock, options_.interval, [this] { return stopping_; });
    last = stopping_;
    lock.unlock();
    const auto now = std::chrono::steady_clock::now();
    const bool sync = last || now - synced >= options_.sync_interval;
    if (sync) synced = now;
    write(sync);
    lock.lock();
  }
}

void Journal::write(bool sync) {
  std::vector<std::string> records;
  for (std::uint8_t shard = 0; shard < kShards; ++shard) {
    Writer fresh;
    begin_entries(ShardId{shard}, fresh);
    const std::lock_guard lock(buffers_[shard].mutex);
    if (buffers_[shard].entries.bytes().size() == kHeadBytes) continue;
    std::swap(buffers_[shard].entries, fresh);
    records.push_back(fresh.take());
  }
  // Collected after the entries and written before them: whatever they refer to is there.
  std::vector<std::string> shared;
  {
    const std::lock_guard lock(shared_mutex_);
    shared.swap(shared_);
  }
  const SteadyTime now{Duration{now_.load(std::memory_order_relaxed)}};
  for (const std::vector<std::string>* part : {&shared, &records})
    for (const std::string& record : *part) (void)log_.append(record, now);
  const Result<void> written = sync ? log_.sync(now) : log_.flush(now);

  const std::lock_guard lock(mutex_);
  if (!written) ++counters_.failures;
  counters_.bytes = log_.bytes();
  counters_.begin = log_.begin();
  counters_.log = log_.counters();
}

Result<Summary> read_journal(files::FileSystem& system,
                             const files::SegmentLogOptions& log,
                             EntryReader reader,
                             const std::function<bool(const Entry&)>& visit,
                             std::uint64_t from) {
  Summary summary;
  const auto counted = [&](const Entry& entry) {
    ++summary.entries;
    return visit(entry);
  };
  const Result<files::SegmentLogSummary> read = files::read_log(
      system, log.folder, log.name, from, [&](std::uint64_t, std::string_view record) {
        const Result<bool> more = reader.read(record, counted);
        if (!more) ++summary.unreadable;
        return more.value_or(true);
      });
  if (!read) return tl::unexpected(read.error());
  summary.missing_records = read->missing;
  return summary;
}

}  // namespace liminal::journal
