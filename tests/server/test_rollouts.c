/* SPDX-License-Identifier: Apache-2.0
 * Rollouts over the real database: ten thousand devices through the engine, with messages lost, doubled and late; a
 * release that breaks; and group expressions that mean the same in memory and in SQL. */
#include "testserver.h"

#include "hf/fleet/query.h"
#include "hf/fleet/release.h"

#define PRODUCT "thermo"
#define FLEET 10000

struct world {
  struct testserver server;
  struct hf_key *key;
  struct hf_pubkey pub;
  struct testrelease v10;
  struct testrelease v11;
  struct testrelease v12;
  struct testdevice *device;
  size_t count;
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
  world->v12 = (struct testrelease){.product = PRODUCT, .version = "1.2.0", .from = ">=1.1.0", .counter = 2};
  testserver_release(&world->server, &world->v10);
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  hf_key_free(world->key);
  testserver_close(&world->server);
  free(world->device);
  free(world);
  return 0;
}

static const struct hf_wave_new three[] = {{.percent = 5}, {.percent = 25}, {.percent = 100}};

/* A fleet that has enrolled and checked in once. Rows are made directly: what enrolment does is tested elsewhere. */
static void fleet_new(struct world *world, size_t count)
{
  world->device = calloc(count, sizeof *world->device);
  assert_non_null(world->device);
  world->count = count;
  testserver_begin(&world->server);
  for (size_t i = 0; i < count; i++) {
    struct testdevice *device = &world->device[i];
    char id[24];
    snprintf(id, sizeof id, "sn-%06zu", i);
    testdevice_init(device, id, &world->v10);
    hf_sha256(device->certificate, hf_bytes_text(id));
    device->not_after = world->server.now + 90 * TEST_DAY;
    struct hf_stmt *stmt =
        hf_stmt_open(world->server.engine->db,
                     "INSERT INTO device (id, product, hardware, cert, created) VALUES (?, 'thermo', 'board-a', ?, 1)");
    hf_stmt_put_text(stmt, hf_bytes_text(id));
    hf_stmt_put_bytes(stmt, hf_bytes_init(device->certificate, sizeof device->certificate));
    assert_int_equal(hf_stmt_run(stmt), HF_OK);
    struct hf_checkin checkin = testdevice_report(device, PRODUCT);
    assert_int_equal(testdevice_send(device, &world->server, &checkin, NULL), HF_OK);
  }
  testserver_commit(&world->server);
}

static uint32_t seed = 1;

static uint32_t dice(uint32_t sides)
{
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % sides;
}

/* The device moves on by itself towards what it was told to run; `breaks`: the new image does not come up. */
static void device_live(struct testdevice *device, const struct testrelease *release, bool breaks,
                        const struct testrelease *old)
{
  enum hf_update_state now = device->update.state;
  bool told = device->answer.director > device->acted;
  if (told) {
    testdevice_state(device, HF_UPDATE_DOWNLOADING, release);
  } else if (now == HF_UPDATE_DOWNLOADING) {
    testdevice_state(device, HF_UPDATE_STAGED, release);
  } else if (now == HF_UPDATE_STAGED) {
    testdevice_state(device, HF_UPDATE_TRYING, release);
  } else if (now == HF_UPDATE_TRYING && breaks) {
    testdevice_state(device, HF_UPDATE_REVERTED, release);
    device->boot++;
    snprintf(device->version, sizeof device->version, "%s", old->version);
    memcpy(device->digest, old->digest, sizeof device->digest);
    device->counter = old->counter;
  } else if (now == HF_UPDATE_TRYING) {
    testdevice_state(device, HF_UPDATE_CONFIRMED, release);
  }
}

/* One message, which may be lost before the server, answered twice, or have its answer lost. */
static void device_talk(struct world *world, struct testdevice *device)
{
  struct hf_checkin checkin = testdevice_report(device, PRODUCT);
  struct hf_checkin_answer before = device->answer;
  uint32_t fate = dice(20);
  if (fate == 0) {
    return;
  }
  assert_int_equal(testdevice_send(device, &world->server, &checkin, NULL), HF_OK);
  if (fate == 1) {
    assert_int_equal(testdevice_send(device, &world->server, &checkin, NULL), HF_OK);
  }
  if (fate == 2) {
    device->answer = before;
  }
}

/* Wave counts are those of the rows, each device is in one wave, and nobody was offered anything before its wave ran.
 */
