#include "io/sqlite/fault_vfs.hpp"

#include <sqlite3.h>

#include <new>

namespace liminal::sqlite {
namespace {

struct Faults {
  std::atomic<int> write{0}, sync{0}, read{0}, open{0};
  std::atomic<int> writes_left{0};
  std::atomic<bool> hold_syncs{false};
  std::atomic<int> syncs_held{0};
};
Faults faults;  // SQLite hands its callbacks no context of ours

sqlite3_vfs shim{};
sqlite3_vfs* real() { return static_cast<sqlite3_vfs*>(shim.pAppData); }

/// What SQLite allocates for a file: our part, then the real one's.
struct File {
  sqlite3_file base;
  sqlite3_file* inner() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
sqlite3_file* inner(sqlite3_file* file) { return reinterpret_cast<File*>(file)->inner(); }

int write(sqlite3_file* file, const void* data, int count, sqlite3_int64 offset) {
  if (faults.write != 0 && faults.writes_left.fetch_sub(1) <= 0) return faults.write;
  return inner(file)->pMethods->xWrite(inner(file), data, count, offset);
}
int read(sqlite3_file* file, void* data, int count, sqlite3_int64 offset) {
  if (faults.read != 0) return faults.read;
  return inner(file)->pMethods->xRead(inner(file), data, count, offset);
}
int sync(sqlite3_file* file, int flags) {
  ++faults.syncs_held;
  faults.hold_syncs.wait(true);
  --faults.syncs_held;
  if (faults.sync != 0) return faults.sync;
  return inner(file)->pMethods->xSync(inner(file), flags);
}

// The rest passes through.
int close(sqlite3_file* f) { return inner(f)->pMethods->xClose(inner(f)); }
int truncate(sqlite3_file* f, sqlite3_int64 n) {
  return inner(f)->pMethods->xTruncate(inner(f), n);
}
int file_size(sqlite3_file* f, sqlite3_int64* n) {
  return inner(f)->pMethods->xFileSize(inner(f), n);
}
int lock(sqlite3_file* f, int level) { return inner(f)->pMethods->xLock(inner(f), level); }
int unlock(sqlite3_file* f, int level) { return inner(f)->pMethods->xUnlock(inner(f), level); }
int check_lock(sqlite3_file* f, int* out) {
  return inner(f)->pMethods->xCheckReservedLock(inner(f), out);
}
int control(sqlite3_file* f, int op, void* argument) {
  return inner(f)->pMethods->xFileControl(inner(f), op, argument);
}
int sector_size(sqlite3_file* f) { return inner(f)->pMethods->xSectorSize(inner(f)); }
int characteristics(sqlite3_file* f) {
  return inner(f)->pMethods->xDeviceCharacteristics(inner(f));
}
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return inner(f)->pMethods->xShmMap(inner(f), page, size, extend, out);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
  return inner(f)->pMethods->xShmLock(inner(f), offset, n, flags);
}
void shm_barrier(sqlite3_file* f) { inner(f)->pMethods->xShmBarrier(inner(f)); }
int shm_unmap(sqlite3_file* f, int remove) {
  return inner(f)->pMethods->xShmUnmap(inner(f), remove);
}

constexpr sqlite3_io_methods kMethods{2,
                                      close,
                                      read,
                                      write,
                                      truncate,
                                      sync,
                                      file_size,
                                      lock,
                                      unlock,
                                      check_lock,
                                      control,
                                      sector_size,
                                      characteristics,
                                      shm_map,
                                      shm_lock,
                                      shm_barrier,
                                      shm_unmap,
                                      nullptr,
                                      nullptr};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  if (faults.open != 0) return faults.open;
  const int code = real()->xOpen(real(), name, inner(file), flags, out_flags);
  if (inner(file)->pMethods != nullptr) file->pMethods = &kMethods;
  return code;
}

}  // namespace

FaultVfs::FaultVfs() {
  sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  shim = *system;  // its other calls take a vfs only to find their own settings in it
  shim.pNext = nullptr;
  shim.zName = kFaultVfs;
  shim.szOsFile = static_cast<int>(sizeof(File)) + system->szOsFile;
  shim.pAppData = system;
  shim.xOpen = open;
  faults.write = faults.sync = faults.read = faults.open = 0;
  faults.hold_syncs = false;
  sqlite3_vfs_register(&shim, 0);
}

FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(&shim); }

void FaultVfs::fail_writes(int code) { fail_writes_after(0, code); }
void FaultVfs::fail_writes_after(int count, int code) {
  faults.writes_left = count;
  faults.write = code;
}
void FaultVfs::fail_syncs(int code) { faults.sync = code; }
void FaultVfs::hold_syncs() { faults.hold_syncs = true; }
void FaultVfs::let_syncs_go() {
  faults.hold_syncs = false;
  faults.hold_syncs.notify_all();
}
int FaultVfs::syncs_held() { return faults.syncs_held; }
void FaultVfs::fail_reads(int code) { faults.read = code; }
void FaultVfs::fail_opens(int code) { faults.open = code; }

}  // namespace liminal::sqlite
