#pragma once

#include <string>
#include <string_view>

#include "io/files/file_system.hpp"

namespace liminal::files {

/// Puts `bytes` in place of a file: written beside it, synced, renamed over it, the folder synced.
///
/// Guarantee: whatever fails or loses power, and whenever, `path` (or, with `keep_as`, at least one
/// of the two) holds one whole version, the old or the new one; after success the new one. With
/// `keep_as` the version before stays under that name. A failure leaves the old version in place,
/// save when only the last step failed: then it is the new one, which a loss of power may undo.
[[nodiscard]] Result<void> replace_file(FileSystem& system,
                                        const std::string& path,
                                        std::string_view bytes,
                                        const std::string& keep_as = {});

/// The same but for the folder: who replaces several files syncs it once, behind the last.
[[nodiscard]] Result<void> replace_file_unsynced(FileSystem& system,
                                                 const std::string& path,
                                                 std::string_view bytes,
                                                 const std::string& keep_as = {});

/// Renames a file that cannot be read to "PATH.unreadable", durably, so that its place is free and
/// somebody may look into it or bring it back; one that was set aside before is replaced.
[[nodiscard]] Result<void> set_aside(FileSystem& system, const std::string& path);

}  // namespace liminal::files
