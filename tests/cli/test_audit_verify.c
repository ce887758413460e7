/* SPDX-License-Identifier: Apache-2.0
 * holdfast audit verify: a whole log is proven; one changed, dropped, moved or added entry is named. */
#define _GNU_SOURCE
#include "tests/cli/fakeserver.h"

#include "hf/base/time.h"
#include "hf/fleet/audit.h"
#include "hf/fleet/vaultline.h"

#define ENTRIES 7
#define LINES 5

/** What the test does to the log between the server and the reader. */
enum tamper { NOTHING, CHANGE_DETAIL, CHANGE_TIME, DROP, SWAP, WRONG_HASH, CUT_HEAD };

static void put_hex(char out[65], const uint8_t hash[32])
{
  for (size_t i = 0; i < 32; i++) {
    (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
  }
}

/* Entries 1..ENTRIES; 3 and 6 remember lines 2 and LINES of the vault's log. */
static void make_entry(struct hf_audit_entry *entry, uint64_t number, char heads[LINES + 1][65])
{
  *entry = (struct hf_audit_entry){.number = number,
                                   .time = 1795000000 + (int64_t)number,
                                   .who = HF_LIT("operator:anna"),
                                   .address = HF_LIT("127.0.0.1"),
                                   .action = HF_LIT("group.new"),
                                   .subject = HF_LIT("lab"),
                                   .detail = HF_LIT("room = lab")};
  if (number == 3 || number == 6) {
    entry->who = HF_LIT("server");
    entry->address = (struct hf_bytes){NULL, 0};
    entry->action = HF_LIT("vault.head");
    entry->subject = number == 3 ? HF_LIT("2") : HF_LIT("5");
    entry->detail = hf_bytes_text(heads[number == 3 ? 2 : LINES]);
  }
}

static size_t put_entry(char *out, const struct hf_audit_entry *entry, const uint8_t hash[32], enum tamper tamper)
{
  char hex[65];
  uint8_t when[21] = {0};
  struct hf_buf time_text = hf_buf_init(when, 20);
  bool target = entry->number == 4;
  put_hex(hex, hash);
  hf_time_put(&time_text, entry->time + (target && tamper == CHANGE_TIME));
  if (target && tamper == WRONG_HASH) {
    hex[0] = hex[0] == '0' ? '1' : '0';
  }
  return (size_t)snprintf(
      out, 4096,
      "%s{\"number\":%llu,\"time\":\"%s\",\"actor\":\"%.*s\",\"address\":\"%.*s\",\"action\":\"%.*s\","
      "\"subject\":\"%.*s\",\"detail\":\"%.*s\",\"hash\":\"%s\"}",
      out[-1] == '[' ? "" : ",", (unsigned long long)entry->number, (const char *)when, (int)entry->who.len,
      (const char *)entry->who.at, (int)entry->address.len,
      entry->address.len == 0 ? "" : (const char *)entry->address.at, (int)entry->action.len,
      (const char *)entry->action.at, (int)entry->subject.len, (const char *)entry->subject.at,
      target && tamper == CHANGE_DETAIL ? 3 : (int)entry->detail.len, (const char *)entry->detail.at, hex);
}

/* The vault's log, LINES long, and the hash of each line. */
static size_t make_lines(char *text, char heads[LINES + 1][65])
{
  struct hf_vaultline before = {.number = 0};
  size_t len = 0;
  for (uint64_t i = 1; i <= LINES; i++) {
    uint8_t room[HF_VAULTLINE_MAX];
    struct hf_buf out = hf_buf_init(room, sizeof room);
    struct hf_vaultline line = {.number = i,
                                .time = 1795000000,
                                .what = HF_LIT("timestamp"),
                                .role = HF_LIT("timestamp"),
                                .subject = HF_LIT("repo")};
    memcpy(line.previous, before.hash, sizeof line.previous);
    assert_int_equal(hf_vaultline_encode(&out, &line), HF_OK);
    memcpy(text + len, room, out.len);
    len += out.len;
    text[len++] = '\n';
    put_hex(heads[i], line.hash);
    before = line;
  }
  return len;
}

/* Newest first, as the API gives it. */
static void say_log(struct fake_reply *reply, enum tamper tamper)
{
  static char text[16384];
  char heads[LINES + 1][65];
  uint8_t hashes[ENTRIES + 1][32];
  struct hf_audit_entry entries[ENTRIES + 1];
  struct hf_audit_chain chain = hf_audit_chain_init();
  (void)make_lines(text, heads);
  for (uint64_t i = 1; i <= ENTRIES; i++) {
    make_entry(&entries[i], i, heads);
    assert_int_equal(hf_audit_put(&chain, &entries[i]), HF_OK);
    memcpy(hashes[i], chain.hash, 32);
  }
  char *out = reply->body;
  out += snprintf(out, 32, "{\"items\":[");
  for (uint64_t i = ENTRIES; i >= 1; i--) {
    uint64_t shown = tamper == SWAP && (i == 4 || i == 5) ? 9 - i : i;
    bool dropped = (tamper == DROP && i == 4) || (tamper == CUT_HEAD && i == ENTRIES);
    out += dropped ? 0 : put_entry(out, &entries[shown], hashes[shown], tamper);
  }
  out += snprintf(out, 64, "],\"next\":null,\"total\":%d}", ENTRIES);
  reply->len = (size_t)(out - reply->body);
  reply->status = 200;
}

static void answer(struct fake_reply *reply, const struct fake_request *request, void *ctx)
{
  if (strncmp(request->line, "GET /api/v1/audit?", 18) == 0) {
    say_log(reply, *(const enum tamper *)ctx);
  }
}

static int verify_with(struct clirun *run, enum tamper tamper, bool vault)
{
  struct fake_server server = fake_open((struct fake_handler){answer, &tamper});
  fake_login(run, &server);
  int code = vault ? clirun(run, "audit", "verify", "--operator", "operator", "--vault-log", "vault.log")
                   : clirun(run, "audit", "verify", "--operator", "operator");
  fake_close(&server);
  return code;
}

static void a_whole_log_is_proven(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(verify_with(run, NOTHING, true), HF_EXIT_DONE);
  assert_says(run->out, "The audit log is whole: 7 entries");
  assert_says(run->out, "The vault's log is whole: 5 lines, 2 of them anchored");
}

static void the_first_broken_entry_is_named(void **state)
{
  static const struct {
    enum tamper tamper;
    const char *words;
  } cases[] = {{CHANGE_DETAIL, "entry 4 of 2026-11-18"},
               {CHANGE_TIME, "entry 4 of 2026-11-18"},
               {WRONG_HASH, "entry 4 of 2026-11-18"},
               {DROP, "entry 4 is missing"},
               {SWAP, "entry 4 is missing"}};
  struct clirun *run = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(verify_with(run, cases[i].tamper, false), HF_EXIT_FAILED);
    assert_says(run->err, cases[i].words);
    assert_says(run->err, "everything up to entry 3 is proven");
  }
}

