// Carries precompiled headers (CMakeLists.txt names them).
