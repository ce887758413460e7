/* SPDX-License-Identifier: Apache-2.0
 * The drills of docs/keys-howto.md, performed: the real program on both sides, a running server, keys of several
 * people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hf/crypto/key.h"
#include "hf/wire/tufclient.h"
#include "hf/wire/tufwrite.h"
#include "world.h"

#define TEXT_MAX (1 << 18)

static struct world world;
static char said[TEXT_MAX]; /* standard output and standard error of the last command */

/* Run a shell line in the workspace; $H is the program. The exit code. */
__attribute__((format(printf, 1, 2))) static int run(const char *format, ...)
{
  char command[4096];
  va_list args;
  int start = snprintf(command, sizeof command, "cd '%s' && exec 2>&1; H='%s'; ", world.dir, HOLDFAST_PROGRAM);
  va_start(args, format);
  (void)vsnprintf(command + start, sizeof command - (size_t)start, format, args);
  va_end(args);
  FILE *pipe = popen(command, "r"); /* NOLINT: a line of ours */
  assert_non_null(pipe);
  size_t len = fread(said, 1, sizeof said - 1, pipe);
  said[len] = 0;
  int status = pclose(pipe);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

#define must(...)                                                                                                      \
  do {                                                                                                                 \
    int code_ = run(__VA_ARGS__);                                                                                      \
    if (code_ != 0) {                                                                                                  \
      fail_msg("exit %d: %s", code_, said);                                                                            \
    }                                                                                                                  \
  } while (0)

static void must_say(const char *part)
{
  if (strstr(said, part) == NULL) {
    fail_msg("expected \"%s\" in:\n%s", part, said);
  }
}

/* The operator's login names the port the server got. */
static void login(void)
{
  must("sed -i 's|http://[^\"]*|http://127.0.0.1:%u|' operator/operator.json", (unsigned)world.people);
}

static int set_up(void **state)
{
  (void)state;
  assert_int_equal(setenv("HOLDFAST_PASSPHRASE", "correct horse battery", 1), 0);
  world_open(&world);
  world_start(&world, NULL);
  login();
  must("$H product add lamp --hardware lamp-a");
  /* Anna, Bert and Cleo: holders beside the operator */
  must("for n in anna bert cleo; do openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $n.pem &&"
       " openssl pkey -in $n.pem -pubout -out $n.pub || exit 1; done");
  must("openssl genpkey -algorithm ed25519 -out dora.pem && openssl pkey -in dora.pem -pubout -out dora.pub");
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  int status = world_stop(&world);
  world_close(&world);
  return status;
}

/* Sign with the offline root key and publish: the ceremony of a fleet with one holder. */
static void sign_and_publish(const char *draft) { must("$H root sign %s --yes && $H root publish %s", draft, draft); }

/* Publish the next root with this change, signed by the offline root key. */
static void rotate(const char *options)
{
  must("rm -f draft && $H root rotate %s --out draft", options);
  sign_and_publish("draft");
}

static void image(const char *version)
{
  must("head -c 3000 /dev/zero > program && $H image sign program --out lamp-%s.img --version %s --counter 1"
       " --hardware lamp-a --product lamp --slot-size 64K",
       version, version);
}

#define RELEASE "$H release create lamp %s --image main=lamp-%s.img --hardware lamp-a --counter 1 --out draft "

/* ---- a device beside the server's own check ---- */

struct device_view {
  struct hf_tuf_trust trust;
  struct hf_tuf_limits limits;
  uint8_t room[1 << 17];
};

static size_t slurp(uint8_t *at, size_t cap, const char *name)
{
  char path[256];
  (void)snprintf(path, sizeof path, "%s/server/repo/metadata/%s", world.dir, name);
  FILE *file = fopen(path, "rb");
  size_t len = file == NULL ? 0 : fread(at, 1, cap, file);
  if (file != NULL) {
    (void)fclose(file);
  }
  return len;
}

static void device_born(struct device_view *view)
{
  memset(view, 0, sizeof *view);
  view->limits = hf_tuf_limits_init();
  size_t len = slurp(view->room, sizeof view->room, "1.root.json");
  assert_int_equal(hf_tuf_trust_verify(&view->trust, hf_bytes_init(view->room, len), &view->limits, NULL), HF_ALLOW);
}

/* One refresh; `timestamp` (may be NULL) is what somebody else serves in place of the server's. The rule broken, or 0.
 */
static unsigned device_refresh(struct device_view *view, const struct hf_buf *timestamp)
{
  struct hf_tufclient client;
  struct hf_tufclient_fetch fetch;
  struct hf_why why = {0};
  enum hf_err err = HF_OK;
  hf_tufclient_init(&client, &view->trust, &view->limits, (int64_t)time(NULL));
  while (err == HF_OK && hf_tufclient_next(&client, &fetch) == HF_TUFCLIENT_FETCH) {
    size_t len = slurp(view->room, sizeof view->room, fetch.name);
    struct hf_bytes bytes = hf_bytes_init(view->room, len);
    if (timestamp != NULL && strcmp(fetch.name, "timestamp.json") == 0) {
      bytes = hf_buf_bytes(timestamp);
    }
    err = hf_tufclient_give(&client, bytes.len == 0 ? HF_TUFCLIENT_NOT_FOUND : HF_TUFCLIENT_BYTES, bytes, &why);
  }
  return why.rule;
}

static enum hf_err sign_message(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

/* What the thief of timestamp.pem makes: the highest version there is, over the present snapshot. */
static void forge_timestamp(struct hf_buf *out, uint32_t snapshot)
{
  static uint8_t pem[HF_KEY_PEM_MAX];
  static uint8_t text[8192];
  uint8_t room[4096];
  uint8_t scratch[4096];
  char name[256];
  struct hf_key *key = NULL;
  (void)snprintf(name, sizeof name, "%s/server/vault/timestamp.pem", world.dir);
  FILE *file = fopen(name, "rb");
  assert_non_null(file);
  size_t len = fread(pem, 1, sizeof pem, file);
  (void)fclose(file);
  assert_int_equal(hf_key_parse(&key, hf_bytes_init(pem, len), (struct hf_bytes){NULL, 0}), HF_OK);
  (void)snprintf(name, sizeof name, "%u.snapshot.json", (unsigned)snapshot);
  len = slurp(text, sizeof text, name);
  assert_true(len > 0);
  struct hf_buf body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_put_timestamp(&body, HF_TUF_VERSION_MAX, (int64_t)time(NULL) + 86400, snapshot,
                                             hf_bytes_init(text, len)),
                   HF_OK);
  struct hf_tufwrite_signer signer = {.sign = sign_message, .ctx = key};
  assert_int_equal(hf_key_public(&signer.pub, key), HF_OK);
  assert_int_equal(hf_tufwrite_sign_file(out, hf_buf_init(scratch, sizeof scratch), hf_buf_bytes(&body), &signer, 1),
                   HF_OK);
  hf_key_free(key);
}

static void restart(void)
{
  assert_int_equal(world_stop(&world), 0);
  world_start(&world, NULL);
  login();
}

/* ---- the drills ---- */

static void a_stolen_timestamp_key_is_rotated_and_fast_forwarded_devices_recover(void **state)
{
  (void)state;
  static struct device_view victim;
  static uint8_t room[8192];
  struct hf_buf forged = hf_buf_init(room, sizeof room);
  device_born(&victim);
  assert_int_equal(device_refresh(&victim, NULL), 0);
  forge_timestamp(&forged, victim.trust.floor[HF_TUF_SNAPSHOT].version);
  assert_int_equal(device_refresh(&victim, &forged), 0); /* it verifies: the key was good */
  assert_int_equal(device_refresh(&victim, NULL), HF_RULE_TUF_ROLLBACK);
  must("$H root online-key timestamp");
  restart();
  rotate("--online timestamp=timestamp.next.pub");
  assert_int_equal(device_refresh(&victim, NULL), 0);
  assert_int_equal(victim.trust.root.version, 2);
  assert_int_equal(device_refresh(&victim, &forged), HF_RULE_TUF_UNSIGNED); /* what the thief holds is worth nothing */
  restart();                                                                /* the new key signs after a restart too */
  image("1.0.0");
  must(RELEASE, "1.0.0", "1.0.0");
  assert_int_equal(device_refresh(&victim, NULL), 0);
}

static void an_online_key_the_vault_does_not_hold_is_refused(void **state)
{
  (void)state;
  must("$H root rotate --online timestamp=anna.pub --out draft && $H root sign draft --yes");
  assert_int_not_equal(run("$H root publish draft"), 0);
  must_say("no key that the server's vault holds");
}

static void a_stolen_targets_key_is_replaced_and_signs_nothing_more(void **state)
{
  (void)state;
  static struct device_view device;
  device_born(&device);
  must("$H root show --json > shown && F=$(openssl pkey -in offline/targets.pem -passin env:HOLDFAST_PASSPHRASE -pubout"
       " -outform DER | sha256sum | cut -c1-16) && $H root rotate --add targets=anna.pub --revoke targets=$F --out "
       "draft");
  must_say("TAKES AWAY from targets");
  must_say("targets.json: version 2"); /* signed anew by the new holder in the same draft */
  must("$H root sign draft --yes");
  assert_int_not_equal(run("$H targets sign draft --yes"), 0); /* the stolen key: no longer one of theirs */
  must_say("this key may sign nothing in the draft");
  must("$H targets sign draft --key anna.pem --yes && $H root publish draft");
  assert_int_equal(device_refresh(&device, NULL), 0);
  image("1.0.0");
  assert_int_not_equal(run(RELEASE, "1.0.0", "1.0.0"), 0);
  must_say("the root does not list this key for targets");
}

static void two_of_three_root_holders_replace_the_one_that_lost_his_key(void **state)
{
  (void)state;
  static struct device_view device;
  device_born(&device);
  rotate("--add root=anna.pub --add root=cleo.pub");
  must("$H root threshold root 2 --out draft2 && $H root sign draft2 --yes --key anna.pem && $H root sign draft2 --yes"
       " && $H root publish draft2");
  /* the operator loses offline/root.pem; Anna and Cleo put Bert in its place, each on a computer of her own
   */
  must(
      "F=$(openssl pkey -in offline/root.pem -passin env:HOLDFAST_PASSPHRASE -pubout -outform DER | sha256sum |"
      " cut -c1-16) && mv offline/root.pem lost.pem && $H root rotate --add root=bert.pub --revoke root=$F --out draft3"
      " && $H root export draft3 --out for-anna && $H root export draft3 --out for-cleo");
  must("mkdir away && cp for-anna anna.pem away && cd away && env -u HOLDFAST_WORKSPACE unshare -rn true 2>/dev/null;"
       " cd / && $H root sign '%s/for-anna' --key '%s/anna.pem' --root '%s/offline/root.json' --yes",
       world.dir, world.dir, world.dir);
  must_say("TAKES AWAY from root");
  must("$H root sign for-cleo --key cleo.pem --yes");
  assert_int_not_equal(run("$H root publish for-cleo"), 0);
  must_say("does not have all signatures");
  must("$H root import draft3 for-anna for-cleo");
  must_say("complete");
  must("$H root publish draft3");
  assert_int_equal(device_refresh(&device, NULL), 0);
  assert_int_equal(device.trust.root.version, 4);
}

static void a_root_that_only_hosts_could_verify_is_refused(void **state)
{
  (void)state;
  must("$H root rotate --add root=dora.pub --threshold root=2 --out draft && $H root sign draft --yes"
       " && $H root sign draft --yes --key dora.pem");
  assert_int_not_equal(run("$H root publish draft"), 0); /* Ed25519: a device would be left with the old root for ever */
  must_say("devices could not count the signatures");
}

static void one_of_two_keys_is_not_enough_whatever_the_scope(void **state)
{
  (void)state;
  must("$H root rotate --add root=anna.pub --threshold root=2 --out first && $H root sign first --yes"
       " && $H root sign first --yes --key anna.pem && $H root publish first");
  must("$H root rotate --revoke root=$(openssl pkey -in anna.pem -pubout -outform DER | sha256sum | cut -c1-12)"
       " --threshold root=1 --out draft && $H root sign draft --yes");
  assert_int_not_equal(run("$H root publish draft"), 0);
  /* past the program: the same by hand, with a token that may do everything */
  must("python3 -c \"import json;d=json.load(open('draft'));print(json.dumps({'repository':'image',"
       "'root':d['files'][0]['next']}))\" > body");
  assert_int_equal(
      run("curl -s -o answer -w '%%{http_code}' -H 'Content-Type: application/json' -H 'Authorization: Bearer"
          " %s' -d @body http://127.0.0.1:%u/api/v1/roots; echo; cat answer",
          world.token, (unsigned)world.people),
      0);
  must_say("422");
  must_say("TUF_UNSIGNED_OLD");
}

static void an_old_draft_and_a_second_rotation_meet_a_conflict(void **state)
{
  (void)state;
  must("$H root rotate --add root=anna.pub --out a && $H root rotate --add root=bert.pub --out b"
       " && $H root sign a --yes && $H root sign b --yes && $H root publish a");
  assert_int_equal(run("$H root publish b"), 6);
  must_say("not the present one plus one");
  assert_int_equal(run("$H root publish a"), 6); /* a replay */
  assert_int_not_equal(run("$H root import a b"), 0);
  must_say("not drafts of one and the same change");
}

static void a_draft_shows_what_it_drops_and_its_names_stay_text(void **state)
{
  (void)state;
  rotate("--add root=anna.pub");
  must("$H root rotate --revoke root=$(openssl pkey -in anna.pem -pubout -outform DER | sha256sum | cut -c1-12)"
       " --out quiet && $H root status quiet");
  must_say("- TAKES AWAY from root");
  /* words that lie and a name with an escape sequence: neither is believed, neither reaches the terminal */
  must("python3 -c \"import json;d=json.load(open('quiet'));d['words']=['nothing "
       "changes'];json.dump(d,open('quiet','w'))\""
       " && $H root status quiet");
  must_say("- TAKES AWAY from root");
  assert_null(strstr(said, "nothing changes"));
  must("python3 -c \"import json;d=json.load(open('quiet'));d['files'].append({'name':'\\\\u001b]0;own','next':"
       "d['files'][0]['next'].replace('\\\"root\\\"','\\\"targets\\\"')});json.dump(d,open('evil','w'))\"");
  (void)run("$H root status evil");
  assert_null(strchr(said, 27));
  /* what the draft calls present is a root of somebody else */
  must("$H init other --org Other >/dev/null; python3 -c \"import json;d=json.load(open('quiet'));"
       "d['roots']=[open('other/offline/root.json').read()];json.dump(d,open('forged','w'))\"");
  assert_int_not_equal(run("$H root sign forged --yes"), 0);
  assert_int_not_equal(run("echo yes | $H root sign quiet"), 0); /* nobody at a terminal: no signature without --yes */
  must_say("nobody is here to agree");
}

static void releases_with_two_of_two_targets_keys_collect_signatures(void **state)
{
  (void)state;
  static struct device_view device;
  device_born(&device);
  must("$H root rotate --add targets=dora.pub --threshold targets=2 --out draft && $H root sign draft --yes"
       " && $H targets sign draft --yes && $H targets sign draft --key dora.pem --yes && $H root publish draft");
  image("1.0.0");
  must("rm draft");
  must(RELEASE, "1.0.0", "1.0.0");
  must_say("+ new target lamp/1.0.0/main.img");
  must("$H targets sign draft --yes");
  assert_int_not_equal(run("$H targets publish draft"), 0);
  must("$H targets sign draft --key dora.pem --yes && $H targets publish draft && $H release list");
  must_say("1.0.0");
  assert_int_equal(device_refresh(&device, NULL), 0);
  assert_int_equal(device.trust.floor[HF_TUF_TARGETS].version, 3);
}

static void a_partner_publishes_below_a_delegation_and_nowhere_else(void **state)
{
  (void)state;
  must("$H targets delegate partner --path 'lamp/2.*/*.img' --key anna.pub --key dora.pub --threshold 2 --out draft"
       " && $H targets sign draft --yes");
  assert_int_not_equal(run("$H targets publish draft"), 0);
  must("$H targets sign draft --key anna.pem --yes && $H targets sign draft --key dora.pem --yes"
       " && $H targets publish draft");
  image("2.0.0");
  image("1.0.0");
  must(RELEASE "--role partner", "2.0.0", "2.0.0");
  must("for n in anna dora; do $H targets sign draft --key $n.pem --yes || exit 1; done; $H targets publish draft");
  must("test -e server/repo/metadata/2.partner.json && $H release show lamp 2.0.0");
  must(RELEASE "--role partner", "1.0.0", "1.0.0"); /* outside the patterns: no device would find it */
  must("for n in anna dora; do $H targets sign draft --key $n.pem --yes || exit 1; done");
  assert_int_not_equal(run("$H targets publish draft"), 0);
  must_say("does not find it in the role");
  must("$H targets renew --role partner --out draft && for n in anna dora; do $H targets sign draft --key $n.pem --yes"
       " || exit 1; done; $H targets publish draft && test -e server/repo/metadata/3.partner.json");
  must("$H targets renew --out draft && $H targets sign draft --yes && $H targets publish draft");
}

static void the_directors_stolen_key_is_rotated(void **state)
{
  (void)state;
  static struct response response;
  struct device lamp;
  struct client client;
  device_open(&lamp, "lamp-1");
  device_enrol(&lamp, &world);
  client_open(&client, &world, &lamp);
  assert_int_equal(client_ask(&client, &response, "GET", "/director/timestamp.json", "", hf_bytes_init(NULL, 0)), 200);
  client_close(&client);
  must("$H root online-key director");
  restart();
  must("$H root rotate --director --online online=director.next.pub --out draft && $H root sign draft --yes"
       " && $H root publish draft");
  must(
      "F=$(openssl pkey -pubin -in director.next.pub -outform DER | sha256sum | cut -c1-64); grep -q . server/director/"
      "2.root.json && echo $F");
  client_open(&client, &world, &lamp);
  assert_int_equal(client_ask(&client, &response, "GET", "/director/2.root.json", "", hf_bytes_init(NULL, 0)), 200);
  static uint8_t root_room[1 << 16];
  size_t root_len = response.body_len;
  memcpy(root_room, response.body, root_len);
  assert_int_equal(client_ask(&client, &response, "GET", "/director/timestamp.json", "", hf_bytes_init(NULL, 0)), 200);
  client_close(&client);
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_file file;
  struct hf_tuf_root root;
  assert_int_equal(hf_tuf_parse(&file, hf_bytes_init(root_room, root_len), HF_TUF_ROOT, &limits, NULL), HF_OK);
  assert_int_equal(hf_tuf_root_parse(&root, &file, &limits, NULL), HF_OK);
  assert_int_equal(
      hf_tuf_parse(&file, hf_bytes_init(response.body, response.body_len), HF_TUF_TIMESTAMP, &limits, NULL), HF_OK);
  assert_int_equal(hf_tuf_verify(&file, &root, &limits, NULL), HF_ALLOW); /* signed anew with the new key */
  device_close(&lamp);
}

static void a_root_committed_before_the_power_went_is_there_after_it(void **state)
{
  (void)state;
  static struct device_view device;
  rotate("--add root=anna.pub");
  assert_int_equal(world_stop(&world), 0);
  /* the commit was on disk, the renames were not: as a kill between them leaves it */
  must("rm server/repo/metadata/2.root.json && cp server/repo/metadata/timestamp.json keep &&"
       " echo '{}' > server/repo/metadata/timestamp.json");
  world_start(&world, NULL);
  login();
  must("test -s server/repo/metadata/2.root.json && cmp keep server/repo/metadata/timestamp.json");
  device_born(&device);
  assert_int_equal(device_refresh(&device, NULL), 0);
  assert_int_equal(device.trust.root.version, 2);
}

static void what_expires_is_told_with_the_command_that_helps(void **state)
{
  (void)state;
  must("$H root renew --expires 30d --out draft && $H root sign draft --yes && $H root publish draft");
  must("$H targets renew --expires 20d --out draft && $H targets sign draft --yes && $H targets publish draft");
  must("$H status");
  must_say("holdfast root renew");
  must_say("holdfast targets renew");
  (void)run("$H doctor .");
  must_say("holdfast root renew");
  must("$H root renew --out draft && $H root sign draft --yes && $H root publish draft && $H targets renew --out draft"
       " && $H targets sign draft --yes && $H targets publish draft && $H status");
  assert_null(strstr(said, "renew"));
}

int main(void)
{
#define drill(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      drill(a_stolen_timestamp_key_is_rotated_and_fast_forwarded_devices_recover),
      drill(an_online_key_the_vault_does_not_hold_is_refused),
      drill(a_stolen_targets_key_is_replaced_and_signs_nothing_more),
      drill(two_of_three_root_holders_replace_the_one_that_lost_his_key),
      drill(a_root_that_only_hosts_could_verify_is_refused),
      drill(one_of_two_keys_is_not_enough_whatever_the_scope),
      drill(an_old_draft_and_a_second_rotation_meet_a_conflict),
      drill(a_draft_shows_what_it_drops_and_its_names_stay_text),
      drill(releases_with_two_of_two_targets_keys_collect_signatures),
      drill(a_partner_publishes_below_a_delegation_and_nowhere_else),
      drill(the_directors_stolen_key_is_rotated),
      drill(a_root_committed_before_the_power_went_is_there_after_it),
      drill(what_expires_is_told_with_the_command_that_helps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