static void promises_check(struct world *world, size_t members)
{
  struct testserver *server = &world->server;
  assert_int_equal(
      testserver_number(server, "SELECT count(*) FROM rollout_device WHERE rollout = (SELECT max(id) FROM rollout)"),
      members);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM rollout_device d JOIN rollout r ON r.id = d.rollout"
                                             " WHERE d.wave > r.wave AND (d.offered <> 0 OR d.version <> '')"),
                   0);
  static const struct {
    const char *column;
    const char *states;
  } classes[] = {
      {"waiting", "0"}, {"underway", "1, 2, 3, 4, 9"}, {"confirmed", "5"}, {"failed", "6, 7, 8"}, {"silent", "10"}};
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM wave w WHERE w.%s <> (SELECT count(*) FROM rollout_device d WHERE d.rollout ="
             " w.rollout AND d.wave = w.place AND d.state IN (%s))",
             classes[i].column, classes[i].states);
    assert_int_equal(testserver_number(server, sql), 0);
  }
  assert_int_equal(testserver_number(server, "SELECT coalesce(sum(count), 0) FROM tally"), world->count);
}

static void round_run(struct world *world, const struct testrelease *release, bool breaks,
                      const struct testrelease *old)
{
  struct testserver *server = &world->server;
  server->now += 300;
  testserver_begin(server);
  for (size_t i = 0; i < world->count; i++) {
    device_live(&world->device[i], release, breaks, old);
    device_talk(world, &world->device[i]);
    if (i % 1000 == 999) {
      testserver_commit(server);
      testserver_begin(server);
    }
  }
  assert_int_equal(hf_engine_tick(server->engine, server->now), HF_OK);
  testserver_commit(server);
}

static void ten_thousand_devices_take_a_release_in_waves(void **state)
{
  struct world *world = *state;
  struct testserver *server = &world->server;
  testserver_release(server, &world->v11);
  fleet_new(world, FLEET);
  testserver_rollout(server, &world->v11, three, 3);
  assert_int_equal(testserver_number(server, "SELECT total FROM wave WHERE place = 0"), FLEET / 20);
  assert_int_equal(testserver_number(server, "SELECT total FROM wave WHERE place = 1"), FLEET / 5);
  int rounds = 0;
  while (testserver_number(server, "SELECT state FROM rollout") == HF_ROLLOUT_RUNNING) {
    round_run(world, &world->v11, false, &world->v10);
    promises_check(world, FLEET);
    assert_true(++rounds < 60);
  }
  assert_int_equal(testserver_number(server, "SELECT state FROM rollout"), HF_ROLLOUT_DONE);
  assert_int_equal(testserver_number(server, "SELECT count FROM tally WHERE version = '1.1.0' AND state = 5"), FLEET);
  struct hf_auditlog_report report;
  assert_int_equal(hf_auditlog_verify(server->engine->db, &report), HF_OK);
  assert_int_equal(report.broken, 0);
}

static void a_release_that_breaks_stops_in_its_first_wave(void **state)
{
  struct world *world = *state;
  struct testserver *server = &world->server;
  testserver_release(server, &world->v11);
  fleet_new(world, 400);
  testserver_rollout(server, &world->v11, three, 3);
  for (int i = 0; i < 12; i++) {
    round_run(world, &world->v11, true, &world->v10);
    promises_check(world, 400);
  }
  assert_int_equal(testserver_number(server, "SELECT state FROM rollout"), HF_ROLLOUT_STOPPED);
  assert_int_equal(testserver_number(server, "SELECT wave FROM rollout"), 0);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM rollout_device WHERE offered <> 0 AND wave > 0"), 0);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM device WHERE version = '1.1.0'"), 0);
  assert_true(testserver_number(server, "SELECT count(*) FROM audit WHERE action = 'rollout.stopped'") == 1);
  /* The repaired release finds every device. */
  struct testrelease repaired = {.product = PRODUCT, .version = "1.3.0", .from = "*", .counter = 2};
  testserver_release(server, &repaired);
  testserver_rollout(server, &repaired, three, 3);
  for (int i = 0; i < 40; i++) {
    round_run(world, &repaired, false, &world->v10);
  }
  assert_int_equal(testserver_number(server, "SELECT count FROM tally WHERE version = '1.3.0' AND state = 5"), 400);
}

