/* SPDX-License-Identifier: Apache-2.0
 * holdfast identity, and the commands that revoke and rotate. */
#include <string.h>

#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"
#include "hf/cli/term.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define WIDTH 22

static void print_counts(const json_t *report, const char *member, const char *heading)
{
  size_t i;
  json_t *one;
  json_array_foreach(json_object_get(report, member), i, one)
  {
    hf_field_print(i == 0 ? heading : "", WIDTH, hf_say("%s  %s", hf_member(one, "devices"), hf_member(one, "name")));
  }
}

static void print_report(const json_t *report)
{
  static const char *const fields[][2] = {{"devices", "devices"},
                                          {"certified", "with a certificate"},
                                          {"expiring_30", "ending in 30 days"},
                                          {"expiring_90", "ending in 90 days"},
                                          {"expired", "ended"},
                                          {"grace", "  can still renew"},
                                          {"beyond_grace", "  need a new proof"},
                                          {"rotating", "to make a new key"},
                                          {"rotation_late", "  late"},
                                          {"never_used", "never used"},
                                          {"revoked", "revoked"},
                                          {"weak", "weak factory keys"},
                                          {"shared", "shared keys"},
                                          {"old_ca", "on an old device CA"},
                                          {"old_anchor", "newest server CA unknown"},
                                          {"alarms", "open alarms"}};
  static const struct hf_column cas[] = {
      {">CA", "number", HF_CELL_TEXT},       {"ISSUES", "newest", HF_CELL_TEXT},
      {">DEVICES", "devices", HF_CELL_TEXT}, {"UNTIL", "not_after", HF_CELL_TIME},
      {">REVOKED", "revoked", HF_CELL_TEXT}, {"NEXT LIST", "crl_next", HF_CELL_TIME}};
  for (size_t i = 0; i < COUNT(fields); i++) {
    hf_field_print(fields[i][1], WIDTH, hf_member(report, fields[i][0]));
  }
  print_counts(report, "algorithms", "keys");
  print_counts(report, "storage", "key storage");
  print_counts(report, "tls", "last connection");
  print_counts(report, "ciphers", "");
  putchar('\n');
  hf_rows_print(json_object_get(report, "cas"), cas, COUNT(cas));
}

int hf_cmd_identity_report(const struct hf_call *call)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/identity");
  return hf_ask(call, "GET", &path, NULL, print_report);
}

int hf_cmd_identity_list(const struct hf_call *call)
{
  static const struct hf_column columns[] = {{"DEVICE", "id", HF_CELL_TEXT},
                                             {"PRODUCT", "product", HF_CELL_TEXT},
                                             {"ENDS", "not_after", HF_CELL_TIME},
                                             {">CA", "ca", HF_CELL_TEXT},
                                             {"LAST SEEN", "last_seen", HF_CELL_TIME},
                                             {"NEW KEY BY", "rotate_by", HF_CELL_TIME},
                                             {"REVOKED", "revoked_reason", HF_CELL_TEXT}};
  static const struct hf_ask_list list = {columns, COUNT(columns), "no device of this kind", 100};
  struct hf_client_path path;
  hf_client_path_init(&path, "/identity/devices");
  hf_client_path_put_query(&path, "kind", call->operands[0]);
  return hf_ask_list(call, &path, &list);
}

static void print_revoked(const json_t *device)
{
  hf_print_clean(stdout,
                 hf_say("%s is revoked (%s): refused from its next request on, on the list within seconds.",
                        hf_member(device, "id"), hf_member(json_object_get(device, "identity"), "revoked_reason")));
  putchar('\n');
}

int hf_cmd_device_revoke(const struct hf_call *call)
{
  struct hf_client_path path;
  const char *kind = hf_args_get(call, "reason");
  const char *words = hf_args_get(call, "because");
  json_t *body = json_pack("{s:s, s:s?}", "kind", kind == NULL ? "unspecified" : kind, "reason", words);
  if (body == NULL) {
    hf_complain(NULL, "write it in UTF-8", "an argument is no text");
    return HF_EXIT_USAGE;
  }
  if (words == NULL) {
    json_object_del(body, "reason");
  }
  hf_client_path_init(&path, "/devices");
  hf_client_path_put(&path, call->operands[0]);
  hf_client_path_put(&path, "revoke");
  return hf_ask(call, "POST", &path, body, print_revoked);
}

static void print_rotating(const json_t *reply)
{
  const char *group = hf_member(reply, "group");
  const char *until =
      group != NULL ? hf_member_time(reply, "until") : hf_member_time(json_object_get(reply, "identity"), "rotate_by");
  hf_print_clean(stdout, group != NULL ? hf_say("%s devices of %s are to make a new key by %s.",
                                                hf_member(reply, "devices"), group, until)
                                       : hf_say("%s is to make a new key by %s.", hf_member(reply, "id"), until));
  putchar('\n');
}

int hf_cmd_device_rotate(const struct hf_call *call)
{
  struct hf_client_path path;
  uint64_t within;
  const char *group = hf_args_get(call, "group");
  if ((group == NULL) == (call->operand_count == 0)) {
    hf_complain(NULL, "holdfast device rotate-key ID, or --group NAME", "name one device or one group");
    return HF_EXIT_USAGE;
  }
  if (hf_args_duration(call, "within", &within, 14 * 86400) != HF_OK) {
    return HF_EXIT_USAGE;
  }
  json_t *body = json_pack("{s:I}", "within_s", (json_int_t)within);
  const char *reason = hf_args_get(call, "reason");
  if (body == NULL || (reason != NULL && json_object_set_new(body, "reason", json_string(reason)) != 0)) {
    hf_complain(NULL, "write it in UTF-8", "an argument is no text");
    json_decref(body);
    return HF_EXIT_USAGE;
  }
  hf_client_path_init(&path, group != NULL ? "/groups" : "/devices");
  hf_client_path_put(&path, group != NULL ? group : call->operands[0]);
  hf_client_path_put(&path, "rotate-key");
  return hf_ask(call, "POST", &path, body, print_rotating);
}
