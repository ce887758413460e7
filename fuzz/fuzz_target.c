/* SPDX-License-Identifier: Apache-2.0
 * One value of "targets": what is accepted can be written again and reads the same; and the targets file around it can
 * be edited without losing or doubling a member. */
#include <stdlib.h>

#include "hf/wire/tufwrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
  if (!holds) {
    abort();
  }
}

static void check_target(struct hf_json value)
{
  uint8_t first[4096], second[4096];
  struct hf_buf a = hf_buf_init(first, sizeof first), b = hf_buf_init(second, sizeof second);
  struct hf_json name = {HF_LIT("\"a/b.img\"")}, again;
  struct hf_target_file file;
  struct hf_target target;
  struct hf_target_order order;
  if (hf_target_file_parse(&file, name, value, NULL) != HF_OK) {
    return;
  }
  bool is_target = hf_target_parse(&target, file.custom, NULL) == HF_OK;
  if (!is_target && hf_target_order_parse(&order, file.custom, NULL) != HF_OK) {
    return;
  }
  is_target ? hf_target_put(&a, &target, &file) : hf_target_order_put(&a, &order, &file);
  must(!a.failed && hf_json_parse(&again, hf_buf_bytes(&a), NULL) == HF_OK);
  must(hf_target_file_parse(&file, name, again, NULL) == HF_OK);
  must(is_target ? hf_target_parse(&target, file.custom, NULL) == HF_OK
                 : hf_target_order_parse(&order, file.custom, NULL) == HF_OK);
  is_target ? hf_target_put(&b, &target, &file) : hf_target_order_put(&b, &order, &file);
  must(hf_bytes_equal(hf_buf_bytes(&a), hf_buf_bytes(&b)));
}

static void check_edit(struct hf_json body)
{
  static uint8_t room[1 << 20];
  struct hf_tufwrite_entry entries[2] = {{HF_LIT("m"), HF_LIT("1")}, {HF_LIT("z/z"), HF_LIT("2")}};
  struct hf_tufwrite_edit edit = {.version = 7, .expires = 1, .entries = entries, .count = 2};
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_json again, targets, before, value;
  if (hf_tufwrite_edit_targets(&out, body, &edit) != HF_OK) {
    return;
  }
  must(hf_json_parse(&again, hf_buf_bytes(&out), NULL) == HF_OK); /* refuses a member written twice */
  must(hf_json_get(&targets, again, "targets") == HF_OK && hf_json_get(&before, body, "targets") == HF_OK);
  size_t added = 0;
  for (size_t i = 0; i < 2; i++) {
    must(hf_json_get_bytes(&value, targets, entries[i].path) == HF_OK);
    added += hf_json_get_bytes(&value, before, entries[i].path) != HF_OK;
  }
  must(hf_json_count(targets) == hf_json_count(before) + added);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_json value;
  if (hf_json_parse(&value, hf_bytes_init(data, size), NULL) == HF_OK) {
    check_target(value);
    check_edit(value);
  }
  return 0;
}
