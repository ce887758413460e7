/* SPDX-License-Identifier: Apache-2.0
 * A repository with one published version and a device that trusts its first root: where tests of the client begin. */
#ifndef TESTS_WIRE_TUFWORLD_H
#define TESTS_WIRE_TUFWORLD_H

#include "testrepo.h"

struct world {
  struct testrepo repo;
  struct hf_tuf_trust trust;
};

static inline int tufworld_set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  testrepo_init(&world->repo, HF_KEY_P256);
  testrepo_publish(&world->repo, 1, NULL, 0);
  testrepo_trust(&world->repo, &world->trust, 1);
  *state = world;
  return 0;
}

static inline int tufworld_tear_down(void **state)
{
  struct world *world = *state;
  testrepo_free(&world->repo);
  free(world);
  return 0;
}

#define WORLD                                                                                                          \
  struct world *world = *state;                                                                                        \
  struct testrepo *repo = &world->repo;                                                                                \
  struct hf_tuf_trust *trust = &world->trust;                                                                          \
  (void)repo, (void)trust

/* A body written by hand. */
static inline void forge(struct testrepo *repo, const char *name, unsigned keys, const char *format, ...)
{
  char body[8192];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(body, sizeof body, format, args);
  va_end(args);
  assert_in_range(len, 1, sizeof body - 1);
  testrepo_forge(repo, name, hf_bytes_init(body, (size_t)len), keys);
}

#define EXPIRES "\"expires\":\"2030-01-01T00:00:00Z\",\"spec_version\":\"1.0.34\""

/** A test with such a world of its own. */
#define TUFWORLD_TEST(f) cmocka_unit_test_setup_teardown(f, tufworld_set_up, tufworld_tear_down)

#endif
