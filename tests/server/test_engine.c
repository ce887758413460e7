/* SPDX-License-Identifier: Apache-2.0
 * The engine from enrolment to a confirmed update, with devices that speak the wire format and verify what they get. */
#include "testserver.h"

#include "hf/server/cache.h"
#include "hf/server/intake.h"

#define PRODUCT "thermo"

struct world {
  struct testserver server;
  struct hf_key *key;
  struct hf_pubkey pub;
  struct testrelease v10;
  struct testrelease v11;
  struct testdevice device;
};

static int set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  testserver_open(&world->server);
  testserver_product(&world->server, PRODUCT);
  assert_int_equal(hf_key_new(&world->key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&world->pub, world->key), HF_OK);
  world->v10 = (struct testrelease){.product = PRODUCT, .version = "1.0.0", .from = "*", .counter = 1};
  world->v11 = (struct testrelease){.product = PRODUCT, .version = "1.1.0", .from = ">=1.0.0", .counter = 2};
  testserver_release(&world->server, &world->v10);
  testdevice_init(&world->device, "sn-1", &world->v10);
  testdevice_enrol(&world->device, &world->server, PRODUCT, &world->pub);
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  hf_key_free(world->key);
  testserver_close(&world->server);
  free(world);
  return 0;
}

#define WORLD                                                                                                          \
  struct world *world = *state;                                                                                        \
  struct testserver *server = &world->server;                                                                          \
  struct testdevice *device = &world->device;                                                                          \
  (void)server, (void)device

static const struct hf_wave_new everybody[] = {{.percent = 100}};

/* ---- check-in ---- */

static void answers_a_first_checkin_and_knows_the_device(void **state)
{
  WORLD;
  testdevice_checkin(device, server, PRODUCT);
  assert_int_equal(device->answer.time, server->now);
  assert_in_range(device->answer.next_s, 1440, 2160); /* 1800 and a fifth to both sides */
  assert_int_equal(device->answer.director, 0);
  assert_false(device->answer.renew);
  assert_int_equal(
      testserver_number(server, "SELECT count(*) FROM device WHERE id = 'sn-1' AND version = '1.0.0' AND hardware ="
                                " 'board-a' AND first_seen > 0 AND boot_id = 1"),
      1);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM component WHERE name = 'main' AND counter = 1"), 1);
  assert_int_equal(testserver_number(server, "SELECT count FROM tally WHERE product = 'thermo' AND version = '1.0.0'"),
                   1);
}

static void touches_no_row_when_nothing_is_new(void **state)
{
  WORLD;
  testdevice_checkin(device, server, PRODUCT);
  uint64_t change = hf_engine_change(server->engine);
  int64_t entries = testserver_number(server, "SELECT count(*) FROM audit");
  for (int i = 0; i < 50; i++) {
    testdevice_checkin(device, server, PRODUCT);
  }
  assert_int_equal(hf_engine_change(server->engine), change);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM audit"), entries);
}

static void writes_last_seen_within_seconds(void **state)
{
  WORLD;
  testdevice_checkin(device, server, PRODUCT);
  server->now += HF_CACHE_SEEN_S + 1;
  testdevice_checkin(device, server, PRODUCT);
  testserver_tick(server);
  assert_int_equal(testserver_number(server, "SELECT last_seen FROM device WHERE id = 'sn-1'"), server->now);
}

static void refuses_the_unknown_the_blocked_and_the_factory_certificate(void **state)
{
  WORLD;
  struct hf_act act = testserver_act(server);
  struct hf_checkin checkin = testdevice_report(device, PRODUCT);
  struct testdevice stranger = *device;
  snprintf(stranger.id, sizeof stranger.id, "sn-2");
  testserver_begin(server);
  assert_int_equal(testdevice_send(&stranger, server, &checkin, NULL), HF_E_DENIED);
  stranger = *device;
  stranger.certificate[0] ^= 1;
  assert_int_equal(testdevice_send(&stranger, server, &checkin, NULL), HF_E_DENIED);
  stranger = *device;
  stranger.not_after = server->now - 1;
  assert_int_equal(testdevice_send(&stranger, server, &checkin, NULL), HF_E_DENIED);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_OK);
  assert_int_equal(hf_device_block(server->engine, &act, HF_LIT("sn-1"), true), HF_OK);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_E_DENIED);
  assert_int_equal(hf_device_block(server->engine, &act, HF_LIT("sn-1"), true), HF_E_STATE);
  assert_int_equal(hf_device_block(server->engine, &act, HF_LIT("sn-1"), false), HF_OK);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_OK);
  assert_int_equal(hf_device_block(server->engine, &act, HF_LIT("nobody"), true), HF_E_NOT_FOUND);
  testserver_commit(server);
}

