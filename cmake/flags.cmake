# SPDX-License-Identifier: Apache-2.0
# One set of flags for everything hosted: the OpenSSF hardening guide as far as gcc 12 and clang 14 know it.

add_library(hf_flags INTERFACE)
target_include_directories(hf_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_definitions(hf_flags INTERFACE _POSIX_C_SOURCE=200809L _FILE_OFFSET_BITS=64
                                              HF_VERSION="${PROJECT_VERSION}")
target_compile_options(hf_flags INTERFACE
  -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wvla -Wundef -Wstrict-prototypes -Wmissing-prototypes
  -Wformat=2 -Wpointer-arith -Wcast-qual -Wwrite-strings -Wimplicit-fallthrough
  -fstack-protector-strong -fno-common -fno-delete-null-pointer-checks
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${CMAKE_BINARY_DIR}/=build/)
# clang 14 refuses this one without a second flag that later versions drop.
include(CheckCCompilerFlag)
check_c_compiler_flag(-ftrivial-auto-var-init=zero HF_HAVE_AUTO_VAR_INIT)
if(HF_HAVE_AUTO_VAR_INIT)
  target_compile_options(hf_flags INTERFACE -ftrivial-auto-var-init=zero)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  target_compile_options(hf_flags INTERFACE -fcf-protection=full -fstack-clash-protection)
endif()
target_link_options(hf_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

if(HF_WERROR)
  target_compile_options(hf_flags INTERFACE -Werror)
endif()
if(HF_SANITIZE)
  target_compile_options(hf_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(hf_flags INTERFACE -fsanitize=address,undefined)
  target_compile_definitions(hf_flags INTERFACE HF_SANITIZED=1)
else()
  target_compile_definitions(hf_flags INTERFACE HF_SANITIZED=0)
  if(CMAKE_BUILD_TYPE MATCHES "Release|RelWithDebInfo|MinSizeRel")
    target_compile_options(hf_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fno-strict-overflow)
  endif()
endif()
if(HF_COVERAGE)
  target_compile_options(hf_flags INTERFACE --coverage -O0)
  target_link_options(hf_flags INTERFACE --coverage)
endif()
if(HF_FUZZ)
  target_compile_options(hf_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