static void devices_step_over_the_release_between(void **state)
{
  struct world *world = *state;
  struct testserver *server = &world->server;
  struct testdevice *device;
  testserver_release(server, &world->v11);
  testserver_release(server, &world->v12);
  fleet_new(world, 1);
  device = world->device;
  testserver_rollout(server, &world->v12, three, 3);
  testdevice_checkin(device, server, PRODUCT);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM device WHERE assigned = '1.1.0'"), 1);
  uint32_t first = device->answer.director;
  testdevice_state(device, HF_UPDATE_TRYING, &world->v11);
  testdevice_checkin(device, server, PRODUCT);
  testdevice_state(device, HF_UPDATE_CONFIRMED, &world->v11);
  testdevice_checkin(device, server, PRODUCT);
  assert_true(device->answer.director > first);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM device WHERE assigned = '1.2.0'"), 1);
  assert_int_equal(testserver_number(server, "SELECT state FROM rollout"), HF_ROLLOUT_RUNNING);
  testdevice_state(device, HF_UPDATE_TRYING, &world->v12);
  testdevice_checkin(device, server, PRODUCT);
  testdevice_state(device, HF_UPDATE_CONFIRMED, &world->v12);
  testdevice_checkin(device, server, PRODUCT);
  assert_int_equal(testserver_number(server, "SELECT state FROM rollout"), HF_ROLLOUT_DONE);
}

static void silent_devices_do_not_hold_it_up_and_count_when_they_return(void **state)
{
  struct world *world = *state;
  struct testserver *server = &world->server;
  testserver_release(server, &world->v11);
  fleet_new(world, 40);
  testserver_rollout(server, &world->v11, three, 3);
  for (int i = 0; i < 40; i++) { /* every second device is switched off */
    server->now += 300;
    testserver_begin(server);
    for (size_t k = 0; k < world->count; k += 2) {
      device_live(&world->device[k], &world->v11, false, &world->v10);
      device_talk(world, &world->device[k]);
    }
    assert_int_equal(hf_engine_tick(server->engine, server->now), HF_OK);
    testserver_commit(server);
    promises_check(world, 40);
  }
  assert_int_equal(testserver_number(server, "SELECT state FROM rollout"), HF_ROLLOUT_DONE);
  assert_int_equal(testserver_number(server, "SELECT sum(silent) FROM wave"), 20);
  assert_int_equal(testserver_number(server, "SELECT sum(confirmed) FROM wave"), 20);
  for (int i = 0; i < 12; i++) {
    round_run(world, &world->v11, false, &world->v10);
  }
  assert_int_equal(testserver_number(server, "SELECT sum(confirmed) FROM wave"), 40);
}

static void a_pause_offers_nothing_new(void **state)
{
  struct world *world = *state;
  struct testserver *server = &world->server;
  struct hf_act act = testserver_act(server);
  testserver_release(server, &world->v11);
  fleet_new(world, 20);
  int64_t id = testserver_rollout(server, &world->v11, &three[2], 1);
  testserver_begin(server);
  assert_int_equal(hf_rollout_pause(server->engine, &act, id), HF_OK);
  assert_int_equal(hf_rollout_pause(server->engine, &act, id), HF_E_STATE);
  testserver_commit(server);
  round_run(world, &world->v11, false, &world->v10);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM rollout_device WHERE offered <> 0"), 0);
  testserver_begin(server);
  assert_int_equal(hf_rollout_resume(server->engine, &act, id), HF_OK);
  testserver_commit(server);
  round_run(world, &world->v11, false, &world->v10);
  assert_true(testserver_number(server, "SELECT count(*) FROM rollout_device WHERE offered <> 0") > 10);
}

static void group_waves_come_first_and_newcomers_find_a_place(void **state)
{
  struct world *world = *state;
  struct testserver *server = &world->server;
  struct hf_act act = testserver_act(server);
  const struct hf_wave_new waves[] = {{.group = HF_LIT("lab")}, {.percent = 10}, {.percent = 100}};
  testserver_release(server, &world->v11);
  fleet_new(world, 100);
  testserver_begin(server);
  assert_int_equal(hf_group_new(server->engine, &act, HF_LIT("lab"), HF_LIT("id ~ \"sn-00000?\""), NULL), HF_OK);
  assert_int_equal(hf_group_new(server->engine, &act, HF_LIT("lab"), HF_LIT("id = x"), NULL), HF_E_EXISTS);
  testserver_commit(server);
  testserver_rollout(server, &world->v11, waves, 3);
  assert_int_equal(testserver_number(server, "SELECT total FROM wave WHERE place = 0"), 10);
  assert_int_equal(testserver_number(server, "SELECT total FROM wave WHERE place = 1"), 9);
  assert_int_equal(testserver_number(server, "SELECT total FROM wave WHERE place = 2"), 81);
  assert_int_equal(
      testserver_number(server,
                        "SELECT count(*) FROM rollout_device d JOIN device ON device.n = d.device WHERE d.wave = 0"
                        " AND device.id LIKE 'sn-00000_'"),
      10);
  testserver_begin(server);
  assert_int_equal(hf_group_close(server->engine, &act, HF_LIT("lab")), HF_E_STATE);
  testserver_commit(server);
  struct testdevice fresh;
  testdevice_init(&fresh, "sn-late", &world->v10);
  testdevice_enrol(&fresh, server, PRODUCT, &world->pub);
  testdevice_checkin(&fresh, server, PRODUCT);
  world->count++;
  promises_check(world, 101);
  world->count--;
}

