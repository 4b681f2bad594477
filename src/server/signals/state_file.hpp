#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "io/files/file_system.hpp"

namespace liminal::signals {

/// A file with state, sealed as snapshots are; a format says what lies in it. What the disk did not
/// give when it was asked is never written over.
/// Thread rule: `load` before the first `write`, which one thread calls at a time.
class StateFile {
 public:
  using Take = std::function<Result<void>(std::string_view payload, std::uint64_t format)>;

  /// `format` is written; those of `before` are read too.
  StateFile(files::FileSystem& system,
            std::string_view folder,
            std::string_view file,
            std::uint64_t format,
            std::vector<std::uint64_t> before = {});

  /// Gives the payload to `take`, and then the time of which it is. kMissing when there is none,
  /// kUnsupported when it is of another format. What was read and makes no sense is set aside
  /// (files::set_aside) before its error is returned. kIo: the disk did not give the file, or it
  /// could not be set aside; it lies there still, and is left alone.
  [[nodiscard]] Result<EventTime> load(const Take& take);
  [[nodiscard]] bool left_alone() const { return left_alone_; }

  /// Durable, whole, when it returns; blocks on the disk. A payload that has room for its envelope
  /// is not copied. kIo of a file that is left alone.
  [[nodiscard]] Result<void> write(EventTime now, std::string payload);

 private:
  [[nodiscard]] Result<EventTime> read(const Take& take) const;

  files::FileSystem& system_;
  const std::string path_;
  const std::uint64_t format_;
  const std::vector<std::uint64_t> before_;
  std::atomic<bool> left_alone_ = false;
};

}  // namespace liminal::signals
