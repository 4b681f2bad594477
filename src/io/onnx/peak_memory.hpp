#pragma once

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

/// Counts what this program holds by `new`, for tests of how much memory a call takes. Takes the
/// place of the allocator: include in one file of a program, which must have one thread.
namespace liminal::onnx::testing {

inline std::size_t held_bytes = 0;
inline std::size_t peak_bytes = 0;

/// The most that was held at once during a call, beyond what was held before it.
template <class Call>
std::size_t peak_of(const Call& call) {
  const std::size_t before = peak_bytes = held_bytes;
  call();
  return peak_bytes - before;
}

}  // namespace liminal::onnx::testing

void* operator new(std::size_t size) {
  using namespace liminal::onnx::testing;
  void* const made = std::malloc(size);
  if (made == nullptr) throw std::bad_alloc();
  held_bytes += malloc_usable_size(made);
  peak_bytes = std::max(peak_bytes, held_bytes);
  return made;
}
void operator delete(void* memory) noexcept {
  if (memory != nullptr) liminal::onnx::testing::held_bytes -= malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
