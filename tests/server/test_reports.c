/* SPDX-License-Identifier: Apache-2.0
 * Signed version reports at the server: what it believes, what it does not, and what raises an alarm (Uptane 2.1
 * section 5.4.2.1; docs/spec/report.md). And signed time. */
#include "testserver.h"

#include "hf/server/reports.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/report.h"

struct world {
  struct testserver server;
  struct testrelease old;
  struct testdevice device;
  struct hf_key *key, *radio;
  struct hf_pubkey pub, radio_pub;
  uint64_t counter;
  uint8_t room[HF_REPORT_MAX];
  uint8_t inner_room[HF_REPORT_SECONDARY_MAX];
};

static int set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  testserver_open(&world->server);
  testserver_product(&world->server, "lamp");
  world->old = (struct testrelease){.product = "lamp", .version = "1.0.0", .counter = 1};
  memset(world->old.digest, 0x11, sizeof world->old.digest);
  assert_int_equal(hf_key_new(&world->key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_new(&world->radio, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&world->pub, world->key), HF_OK);
  assert_int_equal(hf_key_public(&world->radio_pub, world->radio), HF_OK);
  testdevice_init(&world->device, "sn-1", &world->old);
  testdevice_enrol(&world->device, &world->server, "lamp", &world->pub);
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  hf_key_free(world->key);
  hf_key_free(world->radio);
  testserver_close(&world->server);
  free(world);
  return 0;
}

static struct hf_bytes sign(uint8_t *at, size_t cap, const struct hf_key *key, const struct hf_report *report)
{
  uint8_t body_room[HF_REPORT_MAX], sig_room[HF_SIG_MAX], hash[HF_SHA256_LEN];
  struct hf_buf body = hf_buf_init(body_room, sizeof body_room), sig = hf_buf_init(sig_room, sizeof sig_room);
  struct hf_buf out = hf_buf_init(at, cap);
  struct hf_pubkey pub;
  assert_int_equal(hf_report_encode(&body, report), HF_OK);
  hf_report_digest(hash, hf_buf_bytes(&body));
  assert_int_equal(hf_key_sign_digest(&sig, key, hash), HF_OK);
  assert_int_equal(hf_key_public(&pub, key), HF_OK);
  hf_pubkey_hash(hash, &pub);
  hf_report_put_signed(&out, hash, hf_buf_bytes(&body), hf_buf_bytes(&sig));
  assert_false(out.failed);
  return hf_buf_bytes(&out);
}

static struct hf_report report_of(struct world *world, const char *part, const char *version, uint8_t seed)
{
  struct hf_report report = {
      .device = HF_LIT("sn-1"), .part = hf_bytes_text(part), .counter = ++world->counter, .component_count = 1};
  report.component[0] =
      (struct hf_checkin_component){.name = hf_bytes_text(part), .version = hf_bytes_text(version), .counter = 1};
  memset(report.component[0].digest, seed, HF_SHA256_LEN);
  return report;
}

static void send(struct world *world, const struct hf_checkin *checkin)
{
  struct hf_why why = {.rule = HF_RULE_NONE};
  testserver_begin(&world->server);
  assert_int_equal(testdevice_send(&world->device, &world->server, checkin, &why), HF_OK);
  testserver_commit(&world->server);
}

/* A check-in that says `said`, with this report (or none). */
static void report_and_say(struct world *world, const struct hf_key *key, const struct hf_report *report,
                           const char *said)
{
  snprintf(world->device.version, sizeof world->device.version, "%s", said);
  struct hf_checkin checkin = testdevice_report(&world->device, "lamp");
  if (report != NULL) {
    checkin.report = sign(world->room, sizeof world->room, key, report);
  }
  send(world, &checkin);
}

static int64_t count(struct world *world, const char *sql) { return testserver_number(&world->server, sql); }

static int64_t alarms(struct world *world, const char *kind)
{
  char sql[128];
  snprintf(sql, sizeof sql, "SELECT count(*) FROM alarm WHERE closed = 0 AND device = 'sn-1' AND kind = '%s'", kind);
  return count(world, sql);
}

