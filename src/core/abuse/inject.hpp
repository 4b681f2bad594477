#pragma once

#include <optional>

#include "core/abuse/abuser.hpp"

namespace liminal::abuse {

/// Puts one abuse of the kind into a trace that ends at `end` seconds, at a random place and from
/// blatant to subtle by chance; its users are called "abuser" and the number `serial`. The trace
/// must be sorted again. None when there is no place for it: a take-over needs a user with a past.
[[nodiscard]] std::optional<Injection> inject(
    Trace& trace, Abuse abuse, double end, Random& random, int serial);

}  // namespace liminal::abuse
