#include "io/files/replace.hpp"

#include <memory>

namespace liminal::files {
namespace {

Result<void> write_new(FileSystem& system, const std::string& path, std::string_view bytes) {
  const Result<std::unique_ptr<WritableFile>> file = system.create(path);
  if (!file) return tl::unexpected(file.error());
  return write_all(**file, bytes).and_then([&] { return (*file)->sync(); });
}

Result<void> keep(FileSystem& system, const std::string& path, const std::string& keep_as) {
  if (keep_as.empty()) return {};
  Result<void> kept = system.rename(path, keep_as);
  const bool nothing_to_keep = !kept && kept.error().code == ErrorCode::kMissing;
  return nothing_to_keep ? Result<void>{} : kept;
}

}  // namespace

Result<void> replace_file(FileSystem& system,
                          const std::string& path,
                          std::string_view bytes,
                          const std::string& keep_as) {
  return replace_file_unsynced(system, path, bytes, keep_as).and_then([&] {
    return system.sync_folder(folder_of(path));
  });
}

Result<void> replace_file_unsynced(FileSystem& system,
                                   const std::string& path,
                                   std::string_view bytes,
                                   const std::string& keep_as) {
  const std::string draft = path + ".new";
  Result<void> replaced = write_new(system, draft, bytes)
                              .and_then([&] { return keep(system, path, keep_as); })
                              .and_then([&] { return system.rename(draft, path); });
  if (!replaced) (void)system.remove(draft);  // what is left of it takes room that is wanted
  return replaced;
}

Result<void> set_aside(FileSystem& system, const std::string& path) {
  if (auto renamed = system.rename(path, path + ".unreadable"); !renamed) return renamed;
  return system.sync_folder(folder_of(path));
}

}  // namespace liminal::files
