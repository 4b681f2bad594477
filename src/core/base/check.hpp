#pragma once

#include <cstdlib>

/// Ends the process when an invariant of ours is broken. Never for what the outside can cause.
#define LIMINAL_CHECK(condition) (static_cast<bool>(condition) ? void(0) : std::abort())

/// The same in debug, sanitizer and fuzz builds only, for what costs time on the path of a message.
#ifdef LIMINAL_DEBUG_CHECKS
#define LIMINAL_DCHECK(condition) LIMINAL_CHECK(condition)
#else
#define LIMINAL_DCHECK(condition) void(0)
#endif
