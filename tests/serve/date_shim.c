/* Moves the date of the process that preloads it by the nanoseconds in the file DATE_SHIM, an int64 that
   may change at any time. Other clocks stay as they are, as where the date alone is set. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* offset_ns;

__attribute__((constructor)) static void open_offset(void) {
  const char* path = getenv("DATE_SHIM");
  const int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void* mapped = file >= 0 ? mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
  if (mapped == MAP_FAILED) abort();
  offset_ns = mapped;
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  const long done = syscall(SYS_clock_gettime, clock, time);
  if (done != 0 || clock != CLOCK_REALTIME || offset_ns == NULL) return (int)done;
  const int64_t second = 1000000000;
  const int64_t nanoseconds = time->tv_sec * second + time->tv_nsec + *offset_ns;
  time->tv_sec = nanoseconds / second;
  time->tv_nsec = nanoseconds % second;
  return 0;
}
