#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "io/files/file_system.hpp"

namespace liminal::signals {

/// A file with state, sealed as snapshots are; `format` says what lies in it.

/// Gives the payload to `take`, and then the time of which it is. kMissing when there is none,
/// kUnsupported when it is of another format. What cannot be read is set aside (files::set_aside)
/// before its error is returned.
[[nodiscard]] Result<EventTime> load_state(
    files::FileSystem& system,
    const std::string& folder,
    std::string_view file,
    std::uint64_t format,
    const std::function<Result<void>(std::string_view)>& take);

/// Durable, whole, when it returns; blocks on the disk. A payload that has room for its envelope is
/// not copied.
[[nodiscard]] Result<void> write_state(files::FileSystem& system,
                                       const std::string& folder,
                                       std::string_view file,
                                       std::uint64_t format,
                                       EventTime now,
                                       std::string payload);

}  // namespace liminal::signals
