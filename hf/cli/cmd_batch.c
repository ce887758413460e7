/* SPDX-License-Identifier: Apache-2.0
 * holdfast factory verify, import, orders, devices, revoke: batch records on the product owner's side. */
#include <stdlib.h>
#include <string.h>

#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"
#include "hf/cli/station.h"
#include "hf/wire/pubkey.h"

#define RECORD_MAX (256U << 20)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- verify ---- */

/** What is remembered of a device, to find the second of its kind. */
struct seen {
  struct hf_bytes device; /* in the record */
  uint8_t key[HF_SHA256_LEN];
  unsigned result;
  unsigned storage;
};

struct checking {
  struct hf_batch batch;
  struct seen *seen;
  size_t count;
  size_t cap;
};

static struct seen *seen_new(struct checking *checking)
{
  if (checking->count == checking->cap) {
    size_t cap = checking->cap == 0 ? 256 : 2 * checking->cap;
    struct seen *grown = realloc(checking->seen, cap * sizeof *grown);
    if (grown == NULL) {
      return NULL;
    }
    checking->seen = grown;
    checking->cap = cap;
  }
  return &checking->seen[checking->count++];
}

static struct seen *seen_find(struct checking *checking, struct hf_bytes device)
{
  for (size_t i = checking->count; i > 0; i--) { /* results follow soon after their certificates */
    if (hf_bytes_equal(checking->seen[i - 1].device, device)) {
      return &checking->seen[i - 1];
    }
  }
  return NULL;
}

static enum hf_err note_entry(struct checking *checking, const struct hf_batch_entry *entry, struct hf_why *why)
{
  if (entry->kind == HF_BATCH_ISSUE) {
    struct seen *seen = seen_new(checking);
    if (seen == NULL) {
      return HF_E_SPACE;
    }
    *seen = (struct seen){.device = entry->device, .storage = entry->storage};
    hf_pubkey_hash(seen->key, &checking->batch.issue.key);
  } else if (entry->kind == HF_BATCH_RESULT) {
    struct seen *seen = seen_find(checking, entry->device);
    if (seen == NULL) {
      hf_why_put(why, HF_RULE_BATCH_SHAPE, (uint32_t)checking->batch.at);
      return HF_E_INPUT;
    }
    seen->result = entry->result;
  }
  return HF_OK;
}

static int by_device(const void *a, const void *b)
{
  return hf_bytes_order(((const struct seen *)a)->device, ((const struct seen *)b)->device);
}

static int by_key(const void *a, const void *b)
{
  return memcmp(((const struct seen *)a)->key, ((const struct seen *)b)->key, HF_SHA256_LEN);
}

static enum hf_err find_twice(struct checking *checking, struct hf_why *why)
{
  for (int pass = 0; pass < 2 && checking->count > 0; pass++) {
    int (*order)(const void *, const void *) = pass == 0 ? by_key : by_device;
    qsort(checking->seen, checking->count, sizeof *checking->seen, order);
    for (size_t i = 1; i < checking->count; i++) {
      if (order(&checking->seen[i - 1], &checking->seen[i]) == 0) {
        hf_why_put(why, HF_RULE_BATCH_TWICE, 0);
        return HF_E_INPUT;
      }
    }
  }
  return HF_OK;
}

static enum hf_err check(struct checking *checking, struct hf_bytes record, const struct hf_pubkey *ca,
                         struct hf_why *why)
{
  struct hf_batch_entry entry;
  if (hf_batch_open(&checking->batch, record, ca, why) != HF_ALLOW) {
    return HF_E_DENIED;
  }
  enum hf_err err = hf_batch_next(&checking->batch, &entry, why);
  while (err == HF_OK) {
    err = note_entry(checking, &entry, why);
    err = err == HF_OK ? hf_batch_next(&checking->batch, &entry, why) : err;
  }
  if (err == HF_E_NOT_FOUND || err == HF_E_AGAIN) {
    err = find_twice(checking, why);
  }
  if (err == HF_OK && !checking->batch.closed) {
    hf_why_put(why, HF_RULE_BATCH_OPEN, (uint32_t)checking->batch.at);
    err = HF_E_STATE;
  }
  return err;
}

