#include "io/sqlite/database.hpp"

#include <sqlite3.h>

#include "core/base/check.hpp"

namespace liminal::sqlite {
namespace {

int bind(sqlite3_stmt* statement, int index, const Value& value) {
  // Borrowed (SQLITE_STATIC): the values outlive the run, which clears the bindings.
  struct Visitor {
    sqlite3_stmt* statement;
    int index;
    int operator()(std::monostate) const { return sqlite3_bind_null(statement, index); }
    int operator()(std::int64_t v) const { return sqlite3_bind_int64(statement, index, v); }
    int operator()(double v) const { return sqlite3_bind_double(statement, index, v); }
    int operator()(std::string_view v) const {
      // A null pointer would bind NULL instead of an empty text.
      return sqlite3_bind_text64(
          statement, index, v.empty() ? "" : v.data(), v.size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    int operator()(Blob v) const {
      return v.bytes.empty() ? sqlite3_bind_zeroblob(statement, index, 0)
                             : sqlite3_bind_blob64(
                                   statement, index, v.bytes.data(), v.bytes.size(), SQLITE_STATIC);
    }
  };
  return std::visit(Visitor{statement, index}, value.held());
}

/// Makes a kept statement ready for its next use, whatever happened to this one.
class Use {
 public:
  explicit Use(sqlite3_stmt* statement) : statement_(statement) {}
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

 private:
  sqlite3_stmt* statement_;
};

std::string_view bytes(const void* data, int size) {
  return data == nullptr
             ? std::string_view{}
             : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

}  // namespace

int Row::columns() const { return sqlite3_column_count(statement_); }
bool Row::null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
std::int64_t Row::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double Row::real(int column) const { return sqlite3_column_double(statement_, column); }

std::string_view Row::text(int column) const {
  const void* data = sqlite3_column_text(statement_, column);  // before the size: it may convert
  return bytes(data, sqlite3_column_bytes(statement_, column));
}

std::string_view Row::blob(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  return bytes(data, sqlite3_column_bytes(statement_, column));
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
void Database::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Result<Database> Database::open(const std::string& path, const Options& options) {
  // Full mutexes are not needed: whoever owns a connection is one thread at a time.
  const int flags =
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
      (options.read_only ? SQLITE_OPEN_READONLY
                         : SQLITE_OPEN_READWRITE | (options.create ? SQLITE_OPEN_CREATE : 0));
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(
      path.c_str(), &raw, flags, options.vfs.empty() ? nullptr : options.vfs.c_str());
  std::unique_ptr<sqlite3, Close> handle(raw);
  if (code != SQLITE_OK) return tl::unexpected(error_of(code));
  sqlite3_busy_timeout(raw, static_cast<int>(options.busy_patience.count()));
  return Database(std::move(handle));
}

Result<sqlite3_stmt*> Database::prepare(Sql sql, std::initializer_list<Value> values) {
  Statement& kept = statements_[sql.text()];
  if (!kept) {
    sqlite3_stmt* raw = nullptr;
    const int code =
        sqlite3_prepare_v3(handle_.get(), sql.text(), -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) return tl::unexpected(error_of(code));
    kept.reset(raw);
  }
  int index = 0;
  for (const Value& value : values) {
    if (const int code = bind(kept.get(), ++index, value); code != SQLITE_OK) {
      sqlite3_clear_bindings(kept.get());
      return tl::unexpected(error_of(code));
    }
  }
  LIMINAL_DCHECK(index == sqlite3_bind_parameter_count(kept.get()));
  return kept.get();
}

Result<void> Database::each(Sql sql,
                            std::initializer_list<Value> values,
                            const std::function<void(const Row&)>& row) {
  const Result<sqlite3_stmt*> statement = prepare(sql, values);
  if (!statement) return tl::unexpected(statement.error());
  const Use use(*statement);
  int code = sqlite3_step(*statement);
  for (; code == SQLITE_ROW; code = sqlite3_step(*statement)) row(Row(*statement));
  if (code != SQLITE_DONE) return tl::unexpected(error_of(code));
  return {};
}

Result<std::int64_t> Database::run(Sql sql, std::initializer_list<Value> values) {
  const std::int64_t before = sqlite3_total_changes64(handle_.get());
  return each(sql, values, [](const Row&) {}).map([this, before] {
    return sqlite3_total_changes64(handle_.get()) - before;
  });
}

Result<std::optional<std::int64_t>> Database::integer(Sql sql,
                                                      std::initializer_list<Value> values) {
  std::optional<std::int64_t> found;
  bool first = true;
  const auto keep = [&](const Row& row) {
    if (std::exchange(first, false) && !row.null(0)) found = row.integer(0);
  };
  return each(sql, values, keep).map([&] { return found; });
}

Result<void> Database::script(Sql sql) {
  const int code = sqlite3_exec(handle_.get(), sql.text(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return tl::unexpected(error_of(code));
  return {};
}

Result<void> Database::checkpoint() {
  const int code = sqlite3_wal_checkpoint_v2(
      handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code != SQLITE_OK) return tl::unexpected(error_of(code));
  return {};
}

void Database::watch_log(int& pages) {
  const auto tell = [](void* target, sqlite3*, const char*, int length) {
    *static_cast<int*>(target) = length;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(handle_.get(), tell, &pages);
}

bool Database::idle() const { return sqlite3_get_autocommit(handle_.get()) != 0; }

bool Database::moved() const {
  int moved = 0;
  const int code = sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code == SQLITE_OK && moved != 0;
}

Error error_of(int sqlite_code) {
  const auto position = static_cast<std::uint64_t>(sqlite_code);
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return {ErrorCode::kUnavailable, position};
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return {ErrorCode::kConflict, position};
    case SQLITE_TOOBIG:
      return {ErrorCode::kTooLarge, position};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::kChecksum, position};
    default:
      return {ErrorCode::kIo, position};
  }
}

std::string_view message_of(int sqlite_code) { return sqlite3_errstr(sqlite_code); }

}  // namespace liminal::sqlite
