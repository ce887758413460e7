/* links: hf_server
 * SPDX-License-Identifier: Apache-2.0
 * Request heads, and from them everything that is read out of a head: paths, ranges, cookies, credentials, queries. */
#include <stdint.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/server/front_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct hf_bytes part, const uint8_t *data, size_t size)
{
  HF_ASSERT(part.len == 0 || (part.at >= data && part.at + part.len <= data + size));
}

/* A path that may name a file never climbs and never hides. */
static void check_path(struct hf_bytes path)
{
  if (!hf_http_path_check(path)) {
    return;
  }
  HF_ASSERT(path.len > 0 && path.at[0] != '/' && path.at[0] != '.');
  for (size_t i = 0; i + 1 < path.len; i++) {
    HF_ASSERT(path.at[i] != '/' || (path.at[i + 1] != '.' && path.at[i + 1] != '/'));
    HF_ASSERT(path.at[i] != 0 && path.at[i] != '%' && path.at[i] != '\\');
  }
}

static void read_values(const struct hf_http_request *request, const uint8_t *data, size_t size)
{
  static const uint64_t sizes[] = {0, 1, 100, UINT64_MAX};
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    struct hf_http_range range = {0};
    if (hf_http_range_parse(&range, request->range, sizes[i]) == HF_OK) {
      HF_ASSERT(range.len > 0 && range.from < sizes[i] && range.len <= sizes[i] - range.from);
    }
  }
  inside(hf_http_cookie(request->cookie, "hf_session"), data, size);
  inside(hf_http_credentials(request->authorization, "Bearer"), data, size);
  HF_ASSERT(!hf_http_query_uint(&value, request->query, "since") || request->query.len > 6);
  (void)hf_http_etag_listed(request->if_none_match, HF_LIT("\"a\""));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_http_request request;
  check_path(hf_bytes_init(data, size));
  enum hf_err err = hf_http_parse(&request, hf_bytes_init(data, size));
  if (err == HF_E_INPUT) {
    HF_ASSERT(request.refuse >= 400 && request.reason != NULL);
  }
  if (err != HF_OK) {
    return 0;
  }
  HF_ASSERT(request.head_len <= size && request.head_len <= HF_HTTP_HEAD_MAX);
  HF_ASSERT(memcmp(data + request.head_len - 4, "\r\n\r\n", 4) == 0);
  inside(request.path, data, size);
  inside(request.query, data, size);
  HF_ASSERT(request.path.len > 0 && request.path.at[0] == '/' && request.host.len > 0);
  if (request.path.len > 6) {
    check_path(hf_bytes_init(request.path.at + 6, request.path.len - 6));
  }
  read_values(&request, data, size);
  /* Cut anywhere before its end the same head is incomplete, never something else. */
  struct hf_http_request shorter;
  HF_ASSERT(hf_http_parse(&shorter, hf_bytes_init(data, request.head_len - 1)) == HF_E_AGAIN);
  return 0;
}
