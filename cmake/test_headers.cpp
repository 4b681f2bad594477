// Carries the tests' precompiled headers (CMakeLists.txt names them).