#define ALL_ALARMS "SELECT count(*) FROM alarm"

static void a_signed_component_is_proven_and_an_unsigned_one_is_not(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of(world, "main", "1.0.0", 0x11);
  report_and_say(world, NULL, NULL, "1.0.0");
  assert_int_equal(count(world, "SELECT count(*) FROM component WHERE proven = 0"), 1);
  report_and_say(world, world->key, &report, "1.0.0");
  assert_int_equal(count(world, "SELECT count(*) FROM component WHERE proven > 0"), 1);
  report_and_say(world, NULL, NULL, "1.0.0"); /* the next ordinary check-in changes nothing */
  assert_int_equal(count(world, "SELECT count(*) FROM component WHERE proven > 0"), 1);
  assert_int_equal(count(world, ALL_ALARMS), 0);
}

static void the_report_is_believed_and_not_the_check_in(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of(world, "main", "1.0.0", 0x11);
  report_and_say(world, world->key, &report, "9.9.9");
  assert_int_equal(count(world, "SELECT count(*) FROM component WHERE version = '1.0.0' AND proven > 0"), 1);
  assert_int_equal(count(world, "SELECT count(*) FROM device WHERE version = '1.0.0'"), 1);
  assert_int_equal(alarms(world, "report-differs"), 1);
}

/* Whoever stands between device and server can leave the report out, not put other words in its place. */
static void a_device_that_signed_once_is_not_believed_without(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of(world, "main", "1.0.0", 0x11);
  report_and_say(world, world->key, &report, "1.0.0");
  report_and_say(world, NULL, NULL, "2.0.0");
  assert_int_equal(count(world, "SELECT count(*) FROM component WHERE version = '1.0.0' AND proven > 0"), 1);
  assert_int_equal(alarms(world, "report-differs"), 1);
}

static void a_replayed_report_is_an_alarm_and_changes_nothing(void **state)
{
  struct world *world = *state;
  struct hf_report before = report_of(world, "main", "1.0.0", 0x11), after = report_of(world, "main", "2.0.0", 0x22);
  report_and_say(world, world->key, &before, "1.0.0");
  report_and_say(world, world->key, &after, "2.0.0");
  report_and_say(world, world->key, &before, "1.0.0");
  assert_int_equal(alarms(world, "report-replayed"), 1);
  assert_int_equal(count(world, "SELECT count(*) FROM component WHERE version = '2.0.0' AND proven > 0"), 1);
}

static void a_report_of_another_key_is_an_alarm(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of(world, "main", "1.0.0", 0x11);
  report_and_say(world, world->radio, &report, "1.0.0");
  assert_int_equal(alarms(world, "report-forged"), 1);
  assert_int_equal(count(world, "SELECT count(*) FROM component WHERE proven > 0"), 0);
}

static void a_report_of_another_device_is_an_alarm(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of(world, "main", "1.0.0", 0x11);
  report.device = HF_LIT("sn-2");
  report_and_say(world, world->key, &report, "1.0.0");
  assert_int_equal(alarms(world, "report-forged"), 1);
}

static void bytes_that_are_no_report_are_an_alarm_and_no_crash(void **state)
{
  struct world *world = *state;
  struct hf_checkin checkin = testdevice_report(&world->device, "lamp");
  checkin.report = HF_LIT("\x83\x41\x00\x41\x00\x41\x00");
  send(world, &checkin);
  assert_int_equal(alarms(world, "report-forged"), 1);
}

static void an_attack_that_the_device_reports_is_an_alarm(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of(world, "main", "1.0.0", 0x11);
  report.attack = HF_RULE_TUF_ROLLBACK;
  report_and_say(world, world->key, &report, "1.0.0");
  assert_int_equal(alarms(world, "attack"), 1);
}

