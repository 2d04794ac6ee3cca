# fab_add_test(NAME LIBRARY...): one CUnit program tests/unit/NAME.c, run as a CTest case with the
# label "unit" and a timeout.
function(fab_add_test name)
  add_executable(${name} ${name}.c)
  target_include_directories(${name} PRIVATE ${CUNIT_INCLUDE_DIR})
  target_link_libraries(${name} PRIVATE ${ARGN} fabflags ${CUNIT_LIBRARY})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)
endfunction()
