#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <variant>

#include "core/base/result.hpp"
#include "core/base/time.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace liminal::sqlite {

/// A statement's text, known when the program is compiled: a value can only be bound, never pasted.
class Sql {
 public:
  consteval Sql(const char* text) : text_(text) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] constexpr const char* text() const { return text_; }

 private:
  const char* text_;
};

/// Bytes, as opposed to text.
struct Blob {
  std::string_view bytes;
};

/// One bound parameter. Borrows text and bytes: valid during the call it is passed to.
class Value {
 public:
  Value(std::nullopt_t) {}  // NOLINT(google-explicit-constructor): reads like the value it binds
  template <class T>
  requires(std::is_integral_v<T>) Value(T number) : held_(static_cast<std::int64_t>(number)) {}
  template <class T>
  requires(std::is_enum_v<T>) Value(T number) : held_(static_cast<std::int64_t>(number)) {}
  Value(double number) : held_(number) {}
  Value(const char* text) : held_(std::string_view(text)) {}
  Value(std::string_view text) : held_(text) {}
  Value(const std::string& text) : held_(std::string_view(text)) {}
  Value(Blob blob) : held_(blob) {}
  Value(SteadyTime time) : held_(nanoseconds(time)) {}
  template <class T>
  Value(const std::optional<T>& maybe) {
    if (maybe) *this = Value(*maybe);
  }

  using Held = std::variant<std::monostate, std::int64_t, double, std::string_view, Blob>;
  [[nodiscard]] const Held& held() const { return held_; }

 private:
  Held held_;
};

/// One row of an answer. Columns count from 0; texts and blobs are valid until the next row.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  [[nodiscard]] int columns() const;
  [[nodiscard]] bool null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::string_view blob(int column) const;
  [[nodiscard]] SteadyTime time(int column) const { return SteadyTime{Duration{integer(column)}}; }

 private:
  sqlite3_stmt* statement_;
};

/// One connection to one database file, with the statements it has prepared. Not thread-safe.
///
/// Errors carry SQLite's extended result code as their position (`sqlite_code`).
class Database {
 public:
  struct Options {
    bool read_only = false;
    bool create = true;                          ///< where there is none, unless read-only
    std::chrono::milliseconds busy_patience{0};  ///< how long to wait for a lock of another process
    std::string vfs{};                           ///< empty: the system's; tests inject faults here
  };

  [[nodiscard]] static Result<Database> open(const std::string& path, const Options& options);

  /// Runs a statement to its end. Gives the number of rows it inserted, changed or deleted.
  Result<std::int64_t> run(Sql sql, std::initializer_list<Value> values = {});

  /// Calls `row` for each row of the answer.
  Result<void> each(Sql sql,
                    std::initializer_list<Value> values,
                    const std::function<void(const Row&)>& row);

  /// The first column of the first row; none without a row or when it is NULL.
  Result<std::optional<std::int64_t>> integer(Sql sql, std::initializer_list<Value> values = {});

  /// Runs several statements, separated by semicolons, that take no values and are not kept.
  Result<void> script(Sql sql);

  /// Moves what the write-ahead log holds into the file, as far as nobody reads it: two fsyncs.
  Result<void> checkpoint();

  /// In place of SQLite's own checkpoints: `pages` is from now on told by each commit how long the
  /// write-ahead log is. It outlives the connection.
  void watch_log(int& pages);

  /// No transaction is open: none was begun, or SQLite has rolled it back by itself.
  [[nodiscard]] bool idle() const;

  /// The file that is open is no longer the one at its path. Costs one system call.
  [[nodiscard]] bool moved() const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  explicit Database(std::unique_ptr<sqlite3, Close> handle) : handle_(std::move(handle)) {}
  Result<sqlite3_stmt*> prepare(Sql sql, std::initializer_list<Value> values);

  // Statements go before the connection they belong to: members die in reverse order.
  std::unique_ptr<sqlite3, Close> handle_;
  /// By the address of the text: as many entries as there are places that ask.
  std::unordered_map<const char*, Statement> statements_;
};

/// The extended result code that an error of this folder carries.
[[nodiscard]] inline int sqlite_code(const Error& error) {
  return static_cast<int>(error.position);
}

/// What a code means to the caller: kUnavailable when another process holds the lock, kConflict for
/// a broken constraint, kChecksum for a damaged file, kUnsupported for a newer schema, else kIo.
[[nodiscard]] Error error_of(int sqlite_code);

/// SQLite's English words for a code.
[[nodiscard]] std::string_view message_of(int sqlite_code);

}  // namespace liminal::sqlite
