/* SPDX-License-Identifier: Apache-2.0
 * holdfast audit */
#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/base/time.h"
#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"
#include "hf/codec/text.h"
#include "hf/fleet/audit.h"
#include "hf/fleet/vaultline.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
/** The vault writes about ten lines a minute; a gigabyte is a decade. */
#define VAULT_LOG_MAX (1u << 30)
#define ENTRIES_MAX 10000000

int hf_cmd_audit_list(const struct hf_call *call)
{
  static const struct hf_column columns[] = {{">NO", "number", HF_CELL_TEXT}, {"WHEN", "time", HF_CELL_TIME},
                                             {"WHO", "actor", HF_CELL_TEXT},  {"DID", "action", HF_CELL_TEXT},
                                             {"TO", "subject", HF_CELL_TEXT}, {"DETAIL", "detail", HF_CELL_TEXT}};
  static const struct hf_ask_list list = {columns, COUNT(columns), "the audit log is empty", 50};
  struct hf_client_path path;
  hf_client_path_init(&path, "/audit");
  return hf_ask_list(call, &path, &list);
}

/* ---- verify ---- */

/** What the verification found. */
struct finding {
  uint64_t entries; /**< good ones of the audit log */
  uint8_t head[HF_SHA256_LEN];
  uint64_t lines;   /**< good ones of the vault's log */
  uint64_t anchors; /**< audit entries that fit the vault's log */
  char broken[256]; /**< the first thing that does not fit, or "" */
  char todo[256];
};

static struct hf_bytes text_of(const json_t *entry, const char *member)
{
  const json_t *value = json_object_get(entry, member);
  return hf_bytes_init(json_string_value(value), json_string_length(value));
}

static enum hf_verdict verify_entry(struct hf_audit_chain *chain, const json_t *json)
{
  uint8_t hash[HF_SHA256_LEN];
  struct hf_audit_entry entry = {.who = text_of(json, "actor"),
                                 .address = text_of(json, "address"),
                                 .action = text_of(json, "action"),
                                 .subject = text_of(json, "subject"),
                                 .detail = text_of(json, "detail")};
  json_int_t number = json_integer_value(json_object_get(json, "number"));
  if (number < 1 || hf_time_parse(&entry.time, text_of(json, "time")) != HF_OK ||
      hf_hex_parse(hash, sizeof hash, text_of(json, "hash")) != HF_OK) {
    return HF_DENY;
  }
  entry.number = (uint64_t)number;
  return hf_audit_verify(chain, &entry, hash);
}

/* Newest first, as the API gives them; followed from the other end. */
static void verify_entries(struct finding *finding, const json_t *entries)
{
  struct hf_audit_chain chain = hf_audit_chain_init();
  for (size_t i = json_array_size(entries); i > 0; i--) {
    const json_t *entry = json_array_get(entries, i - 1);
    if (verify_entry(&chain, entry) != HF_ALLOW) {
      long long number = (long long)json_integer_value(json_object_get(entry, "number"));
      if (number == (long long)chain.number + 1) {
        hf_format(finding->broken, sizeof finding->broken, "entry %lld of %s was changed", number,
                  hf_member_time(entry, "time"));
      } else {
        hf_format(finding->broken, sizeof finding->broken, "entry %llu is missing: entry %lld stands in its place",
                  (unsigned long long)chain.number + 1, number);
      }
      hf_format(finding->todo, sizeof finding->todo,
                "everything up to entry %llu is proven; compare the rest with a backup of the database",
                (unsigned long long)chain.number);
      break;
    }
  }
  finding->entries = chain.number;
  memcpy(finding->head, chain.hash, sizeof finding->head);
}

/* An audit entry "vault.head" holds number and hash of a line of the vault's log: do they fit line `line`? */
static bool anchor_fits(const json_t *entry, const struct hf_vaultline *line)
{
  uint8_t hash[HF_SHA256_LEN];
  return hf_hex_parse(hash, sizeof hash, text_of(entry, "detail")) == HF_OK &&
         memcmp(hash, line->hash, sizeof hash) == 0;
}

static uint64_t anchor_number(const json_t *entry)
{
  const char *action = json_string_value(json_object_get(entry, "action"));
  const char *subject = json_string_value(json_object_get(entry, "subject"));
  return action != NULL && subject != NULL && strcmp(action, "vault.head") == 0 ? strtoull(subject, NULL, 10) : 0;
}

/** Anchors, oldest first, beside a walk over the lines. */
struct anchors {
  const json_t *entries;
  size_t left; /**< entries not looked at yet, counted from the oldest */
};