static void refuses_a_device_that_says_it_is_something_else(void **state)
{
  WORLD;
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_checkin checkin = testdevice_report(device, "toaster");
  testserver_begin(server);
  assert_int_equal(testdevice_send(device, server, &checkin, &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_CHECKIN_PRODUCT);
  checkin = testdevice_report(device, PRODUCT);
  checkin.hardware = HF_LIT("board-b");
  assert_int_equal(testdevice_send(device, server, &checkin, &why), HF_E_INPUT);
  testserver_commit(server);
}

static void refuses_bytes_that_are_no_checkin(void **state)
{
  WORLD;
  uint8_t room[HF_CHECKIN_ANSWER_MAX];
  struct hf_buf answer = hf_buf_init(room, sizeof room);
  struct hf_peer peer = testdevice_peer(device);
  struct hf_why why = {.rule = HF_RULE_NONE};
  testserver_begin(server);
  assert_int_equal(hf_engine_checkin(server->engine, &answer, &peer, HF_LIT("\x01\x02"), server->now, &why),
                   HF_E_INPUT);
  assert_int_not_equal(why.rule, HF_RULE_NONE);
  assert_int_equal(answer.len, 0);
  testserver_commit(server);
}

/* ---- events and attributes ---- */

static void event_add(struct hf_checkin *checkin, uint32_t number, enum hf_event_kind kind)
{
  checkin->event[checkin->event_count++] =
      (struct hf_checkin_event){.number = number, .kind = (uint16_t)kind, .time = 5, .subject = HF_LIT("1.0.0")};
}

static void stores_events_once_acknowledges_them_and_shows_gaps(void **state)
{
  WORLD;
  struct hf_checkin checkin = testdevice_report(device, PRODUCT);
  event_add(&checkin, 1, HF_EVENT_BOOT);
  event_add(&checkin, 2, HF_EVENT_CLOCK);
  testserver_begin(server);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_OK);
  assert_true(device->answer.has_events_to);
  assert_int_equal(device->answer.events_to, 2);
  /* The answer was lost: the same again, and two later ones with one missing before. */
  checkin.number++;
  event_add(&checkin, 4, HF_EVENT_BOOT);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_OK);
  assert_int_equal(device->answer.events_to, 4);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM event"), 3);
  assert_int_equal(testserver_number(server, "SELECT gap FROM event WHERE number = 4"), 1);
  assert_int_equal(testserver_number(server, "SELECT gap FROM event WHERE number = 2"), 0);
}

static void a_late_message_brings_its_events_but_not_its_state(void **state)
{
  WORLD;
  struct hf_checkin late = testdevice_report(device, PRODUCT);
  event_add(&late, 1, HF_EVENT_BOOT);
  late.update.state = HF_UPDATE_DOWNLOADING;
  device->boot = 2;
  testdevice_checkin(device, server, PRODUCT);
  testserver_begin(server);
  assert_int_equal(testdevice_send(device, server, &late, NULL), HF_OK);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT boot_id FROM device WHERE id = 'sn-1'"), 2);
  assert_int_equal(testserver_number(server, "SELECT state FROM device WHERE id = 'sn-1'"), HF_UPDATE_IDLE);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM event"), 1);
}

static void keeps_an_operators_attribute_over_the_devices(void **state)
{
  WORLD;
  struct hf_act act = testserver_act(server);
  struct hf_checkin checkin = testdevice_report(device, PRODUCT);
  checkin.attribute[0] = (struct hf_checkin_attribute){HF_LIT("room"), HF_LIT("lab")};
  checkin.attribute[1] = (struct hf_checkin_attribute){HF_LIT("floor"), HF_LIT("3")};
  checkin.attribute_count = 2;
  testserver_begin(server);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_OK);
  assert_true(device->answer.attributes_stored);
  assert_int_equal(hf_device_attribute(server->engine, &act, HF_LIT("sn-1"), HF_LIT("room"), HF_LIT("kitchen")), HF_OK);
  checkin.number++;
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_OK);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM attribute WHERE key = 'room' AND value = 'kitchen'"),
                   1);
  assert_int_equal(testserver_number(server, "SELECT number FROM attribute WHERE key = 'floor'"), 3);
  testserver_begin(server);
  assert_int_equal(hf_device_attribute(server->engine, &act, HF_LIT("sn-1"), HF_LIT("room"), HF_LIT("")), HF_OK);
  assert_int_equal(hf_device_attribute(server->engine, &act, HF_LIT("sn-1"), HF_LIT("version"), HF_LIT("x")),
                   HF_E_INPUT);
  checkin.number++;
  checkin.attribute[1].value = HF_LIT("");
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_OK);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM attribute WHERE value = 'lab'"), 1);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM attribute"), 1);
}

