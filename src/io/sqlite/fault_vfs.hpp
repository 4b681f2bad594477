#pragma once

#include <atomic>
#include <string>

namespace liminal::sqlite {

/// A file system for tests that fails when told to: the system's own underneath, registered with
/// SQLite under `kFaultVfs` for the life of this object. One at a time in a process.
class FaultVfs {
 public:
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  /// Syncs wait from now on, until they are let go.
  void hold_syncs();
  void let_syncs_go();
  [[nodiscard]] static int syncs_held();

  /// Result codes that the calls give from now on; 0: they work.
  void fail_writes(int code);
  void fail_syncs(int code);
  void fail_reads(int code);
  void fail_opens(int code);
  /// Writes work so many times before they fail (a disk that fills up in the middle of a batch).
  void fail_writes_after(int count, int code);
};

inline constexpr const char* kFaultVfs = "liminal-fault";

}  // namespace liminal::sqlite
