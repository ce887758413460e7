/* SPDX-License-Identifier: Apache-2.0
 * Publication: what is refused before anything is visible, what a kill or a full disk leaves, and signing anew in time.
 */
#define _GNU_SOURCE
#include "testserver.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#define PRODUCT "thermo"

struct world {
  struct testserver server;
  struct testrelease v10;
};

static int set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  testserver_open(&world->server);
  testserver_product(&world->server, PRODUCT);
  world->v10 = (struct testrelease){.product = PRODUCT, .version = "1.0.0", .from = "*", .counter = 1};
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  testserver_close(&world->server);
  free(world);
  return 0;
}

#define WORLD                                                                                                          \
  struct world *world = *state;                                                                                        \
  struct testserver *server = &world->server

/* What a device that knows only the factory's root accepts; its version of the targets. */
static uint32_t client_targets(struct testserver *server)
{
  struct hf_tuf_trust trust;
  struct hf_tufclient client;
  struct hf_bytes targets;
  testserver_trust(server, &trust, "repo/metadata/1.root.json");
  testserver_refresh(server, NULL, &trust, &targets, &client);
  uint32_t version = hf_tufclient_targets(&client)->version;
  free((uint8_t *)(uintptr_t)targets.at);
  return version;
}

static bool there(struct testserver *server, const char *below)
{
  return access(testserver_path(server, below), F_OK) == 0;
}

static void publishes_what_a_device_accepts(void **state)
{
  WORLD;
  assert_int_equal(client_targets(server), 1);
  testserver_release(server, &world->v10);
  assert_int_equal(client_targets(server), 2);
  char below[256];
  uint8_t hex_room[64];
  struct hf_buf hex = hf_buf_init(hex_room, sizeof hex_room);
  for (size_t i = 0; i < HF_SHA256_LEN; i++) {
    char two[3];
    snprintf(two, sizeof two, "%02x", world->v10.sha256[i]);
    hf_buf_put_text(&hex, two);
  }
  snprintf(below, sizeof below, "repo/targets/thermo/1.0.0/%.64s.main.img", (const char *)hex_room);
  assert_true(there(server, below));
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM artifact"), 1);
}

/* Try to publish; nothing may have become visible. */
static void assert_refused(struct testserver *server, const struct testrelease *release, struct hf_bytes targets,
                           enum hf_err err, enum hf_rule rule)
{
  struct hf_why why;
  uint32_t before = client_targets(server);
  testserver_begin(server);
  assert_int_equal(hf_engine_mark(server->engine), HF_OK);
  enum hf_err got = testserver_try_publish(server, release, targets, &why);
  if (got != err || (rule != HF_RULE_NONE && why.rule != rule)) {
    fail_msg("%s, rule %u (%s)", hf_err_name(got), why.rule, hf_rule_words(why.rule)->what);
  }
  assert_int_equal(hf_engine_mark_undo(server->engine), HF_OK);
  testserver_commit(server);
  assert_int_equal(client_targets(server), before);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM release"), 0);
  assert_false(there(server, "repo/metadata/timestamp.json.new"));
}

static void upload(struct testserver *server, struct testrelease *release)
{
  testserver_image(server, release);
  testserver_begin(server);
  assert_int_equal(testserver_upload(server, release), HF_OK);
  testserver_commit(server);
}

/* Two images in one release; what publishing says. */
static enum hf_err publish_two(struct testserver *server, struct testrelease *first, struct hf_why *why)
{
  for (struct testrelease *one = first; one != NULL; one = one->beside) {
    testserver_image(server, one);
    testserver_begin(server);
    assert_int_equal(testserver_upload(server, one), HF_OK);
    testserver_commit(server);
  }
  testserver_begin(server);
  assert_int_equal(hf_engine_mark(server->engine), HF_OK);
  enum hf_err err = testserver_try_publish(server, first, testserver_targets(server, first, server->targets), why);
  if (err != HF_OK) {
    assert_int_equal(hf_engine_mark_undo(server->engine), HF_OK);
  }
  testserver_commit(server);
  return err;
}