static const char *result_name(unsigned result)
{
  return result == HF_BATCH_PASS ? "passed" : result == HF_BATCH_FAIL ? "failed" : "not tested";
}

static const char *say_view(struct hf_bytes text) { return hf_say("%.*s", (int)text.len, (const char *)text.at); }

static void print_devices(const struct checking *checking)
{
  static const char *const headings[] = {"DEVICE", "RESULT", "KEY IN", "KEY"};
  struct hf_table *table = hf_table_new(headings, COUNT(headings));
  for (size_t i = 0; i < checking->count; i++) {
    const struct seen *seen = &checking->seen[i];
    hf_table_put(table, say_view(seen->device));
    hf_table_put(table, result_name(seen->result));
    hf_table_put(table, hf_factory_storage_name(seen->storage));
    hf_table_put(table, hf_say_hex(hf_bytes_init(seen->key, 8)));
  }
  hf_table_print(table, stdout);
  hf_table_free(table);
}

static void print_check(const struct checking *checking, const struct hf_call *call)
{
  const struct hf_batch *batch = &checking->batch;
  size_t passed = 0;
  size_t failed = 0;
  for (size_t i = 0; i < checking->count; i++) {
    passed += checking->seen[i].result == HF_BATCH_PASS ? 1 : 0;
    failed += checking->seen[i].result == HF_BATCH_FAIL ? 1 : 0;
  }
  if (hf_args_has(call, "json")) {
    hf_output_json(json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:s}", "order", say_view(batch->order.id),
                             "station", say_view(batch->station), "closed", batch->closed, "entries",
                             (json_int_t)batch->entries, "quota", (json_int_t)batch->order.quota, "issued",
                             (json_int_t)batch->issued, "passed", (json_int_t)passed, "failed", (json_int_t)failed,
                             "head", hf_say_hex(hf_bytes_init(batch->head, HF_SHA256_LEN))));
    return;
  }
  hf_field_print("order", 7, say_view(batch->order.id));
  hf_field_print("product", 7, say_view(batch->order.product));
  hf_field_print("station", 7, say_view(batch->station));
  hf_field_print("opened", 7, hf_say_time(batch->opened));
  hf_field_print("closed", 7, batch->closed ? hf_say_time(batch->ended) : "NOT CLOSED");
  hf_field_print("devices", 7,
                 hf_say("%llu of %llu issued, %zu passed, %zu failed", (unsigned long long)batch->issued,
                        (unsigned long long)batch->order.quota, passed, failed));
  hf_field_print("chain", 7, hf_say("%llu entries, each follows the one before", (unsigned long long)batch->entries));
  if (hf_args_has(call, "devices")) {
    putchar('\n');
    print_devices(checking);
  }
}

int hf_cmd_factory_verify(const struct hf_call *call)
{
  static struct checking checking;
  struct hf_blob record;
  struct hf_pubkey ca;
  struct hf_why why = {0};
  checking = (struct checking){.count = 0};
  enum hf_err err = hf_factory_ca_public(&ca, call);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  err = hf_disk_get(&record, call->operands[0], RECORD_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", call->operands[0]);
    return hf_exit_of(err);
  }
  err = check(&checking, hf_blob_bytes(&record), &ca, &why);
  if (err == HF_OK || err == HF_E_STATE) {
    print_check(&checking, call);
  }
  if (err != HF_OK) {
    hf_complain_why(call->operands[0], &why);
  }
  free(checking.seen);
  hf_blob_free(&record);
  return err == HF_OK ? HF_EXIT_DONE : HF_EXIT_FAILED;
}

/* ---- the server's view ---- */

static void print_order(const json_t *order)
{
  printf("%s\n", hf_member(order, "id"));
  if (json_is_null(json_object_get(order, "imported"))) {
    hf_note("the order is known; its batch record is still to come");
  } else {
    hf_note("%s devices of %s: %s passed, %s failed, %s enrolled", hf_member(order, "issued"),
            hf_member(order, "quota"), hf_member(order, "passed"), hf_member(order, "failed"),
            hf_member(order, "enrolled"));
  }
}

