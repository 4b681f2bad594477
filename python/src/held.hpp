#pragma once

#include <memory>
#include <utility>

#include "convert.hpp"

namespace liminal::python {

/// An object that threads of this process hold without the interpreter.
using Held = std::shared_ptr<nb::object>;

/// Takes it over; the interpreter must be held.
[[nodiscard]] inline Held held(nb::object object) {
  return {new nb::object(std::move(object)), [](nb::object* owned) {
            const nb::gil_scoped_acquire acquire;
            delete owned;
          }};
}

}  // namespace liminal::python
