# After find_package(liminal): liminal::engine is the whole engine, liminal::features,
# liminal::detect, … its parts. Headers as in the source tree: "core/engine/local_engine.hpp".
# They need tl/expected.hpp (Debian: libexpected-dev) and C++20.
include(${CMAKE_CURRENT_LIST_DIR}/liminalTargets.cmake)
