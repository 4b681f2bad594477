#include "server/api/idempotency.hpp"

namespace liminal::api {

void IdempotencyCache::drop(Entries::iterator entry) {
  bytes_ -= entry->bytes();
  index_.erase(entry->key);
  entries_.erase(entry);
}

void IdempotencyCache::make_room(Time now) {
  while (!entries_.empty() &&
         (now - entries_.front().begun > options_.age_max ||
          entries_.size() > options_.entries_max || bytes_ > options_.bytes_max))
    drop(entries_.begin());
}

IdempotencyCache::Outcome IdempotencyCache::begin(const std::string& key,
                                                  std::uint64_t fingerprint,
                                                  Time now) {
  const std::lock_guard lock(mutex_);
  make_room(now);
  if (const auto found = index_.find(key); found != index_.end()) {
    const Entry& entry = *found->second;
    if (entry.fingerprint != fingerprint) return Mismatch{};
    if (!entry.response) return Busy{};
    return *entry.response;
  }
  entries_.push_back({key, fingerprint, now, std::nullopt});
  index_.emplace(key, std::prev(entries_.end()));
  bytes_ += key.size();
  return New{};
}

void IdempotencyCache::finish(const std::string& key, const http::Response& response) {
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(key);
  if (found == index_.end()) return;  // so old that it had to go
  if (response.status >= 500) return drop(found->second);
  found->second->response = response;
  bytes_ += response.body.size();
}

void IdempotencyCache::forget(const std::string& key) {
  const std::lock_guard lock(mutex_);
  if (const auto found = index_.find(key); found != index_.end()) drop(found->second);
}

}  // namespace liminal::api
