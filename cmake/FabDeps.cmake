# Libraries that Hubspoke stands on; script/bootstrap installs them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(LIBEVENT REQUIRED IMPORTED_TARGET libevent_core)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(LIBFYAML REQUIRED IMPORTED_TARGET libfyaml)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(LIBMNL REQUIRED IMPORTED_TARGET libmnl)
pkg_check_modules(LIBNFTABLES REQUIRED IMPORTED_TARGET libnftables)
find_program(PROTOC_C protoc-c REQUIRED)

# vswitchd's BPF engine; without one of these it is left out.
find_program(CLANG NAMES clang clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 clang-14)
pkg_check_modules(LIBBPF IMPORTED_TARGET libbpf>=1.0)
if(CLANG AND LIBBPF_FOUND)
  set(FAB_BPF ON)
else()
  set(FAB_BPF OFF)
  message(STATUS "vswitchd is built without its BPF engine: clang or libbpf-dev is missing")
endif()

# Debian's NNG ships neither a pkg-config file nor a CMake package.
find_path(NNG_INCLUDE_DIR nng/nng.h REQUIRED)
find_library(NNG_LIBRARY nng REQUIRED)
add_library(nng INTERFACE)
target_include_directories(nng INTERFACE ${NNG_INCLUDE_DIR})
target_link_libraries(nng INTERFACE ${NNG_LIBRARY} Threads::Threads)

if(FAB_TESTS)
  find_path(CUNIT_INCLUDE_DIR CUnit/Basic.h REQUIRED)
  find_library(CUNIT_LIBRARY cunit REQUIRED)
endif()
