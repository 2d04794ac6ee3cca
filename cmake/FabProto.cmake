# fab_proto_library(TARGET FILE...): compiles .proto files with protoc-c; the generated headers are
# included as "proto/NAME.pb-c.h". Generated code is not held to our warning flags.
function(fab_proto_library target)
  set(out ${CMAKE_BINARY_DIR}/proto)
  file(MAKE_DIRECTORY ${out})
  set(sources "")
  foreach(file IN LISTS ARGN)
    cmake_path(GET file STEM stem)
    add_custom_command(
      OUTPUT ${out}/${stem}.pb-c.c ${out}/${stem}.pb-c.h
      COMMAND ${PROTOC_C} --c_out=${CMAKE_BINARY_DIR} -I ${CMAKE_SOURCE_DIR}
              ${CMAKE_SOURCE_DIR}/proto/${file}
      DEPENDS ${ARGN}
      VERBATIM)
    list(APPEND sources ${out}/${stem}.pb-c.c)
  endforeach()
  add_library(${target} STATIC ${sources})
  # System headers: the initialisers that protoc-c writes cast constness away.
  target_include_directories(${target} SYSTEM PUBLIC ${CMAKE_BINARY_DIR})
  target_link_libraries(${target} PUBLIC PkgConfig::PROTOBUF_C)
endfunction()