/* ---- groups ---- */

static void nothing_of_a_failed_group_happened(void **state)
{
  WORLD;
  testdevice_checkin(device, server, PRODUCT);
  struct hf_checkin checkin = testdevice_report(device, PRODUCT);
  checkin.update = (struct hf_checkin_update){.state = HF_UPDATE_FAILED, .version = HF_LIT("1.1.0")};
  event_add(&checkin, 1, HF_EVENT_FAILED);
  struct hf_audit_chain chain = server->engine->chain;
  testserver_begin(server);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_OK);
  (void)hf_engine_poison(server->engine, HF_E_FULL);
  assert_int_equal(hf_engine_commit(server->engine), HF_E_FULL);
  assert_memory_equal(&chain, &server->engine->chain, sizeof chain);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM event"), 0);
  assert_int_equal(testserver_number(server, "SELECT state FROM device WHERE id = 'sn-1'"), HF_UPDATE_IDLE);
  /* The device was told to come again, and does. */
  testserver_begin(server);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_OK);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM event"), 1);
}

static void a_mark_undoes_one_request_and_keeps_the_others(void **state)
{
  WORLD;
  struct hf_act act = testserver_act(server);
  testserver_release(server, &world->v11);
  testserver_rollout(server, &world->v11, everybody, 1);
  testserver_begin(server);
  struct hf_checkin checkin = testdevice_report(device, PRODUCT);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_OK);
  assert_int_equal(hf_engine_mark(server->engine), HF_OK);
  assert_int_equal(hf_device_block(server->engine, &act, HF_LIT("sn-1"), true), HF_OK);
  assert_int_equal(hf_engine_mark_undo(server->engine), HF_OK);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT blocked FROM device WHERE id = 'sn-1'"), 0);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM audit WHERE action = 'device.block'"), 0);
  assert_int_equal(testserver_number(server, "SELECT underway FROM wave"), 1);
  struct hf_auditlog_report report;
  assert_int_equal(hf_auditlog_verify(server->engine->db, &report), HF_OK);
  assert_int_equal(report.broken, 0);
}

/* ---- an update from offer to confirmation ---- */

static void a_device_is_told_verifies_installs_and_confirms(void **state)
{
  WORLD;
  struct hf_uptane_plan plan;
  testserver_release(server, &world->v11);
  testdevice_checkin(device, server, PRODUCT);
  assert_int_equal(device->answer.director, 0);
  testserver_rollout(server, &world->v11, everybody, 1);
  testdevice_checkin(device, server, PRODUCT);
  assert_true(device->answer.director > 0);
  assert_true(device->answer.deadline > server->now);
  testdevice_plan(device, server, PRODUCT, &plan);
  assert_int_equal(plan.count, 1);
  assert_true(plan.item[0].agreed);
  assert_memory_equal(plan.item[0].image, world->v11.digest, HF_SHA256_LEN);
  assert_true(hf_bytes_is(hf_uptane_item_path(&plan.item[0]), "thermo/1.1.0/main.img"));

  static const enum hf_update_state way[] = {HF_UPDATE_DOWNLOADING, HF_UPDATE_STAGED};
  for (size_t i = 0; i < 2; i++) {
    testdevice_state(device, way[i], &world->v11);
    testdevice_checkin(device, server, PRODUCT);
    assert_int_equal(testserver_number(server, "SELECT state FROM rollout_device"), way[i]);
    assert_int_equal(device->answer.director, 0); /* it has acted on the order */
  }
  testdevice_state(device, HF_UPDATE_TRYING, &world->v11);
  testdevice_checkin(device, server, PRODUCT);
  /* It runs the new version, but on trial: not updated yet. */
  assert_int_equal(testserver_number(server, "SELECT confirmed FROM wave"), 0);
  assert_int_equal(testserver_number(server, "SELECT state FROM rollout"), HF_ROLLOUT_RUNNING);
  testdevice_state(device, HF_UPDATE_CONFIRMED, &world->v11);
  testdevice_checkin(device, server, PRODUCT);
  assert_int_equal(testserver_number(server, "SELECT confirmed FROM wave"), 1);
  assert_int_equal(testserver_number(server, "SELECT state FROM rollout"), HF_ROLLOUT_DONE);
}

