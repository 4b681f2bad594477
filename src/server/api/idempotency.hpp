#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>

#include "io/http/message.hpp"

namespace liminal::api {

/// Remembers the answers to requests that carried an Idempotency-Key, so that a repetition is
/// answered as the first time and changes nothing.
///
/// An answer is kept for `age_max`, and while there are no more than `entries_max` and
/// `bytes_max`: beyond them the oldest goes. Failures of the server (5xx) are not kept: repeating
/// the request is what one should do then. Thread-safe.
///
/// Source: draft-ietf-httpapi-idempotency-key-header-06.
class IdempotencyCache {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Options {
    std::chrono::steady_clock::duration age_max = std::chrono::hours{24};
    std::size_t entries_max = 4096;
    std::size_t bytes_max = 16 * 1024 * 1024;
  };

  explicit IdempotencyCache(const Options& options) : options_(options) {}

  struct New {};       ///< do it, and then `finish`
  struct Busy {};      ///< the first is still being worked on: 409
  struct Mismatch {};  ///< the key was used for something else: 422
  using Outcome = std::variant<New, Busy, Mismatch, http::Response>;

  /// `fingerprint` is of the request's content.
  [[nodiscard]] Outcome begin(const std::string& key, std::uint64_t fingerprint, Time now);
  void finish(const std::string& key, const http::Response& response);
  /// As if `begin` had not been called.
  void forget(const std::string& key);

 private:
  struct Entry {
    std::string key;
    std::uint64_t fingerprint = 0;
    Time begun;
    std::optional<http::Response> response;
    [[nodiscard]] std::size_t bytes() const {
      return key.size() + (response ? response->body.size() : 0);
    }
  };
  using Entries = std::list<Entry>;  // oldest first

  void drop(Entries::iterator entry);
  void make_room(Time now);

  const Options options_;
  std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> index_;
  std::size_t bytes_ = 0;
};

}  // namespace liminal::api
