/* links: hf_fleet
 * SPDX-License-Identifier: Apache-2.0
 * Group expressions: whatever parses can be evaluated and written as SQL within its bound, with a value for each `?`.
 */
#include <stdlib.h>

#include "hf/fleet/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_query query;
  uint8_t room[HF_QUERY_SQL_MAX];
  struct hf_buf sql = hf_buf_init(room, sizeof room);
  struct hf_query_value value;
  size_t at = 0;
  size_t values = 0;
  size_t marks = 0;
  const struct hf_query_attribute attribute = {HF_LIT("room"), HF_LIT("lab 7")};
  const struct hf_query_device device = {.id = HF_LIT("sn-1"),
                                         .product = HF_LIT("thermostat"),
                                         .hardware = HF_LIT("board"),
                                         .has_version = true,
                                         .attribute = &attribute,
                                         .attribute_count = 1};
  struct hf_why why = {.rule = HF_RULE_NONE};
  if (hf_query_parse(&query, hf_bytes_init(data, size), &why) != HF_OK) {
    if (why.rule == HF_RULE_NONE || why.at > size) {
      abort();
    }
    return 0;
  }
  (void)hf_query_match(&query, &device);
  if (hf_query_put_sql(&sql, &query) != HF_OK) {
    abort();
  }
  while (hf_query_next(&value, &query, &at)) {
    values++;
  }
  for (size_t i = 0; i < sql.len; i++) {
    marks += room[i] == '?' ? 1 : 0;
  }
  if (marks != values) {
    abort();
  }
  return 0;
}
