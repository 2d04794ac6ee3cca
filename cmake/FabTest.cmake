# fab_add_test(NAME LIBRARY...): one CUnit program tests/unit/NAME.c, run as a CTest case with the
# label "unit" and a timeout.
function(fab_add_test name)
  add_executable(${name} ${name}.c)
  target_include_directories(${name} PRIVATE ${CUNIT_INCLUDE_DIR})
  target_link_libraries(${name} PRIVATE ${ARGN} fabflags ${CUNIT_LIBRARY})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)
endfunction()

# fab_add_process_test(NAME LIBRARY...): a CUnit program tests/process/NAME.c that starts further
# processes; label "process".
function(fab_add_process_test name)
  add_executable(${name} ${name}.c)
  target_include_directories(${name} PRIVATE ${CUNIT_INCLUDE_DIR})
  target_link_libraries(${name} PRIVATE ${ARGN} fabflags ${CUNIT_LIBRARY})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS process TIMEOUT 300 SKIP_RETURN_CODE 77)
endfunction()

# fab_test_under_tsan(NAME...): these tests have threads; `ctest -L tsan` in the tsan build runs them.
function(fab_test_under_tsan)
  foreach(name IN LISTS ARGN)
    set_property(TEST ${name} APPEND PROPERTY LABELS tsan)
    set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT
      TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp)
  endforeach()
endfunction()

# fab_add_fuzz(NAME LIBRARY...): the libFuzzer target tests/fuzz/NAME.c. CTest runs it briefly over
# tests/fuzz/corpus/NAME (label "fuzz"); what it finds goes to the build tree, never to the corpus.
# Does nothing without FAB_FUZZ.
function(fab_add_fuzz name)
  if(NOT FAB_FUZZ)
    return()
  endif()
  set(found ${CMAKE_BINARY_DIR}/fuzz/${name})
  file(MAKE_DIRECTORY ${found})
  add_executable(${name} ${name}.c)
  target_link_libraries(${name} PRIVATE ${ARGN} fabflags)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME ${name} COMMAND ${name} -runs=20000 -timeout=10 -rss_limit_mb=2048
    -artifact_prefix=${found}/ ${found} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()

# fab_add_python_test(NAME LABEL [TIMEOUT SECONDS] [ALONE]): NAME.py in this directory, a file of Python's
# unittest that drives the programs of this build. ALONE: it measures time, nothing runs beside it.
function(fab_add_python_test name label)
  cmake_parse_arguments(PARSE_ARGV 2 arg "ALONE" "TIMEOUT" "")
  find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} -B -m unittest -v ${name}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT FAB_BUILD=${CMAKE_BINARY_DIR})
  if(arg_ALONE)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
endfunction()