static int64_t place_of(struct testserver *server, const char *component, const char *version)
{
  struct hf_stmt *stmt =
      hf_stmt_open(server->engine->db, "SELECT place FROM artifact WHERE component = ? AND version = ?");
  hf_stmt_put_text(stmt, hf_bytes_text(component));
  hf_stmt_put_text(stmt, hf_bytes_text(version));
  assert_int_equal(hf_stmt_next(stmt), HF_OK);
  int64_t place = hf_stmt_get_int(stmt, 0);
  hf_stmt_close(stmt);
  return place;
}

static void the_order_of_installation_is_what_the_release_states(void **state)
{
  WORLD;
  struct hf_why why;
  struct testrelease radio = world->v10;
  radio.component = "radio";
  world->v10.beside = &radio;
  world->v10.place = 1;
  radio.place = 1;
  assert_int_equal(publish_two(server, &world->v10, &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_RELEASE_ORDER);
  radio.place = 0;
  assert_int_equal(publish_two(server, &world->v10, &why), HF_OK);
  assert_int_equal(place_of(server, "radio", "1.0.0"), 0);
  assert_int_equal(place_of(server, "main", "1.0.0"), 1);
  world->v10.version = radio.version = "1.1.0"; /* states none: by path */
  world->v10.place = 0;
  assert_int_equal(publish_two(server, &world->v10, &why), HF_OK);
  assert_int_equal(place_of(server, "main", "1.1.0"), 0);
  assert_int_equal(place_of(server, "radio", "1.1.0"), 1);
}

static void refuses_targets_the_offline_key_did_not_sign(void **state)
{
  WORLD;
  struct hf_key *thief;
  assert_int_equal(hf_key_new(&thief, HF_KEY_P256), HF_OK);
  upload(server, &world->v10);
  assert_refused(server, &world->v10, testserver_targets(server, &world->v10, thief), HF_E_DENIED, HF_RULE_NONE);
  hf_key_free(thief);
  assert_refused(server, &world->v10, HF_LIT("{}"), HF_E_DENIED, HF_RULE_NONE);
}

static void refuses_what_targets_upload_and_image_do_not_agree_on(void **state)
{
  WORLD;
  struct testrelease other = world->v10;
  assert_refused(server, &world->v10, testserver_targets(server, &world->v10, server->targets), HF_E_INPUT,
                 HF_RULE_NONE);
  testserver_image(server, &world->v10);
  assert_refused(server, &world->v10, testserver_targets(server, &world->v10, server->targets), HF_E_NOT_FOUND,
                 HF_RULE_RELEASE_UPLOAD);
  upload(server, &world->v10);
  other = world->v10;
  other.counter = 7; /* the image says 1 */
  assert_refused(server, &other, testserver_targets(server, &other, server->targets), HF_E_INPUT,
                 HF_RULE_RELEASE_IMAGE);
  other = world->v10;
  other.version = "1.0.1"; /* the image says 1.0.0 */
  assert_refused(server, &other, testserver_targets(server, &other, server->targets), HF_E_INPUT,
                 HF_RULE_RELEASE_IMAGE);
  other = world->v10;
  other.digest[0] ^= 1;
  assert_refused(server, &other, testserver_targets(server, &other, server->targets), HF_E_INPUT,
                 HF_RULE_RELEASE_IMAGE);
  other = world->v10;
  other.length++;
  assert_refused(server, &other, testserver_targets(server, &other, server->targets), HF_E_NOT_FOUND,
                 HF_RULE_RELEASE_UPLOAD);
  struct hf_bytes targets = testserver_targets(server, &world->v10, server->targets);
  other = world->v10;
  other.version = "2.0.0"; /* asked for another release than the targets add */
  assert_refused(server, &other, targets, HF_E_INPUT, HF_RULE_RELEASE_TARGET);
  other = world->v10;
  other.security = true;
  assert_refused(server, &other, targets, HF_E_INPUT, HF_RULE_RELEASE_TARGET);
  other = world->v10;
  other.product = "toaster";
  assert_refused(server, &other, targets, HF_E_NOT_FOUND, HF_RULE_RELEASE_PRODUCT);
}

static void refuses_an_upload_that_is_not_what_it_was_said_to_be(void **state)
{
  WORLD;
  struct hf_act act = testserver_act(server);
  struct testrelease wrong;
  testserver_image(server, &world->v10);
  wrong = world->v10;
  wrong.sha256[5] ^= 1;
  testserver_begin(server);
  assert_int_equal(testserver_upload(server, &wrong), HF_E_INPUT);
  assert_int_equal(hf_upload_put(server->engine, &act, HF_LIT("../vault/director.pem"), wrong.sha256, 1), HF_E_INPUT);
  assert_int_equal(hf_upload_put(server->engine, &act, HF_LIT("none"), wrong.sha256, 1), HF_E_INPUT);
  assert_int_equal(testserver_upload(server, &world->v10), HF_OK);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM upload"), 1);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM audit WHERE action = 'upload.put'"), 1);
}