/* Said when the rollout is started, not found out by devices that refuse. */
static void refuses_a_rollout_whose_requirements_no_device_meets(void **state)
{
  struct world *world = *state;
  struct testserver *server = &world->server;
  struct hf_act act = testserver_act(server);
  struct hf_why why = {.rule = HF_RULE_NONE};
  int64_t id;
  const struct hf_rollout_new ask = {
      .product = HF_LIT(PRODUCT), .version = HF_LIT("1.1"), .wave = three, .wave_count = 3, .success_percent = 90};
  world->v11.needs = ">=1.2.0";
  testserver_release(server, &world->v11);
  fleet_new(world, 2);
  testserver_begin(server);
  assert_int_equal(hf_rollout_start(server->engine, &id, &act, &ask, &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_ROLLOUT_REQUIRES);
  testserver_commit(server);
}

static void refuses_what_cannot_be_rolled_out(void **state)
{
  struct world *world = *state;
  struct testserver *server = &world->server;
  struct hf_act act = testserver_act(server);
  int64_t id;
  static const struct hf_wave_new low[] = {{.percent = 50}};
  static const struct hf_wave_new none[] = {{.group = {(const uint8_t *)"nobody", 6}}};
  testserver_release(server, &world->v11);
  struct hf_rollout_new good = {
      .product = HF_LIT(PRODUCT), .version = HF_LIT("1.1"), .wave = three, .wave_count = 3, .success_percent = 90};
  const struct {
    struct hf_rollout_new ask;
    enum hf_err err;
    enum hf_rule rule;
  } cases[] = {
      {{.product = HF_LIT(PRODUCT), .version = HF_LIT("9.9"), .wave = three, .wave_count = 3, .success_percent = 90},
       HF_E_NOT_FOUND,
       HF_RULE_ROLLOUT_RELEASE},
      {{.product = HF_LIT("toaster"), .version = HF_LIT("1.1"), .wave = three, .wave_count = 3, .success_percent = 90},
       HF_E_NOT_FOUND,
       HF_RULE_ROLLOUT_RELEASE},
      {{.product = HF_LIT(PRODUCT), .version = HF_LIT("1.1"), .wave = low, .wave_count = 1, .success_percent = 90},
       HF_E_INPUT,
       HF_RULE_ROLLOUT_WAVES},
      {{.product = HF_LIT(PRODUCT), .version = HF_LIT("1.1"), .wave = three, .wave_count = 0, .success_percent = 90},
       HF_E_INPUT,
       HF_RULE_ROLLOUT_WAVES},
      {{.product = HF_LIT(PRODUCT), .version = HF_LIT("1.1"), .wave = none, .wave_count = 1, .success_percent = 90},
       HF_E_NOT_FOUND,
       HF_RULE_ROLLOUT_GROUP},
      {{.product = HF_LIT(PRODUCT), .version = HF_LIT("1.1"), .wave = three, .wave_count = 3, .success_percent = 0},
       HF_E_INPUT,
       HF_RULE_ROLLOUT_NUMBERS},
      {{.product = HF_LIT(PRODUCT),
        .version = HF_LIT("1.1"),
        .wave = three,
        .wave_count = 3,
        .success_percent = 90,
        .deadline = 5},
       HF_E_INPUT,
       HF_RULE_ROLLOUT_NUMBERS},
  };
  fleet_new(world, 3);
  testserver_begin(server);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hf_why why = {.rule = HF_RULE_NONE};
    enum hf_err err = hf_rollout_start(server->engine, &id, &act, &cases[i].ask, &why);
    if (err != cases[i].err || why.rule != cases[i].rule) {
      fail_msg("case %zu: %s, rule %u", i, hf_err_name(err), why.rule);
    }
  }
  struct hf_why why = {.rule = HF_RULE_NONE};
  assert_int_equal(hf_rollout_start(server->engine, &id, &act, &good, NULL), HF_OK);
  assert_int_equal(hf_rollout_start(server->engine, &id, &act, &good, &why), HF_E_STATE);
  assert_int_equal(why.rule, HF_RULE_ROLLOUT_RUNS);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM rollout"), 1);
}

