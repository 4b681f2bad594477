#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "io/files/file_system.hpp"

namespace liminal::signals {

/// A file with state, sealed as snapshots are; `format` says what lies in it.

/// Gives the payload to `take`, and then the time of which it is. kMissing when there is none,
/// kUnsupported when it is of another format. What was read and makes no sense is set aside
/// (files::set_aside) before its error is returned. kIo: the disk did not give the file, or it
/// could not be set aside; it lies there still, and its caller writes nothing over it.
[[nodiscard]] Result<EventTime> load_state(
    files::FileSystem& system,
    const std::string& folder,
    std::string_view file,
    std::uint64_t format,
    const std::function<Result<void>(std::string_view)>& take);

/// The same of a file that has had several formats; `take` is told which one it has.
[[nodiscard]] Result<EventTime> load_state(
    files::FileSystem& system,
    const std::string& folder,
    std::string_view file,
    std::span<const std::uint64_t> formats,
    const std::function<Result<void>(std::string_view, std::uint64_t format)>& take);

/// Durable, whole, when it returns; blocks on the disk. A payload that has room for its envelope is
/// not copied.
[[nodiscard]] Result<void> write_state(files::FileSystem& system,
                                       const std::string& folder,
                                       std::string_view file,
                                       std::uint64_t format,
                                       EventTime now,
                                       std::string payload);

}  // namespace liminal::signals
