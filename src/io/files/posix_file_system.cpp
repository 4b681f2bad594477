#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "io/files/file_system.hpp"

namespace liminal::files {
namespace {

tl::unexpected<Error> failed(int number) {
  const ErrorCode code = number == ENOENT ? ErrorCode::kMissing : ErrorCode::kIo;
  return failure(code, static_cast<std::uint64_t>(number));
}

tl::unexpected<Error> failed() { return failed(errno); }

Result<void> done(int result) {
  if (result != 0) return failed();
  return {};
}

Result<void> done(const std::error_code& error) {
  if (error) return failed(error.value());
  return {};
}

/// Repeats a call that a signal interrupted.
template <class Call>
auto retry(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

Result<Descriptor> open_file(const std::string& path, int flags) {
  const int number = retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0600); });
  if (number < 0) return failed();
  return Descriptor(number);
}

class PosixFile final : public WritableFile {
 public:
  explicit PosixFile(Descriptor file) : file_(std::move(file)) {}

  Result<std::size_t> write_some(std::string_view bytes) override {
    const ssize_t count =
        retry([&] { return ::write(file_.number(), bytes.data(), bytes.size()); });
    if (count < 0) return failed();
    if (count == 0) return failed(ENOSPC);
    return static_cast<std::size_t>(count);
  }

  Result<void> sync() override {
    return done(retry([this] { return ::fdatasync(file_.number()); }));
  }

 private:
  Descriptor file_;
};

Result<std::unique_ptr<WritableFile>> open_writable(const std::string& path, int flags) {
  Result<Descriptor> file = open_file(path, O_WRONLY | flags);
  if (!file) return tl::unexpected(file.error());
  return std::make_unique<PosixFile>(std::move(*file));
}

}  // namespace

Result<std::unique_ptr<WritableFile>> PosixFileSystem::create(const std::string& path) {
  return open_writable(path, O_CREAT | O_TRUNC | O_APPEND);
}

Result<std::unique_ptr<WritableFile>> PosixFileSystem::append_to(const std::string& path) {
  return open_writable(path, O_APPEND);
}

Result<std::string> PosixFileSystem::read_head(const std::string& path, std::size_t bytes_max) {
  const Result<Descriptor> file = open_file(path, O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  struct stat status {};
  if (::fstat(file->number(), &status) != 0) return failed();
  std::string bytes(std::min(bytes_max, static_cast<std::size_t>(status.st_size)), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t count =
        retry([&] { return ::read(file->number(), bytes.data() + got, bytes.size() - got); });
    if (count < 0) return failed();
    if (count == 0) break;  // it became shorter
    got += static_cast<std::size_t>(count);
  }
  bytes.resize(got);
  return bytes;
}

Result<std::string> PosixFileSystem::read(const std::string& path, std::size_t bytes_max) {
  Result<std::string> bytes = read_head(path, bytes_max + 1);
  if (bytes && bytes->size() > bytes_max) return failure(ErrorCode::kTooLarge, EFBIG);
  return bytes;
}

Result<std::vector<FileEntry>> PosixFileSystem::list(const std::string& folder) {
  std::error_code error;
  std::vector<FileEntry> entries;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code gone;  // a file that vanished meanwhile is not there
    if (!entry->is_regular_file(gone)) continue;
    const std::uintmax_t bytes = entry->file_size(gone);
    const std::chrono::nanoseconds modified = entry->last_write_time(gone).time_since_epoch();
    if (!gone) entries.push_back({entry->path().filename().string(), bytes, modified});
  }
  if (error) return failed(error.value());
  std::sort(entries.begin(), entries.end(), [](const FileEntry& a, const FileEntry& b) {
    return a.name < b.name;
  });
  return entries;
}

Result<void> PosixFileSystem::rename(const std::string& from, const std::string& to) {
  return done(std::rename(from.c_str(), to.c_str()));
}

Result<void> PosixFileSystem::remove(const std::string& path) {
  return done(::unlink(path.c_str()));
}

Result<void> PosixFileSystem::truncate(const std::string& path, std::uint64_t bytes) {
  return done(retry([&] { return ::truncate(path.c_str(), static_cast<off_t>(bytes)); }));
}

Result<void> PosixFileSystem::create_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return done(error);
}

Result<void> PosixFileSystem::sync_folder(const std::string& folder) {
  const Result<Descriptor> opened = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (!opened) return tl::unexpected(opened.error());
  return done(retry([&] { return ::fsync(opened->number()); }));
}

Result<void> write_all(WritableFile& file, std::string_view bytes) {
  while (!bytes.empty()) {
    const Result<std::size_t> count = file.write_some(bytes);
    if (!count) return tl::unexpected(count.error());
    bytes.remove_prefix(*count);
  }
  return {};
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace liminal::files
