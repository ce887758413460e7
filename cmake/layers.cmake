# SPDX-License-Identifier: Apache-2.0
# hf_layer(NAME [DEPENDS layer...] [LINK target...]): the library hf_NAME from every .c file in hf/NAME.
function(hf_layer name)
  cmake_parse_arguments(arg "" "" "DEPENDS;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/hf/${name}/*.c)
  list(SORT sources)
  if(NOT sources)
    add_library(hf_${name} INTERFACE)
    set(scope INTERFACE)
  else()
    add_library(hf_${name} STATIC ${sources})
    set(scope PUBLIC)
  endif()
  target_link_libraries(hf_${name} ${scope} hf_flags ${arg_LINK})
  foreach(dep ${arg_DEPENDS})
    target_link_libraries(hf_${name} ${scope} hf_${dep})
  endforeach()
endfunction()

# hf_hosted(TARGET): what every hosted program gets.
function(hf_hosted target)
  target_link_libraries(${target} PRIVATE hf_flags)
endfunction()
