# liminal_module(core/limits
#   SOURCES gcra.cpp  TESTS gcra_test.cpp  BENCHES gcra_bench.cpp  FUZZERS gcra_fuzz.cpp
#   DEPENDS core/base  LIBRARIES fmt::fmt)
#
# Declares the library of one folder with its tests, benchmarks and fuzz targets. A folder sees only
# what it names in DEPENDS, and only folders of a lower layer (tools/check_layers).
# A fuzz target `x_fuzz.cpp` has its seeds in `x_corpus/`; the tests replay them in every build, and
# in a build with LIMINAL_FUZZ it is also a libFuzzer program.
#
# Tests of the core are labelled `pure`, others `threads`, with ONE_THREAD `single`, and with
# FOREIGN_THREADS `foreign`: their library has threads whose locks the thread sanitizer does not see.
# Where LIMINAL_UNITY is on, sources are compiled some together, but for those of APART: they give a name of
# their own to what another source of the folder calls so too.
# SLOW_TESTS compute for seconds: they are labelled `system`, like the tests of whole programs, which the
# sanitizers have no part in. ./test chooses by label what it runs by which compiler under which sanitizer.
# The targets liminal_tests (all that a sanitizer runs), liminal_threaded_tests, liminal_system_tests,
# liminal_benchmarks and liminal_fuzz_targets build what their names say.
add_custom_target(liminal_tests)
add_custom_target(liminal_system_tests)
add_custom_target(liminal_benchmarks)
add_custom_target(liminal_threaded_tests)
add_custom_target(liminal_fuzz_targets)

# Installs a folder of the core for programs that embed the engine: core/engine is liminal::engine
# after find_package(liminal), its headers are "core/engine/….hpp".
function(liminal_install_module TARGET FOLDER NAME)
  set_target_properties(${TARGET} PROPERTIES EXPORT_NAME ${NAME})
  target_compile_features(${TARGET} INTERFACE cxx_std_20)
  install(TARGETS ${TARGET} EXPORT liminal ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
          COMPONENT development)
  install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/liminal/${FOLDER} COMPONENT development
          FILES_MATCHING PATTERN "*.hpp" PATTERN "testing.hpp" EXCLUDE PATTERN "*_corpus" EXCLUDE)
  get_target_property(type ${TARGET} TYPE)
  if(NOT type STREQUAL "INTERFACE_LIBRARY")
    add_dependencies(liminal_system_tests ${TARGET})  # tests/package installs it
  endif()
endfunction()

# Tests are compiled often and run once: they take what is tested optimised and are not optimised
# themselves (a third of the time under the sanitizers), and read their frameworks precompiled.
function(liminal_fast_to_compile TARGET)
  target_compile_options(${TARGET} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O0>)
  if(LIMINAL_PRECOMPILE)
    set_target_properties(${TARGET} PROPERTIES POSITION_INDEPENDENT_CODE OFF)  # as the headers are
    target_precompile_headers(${TARGET} REUSE_FROM liminal_test_headers)
  endif()
endfunction()

# What they include is then read once for many (a third of the time under the sanitizers).
function(liminal_compile_together TARGET)
  set_target_properties(${TARGET} PROPERTIES UNITY_BUILD ${LIMINAL_UNITY} UNITY_BUILD_BATCH_SIZE 12)
endfunction()

function(liminal_tests_of NAME SUFFIX FOLDER LABEL SOURCES)
  set(target ${NAME}_${SUFFIX})
  add_executable(${target} ${SOURCES})
  liminal_compile_together(${target})
  liminal_fast_to_compile(${target})
  target_link_libraries(${target} PRIVATE ${NAME} liminal_flags GTest::gmock GTest::gtest_main
                        rapidcheck)
  gtest_discover_tests(${target} TEST_PREFIX "${FOLDER}/" DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES
                       PROPERTIES LABELS ${LABEL} TIMEOUT 300)
endfunction()