static void the_director_answers_each_device_for_itself_also_without_an_order(void **state)
{
  WORLD;
  struct hf_uptane_plan plan;
  uint8_t room[8192];
  struct hf_buf file = hf_buf_init(room, sizeof room);
  struct hf_peer peer = testdevice_peer(device);
  testdevice_checkin(device, server, PRODUCT);
  testdevice_plan(device, server, PRODUCT, &plan); /* bound to sn-1, or it would not be accepted */
  assert_int_equal(plan.count, 0);
  testserver_begin(server);
  assert_int_equal(hf_engine_director(server->engine, &file, &peer, HF_LIT("1.targets.json"), server->now), HF_OK);
  assert_int_equal(hf_engine_director(server->engine, &file, &peer, HF_LIT("9.targets.json"), server->now),
                   HF_E_NOT_FOUND);
  assert_int_equal(hf_engine_director(server->engine, &file, &peer, HF_LIT("../x"), server->now), HF_E_NOT_FOUND);
  assert_int_equal(hf_engine_director(server->engine, &file, &peer, HF_LIT("2.root.json"), server->now),
                   HF_E_NOT_FOUND);
  peer.device = HF_LIT("sn-2");
  assert_int_equal(hf_engine_director(server->engine, &file, &peer, HF_LIT("timestamp.json"), server->now),
                   HF_E_DENIED);
  testserver_commit(server);
}

static void director_versions_rise_and_files_stay_until_they_grow_old(void **state)
{
  WORLD;
  struct hf_uptane_plan plan;
  testdevice_checkin(device, server, PRODUCT);
  testdevice_plan(device, server, PRODUCT, &plan);
  testdevice_plan(device, server, PRODUCT, &plan);
  assert_int_equal(testserver_number(server, "SELECT version FROM director_file"), 1);
  server->now += 6 * TEST_DAY;
  testserver_tick(server);
  testdevice_plan(device, server, PRODUCT, &plan);
  assert_int_equal(testserver_number(server, "SELECT version FROM director_file"), 2);
  testserver_release(server, &world->v11);
  testserver_rollout(server, &world->v11, everybody, 1);
  testdevice_checkin(device, server, PRODUCT);
  assert_int_equal(device->answer.director, 3);
  testdevice_plan(device, server, PRODUCT, &plan);
  assert_int_equal(testserver_number(server, "SELECT version FROM director_file"), 3);
}

static void a_stopped_rollout_takes_back_what_is_not_staged(void **state)
{
  WORLD;
  struct hf_act act = testserver_act(server);
  struct hf_uptane_plan plan;
  struct testdevice other;
  testdevice_init(&other, "sn-2", &world->v10);
  testdevice_enrol(&other, server, PRODUCT, &world->pub);
  testserver_release(server, &world->v11);
  testdevice_checkin(device, server, PRODUCT);
  testdevice_checkin(&other, server, PRODUCT);
  int64_t id = testserver_rollout(server, &world->v11, everybody, 1);
  testdevice_checkin(device, server, PRODUCT);
  testdevice_checkin(&other, server, PRODUCT);
  testdevice_state(device, HF_UPDATE_DOWNLOADING, &world->v11);
  testdevice_state(&other, HF_UPDATE_STAGED, &world->v11);
  testdevice_checkin(device, server, PRODUCT);
  testdevice_checkin(&other, server, PRODUCT);
  testserver_begin(server);
  assert_int_equal(hf_rollout_abort(server->engine, &act, id), HF_OK);
  assert_int_equal(hf_rollout_abort(server->engine, &act, id), HF_E_STATE);
  assert_int_equal(hf_rollout_resume(server->engine, &act, id), HF_E_STATE);
  assert_int_equal(hf_rollout_abort(server->engine, &act, 99), HF_E_NOT_FOUND);
  testserver_commit(server);
  testdevice_checkin(device, server, PRODUCT);
  testdevice_checkin(&other, server, PRODUCT);
  assert_true(device->answer.director > device->acted);
  testdevice_plan(device, server, PRODUCT, &plan);
  assert_int_equal(plan.count, 0);
  assert_int_equal(other.answer.director, 0);
  testdevice_plan(&other, server, PRODUCT, &plan);
  assert_int_equal(plan.count, 1);
}

static void asks_for_renewal_in_the_last_third_of_a_certificate(void **state)
{
  WORLD;
  server->now += 61 * TEST_DAY;
  testdevice_checkin(device, server, PRODUCT);
  assert_true(device->answer.renew);
}

