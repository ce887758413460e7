/* SPDX-License-Identifier: Apache-2.0
 * Lists at the size of a fleet: every filter walked page by page over 10,000 devices, nothing lost, nothing twice. The
 * time each took is printed, not judged: bench/ does that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/fleet/release.h"
#include "hf/server/core.h"
#include "tests/api/apiworld.h"

#define DEVICES 10000

static struct world world;

/* Device i: id sn-00000.., every tenth on 1.0.0, every hundredth reverted, every seventh in hall "h3", every thousandth
 * blocked. */
static int open_world(void **state)
{
  (void)state;
  if (world_open(&world) != 0) {
    return 1;
  }
  world_product(&world);
  const int64_t old_key = hf_release_version_key(&(struct hf_version){.major = 1});
  const int64_t new_key = hf_release_version_key(&(struct hf_version){.major = 1, .minor = 1});
  assert_int_equal(hf_engine_begin(world.engine), HF_OK);
  for (int i = 0; i < DEVICES; i++) {
    char sql[400];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO device (n, id, product, hardware, version, version_key, created, first_seen, "
                   "last_seen, state, blocked,"
                   " key_storage) VALUES (%d, 'sn-%05d', 'thermostat', 'thermo-a', '%s', %lld, 1, 1, %lld, %d, %d, 1)",
                   i + 1, i, i % 10 == 0 ? "1.0.0" : "1.1.0", (long long)(i % 10 == 0 ? old_key : new_key),
                   (long long)world.now, i % 100 == 0 ? 6 : 5, i % 1000 == 0);
    assert_int_equal(hf_db_run(world.engine->db, sql), HF_OK);
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO attribute (device, key, value, source, time) VALUES (%d, 'hall', 'h%d', 1, 1)", i + 1,
                   i % 7);
    assert_int_equal(hf_db_run(world.engine->db, sql), HF_OK);
  }
  assert_int_equal(hf_engine_commit(world.engine), HF_OK);
  return 0;
}

static int close_world(void **state)
{
  (void)state;
  world_close(&world);
  return 0;
}

/* Walk the whole list; gives how many there were, in ascending order without repeats. */
static int64_t walk(const char *filter, const char *limit)
{
  char path[700];
  char last[80] = "";
  int64_t count = 0;
  int pages = 0;
  double start = world.spent_ms;
  (void)snprintf(path, sizeof path, "/devices?limit=%s%s", limit, filter);
  for (;;) {
    json_t *page = world_json(&world, &(struct ask){.method = HF_GET, .path = path}, 200);
    int64_t total = json_integer_value(json_object_get(page, "total"));
    const char *next = json_string_value(json_object_get(page, "next"));
    size_t index;
    json_t *device;
    world.quick = true; /* the first page of each walk is checked against the document */
    pages++;
    json_array_foreach(json_object_get(page, "items"), index, device)
    {
      const char *id = json_string_value(json_object_get(device, "id"));
      assert_true(strcmp(last, id) < 0);
      (void)snprintf(last, sizeof last, "%s", id);
      count++;
    }
    (void)snprintf(path, sizeof path, "/devices?limit=%s%s&after=%s", limit, filter, next == NULL ? "" : next);
    bool more = next != NULL;
    json_decref(page);
    if (!more) {
      world.quick = false;
      assert_int_equal(count, total);
      break;
    }
  }
  print_message("%-60s %6lld devices %4d pages %8.2f ms a page\n", filter[0] == 0 ? "(all)" : filter, (long long)count,
                pages, (world.spent_ms - start) / pages);
  return count;
}

static void every_filter_finds_all_and_only_its_devices(void **state)
{
  (void)state;
  assert_int_equal(walk("", "500"), DEVICES);
  assert_int_equal(walk("&product=thermostat", "499"), DEVICES);
  assert_int_equal(walk("&version=1.0.0", "100"), DEVICES / 10);
  assert_int_equal(walk("&state=reverted", "7"), DEVICES / 100);
  assert_int_equal(walk("&blocked=true", "1"), DEVICES / 1000);
  assert_int_equal(walk("&q=999", "500"), 19); /* -x999 and -999x */
  assert_int_equal(walk("&group=hall+%3D+h3", "500"), 1429);
  assert_int_equal(walk("&group=hall+%3D+h3+and+version+%3C+1.1&state=confirmed", "500"), 129);
  assert_int_equal(walk("&group=not+hall+%3D+h3&version=1.1.0&blocked=false", "500"), 7714);
  assert_int_equal(walk("&product=other", "500"), 0);
}

static void other_pages_are_timed_too(void **state)
{
  (void)state;
  static const char *const paths[] = {"/overview", "/devices/sn-05000", "/groups", "/products",
                                      "/releases", "/rollouts",         "/audit",  "/events"};
  world_expect(&world,
               &(struct ask){.method = HF_POST, .path = "/groups", .body = "{\"name\":\"h3\",\"query\":\"hall = h3\"}"},
               201, "1429");
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    double start = world.spent_ms;
    for (int k = 0; k < 5; k++) {
      world_expect(&world, &(struct ask){.method = HF_GET, .path = paths[i]}, 200, NULL);
    }
    print_message("%-60s %8.2f ms\n", paths[i], (world.spent_ms - start) / 5);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_filter_finds_all_and_only_its_devices),
      cmocka_unit_test(other_pages_are_timed_too),
  };
  return cmocka_run_group_tests(tests, open_world, close_world);
}
