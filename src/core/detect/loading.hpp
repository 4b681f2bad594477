#pragma once

#include "core/base/codec.hpp"

namespace liminal::detect {

/// Reads a number that must be finite and at most 1e30 in magnitude; fails the reader and gives
/// zero otherwise. What is loaded may come from a damaged file: it must not poison a statistic.
template <class T = float>
[[nodiscard]] T get_number(Reader& in) {
  const T value = in.get<T>();
  if (value >= T(-1e30) && value <= T(1e30)) return value;
  in.fail();
  return 0;
}

/// The same for what cannot be negative.
template <class T = float>
[[nodiscard]] T get_amount(Reader& in) {
  const T value = get_number<T>(in);
  if (value >= 0) return value;
  in.fail();
  return 0;
}

/// Save and load by one list of numbers: `visit(x)` for what cannot be negative, `any_sign(x)`
/// else.
struct NumberWriter {
  Writer& out;
  template <class T>
  void operator()(T value) const {
    out.put(value);
  }
  template <class T>
  void any_sign(T value) const {
    out.put(value);
  }
};
struct NumberReader {
  Reader& in;
  template <class T>
  void operator()(T& value) const {
    value = get_amount<T>(in);
  }
  template <class T>
  void any_sign(T& value) const {
    value = get_number<T>(in);
  }
};

}  // namespace liminal::detect