/* It reports other versions, attributes and events every time, as a hostile one may, thousands of times. */
static void what_is_kept_of_one_device_is_bounded(void **state)
{
  WORLD;
  char name[24];
  testserver_begin(server);
  for (uint32_t i = 1; i <= 3000; i++) {
    snprintf(device->version, sizeof device->version, "1.0.%u", i);
    snprintf(name, sizeof name, "name-%u", i);
    struct hf_checkin checkin = testdevice_report(device, PRODUCT);
    checkin.event_count = 1;
    checkin.event[0] = (struct hf_checkin_event){.number = 7 * i, .kind = HF_EVENT_BOOT};
    checkin.attribute_count = 1;
    checkin.attribute[0] = (struct hf_checkin_attribute){.name = hf_bytes_text(name), .value = HF_LIT("x")};
    assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_OK);
  }
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM tally"), 1);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM component"), 1);
  assert_true(testserver_number(server, "SELECT count(*) FROM attribute") <= HF_ATTRIBUTES_MAX);
  assert_true(testserver_number(server, "SELECT count(*) FROM event") <= HF_EVENTS_KEPT + 64);
}

/* ---- enrolment ---- */

static void an_id_stays_with_its_key(void **state)
{
  WORLD;
  struct hf_key *thief;
  struct hf_pubkey pub;
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct testdevice copy = *device;
  assert_int_equal(hf_key_new(&thief, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&pub, thief), HF_OK);
  testserver_begin(server);
  assert_int_equal(testdevice_try_enrol(&copy, server, PRODUCT, &pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_TAKEN);
  assert_int_equal(testdevice_try_enrol(&copy, server, PRODUCT, &world->pub, &why),
                   HF_OK); /* its own key: a lost certificate */
  testserver_commit(server);
  hf_key_free(thief);
  struct hf_checkin checkin = testdevice_report(&copy, PRODUCT);
  testserver_begin(server);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_E_DENIED); /* the certificate before is out */
  assert_int_equal(testdevice_send(&copy, server, &checkin, NULL), HF_OK);
  testserver_commit(server);
}

