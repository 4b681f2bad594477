#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "io/sqlite/health.hpp"
#include "io/sqlite/writer.hpp"

namespace liminal::sqlite {

/// A few read-only connections that any threads share. A read sees whatever was committed before it
/// began; it never waits for the writer nor holds it up.
///
/// Connections are opened when they are first needed, thrown away when they fail, and opened anew
/// after the writer has opened the database anew.
class ReaderPool {
 public:
  struct Options {
    std::string path;
    std::string vfs;
    std::size_t connections = 4;
    std::chrono::milliseconds patience{1'000};  ///< for a free connection
  };

  /// `writer` and `health` outlive the pool.
  ReaderPool(Options options, const Writer& writer, HealthKeeper& health)
      : options_(std::move(options)), writer_(writer), health_(health) {}

  /// Gives what `query(Database&)`, a Result, gives. Thread-safe. Errors besides the query's:
  /// kUnavailable when the database is not open, or no connection comes free in time.
  template <class Query>
  auto read(Query&& query) -> decltype(query(std::declval<Database&>())) {
    Result<Connection> connection = acquire();
    if (!connection) return tl::unexpected(connection.error());
    auto answer = std::forward<Query>(query)(connection->database);
    release(*std::move(connection), answer ? nullptr : &answer.error());
    return answer;
  }

 private:
  struct Connection {
    Database database;
    std::uint64_t opening;  ///< which of the writer's openings it belongs to
  };
  [[nodiscard]] Result<Connection> acquire();
  [[nodiscard]] Result<Connection> open(std::uint64_t opening) const;
  void release(Connection connection, const Error* error);

  const Options options_;
  const Writer& writer_;
  HealthKeeper& health_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<Connection> idle_;
  std::size_t lent_ = 0;
};

}  // namespace liminal::sqlite