/* The next anchor that is about line `number` or a later one; NULL when there is none. */
static const json_t *anchor_at(struct anchors *anchors, uint64_t number)
{
  while (anchors->left > 0) {
    const json_t *entry = json_array_get(anchors->entries, anchors->left - 1);
    if (anchor_number(entry) >= number && anchor_number(entry) > 0) {
      return entry;
    }
    anchors->left--;
  }
  return NULL;
}

static void break_line(struct finding *finding, const char *path, const char *what)
{
  hf_format(finding->broken, sizeof finding->broken, "line %llu of %.120s: %s", (unsigned long long)finding->lines + 1,
            path, what);
  hf_format(finding->todo, sizeof finding->todo,
            "the %llu lines before it are proven; treat the vault's keys as used by "
            "somebody else from there on",
            (unsigned long long)finding->lines);
}

static bool take_line(struct finding *finding, struct hf_vaultline *last, struct hf_bytes text, const char *path)
{
  struct hf_vaultline line;
  struct hf_why why = {.rule = HF_RULE_NONE};
  if (hf_vaultline_verify(&line, text, finding->lines == 0 ? NULL : last, &why) != HF_ALLOW) {
    break_line(finding, path, hf_rule_words(why.rule)->what);
    return false;
  }
  *last = line;
  finding->lines++;
  return true;
}

static void verify_lines(struct finding *finding, struct hf_bytes log, const char *path, const json_t *entries)
{
  struct hf_vaultline last = {.number = 0};
  struct anchors anchors = {entries, json_array_size(entries)};
  while (log.len > 0) {
    const uint8_t *end = memchr(log.at, '\n', log.len);
    size_t len = end == NULL ? log.len : (size_t)(end - log.at);
    if (!take_line(finding, &last, hf_bytes_init(log.at, len), path)) {
      return;
    }
    const json_t *anchor = anchor_at(&anchors, last.number);
    if (anchor != NULL && anchor_number(anchor) == last.number) {
      if (!anchor_fits(anchor, &last)) {
        finding->lines--;
        break_line(finding, path, "the audit log remembers another line here");
        return;
      }
      finding->anchors++;
      anchors.left--;
    }
    log = hf_bytes_init(log.at + len + (end != NULL), log.len - len - (end != NULL));
  }
  if (anchor_at(&anchors, finding->lines + 1) != NULL) {
    break_line(finding, path, "missing: the audit log remembers lines behind the end of this file");
  }
}

static enum hf_err verify_vault_log(struct finding *finding, const char *path, const json_t *entries)
{
  struct hf_blob log;
  enum hf_err err = hf_disk_get(&log, path, VAULT_LOG_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  verify_lines(finding, hf_blob_bytes(&log), path, entries);
  hf_blob_free(&log);
  return HF_OK;
}

static int report(const struct finding *finding, const struct hf_call *call)
{
  const char *head = hf_say_hex(hf_bytes_init(finding->head, sizeof finding->head));
  bool whole = finding->broken[0] == 0;
  if (hf_args_has(call, "json")) {
    hf_output_json(json_pack("{s:b, s:I, s:s, s:I, s:I, s:s*}", "whole", whole, "entries", (json_int_t)finding->entries,
                             "head", head, "vault_lines", (json_int_t)finding->lines, "anchors",
                             (json_int_t)finding->anchors, "broken", whole ? NULL : finding->broken));
  } else if (whole) {
    printf("The audit log is whole: %llu entries, head %s.\n", (unsigned long long)finding->entries, head);
    if (hf_args_get(call, "vault-log") != NULL) {
      printf("The vault's log is whole: %llu lines, %llu of them anchored in the audit log.\n",
             (unsigned long long)finding->lines, (unsigned long long)finding->anchors);
    }
  }
  if (!whole) {
    hf_complain(NULL, finding->todo, "%s", finding->broken);
  }
  return whole ? HF_EXIT_DONE : HF_EXIT_FAILED;
}

int hf_cmd_audit_verify(const struct hf_call *call)
{
  struct hf_client *client;
  struct hf_client_path path;
  struct finding finding = {.entries = 0};
  json_t *entries = NULL;
  const char *vault_log = hf_args_get(call, "vault-log");
  int code = hf_client_open(&client, call);
  if (code != HF_EXIT_DONE) {
    return code;
  }
  hf_client_path_init(&path, "/audit");
  code = hf_client_list(client, &entries, NULL, &path, ENTRIES_MAX);
  if (code == HF_EXIT_DONE) {
    verify_entries(&finding, entries);
    if (vault_log != NULL && finding.broken[0] == 0) {
      code = hf_exit_of(verify_vault_log(&finding, vault_log, entries));
    }
  }
  if (code == HF_EXIT_DONE) {
    code = report(&finding, call);
  }
  json_decref(entries);
  hf_client_close(client);
  return code;
}
