#include "app/serve/revival.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "app/serve/engine_text.hpp"
#include "app/serve/words.hpp"

namespace liminal::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kAttemptsMax = 2;

files::SegmentLogOptions log_in(const std::string& folder) {
  files::SegmentLogOptions options;
  options.folder = folder;
  return options;
}

}  // namespace

Revival::Revival(files::FileSystem& system,
                 Log& log,
                 std::string folder,
                 std::optional<SteadyTime> since)
    : system_(system),
      log_(log),
      folder_(std::move(folder)),
      attempts_(folder_ + "/living-on"),
      shards_(kShards) {
  auto courses = journal::read_courses(system_, log_in(folder_), since);
  if (courses) {
    courses_ = std::move(*courses);
  } else if (courses.error().code != ErrorCode::kMissing) {
    warn(app::words(courses.error()));
  }
}

void Revival::take(engine::Shard shard) {
  const std::size_t place = index(shard.id());
  shards_[place] = std::move(shard);
  left_[place] = 0;
}

/// Counts the attempt, where the disk lets it.
bool Revival::may_begin() {
  const Result<std::string> before = system_.read(attempts_, 64);
  if (before && before->size() >= kAttemptsMax) {
    warn(fmt::format("{} starts ended while it was lived on", before->size()));
    return false;
  }
  if (auto file = system_.create(attempts_)) {
    (void)files::write_all(**file, before.value_or("") + "+");
    (void)(*file)->sync();
    (void)system_.sync_folder(folder_);
  }
  return true;
}

void Revival::warn(std::string why) const {
  static LogSite site;
  log_.write(LogLevel::kError, site, "journal.not_lived_on", {{"error", std::move(why)}});
}

std::shared_ptr<const engine::Settings> Revival::parse(std::string_view text) {
  const std::lock_guard lock(mutex_);
  for (const Known& known : known_)
    if (known.text == text) return known.settings;
  return known_.emplace_back(Known{std::string(text), parse_settings(text)}).settings;
}

std::string Revival::text_of(const std::shared_ptr<const engine::Settings>& settings) {
  const std::lock_guard lock(mutex_);
  for (const Known& known : known_)
    if (known.settings == settings) return known.text;
  return engine_text(settings->options);
}

/// Shards do not know each other: as many at once as there are processors for.
void Revival::give(shards::Runtime& runtime) {
  const std::string present = engine_text(runtime.settings().options);
  std::atomic<std::size_t> next{0};
  const auto give_some = [&] {
    for (std::size_t i = next++; i < kShards; i = next++) {
      std::optional<engine::Shard> shard = std::exchange(shards_[i], std::nullopt);
      if (!shard) continue;
      if (text_of(shard->shared_settings()) == present) {
        runtime.put_shard(std::move(*shard));
        continue;
      }
      Writer state;
      shard->save(state);
      if (const auto given = runtime.load_shard(shard->id(), state.bytes()); !given)
        warn(app::words(given.error()));
    }
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < std::min(std::thread::hardware_concurrency(), kShards); ++i)
    others.emplace_back(give_some);
  give_some();
  for (std::thread& other : others) other.join();
}

void Revival::live_on(shards::Runtime& runtime) {
  if (!courses_) return;
  bool more = false;
  for (std::uint8_t i = 0; i < kShards; ++i) {
    if (left_[i] != 0) courses_->of[i].clear();
    more = more || !courses_->of[i].empty();
  }
  if (!more) return;
  const auto began = Clock::now();
  journal::LivedOn done;
  if (may_begin()) {
    const journal::ReplaySources sources{
        system_, log_in(folder_), {}, [this](std::string_view text) { return parse(text); }};
    const auto late = [&] { return Clock::now() - began > kPatience; };
    const auto lived = journal::live_on(sources, *courses_, shards_, late);
    if (lived) done = *lived;
    if (!lived) warn(app::words(lived.error()));
  }
  give(runtime);
  (void)system_.remove(attempts_);
  if (done.inputs == 0 && done.broken_off == 0) return;
  static LogSite site;
  const auto took = std::chrono::duration<double>(Clock::now() - began).count();
  log_.write(done.broken_off == 0 && !done.late ? LogLevel::kInfo : LogLevel::kError,
             site,
             "journal.lived_on",
             {{"inputs", std::to_string(done.inputs)},
              {"shards_broken_off", std::to_string(done.broken_off)},
              {"out_of_time", done.late ? "true" : "false"},
              {"seconds", fmt::format("{:.2f}", took)}});
}

}  // namespace liminal::app
