#include "io/sqlite/store.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

namespace liminal::sqlite {
namespace {

std::string database_path(const Store::Options& options) {
  return options.directory + "/" + std::string(kDatabaseFile);
}

Writer::Options writer_options(const Store::Options& options) {
  Writer::Options writer;
  writer.path = database_path(options);
  writer.vfs = options.vfs;
  writer.survive_power_loss = options.survive_power_loss;
  writer.retry_min = options.retry_min;
  writer.retry_max = options.retry_max;
  writer.close_patience = options.close_patience;
  writer.retention = options.retention;
  writer.on_commit = options.on_commit;
  return writer;
}

void add(Problems& all, const std::string& key, Problems found) {
  for (Problem& problem : found) all.push_back({key + "." + problem.key, std::move(problem.text)});
}

}  // namespace

Problems Store::validate(const Options& options) {
  Problems found;
  if (options.directory.empty()) found.push_back({"directory", "must be named"});
  if (options.read_connections == 0 || options.read_connections > 64)
    found.push_back({"read_connections", "must be from 1 to 64"});
  if (options.queue.groups_max == 0 || options.queue.rows_max == 0 || options.queue.batch_max == 0)
    found.push_back({"queue", "must hold something"});
  add(found, "retention", sqlite::validate(options.retention));
  add(found, "sampling", FeatureSampler::validate(options.queue.sampling));
  return found;
}

Result<std::unique_ptr<Store>> Store::open(const Options& options) {
  std::error_code error;
  if (std::filesystem::create_directories(options.directory, error)) {
    // What is in there names users and addresses: nobody else's business.
    std::filesystem::permissions(options.directory, std::filesystem::perms::owner_all, error);
  }
  if (error) return failure(ErrorCode::kIo, static_cast<std::uint64_t>(error.value()));
  Result<DirectoryLock> lock = DirectoryLock::acquire(options.directory);
  if (!lock) return tl::unexpected(lock.error());
  std::unique_ptr<Store> store(new Store(options, *std::move(lock)));
  store->health_.wait_for_first();
  return store;
}

Store::Store(const Options& options, DirectoryLock lock)
    : lock_(std::move(lock)),
      health_(options.on_health),
      queue_(options.queue),
      writer_(writer_options(options), queue_, health_),
      readers_({.path = database_path(options),
                .vfs = options.vfs,
                .connections = options.read_connections},
               writer_,
               health_) {}

Store::~Store() = default;

Result<void> Store::put(std::vector<Write> writes, Acknowledge done) {
  Group group{.writes = std::move(writes), .waiting = {}};
  if (done) group.waiting.push_back(std::move(done));
  return queue_.push(std::move(group));
}

Result<void> Store::put(Write write, Acknowledge done) {
  std::vector<Write> writes;
  writes.push_back(std::move(write));
  return put(std::move(writes), std::move(done));
}

std::future<Result<void>> Store::commit(std::vector<Write> writes) {
  // Shared: a std::function must be copyable.
  const auto promise = std::make_shared<std::promise<Result<void>>>();
  const Result<void> queued =
      put(std::move(writes), [promise](Result<void> outcome) { promise->set_value(outcome); });
  if (!queued) promise->set_value(queued);
  return promise->get_future();
}

bool Store::put_row(traffic::FeatureRow row) { return queue_.push(std::move(row)); }

Result<void> Store::forget_rows(SteadyTime before,
                                std::function<void(Result<std::uint64_t>)> done) {
  return queue_.push(Forget{.before = before, .done = std::move(done)});
}

void Store::advance(SteadyTime now) { writer_.advance(now); }

void Store::set_retention(const Retention& retention) { writer_.set_retention(retention); }

Result<std::vector<traffic::Alert>> Store::alerts(const AlertQuery& query) {
  return readers_.read([&](Database& database) { return sqlite::alerts(database, query); });
}

Result<std::optional<traffic::Alert>> Store::alert(ShardId shard, std::uint64_t number) {
  return readers_.read([&](Database& database) { return sqlite::alert(database, shard, number); });
}

Result<AlertNumbers> Store::alert_numbers() {
  return readers_.read([](Database& database) { return sqlite::alert_numbers(database); });
}

Result<std::vector<Feedback>> Store::feedback(std::size_t limit, std::optional<SteadyTime> since) {
  return readers_.read(
      [&](Database& database) { return sqlite::feedback(database, limit, since); });
}

Result<std::optional<Feedback>> Store::last_feedback(ShardId shard, std::uint64_t number) {
  return readers_.read(
      [&](Database& database) { return sqlite::last_feedback(database, shard, number); });
}

Result<std::vector<NumberedFeedback>> Store::feedback_after(std::uint64_t number,
                                                            std::size_t limit) {
  return readers_.read(
      [&](Database& database) { return sqlite::feedback_after(database, number, limit); });
}

Result<std::uint64_t> Store::count_feedback_after(std::uint64_t number) {
  return readers_.read(
      [&](Database& database) { return sqlite::count_feedback_after(database, number); });
}

Result<std::vector<traffic::FeatureRow>> Store::feature_rows(const RowQuery& query) {
  return readers_.read([&](Database& database) { return sqlite::feature_rows(database, query); });
}

Result<std::vector<traffic::Override>> Store::overrides(SteadyTime now) {
  return readers_.read([&](Database& database) { return sqlite::overrides(database, now); });
}

Result<std::optional<Policy>> Store::policy(const std::string& name) {
  return readers_.read([&](Database& database) { return sqlite::policy(database, name); });
}

Result<std::vector<traffic::AuditEntry>> Store::audit(const AuditQuery& query) {
  return readers_.read([&](Database& database) { return sqlite::audit(database, query); });
}

Result<std::optional<std::string>> Store::meta(const std::string& key) {
  return readers_.read([&](Database& database) { return sqlite::meta(database, key); });
}

Result<std::optional<SteadyTime>> Store::clock() {
  return readers_.read([](Database& database) { return sqlite::saved_clock(database); });
}

Result<std::optional<Answer>> Store::answer(const std::string& key, SteadyTime now) {
  return readers_.read([&](Database& database) { return sqlite::answer(database, key, now); });
}

Result<Counts> Store::counts() {
  return readers_.read([](Database& database) { return sqlite::counts(database); });
}

StoreHealth Store::health() const { return health_.get(); }

Store::Counters Store::counters() const {
  return {.queue = queue_.counters(), .writer = writer_.counters()};
}

}  // namespace liminal::sqlite