function(liminal_module FOLDER)
  cmake_parse_arguments(ARG "FOREIGN_THREADS;ONE_THREAD" "" "SOURCES;TESTS;SLOW_TESTS;BENCHES;FUZZERS;DEPENDS;LIBRARIES;APART" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "liminal_module(${FOLDER}): unknown ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  string(REPLACE "/" "_" name "liminal_${FOLDER}")
  set_source_files_properties(${ARG_APART} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  set(depends ${ARG_DEPENDS})
  list(TRANSFORM depends REPLACE "/" "_")
  list(TRANSFORM depends PREPEND "liminal_")
  if(FOLDER MATCHES "^core/")
    set(label pure)
    set(collections liminal_tests)
  elseif(ARG_ONE_THREAD)
    set(label single)
    set(collections liminal_tests)
  elseif(ARG_FOREIGN_THREADS)
    set(label foreign)
    set(collections liminal_tests)
  else()
    set(label threads)
    set(collections liminal_tests liminal_threaded_tests)
  endif()

  set(includes $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
               $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/liminal>)

  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    liminal_compile_together(${name})
    target_include_directories(${name} PUBLIC ${includes})
    target_link_libraries(${name} PUBLIC ${depends} ${ARG_LIBRARIES}
                          PRIVATE $<BUILD_INTERFACE:liminal_flags>)
    if(NOT FOLDER MATCHES "^core/")
      # What lies around the core computes little, and compiles in half the time: in the builds for
      # tests and sanitizers it is not optimised.
      target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O0>)
      if(LIMINAL_PRECOMPILE_LIBRARIES)
        target_precompile_headers(${name} REUSE_FROM liminal_outer_headers)
      endif()
    elseif(LIMINAL_PRECOMPILE_LIBRARIES)
      target_precompile_headers(${name} REUSE_FROM liminal_core_headers)
    endif()
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${includes})
    target_link_libraries(${name} INTERFACE ${depends} ${ARG_LIBRARIES})
  endif()
  if(FOLDER MATCHES "^core/(.*)")
    liminal_install_module(${name} ${FOLDER} ${CMAKE_MATCH_1})
  endif()

  if(ARG_TESTS AND BUILD_TESTING)
    liminal_tests_of(${name} test ${FOLDER} ${label} "${ARG_TESTS}")
    foreach(collection ${collections})
      add_dependencies(${collection} ${name}_test)
    endforeach()
  endif()
  if(ARG_SLOW_TESTS AND BUILD_TESTING)
    liminal_tests_of(${name} slow_test ${FOLDER} system "${ARG_SLOW_TESTS}")
    add_dependencies(liminal_system_tests ${name}_slow_test)
  endif()
  if(ARG_BENCHES AND LIMINAL_BENCHMARKS)
    add_executable(${name}_bench ${ARG_BENCHES})
    add_dependencies(liminal_benchmarks ${name}_bench)
    target_link_libraries(${name}_bench PRIVATE ${name} liminal_flags benchmark::benchmark_main)
  endif()
  foreach(source ${ARG_FUZZERS})
    get_filename_component(target ${source} NAME_WE)
    string(REPLACE "_fuzz" "" corpus ${target})
    get_filename_component(where ${source} DIRECTORY)
    set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/${where}/${corpus}_corpus)
    if(BUILD_TESTING)
      add_executable(${name}_${target}_replay ${source} ${PROJECT_SOURCE_DIR}/cmake/replay_corpus.cpp)
      target_link_libraries(${name}_${target}_replay PRIVATE ${name} liminal_flags)
      add_test(NAME ${FOLDER}/${target}_corpus COMMAND ${name}_${target}_replay ${corpus})
      set_tests_properties(${FOLDER}/${target}_corpus PROPERTIES LABELS ${label} TIMEOUT 300)
      foreach(collection ${collections})
        add_dependencies(${collection} ${name}_${target}_replay)
      endforeach()
    endif()
    if(LIMINAL_FUZZ)
      add_executable(${name}_${target} ${source})
      target_link_libraries(${name}_${target} PRIVATE ${name} liminal_flags)
      target_link_options(${name}_${target} PRIVATE -fsanitize=fuzzer)
      add_dependencies(liminal_fuzz_targets ${name}_${target})
      set_property(GLOBAL APPEND PROPERTY LIMINAL_FUZZ_TARGETS "${name}_${target}=${corpus}")
    endif()
  endforeach()
endfunction()
