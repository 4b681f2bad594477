#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"

namespace liminal::python {

namespace nb = nanobind;

template <class T>
using Column = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Array = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

// Errors: what a caller gave wrongly is a ValueError that names it, what is not known a KeyError.
[[noreturn]] void raise_value(std::string_view field, std::string_view text);
[[noreturn]] void raise_key(std::string_view field, std::string_view value);
[[noreturn]] void raise_error(std::string_view what, const Error& error);
void raise_if_any(const Problems& problems);

/// What `json.loads` makes of it.
[[nodiscard]] nb::object from_json(std::string_view json);
/// What `json.dumps` makes of it, strictly: NaN is a ValueError.
[[nodiscard]] std::string to_json(nb::handle value);

// Arguments that a ValueError names where their type is wrong, too.

/// What `float` makes of a number; no text is one.
[[nodiscard]] double number(nb::handle value, std::string_view field);
/// A whole number from `low` to `high`; of NumPy as well.
[[nodiscard]] std::int64_t whole_number(nb::handle value,
                                        std::int64_t low,
                                        std::int64_t high,
                                        std::string_view field);
/// Numbers of shape (n,): not copied where they are float64 in a row already. Lists, pandas and
/// Arrow are; NaN for what they have not.
[[nodiscard]] Column<double> numbers(nb::handle values, const char* field);
/// The same of uint32; what does not fit is an error.
[[nodiscard]] Column<std::uint32_t> whole_numbers(nb::handle values, const char* field);
/// The same of times: seconds since the epoch, or datetime64.
[[nodiscard]] Column<double> times(nb::handle values, const char* field);

/// Seconds since the epoch as a number, or a datetime; one without a zone is UTC, as datetime64 is.
[[nodiscard]] EventTime event_time(nb::handle time);
[[nodiscard]] EventTime event_time(double seconds_since_epoch);
[[nodiscard]] double seconds_of(SteadyTime time);

/// Gives an array its values without a copy.
template <class T>
[[nodiscard]] Array<T> to_array(std::vector<T>&& values) {
  auto* owned = new std::vector<T>(std::move(values));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Array<T>(owned->data(), {owned->size()}, owner);
}

/// The same in rows.
template <class T>
[[nodiscard]] nb::ndarray<nb::numpy, T, nb::ndim<2>> to_rows(std::vector<T>&& values,
                                                             std::size_t rows,
                                                             std::size_t columns) {
  auto* owned = new std::vector<T>(std::move(values));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return {owned->data(), {rows, columns}, owner};
}

/// A value of one owner that several threads may reach, because a batch lets go of the interpreter.
/// Whoever waits for it must not hold what the other needs: the lock is never held while waiting
/// for the interpreter.
template <class T>
class Guarded {
 public:
  template <class... Arguments>
  requires std::constructible_from<T, Arguments...>
  explicit Guarded(Arguments&&... arguments) : value_(std::forward<Arguments>(arguments)...) {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  /// Short calls.
  template <class F>
  auto with(F f) {
    const std::lock_guard lock(mutex_);
    return f(value_);
  }
  /// Long calls: other threads of Python run meanwhile. `f` must not touch a Python object.
  template <class F>
  auto without_interpreter(F f) {
    nb::gil_scoped_release release;
    const std::lock_guard lock(mutex_);
    return f(value_);
  }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace liminal::python