/* A log cut at its newest end is whole by itself: that is what the head is printed for. */
static void a_cut_newest_end_changes_the_head(void **state)
{
  struct clirun *run = *state;
  char head[65];
  assert_int_equal(verify_with(run, NOTHING, false), HF_EXIT_DONE);
  const char *at = strstr(run->out, "head ");
  assert_non_null(at);
  (void)snprintf(head, sizeof head, "%.64s", at + 5);
  assert_int_equal(verify_with(run, CUT_HEAD, false), HF_EXIT_DONE);
  assert_says(run->out, "6 entries");
  assert_null(strstr(run->out, head));
}

static void a_changed_vault_log_is_named_by_line(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun_shell(run, "sed -i '3s/repo/repp/' vault.log"), 0);
  assert_int_equal(verify_with(run, NOTHING, true), HF_EXIT_FAILED);
  assert_says(run->err, "line 3 of vault.log");
}

/* A vault log that was cut and is whole again by its own chain: the audit log remembers better. */
static void a_cut_vault_log_is_caught_by_the_audit_log(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun_shell(run, "sed -i '4,$d' vault.log"), 0);
  assert_int_equal(verify_with(run, NOTHING, true), HF_EXIT_FAILED);
  assert_says(run->err, "line 4 of vault.log: missing");
}

/* Rewritten from the start with a good chain of its own. */
static void a_rewritten_vault_log_is_caught_by_the_audit_log(void **state)
{
  struct clirun *run = *state;
  static char text[16384];
  struct hf_vaultline before = {.number = 0};
  size_t len = 0;
  for (uint64_t i = 1; i <= LINES; i++) {
    struct hf_buf out = hf_buf_init(text + len, sizeof text - len);
    struct hf_vaultline line = {.number = i, .what = HF_LIT("start"), .role = HF_LIT("vault"), .subject = HF_LIT("x")};
    memcpy(line.previous, before.hash, sizeof line.previous);
    assert_int_equal(hf_vaultline_encode(&out, &line), HF_OK);
    len += out.len;
    text[len++] = '\n';
    before = line;
  }
  clirun_put(run, "vault.log", text, len);
  assert_int_equal(verify_with(run, NOTHING, true), HF_EXIT_FAILED);
  assert_says(run->err, "line 2 of vault.log: the audit log remembers another line here");
}

static int set_up(void **state)
{
  static char text[16384];
  char heads[LINES + 1][65];
  struct clirun *run = clirun_new();
  size_t len = make_lines(text, heads);
  clirun_put(run, "vault.log", text, len);
  *state = run;
  return 0;
}

#define WITH_RUN(test) clirun_test(test, set_up)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_RUN(a_whole_log_is_proven),
      WITH_RUN(the_first_broken_entry_is_named),
      WITH_RUN(a_cut_newest_end_changes_the_head),
      WITH_RUN(a_changed_vault_log_is_named_by_line),
      WITH_RUN(a_cut_vault_log_is_caught_by_the_audit_log),
      WITH_RUN(a_rewritten_vault_log_is_caught_by_the_audit_log),
  };
  return cmocka_run_group_tests_name("audit_verify", tests, NULL, NULL);
}