static void refuses_an_unknown_product_a_wrong_id_and_a_blocked_device(void **state)
{
  WORLD;
  struct hf_act act = testserver_act(server);
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct testdevice fresh = *device;
  uint8_t room[2048];
  struct hf_buf certificate = hf_buf_init(room, sizeof room);
  snprintf(fresh.id, sizeof fresh.id, "sn-9");
  testserver_begin(server);
  assert_int_equal(testdevice_try_enrol(&fresh, server, "toaster", &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_PRODUCT);
  struct hf_peer peer = {.device = HF_LIT("sn-8"), .factory = true, .not_after = INT64_MAX};
  struct hf_enrol ask = {.peer = &peer, .device = HF_LIT("sn-9"), .product = HF_LIT(PRODUCT), .key = world->pub};
  why.rule = HF_RULE_NONE;
  assert_int_equal(hf_engine_enrol(server->engine, &certificate, &ask, server->now, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_OTHER_ID);
  assert_int_equal(hf_device_block(server->engine, &act, HF_LIT("sn-1"), true), HF_OK);
  why.rule = HF_RULE_NONE;
  assert_int_equal(testdevice_try_enrol(device, server, PRODUCT, &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_BLOCKED);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM device"), 1);
}

static enum hf_err token_enrol(struct testserver *server, struct hf_bytes token, const char *id,
                               const struct hf_pubkey *key, struct hf_why *why)
{
  uint8_t room[2048];
  struct hf_buf certificate = hf_buf_init(room, sizeof room);
  struct hf_enrol ask = {.token = token, .device = hf_bytes_text(id), .key = *key};
  *why = (struct hf_why){.rule = HF_RULE_NONE};
  return hf_engine_enrol(server->engine, &certificate, &ask, server->now, why);
}

static void a_token_is_good_once_for_one_id_until_it_expires(void **state)
{
  WORLD;
  uint8_t room[HF_ENROL_TOKEN_MAX];
  uint8_t late_room[HF_ENROL_TOKEN_MAX];
  struct hf_buf token = hf_buf_init(room, sizeof room);
  struct hf_buf late = hf_buf_init(late_room, sizeof late_room);
  struct hf_act act = testserver_act(server);
  struct hf_why why;
  testserver_begin(server);
  assert_int_equal(hf_enrol_token_new(server->engine, &token, &act, HF_LIT("dev-1"), HF_LIT(PRODUCT), server->now + 60),
                   HF_OK);
  assert_int_equal(hf_enrol_token_new(server->engine, &late, &act, HF_LIT("dev-2"), HF_LIT(PRODUCT), server->now + 60),
                   HF_OK);
  assert_int_equal(
      hf_enrol_token_new(server->engine, &late, &act, HF_LIT("dev-2"), HF_LIT("toaster"), server->now + 60),
      HF_E_NOT_FOUND);
  assert_int_equal(token_enrol(server, HF_LIT("hfe_wrong"), "dev-1", &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_TOKEN);
  assert_int_equal(token_enrol(server, hf_buf_bytes(&token), "dev-2", &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_OTHER_ID);
  assert_int_equal(token_enrol(server, hf_buf_bytes(&token), "dev-1", &world->pub, &why), HF_OK);
  assert_int_equal(token_enrol(server, hf_buf_bytes(&token), "dev-1", &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_TOKEN);
  server->now += 61;
  assert_int_equal(token_enrol(server, hf_buf_bytes(&late), "dev-2", &world->pub, &why), HF_E_DENIED);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM device WHERE id = 'dev-1'"), 1);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM enrol_token WHERE hash = 'hfe_'"), 0);
}

static enum hf_err renew(struct testserver *server, struct testdevice *device, const struct hf_pubkey *key,
                         struct hf_why *why)
{
  uint8_t room[2048];
  struct hf_buf certificate = hf_buf_init(room, sizeof room);
  struct hf_peer peer = testdevice_peer(device);
  struct hf_enrol ask = {.peer = &peer, .device = hf_bytes_text(device->id), .key = *key, .renew = true};
  *why = (struct hf_why){.rule = HF_RULE_NONE};
  enum hf_err err = hf_engine_enrol(server->engine, &certificate, &ask, server->now, why);
  if (err == HF_OK) {
    testdevice_take(device, server, hf_buf_bytes(&certificate));
  }
  return err;
}

static void a_renewal_may_bring_a_new_key_and_the_old_certificate_ends_when_the_new_is_used(void **state)
{
  WORLD;
  struct hf_key *next;
  struct hf_pubkey pub;
  struct hf_why why;
  struct testdevice old = *device;
  assert_int_equal(hf_key_new(&next, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&pub, next), HF_OK);
  testserver_begin(server);
  assert_int_equal(renew(server, device, &pub, &why), HF_OK);
  testserver_commit(server);
  /* The power went before the new certificate was kept: the old one still opens. */
  testdevice_checkin(&old, server, PRODUCT);
  device->number = old.number;
  testdevice_checkin(device, server, PRODUCT);
  struct hf_checkin checkin = testdevice_report(&old, PRODUCT);
  testserver_begin(server);
  assert_int_equal(testdevice_send(&old, server, &checkin, NULL), HF_E_DENIED);
  assert_int_equal(renew(server, &old, &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_CERTIFICATE);
  testserver_commit(server);
  hf_key_free(next);
}

static void a_fault_of_the_vault_does_not_cost_the_token(void **state)
{
  WORLD;
  uint8_t room[HF_ENROL_TOKEN_MAX];
  struct hf_buf token = hf_buf_init(room, sizeof room);
  struct hf_act act = testserver_act(server);
  struct hf_why why;
  int64_t life = server->engine->settings.certificate_life_s;
  testserver_begin(server);
  assert_int_equal(hf_enrol_token_new(server->engine, &token, &act, HF_LIT("dev-1"), HF_LIT(PRODUCT), server->now + 60),
                   HF_OK);
  testserver_commit(server);
  server->engine->settings.certificate_life_s = INT64_C(1000) * 365 * 86400; /* longer than the vault issues */
  testserver_begin(server);
  assert_int_equal(token_enrol(server, hf_buf_bytes(&token), "dev-1", &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_NONE);
  testserver_commit(server);
  server->engine->settings.certificate_life_s = life;
  testserver_begin(server);
  assert_int_equal(token_enrol(server, hf_buf_bytes(&token), "dev-1", &world->pub, &why), HF_OK);
  assert_int_equal(token_enrol(server, hf_buf_bytes(&token), "dev-1", &world->pub, &why), HF_E_DENIED);
  testserver_commit(server);
}

static void an_expired_certificate_renews_within_the_grace_time_and_not_after(void **state)
{
  WORLD;
  struct hf_why why = {.rule = HF_RULE_NONE};
  int64_t grace = server->engine->settings.renewal_grace_s;
  testserver_begin(server);
  device->not_after = server->now - grace - 1;
  assert_int_equal(renew(server, device, &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_GRACE);
  device->not_after = server->now - grace;
  struct hf_checkin checkin = testdevice_report(device, PRODUCT);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_E_DENIED); /* and nothing but renewing */
  assert_int_equal(renew(server, device, &world->pub, &why), HF_OK);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM audit WHERE action = 'device.renew' AND detail ="
                                             " 'renewal after its end'"),
                   1);
  testserver_commit(server);
  testdevice_checkin(device, server, PRODUCT);
}

/* Each one is a signature, and a line in two logs that nobody may shorten. */
static void a_device_cannot_fill_the_logs_with_renewals(void **state)
{
  WORLD;
  struct hf_why why;
  testserver_begin(server);
  for (int i = 1; i < 20; i++) { /* the first one was its enrolment */
    assert_int_equal(renew(server, device, &world->pub, &why), HF_OK);
  }
  int64_t entries = testserver_number(server, "SELECT count(*) FROM audit");
  assert_int_equal(renew(server, device, &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_OFTEN);
  why.rule = HF_RULE_NONE;
  struct testdevice same = *device;
  assert_int_equal(testdevice_try_enrol(&same, server, PRODUCT, &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_OFTEN);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM audit"), entries);
  testserver_commit(server);
  testdevice_checkin(device, server, PRODUCT); /* its work goes on */
  server->now += 3601;
  testserver_begin(server);
  assert_int_equal(renew(server, device, &world->pub, &why), HF_OK);
  testserver_commit(server);
}

/* ---- the log ---- */

static void every_change_is_chained_and_every_signing_group_anchors_the_vaults_log(void **state)
{
  WORLD;
  struct hf_auditlog_report report;
  uint64_t number;
  uint8_t head[HF_SHA256_LEN];
  uint8_t room[2 * HF_SHA256_LEN];
  struct hf_buf hex = hf_buf_init(room, sizeof room);
  struct hf_uptane_plan plan;
  testdevice_plan(device, server, PRODUCT, &plan);
  assert_int_equal(hf_auditlog_verify(server->engine->db, &report), HF_OK);
  assert_int_equal(report.broken, 0);
  assert_int_equal(report.count, testserver_number(server, "SELECT count(*) FROM audit"));
  assert_int_equal(hf_vault_head(server->vault, &number, head), HF_OK);
  for (size_t i = 0; i < sizeof head; i++) {
    char two[3];
    snprintf(two, sizeof two, "%02x", head[i]);
    hf_buf_put_text(&hex, two);
  }
  struct hf_stmt *stmt =
      hf_stmt_open(server->engine->db, "SELECT count(*) FROM audit WHERE action = 'vault.head' AND detail = ?"
                                       " AND CAST(subject AS INTEGER) = ?");
  int64_t found = 0;
  hf_stmt_put_text(stmt, hf_buf_bytes(&hex));
  hf_stmt_put_int(stmt, (int64_t)number);
  assert_int_equal(hf_stmt_run_int(stmt, &found), HF_OK);
  assert_int_equal(found, 1);
}

static void names_the_first_broken_entry(void **state)
{
  WORLD;
  static const char *const ways[] = {"UPDATE audit SET detail = 'nothing' WHERE n = 3", "DELETE FROM audit WHERE n = 3",
                                     "UPDATE audit SET hash = zeroblob(32) WHERE n = 3",
                                     "UPDATE audit SET who = 'server ' WHERE n = 3"};
  struct hf_auditlog_report report;
  testdevice_checkin(device, server, PRODUCT);
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    assert_int_equal(hf_db_begin(server->engine->db), HF_OK);
    assert_int_equal(hf_db_run(server->engine->db, ways[i]), HF_OK);
    assert_int_equal(hf_auditlog_verify(server->engine->db, &report), HF_OK);
    assert_int_equal(report.broken, 3);
    hf_db_rollback(server->engine->db);
  }
}

/* ---- restart ---- */

static void a_restart_changes_nothing(void **state)
{
  WORLD;
  struct hf_uptane_plan plan;
  testserver_release(server, &world->v11);
  testdevice_checkin(device, server, PRODUCT);
  testserver_rollout(server, &world->v11, everybody, 1);
  testdevice_checkin(device, server, PRODUCT);
  uint32_t order = device->answer.director;
  testserver_stop(server);
  testserver_start(server);
  testdevice_checkin(device, server, PRODUCT);
  assert_int_equal(device->answer.director, order);
  testdevice_plan(device, server, PRODUCT, &plan);
  assert_int_equal(plan.count, 1);
}

static void reads_beside_the_writer(void **state)
{
  WORLD;
  struct hf_engine *reader;
  struct hf_engine_config config = {.server_dir = server->dir, .read_only = true};
  testdevice_checkin(device, server, PRODUCT);
  assert_int_equal(hf_engine_open(&reader, &config, server->now), HF_OK);
  assert_int_equal(hf_engine_change(reader), hf_engine_change(server->engine));
  struct hf_device_filter filter = hf_device_filter_init();
  uint64_t count = 0;
  filter.group = HF_LIT("product = thermo and version < 1.1 and id ~ \"SN-*\"");
  assert_int_equal(hf_device_count(&count, reader->db, &filter, NULL), HF_OK);
  assert_int_equal(count, 1);
  filter.q = HF_LIT("N-1");
  filter.state = 0;
  filter.blocked = 0;
  filter.limit = 5;
  struct hf_stmt *stmt;
  assert_int_equal(hf_device_list(&stmt, reader->db, &filter, NULL), HF_OK);
  assert_int_equal(hf_stmt_next(stmt), HF_OK);
  assert_true(hf_bytes_is(hf_stmt_get_bytes(stmt, HF_DEVICE_ID), "sn-1"));
  hf_stmt_close(stmt);
  assert_int_equal(hf_stmt_run(hf_stmt_open(reader->db, "DELETE FROM device")), HF_E_STATE);
  hf_engine_close(reader);
}

static void a_long_silence_is_noticed_and_ends_with_the_next_checkin(void **state)
{
  WORLD;
  testdevice_checkin(device, server, PRODUCT);
  server->now += 5500;
  testserver_tick(server);
  assert_int_equal(testserver_number(server, "SELECT state FROM device WHERE id = 'sn-1'"), 10);
  assert_int_equal(testserver_number(server, "SELECT count FROM tally WHERE state = 10"), 1);
  testdevice_checkin(device, server, PRODUCT);
  assert_int_equal(testserver_number(server, "SELECT state FROM device WHERE id = 'sn-1'"), 0);
}

static void what_has_expired_is_removed(void **state)
{
  WORLD;
  struct hf_db *db = server->engine->db;
  assert_int_equal(hf_db_run(db, "INSERT INTO operator (name, password, scopes, created) VALUES ('anna', 'x', 1, 1);"
                                 "INSERT INTO session (hash, operator, address, created, expires, last_used) VALUES "
                                 "(x'01', 'anna', '', 1, 2, 2);"
                                 "INSERT INTO enrol_token VALUES (x'02', 'd', 'p', 1, 2, 0, 'anna')"),
                   HF_OK);
  server->now += 61;
  testserver_tick(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM session"), 0);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM enrol_token"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(answers_a_first_checkin_and_knows_the_device),
      TEST(touches_no_row_when_nothing_is_new),
      TEST(writes_last_seen_within_seconds),
      TEST(refuses_the_unknown_the_blocked_and_the_factory_certificate),
      TEST(refuses_a_device_that_says_it_is_something_else),
      TEST(refuses_bytes_that_are_no_checkin),
      TEST(stores_events_once_acknowledges_them_and_shows_gaps),
      TEST(a_late_message_brings_its_events_but_not_its_state),
      TEST(keeps_an_operators_attribute_over_the_devices),
      TEST(nothing_of_a_failed_group_happened),
      TEST(a_mark_undoes_one_request_and_keeps_the_others),
      TEST(a_device_is_told_verifies_installs_and_confirms),
      TEST(the_director_answers_each_device_for_itself_also_without_an_order),
      TEST(director_versions_rise_and_files_stay_until_they_grow_old),
      TEST(a_stopped_rollout_takes_back_what_is_not_staged),
      TEST(asks_for_renewal_in_the_last_third_of_a_certificate),
      TEST(an_id_stays_with_its_key),
      TEST(refuses_an_unknown_product_a_wrong_id_and_a_blocked_device),
      TEST(a_token_is_good_once_for_one_id_until_it_expires),
      TEST(a_renewal_may_bring_a_new_key_and_the_old_certificate_ends_when_the_new_is_used),
      TEST(a_fault_of_the_vault_does_not_cost_the_token),
      TEST(an_expired_certificate_renews_within_the_grace_time_and_not_after),
      TEST(a_device_cannot_fill_the_logs_with_renewals),
      TEST(what_is_kept_of_one_device_is_bounded),
      TEST(every_change_is_chained_and_every_signing_group_anchors_the_vaults_log),
      TEST(names_the_first_broken_entry),
      TEST(a_restart_changes_nothing),
      TEST(reads_beside_the_writer),
      TEST(what_has_expired_is_removed),
      TEST(a_long_silence_is_noticed_and_ends_with_the_next_checkin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
