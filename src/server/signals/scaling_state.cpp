#include <algorithm>
#include <utility>

#include "core/base/hash.hpp"
#include "core/base/hex.hpp"
#include "io/files/crc32c.hpp"
#include "io/files/replace.hpp"
#include "server/signals/scaling.hpp"

namespace liminal::signals {
namespace {

constexpr std::size_t kFileBytesMax = 4 << 20;
/// What of a file says whose it is and whether it has settings.
constexpr std::size_t kHeadBytes = 12 + 10 + scaling::kServiceNameMax + 1;
constexpr std::string_view kSuffix = ".service";

void put(const scaling::ServiceOptions& options, Writer& out) {
  out.put(options.replicas_min);
  out.put(options.replicas_max);
  out.put(options.shortage_cost);
  out.put(options.cooldown.count());
  out.put(options.stabilisation_minutes);
  out.put(options.reactive_target_ratio);
  out.put(options.capacity.cpu_max_ratio);
  out.put(options.capacity.memory_max_ratio);
  out.put(options.capacity.saturation_max_ratio);
  out.put(options.capacity.response_time_max_s);
}

void get(scaling::ServiceOptions& options, Reader& in) {
  in.get(options.replicas_min);
  in.get(options.replicas_max);
  in.get(options.shortage_cost);
  options.cooldown = Duration{in.get<Duration::rep>()};
  in.get(options.stabilisation_minutes);
  in.get(options.reactive_target_ratio);
  in.get(options.capacity.cpu_max_ratio);
  in.get(options.capacity.memory_max_ratio);
  in.get(options.capacity.saturation_max_ratio);
  in.get(options.capacity.response_time_max_s);
  if (!scaling::validate(options).empty()) in.fail();
}

}  // namespace

/// The service of a file that was not loaded; null when there is none, or when it was damaged and
/// has been set aside. kUnavailable: it lies there still.
Result<Scaling::EntryPtr> Scaling::read_left_out(const std::string& service) const {
  const std::string here = path(options_.folder, service);
  const auto is_left_out = [&] {
    const std::lock_guard lock(mutex_);
    return left_out_.contains(here);
  };
  if (!is_left_out()) return EntryPtr();
  const auto bytes = files_.read(here, kFileBytesMax);
  if (!bytes && bytes.error().code == ErrorCode::kMissing) return EntryPtr();
  if (!bytes && bytes.error().code != ErrorCode::kTooLarge) {
    ++load_errors_;
    return failure(ErrorCode::kUnavailable);
  }
  EntryPtr entry = bytes ? read(*bytes) : nullptr;
  if (entry != nullptr && entry->name == service) return entry;
  ++load_errors_;
  const std::lock_guard file(file_mutex_);
  // It may be a new service's file by now.
  if (is_left_out() && !files::set_aside(files_, here)) return failure(ErrorCode::kUnavailable);
  return EntryPtr();
}

void Scaling::save_changed() {
  const auto now = std::chrono::steady_clock::now();
  // The longest unsaved first.
  std::vector<std::pair<std::chrono::steady_clock::time_point, EntryPtr>> due;
  for (const EntryPtr& entry : entries()) {
    const std::lock_guard lock(entry->mutex);
    if (entry->changed && now - entry->saved_at >= options_.save_interval)
      due.emplace_back(entry->saved_at, entry);
  }
  std::stable_sort(
      due.begin(), due.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t bytes = 0;
  for (const auto& [at, entry] : due) {
    bytes += save(*entry).value_or(0);
    if (bytes >= options_.save_bytes ||
        std::chrono::steady_clock::now() - now >= options_.save_time)
      break;
  }
  if (bytes > 0) (void)sync_folder();
}

Result<void> Scaling::save() {
  bool whole = true;
  for (const EntryPtr& entry : entries()) {
    const auto is_due = [&] {
      const std::lock_guard lock(entry->mutex);
      return entry->changed && !entry->forgotten;
    };
    if (left_alone_.contains(path(options_.folder, entry->name)) || !is_due()) continue;
    if (!save(*entry) && is_due()) whole = false;
  }
  if (!sync_folder()) whole = false;
  return whole ? Result<void>() : failure(ErrorCode::kIo);
}

bool Scaling::sync_folder() {
  if (files_.sync_folder(options_.folder)) return true;
  ++save_errors_;
  return false;
}

std::string Scaling::path(const std::string& folder, std::string_view service) {
  return folder + "/" + hex(hash64(service)) + std::string(kSuffix);
}

/// File: magic, format, CRC-32C of the rest; name, whether configured, options, service. Gives its
/// bytes, when it was written.
std::optional<std::size_t> Scaling::save(Entry& entry) {
  const std::lock_guard file(file_mutex_);
  Writer body;
  {
    const std::lock_guard lock(entry.mutex);
    if (entry.forgotten) return std::nullopt;
    body.put_text(entry.name);
    body.put(entry.configured);
    put(entry.options, body);
    entry.service.save(body);
    entry.saved_at = std::chrono::steady_clock::now();
    entry.changed = false;
  }
  Writer out;
  out.put(kMagic);
  out.put(kFormat);
  out.put(files::crc32c(0, body.bytes()));
  const std::string here = path(options_.folder, entry.name);
  if (left_alone_.contains(here) ||
      !files::replace_file_unsynced(files_, here, out.bytes() + body.bytes())) {
    ++save_errors_;
    const std::lock_guard lock(entry.mutex);
    entry.changed = true;
    return std::nullopt;
  }
  ++saved_;
  return out.bytes().size() + body.bytes().size();
}

/// Null for what is damaged.
Scaling::EntryPtr Scaling::read(std::string_view bytes) const {
  Reader in(bytes);
  const bool known = in.get<std::uint32_t>() == kMagic && in.get<std::uint32_t>() == kFormat;
  const auto sum = in.get<std::uint32_t>();
  if (!known || !in.ok() || files::crc32c(0, bytes.substr(in.position())) != sum) return nullptr;
  auto entry = std::make_shared<Entry>(std::string(in.get_text()));
  entry->configured = in.get<std::uint8_t>() != 0;
  get(entry->options, in);
  if (!in.ok() || entry->name.empty()) return nullptr;
  // Of another version of the program it may be: then what was set for it still holds.
  if (!entry->service.load(in) || !in.at_end()) {
    ++load_errors_;
    entry->service = scaling::Service();
  }
  entry->shown = entry->configured;
  entry->bytes = entry->service.memory_bytes();
  return entry;
}

bool Scaling::has_settings(const std::string& here) const {
  const auto head = files_.read_head(here, kHeadBytes);
  if (!head) return false;
  Reader in(*head);
  const bool known = in.get<std::uint32_t>() == kMagic && in.get<std::uint32_t>() == kFormat;
  (void)in.get<std::uint32_t>();
  (void)in.get_text();
  return in.get<std::uint8_t>() != 0 && known && in.ok();
}

/// Those of services that are kept, and then the latest; the others are left out. Oldest first.
std::vector<std::string> Scaling::files_to_load(std::vector<files::FileEntry> listed) {
  std::erase_if(listed, [](const files::FileEntry& file) {
    return !std::string_view(file.name).ends_with(kSuffix);
  });
  std::unordered_set<std::string> kept;
  for (const std::string& name : options_.kept) kept.insert(path(options_.folder, name));
  struct Found {
    bool is_kept = false;
    std::chrono::nanoseconds modified{};
    std::string path;
  };
  const bool too_many = listed.size() > options_.services_max;
  std::vector<Found> found;
  for (const files::FileEntry& file : listed) {
    const std::string here = options_.folder + "/" + file.name;
    found.push_back({too_many && (kept.contains(here) || has_settings(here)), file.modified, here});
  }
  const auto later = [](const Found& a, const Found& b) { return a.modified > b.modified; };
  std::stable_sort(found.begin(), found.end(), later);
  std::stable_partition(found.begin(), found.end(), [](const Found& one) { return one.is_kept; });
  while (found.size() > options_.services_max) {
    left_out_.insert(std::move(found.back().path));
    found.pop_back();
  }
  std::stable_sort(found.begin(), found.end(), later);
  std::vector<std::string> paths;
  for (auto one = found.rbegin(); one != found.rend(); ++one) paths.push_back(std::move(one->path));
  return paths;
}

void Scaling::load() {
  if (!files_.create_folder(options_.folder)) ++load_errors_;
  auto listed = files_.list(options_.folder);
  if (!listed) return;
  for (const std::string& here : files_to_load(std::move(*listed))) load(here);
}

/// One file; at the start, when there are no other threads.
void Scaling::load(const std::string& here) {
  const auto bytes = files_.read(here, kFileBytesMax);
  // One that is too large is none of ours; others may be good, and readable another time.
  if (!bytes && bytes.error().code != ErrorCode::kTooLarge) {
    ++load_errors_;
    left_alone_.insert(here);
    return;
  }
  const EntryPtr entry = bytes ? read(*bytes) : nullptr;
  if (!entry || path(options_.folder, entry->name) != here) {
    ++load_errors_;
    if (!files::set_aside(files_, here)) {
      ++load_errors_;
      left_alone_.insert(here);
    }
    return;
  }
  recent_.push_front(entry);
  by_name_.emplace(entry->name, recent_.begin());
}

}  // namespace liminal::signals