/* A new certificate with a new key: the old key is good until the new certificate is used, and not after. */
static void a_renewed_key_takes_over_from_the_old_one(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of(world, "main", "1.0.0", 0x11);
  uint8_t room[2048];
  struct hf_buf certificate = hf_buf_init(room, sizeof room);
  struct hf_peer peer = testdevice_peer(&world->device);
  const struct hf_enrol ask = {.peer = &peer,
                               .device = HF_LIT("sn-1"),
                               .product = HF_LIT("lamp"),
                               .hardware = HF_LIT("board-a"),
                               .key = world->radio_pub,
                               .renew = true};
  testserver_begin(&world->server);
  assert_int_equal(hf_engine_enrol(world->server.engine, &certificate, &ask, world->server.now, NULL), HF_OK);
  testserver_commit(&world->server);
  report_and_say(world, world->key, &report, "1.0.0");
  assert_int_equal(count(world, ALL_ALARMS), 0);
  testdevice_take(&world->device, &world->server, hf_buf_bytes(&certificate));
  report = report_of(world, "main", "1.0.0", 0x11);
  report_and_say(world, world->radio, &report, "1.0.0");
  assert_int_equal(count(world, ALL_ALARMS), 0);
  report = report_of(world, "main", "1.0.0", 0x11);
  report_and_say(world, world->key, &report, "1.0.0");
  assert_int_equal(alarms(world, "report-forged"), 1);
}

/* ---- secondaries ---- */

static void register_radio(struct world *world)
{
  struct hf_act act = testserver_act(&world->server);
  testserver_begin(&world->server);
  assert_int_equal(hf_part_put(world->server.engine, &act, HF_LIT("sn-1"), HF_LIT("radio"), &world->radio_pub), HF_OK);
  testserver_commit(&world->server);
}

/* The primary says radio `said`, the secondary signed `signed_version` (with `key`; NULL: no report of its own). */
static void manifest(struct world *world, const struct hf_key *key, const char *signed_version, const char *said)
{
  struct hf_report inner = report_of(world, "radio", signed_version, 0x33);
  struct hf_report outer = report_of(world, "main", "1.0.0", 0x11);
  struct hf_checkin checkin = testdevice_report(&world->device, "lamp");
  checkin.component_count = 2;
  checkin.component[1] = inner.component[0];
  checkin.component[1].version = hf_bytes_text(said);
  outer.component_count = 2;
  outer.component[1] = checkin.component[1]; /* signed by the primary: not enough for a part with its own key */
  if (key != NULL) {
    outer.secondary_count = 1;
    outer.secondary[0] = sign(world->inner_room, sizeof world->inner_room, key, &inner);
  }
  checkin.report = sign(world->room, sizeof world->room, world->key, &outer);
  send(world, &checkin);
}

static void a_secondary_is_proven_by_its_own_signature(void **state)
{
  struct world *world = *state;
  register_radio(world);
  manifest(world, world->radio, "3.1.0", "3.1.0");
  assert_int_equal(count(world, "SELECT count(*) FROM component WHERE proven > 0"), 2);
  assert_int_equal(count(world, ALL_ALARMS), 0);
}

static void a_lying_primary_does_not_speak_for_its_secondary(void **state)
{
  struct world *world = *state;
  register_radio(world);
  manifest(world, world->radio, "3.1.0", "3.2.0");
  assert_int_equal(count(world, "SELECT count(*) FROM component WHERE name = 'radio' AND version = '3.1.0'"), 1);
  assert_int_equal(alarms(world, "report-differs"), 1);
}

static void a_missing_secondary_is_an_alarm(void **state)
{
  struct world *world = *state;
  register_radio(world);
  manifest(world, NULL, "3.1.0", "3.1.0");
  assert_int_equal(alarms(world, "part-missing"), 1);
  assert_int_equal(count(world, "SELECT count(*) FROM component WHERE name = 'radio' AND proven > 0"), 0);
}

static void an_exchanged_secondary_is_an_alarm_until_its_key_is_registered(void **state)
{
  struct world *world = *state;
  register_radio(world);
  manifest(world, world->key, "3.1.0", "3.1.0"); /* another key than the registered one */
  assert_int_equal(alarms(world, "part-missing"), 1);
}

