# SPDX-License-Identifier: Apache-2.0
# cmake -DFILES="a;b" -DOUT=table.c -P embed.cmake: the files as byte arrays, with type and ETag (of their SHA-256).
function(type_of name out)
  if(name MATCHES "\\.html$")
    set(type "text/html; charset=utf-8")
  elseif(name MATCHES "\\.css$")
    set(type "text/css; charset=utf-8")
  elseif(name MATCHES "\\.js$")
    set(type "text/javascript; charset=utf-8")
  else()
    set(type "image/svg+xml")
  endif()
  set(${out} "${type}" PARENT_SCOPE)
endfunction()

set(arrays "")
set(rows "")
set(number 0)
foreach(path ${FILES})
  get_filename_component(name ${path} NAME)
  file(READ ${path} hex HEX)
  file(SHA256 ${path} sum)
  string(SUBSTRING ${sum} 0 32 sum)
  type_of(${name} type)
  string(LENGTH "${hex}" digits)
  math(EXPR len "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const uint8_t file_${number}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", \"${type}\", \"\\\"${sum}\\\"\", file_${number}, ${len}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT}.new "/* Made by console/embed.cmake. */
#include \"hf/server/console.h\"

#include <stddef.h>

${arrays}
const struct hf_console_file *hf_console_get(struct hf_bytes name)
{
  static const struct hf_console_file files[] = {
${rows}    {NULL, NULL, NULL, NULL, 0},
  };
  for (size_t i = 0; files[i].name != NULL; i++) {
    if (hf_bytes_is(name, files[i].name)) {
      return &files[i];
    }
  }
  return NULL;
}
")
file(RENAME ${OUT}.new ${OUT})