static void a_version_is_published_once_and_nothing_published_changes(void **state)
{
  WORLD;
  struct hf_why why;
  struct testrelease next = {.product = PRODUCT, .version = "1.1.0", .from = "*", .counter = 1};
  struct hf_bytes stale;
  static uint8_t copy[1 << 16];
  testserver_image(server, &next);
  stale = testserver_targets(server, &next, server->targets); /* made before 1.0.0 was published */
  memcpy(copy, stale.at, stale.len);
  stale.at = copy;
  testserver_release(server, &world->v10);
  upload(server, &next);
  testserver_begin(server);
  assert_int_equal(testserver_try_publish(server, &next, stale, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_RELEASE_STALE);
  assert_int_equal(testserver_try_publish(server, &world->v10, stale, &why), HF_E_EXISTS);
  testserver_commit(server);
  assert_int_equal(client_targets(server), 2);
}

static void signs_anew_long_before_the_end_and_after_days_off(void **state)
{
  WORLD;
  assert_int_equal(testserver_number(server, "SELECT timestamp FROM repo"), 1);
  testserver_tick(server);
  assert_int_equal(testserver_number(server, "SELECT timestamp FROM repo"), 1);
  server->now += 13 * 3600;
  testserver_tick(server);
  assert_int_equal(testserver_number(server, "SELECT timestamp FROM repo"), 2);
  assert_int_equal(testserver_number(server, "SELECT snapshot FROM repo"), 1);
  server->now += 4 * TEST_DAY;
  testserver_tick(server);
  assert_int_equal(testserver_number(server, "SELECT snapshot FROM repo"), 2);
  assert_int_equal(client_targets(server), 1);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM audit WHERE action = 'vault.head'"), 3); /* and the first revocation list */
  testserver_stop(server);
  server->now += 2 * TEST_DAY; /* the timestamp has run out */
  testserver_start(server);
  testserver_tick(server);
  assert_int_equal(client_targets(server), 1);
}

/* ---- kills ---- */

static void starting_finishes_what_was_committed(void **state)
{
  WORLD;
  testserver_release(server, &world->v10);
  testserver_stop(server);
  /* Killed between commit and rename: the old timestamp is still there. */
  testserver_write(server, "repo/metadata/timestamp.json", HF_LIT("{\"old\":1}"), 0644);
  testserver_write(server, "repo/metadata/timestamp.json.new", HF_LIT("half"), 0644);
  testserver_write(server, "repo/metadata/9.targets.json", HF_LIT("never committed"), 0644);
  testserver_write(server, "repo/metadata/9.snapshot.json", HF_LIT("never committed"), 0644);
  testserver_start(server);
  assert_int_equal(client_targets(server), 2);
  assert_false(there(server, "repo/metadata/timestamp.json.new"));
  assert_false(there(server, "repo/metadata/9.targets.json"));
  assert_false(there(server, "repo/metadata/9.snapshot.json"));
}

static void an_undone_group_leaves_the_old_state_visible(void **state)
{
  WORLD;
  struct hf_why why;
  upload(server, &world->v10);
  struct hf_bytes targets = testserver_targets(server, &world->v10, server->targets);
  testserver_begin(server);
  assert_int_equal(testserver_try_publish(server, &world->v10, targets, &why), HF_OK);
  (void)hf_engine_poison(server->engine, HF_E_FULL);
  assert_int_equal(hf_engine_commit(server->engine), HF_E_FULL);
  assert_int_equal(client_targets(server), 1);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM release"), 0);
  testserver_begin(server);
  assert_int_equal(testserver_try_publish(server, &world->v10, targets, &why), HF_OK);
  testserver_commit(server);
  assert_int_equal(client_targets(server), 2);
}

/* Kill the process after so many microseconds of publishing: whatever it had done, the next start shows the old or the
 * new state whole. */
static void a_kill_while_publishing_leaves_the_old_or_the_new(void **state)
{
  WORLD;
  unsigned seen_old = 0;
  unsigned seen_new = 0;
  for (unsigned i = 0; i < 14; i++) {
    char version[16];
    snprintf(version, sizeof version, "1.0.%u", i);
    struct testrelease release = {.product = PRODUCT, .version = version, .from = "*", .counter = 1};
    upload(server, &release);
    struct hf_bytes targets = testserver_targets(server, &release, server->targets);
    uint32_t before = client_targets(server);
    testserver_stop(server);
    hf_vault_link_close(server->vault);
    pid_t child = fork();
    if (child == 0) {
      struct hf_why why;
      struct hf_engine_config config = {.server_dir = server->dir};
      if (hf_vault_link_open(&config.vault, testserver_path(server, "vault")) != HF_OK ||
          hf_engine_open(&server->engine, &config, server->now) != HF_OK || hf_engine_begin(server->engine) != HF_OK) {
        _exit(1);
      }
      struct sigaction kill_me = {.sa_handler = SIG_DFL};
      (void)sigaction(SIGALRM, &kill_me, NULL);
      struct itimerval after = {.it_value = {.tv_usec = (suseconds_t)(200u + i * i * 600u)}};
      (void)setitimer(ITIMER_REAL, &after, NULL);
      if (testserver_try_publish(server, &release, targets, &why) == HF_OK &&
          hf_engine_commit(server->engine) == HF_OK) {
        pause();
      }
      _exit(2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(hf_vault_link_open(&server->vault, testserver_path(server, "vault")), HF_OK);
    testserver_start(server);
    uint32_t after = client_targets(server);
    int64_t released = testserver_number(server, "SELECT count(*) FROM release");
    assert_true(after == before || after == before + 1);
    assert_int_equal(testserver_number(server, "SELECT targets FROM repo"), after);
    assert_int_equal(released, after - 1); /* one release each, and as many as the targets show */
    seen_old += after == before ? 1 : 0;
    seen_new += after == before ? 0 : 1;
  }
  if (seen_old == 0 || seen_new == 0) {
    fail_msg("%u old, %u new: the times are badly chosen", seen_old, seen_new);
  }
}

static void a_disk_that_fills_while_publishing_shows_nothing_of_it(void **state)
{
  WORLD;
  upload(server, &world->v10);
  struct hf_bytes targets = testserver_targets(server, &world->v10, server->targets);
  testserver_stop(server);
  pid_t child = fork();
  if (child == 0) {
    struct hf_why why;
    struct hf_engine_config config = {.server_dir = server->dir, .vault = server->vault};
    struct rlimit limit = {.rlim_cur = 300, .rlim_max = RLIM_INFINITY};
    if (hf_engine_open(&server->engine, &config, server->now) != HF_OK || hf_engine_begin(server->engine) != HF_OK) {
      _exit(1);
    }
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    enum hf_err err = testserver_try_publish(server, &world->v10, targets, &why);
    _exit(err == HF_E_FULL || err == HF_E_IO ? 0 : 2);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  testserver_start(server);
  assert_int_equal(client_targets(server), 1);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM release"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(publishes_what_a_device_accepts),
      TEST(the_order_of_installation_is_what_the_release_states),
      TEST(refuses_targets_the_offline_key_did_not_sign),
      TEST(refuses_what_targets_upload_and_image_do_not_agree_on),
      TEST(refuses_an_upload_that_is_not_what_it_was_said_to_be),
      TEST(a_version_is_published_once_and_nothing_published_changes),
      TEST(signs_anew_long_before_the_end_and_after_days_off),
      TEST(starting_finishes_what_was_committed),
      TEST(an_undone_group_leaves_the_old_state_visible),
      TEST(a_kill_while_publishing_leaves_the_old_or_the_new),
      TEST(a_disk_that_fills_while_publishing_shows_nothing_of_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