static void a_secondary_without_a_key_is_as_proven_as_its_primary(void **state)
{
  struct world *world = *state;
  manifest(world, NULL, "3.1.0", "3.1.0");
  assert_int_equal(count(world, "SELECT count(*) FROM component WHERE proven > 0"), 2);
  assert_int_equal(count(world, ALL_ALARMS), 0);
}

/* ---- time ---- */

static void the_vault_signs_its_own_clock_for_the_nonce(void **state)
{
  struct world *world = *state;
  static const uint8_t nonce[HF_TIMESIG_NONCE_LEN] = {1, 2, 3};
  uint8_t room[HF_SIG_MAX];
  struct hf_buf sig = hf_buf_init(room, sizeof room);
  struct hf_timesig timesig;
  struct hf_pubkey key;
  struct hf_bytes nonces = hf_bytes_init(nonce, sizeof nonce);
  assert_int_equal(hf_vault_public(world->server.vault, &key, HF_VAULT_TIME), HF_OK);
  assert_int_equal(hf_vault_time(world->server.vault, &timesig, &sig, nonces), HF_OK);
  assert_true(timesig.time >= world->server.now && timesig.time <= (int64_t)time(NULL));
  assert_int_equal(hf_timesig_verify(&timesig, &key, nonces, nonces, NULL), HF_ALLOW);
  sig.len = 0;
  assert_int_equal(hf_vault_time(world->server.vault, &timesig, &sig, HF_LIT("short")), HF_E_INPUT);
}

static void a_check_in_with_a_nonce_is_answered_with_signed_time(void **state)
{
  struct world *world = *state;
  static const uint8_t nonce[HF_TIMESIG_NONCE_LEN] = {4, 5, 6};
  struct hf_checkin checkin = testdevice_report(&world->device, "lamp");
  send(world, &checkin);
  assert_int_equal(world->device.answer.timesig.sig.len, 0);
  checkin = testdevice_report(&world->device, "lamp");
  checkin.nonces = hf_bytes_init(nonce, sizeof nonce);
  send(world, &checkin);
  assert_in_range(world->device.answer.timesig.sig.len, 64, HF_SIG_MAX);
}

/* The time key signs nothing but time, and no metadata key signs time. */
static void the_time_key_signs_no_metadata(void **state)
{
  struct world *world = *state;
  uint8_t room[HF_SIG_MAX];
  struct hf_buf sig = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_vault_sign(world->server.vault, &sig, HF_VAULT_TIME,
                                 HF_LIT("{\"_type\":\"timestamp\",\"expires\":\"2030-01-01T00:00:00Z\",\"version\":1}"),
                                 HF_LIT("repo")),
                   HF_E_DENIED);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(a_signed_component_is_proven_and_an_unsigned_one_is_not),
      TEST(the_report_is_believed_and_not_the_check_in),
      TEST(a_device_that_signed_once_is_not_believed_without),
      TEST(a_replayed_report_is_an_alarm_and_changes_nothing),
      TEST(a_report_of_another_key_is_an_alarm),
      TEST(a_report_of_another_device_is_an_alarm),
      TEST(bytes_that_are_no_report_are_an_alarm_and_no_crash),
      TEST(an_attack_that_the_device_reports_is_an_alarm),
      TEST(a_renewed_key_takes_over_from_the_old_one),
      TEST(a_secondary_is_proven_by_its_own_signature),
      TEST(a_lying_primary_does_not_speak_for_its_secondary),
      TEST(a_missing_secondary_is_an_alarm),
      TEST(an_exchanged_secondary_is_an_alarm_until_its_key_is_registered),
      TEST(a_secondary_without_a_key_is_as_proven_as_its_primary),
      TEST(the_vault_signs_its_own_clock_for_the_nonce),
      TEST(a_check_in_with_a_nonce_is_answered_with_signed_time),
      TEST(the_time_key_signs_no_metadata),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