/* ---- groups: memory and SQL ---- */

static const char *const expressions[] = {"product = thermo",
                                          "product != thermo",
                                          "version < 1.1",
                                          "version >= 1.0.0",
                                          "version != 1.0",
                                          "id ~ \"SN-00000?\"",
                                          "id !~ *3",
                                          "room = lab",
                                          "room != lab",
                                          "room ~ L*",
                                          "room !~ l?b",
                                          "floor > 2",
                                          "floor <= -1",
                                          "floor != 3",
                                          "floor = 3",
                                          "not (room = lab or floor > 0) and id ~ *",
                                          "state = idle",
                                          "state != idle",
                                          "blocked = yes or floor >= 7",
                                          "room ~ \"100%\"",
                                          "room ~ \"a_b\"",
                                          "not room ~ *",
                                          "room = lab and not floor < 5 or version = 1.0.0 and id = sn-000004"};
static const char *const rooms[] = {"lab",
                                    "Lab",
                                    "100%",
                                    "1000",
                                    "a_b",
                                    "axb",
                                    "l\xc3\xa9"
                                    "b",
                                    NULL};

static void expressions_mean_the_same_in_memory_and_in_sql(void **state)
{
  struct world *world = *state;
  struct testserver *server = &world->server;
  fleet_new(world, 40);
  for (size_t i = 0; i < world->count; i++) {
    struct hf_act act = testserver_act(server);
    char floor[8];
    snprintf(floor, sizeof floor, "%d", (int)(i % 11) - 3);
    testserver_begin(server);
    if (rooms[i % 8] != NULL) {
      assert_int_equal(hf_device_attribute(server->engine, &act, hf_bytes_text(world->device[i].id), HF_LIT("room"),
                                           hf_bytes_text(rooms[i % 8])),
                       HF_OK);
    }
    if (i % 3 != 0) {
      assert_int_equal(hf_device_attribute(server->engine, &act, hf_bytes_text(world->device[i].id), HF_LIT("floor"),
                                           hf_bytes_text(floor)),
                       HF_OK);
    }
    testserver_commit(server);
  }
  struct hf_version version = {.major = 1};
  for (size_t t = 0; t < sizeof expressions / sizeof *expressions; t++) {
    struct hf_query query;
    uint64_t inside = 0;
    uint64_t count = 0;
    assert_int_equal(hf_query_parse(&query, hf_bytes_text(expressions[t]), NULL), HF_OK);
    for (size_t i = 0; i < world->count; i++) {
      char floor[8];
      struct hf_query_attribute attribute[2];
      struct hf_query_device device = {.id = hf_bytes_text(world->device[i].id),
                                       .product = HF_LIT(PRODUCT),
                                       .hardware = HF_LIT("board-a"),
                                       .has_version = true,
                                       .version_key = hf_release_version_key(&version),
                                       .attribute = attribute};
      snprintf(floor, sizeof floor, "%d", (int)(i % 11) - 3);
      if (rooms[i % 8] != NULL) {
        attribute[device.attribute_count++] = (struct hf_query_attribute){HF_LIT("room"), hf_bytes_text(rooms[i % 8])};
      }
      if (i % 3 != 0) {
        attribute[device.attribute_count++] = (struct hf_query_attribute){HF_LIT("floor"), hf_bytes_text(floor)};
      }
      inside += hf_query_match(&query, &device) ? 1 : 0;
    }
    struct hf_device_filter filter = hf_device_filter_init();
    filter.group = hf_bytes_text(expressions[t]);
    assert_int_equal(hf_device_count(&count, server->engine->db, &filter, NULL), HF_OK);
    if (count != inside) {
      fail_msg("%s: %llu in memory, %llu in SQL", expressions[t], (unsigned long long)inside,
               (unsigned long long)count);
    }
  }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(ten_thousand_devices_take_a_release_in_waves),
      TEST(a_release_that_breaks_stops_in_its_first_wave),
      TEST(devices_step_over_the_release_between),
      TEST(silent_devices_do_not_hold_it_up_and_count_when_they_return),
      TEST(a_pause_offers_nothing_new),
      TEST(group_waves_come_first_and_newcomers_find_a_place),
      TEST(refuses_what_cannot_be_rolled_out),
      TEST(refuses_a_rollout_whose_requirements_no_device_meets),
      TEST(expressions_mean_the_same_in_memory_and_in_sql),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
