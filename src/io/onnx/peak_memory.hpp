#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>

// The sanitizers bring their own allocator, which cannot be replaced but says what it does.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LIMINAL_ALLOCATOR_TELLS
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMINAL_ALLOCATOR_TELLS
#endif

#ifdef LIMINAL_ALLOCATOR_TELLS
#include <sanitizer/allocator_interface.h>
#else
#include <malloc.h>
#endif

/// Counts what this program holds by `new`, for tests of how much memory a call takes. Takes the
/// place of the allocator: include in one file of a program, which must have one thread.
namespace liminal::onnx::testing {

// Signed: what was allocated before counting began is released, too.
inline std::int64_t held_bytes = 0;
inline std::int64_t peak_bytes = 0;

inline void release(std::size_t bytes) { held_bytes -= static_cast<std::int64_t>(bytes); }
inline void hold(std::size_t bytes) {
  held_bytes += static_cast<std::int64_t>(bytes);
  peak_bytes = std::max(peak_bytes, held_bytes);
}

/// The most that was held at once during a call, beyond what was held before it.
template <class Call>
std::size_t peak_of(const Call& call) {
  const std::int64_t before = peak_bytes = held_bytes;
  call();
  return static_cast<std::size_t>(peak_bytes - before);
}

}  // namespace liminal::onnx::testing

#ifdef LIMINAL_ALLOCATOR_TELLS
namespace liminal::onnx::testing {
inline const int told = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t size) { hold(size); },
    [](const volatile void* memory) { release(__sanitizer_get_allocated_size(memory)); });
}  // namespace liminal::onnx::testing
#else
void* operator new(std::size_t size) {
  void* const made = std::malloc(size);
  if (made == nullptr) throw std::bad_alloc();
  liminal::onnx::testing::hold(malloc_usable_size(made));
  return made;
}
void operator delete(void* memory) noexcept {
  if (memory != nullptr) liminal::onnx::testing::release(malloc_usable_size(memory));
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
#endif