int hf_cmd_factory_import(const struct hf_call *call)
{
  struct hf_blob file;
  struct hf_client *client;
  struct hf_client_path path;
  uint8_t sha256[HF_SHA256_LEN];
  json_t *reply = NULL;
  enum hf_err err = hf_disk_get(&file, call->operands[0], RECORD_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", call->operands[0]);
    return hf_exit_of(err);
  }
  hf_sha256(sha256, hf_blob_bytes(&file));
  const char *hex = hf_say_hex(hf_bytes_init(sha256, sizeof sha256));
  json_t *body = json_pack("{s:s, s:b}", "sha256", hex, "late", hf_args_has(call, "late"));
  int code = hf_client_open(&client, call);
  if (code == HF_EXIT_DONE) {
    hf_client_path_init(&path, "/factory/imports");
    code = hf_client_upload(client, json_string_value(json_object_get(body, "sha256")), hf_blob_bytes(&file));
    code = code == HF_EXIT_DONE ? hf_client_ask(client, &reply, "POST", &path, body) : code;
    hf_client_close(client);
  }
  if (code == HF_EXIT_DONE && hf_args_has(call, "json")) {
    hf_output_json(json_incref(reply));
  } else if (code == HF_EXIT_DONE) {
    print_order(reply);
  }
  json_decref(reply);
  json_decref(body);
  hf_blob_free(&file);
  return code;
}

int hf_cmd_factory_orders(const struct hf_call *call)
{
  static const struct hf_column columns[] = {
      {"ORDER", "id", HF_CELL_TEXT},        {"PRODUCT", "product", HF_CELL_TEXT},
      {"SERIALS", "serials", HF_CELL_TEXT}, {">QUOTA", "quota", HF_CELL_TEXT},
      {">ISSUED", "issued", HF_CELL_TEXT},  {">PASSED", "passed", HF_CELL_TEXT},
      {">FAILED", "failed", HF_CELL_TEXT},  {">ENROLLED", "enrolled", HF_CELL_TEXT},
      {"RECORD", "imported", HF_CELL_TIME}, {"REVOKED", "closed", HF_CELL_TIME}};
  static const struct hf_ask_list list = {columns, COUNT(columns), "no factory orders yet", 100};
  struct hf_client_path path;
  hf_client_path_init(&path, "/factory/orders");
  return hf_ask_list(call, &path, &list);
}

int hf_cmd_factory_devices(const struct hf_call *call)
{
  static const struct hf_column columns[] = {
      {"DEVICE", "id", HF_CELL_TEXT},        {"ORDER", "order", HF_CELL_TEXT},
      {"RESULT", "result", HF_CELL_TEXT},    {"KEY IN", "key_storage", HF_CELL_TEXT},
      {"DEBUG", "debug", HF_CELL_TEXT},      {"READ-OUT", "readout", HF_CELL_TEXT},
      {"SOFTWARE", "version", HF_CELL_TEXT}, {"MADE", "made", HF_CELL_TIME},
      {"ENROLLED", "enrolled", HF_CELL_TIME}};
  static const struct hf_ask_list list = {columns, COUNT(columns), "no such devices", 100};
  struct hf_client_path path;
  hf_client_path_init(&path, "/factory/devices");
  hf_client_path_put_query(&path, "order", hf_args_get(call, "order"));
  hf_client_path_put_query(&path, "unseen", hf_args_has(call, "unseen") ? "true" : NULL);
  return hf_ask_list(call, &path, &list);
}

static void print_revoked(const json_t *order) { printf("%s revoked\n", hf_member(order, "id")); }

int hf_cmd_factory_revoke(const struct hf_call *call)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/factory/orders");
  hf_client_path_put(&path, call->operands[0]);
  hf_client_path_put(&path, "revoke");
  return hf_ask_reason(call, &path, print_revoked);
}
