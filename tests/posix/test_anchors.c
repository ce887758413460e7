/* SPDX-License-Identifier: Apache-2.0
 * Which new server CA a device believes: one that the CA it has vouches for, and no other. Real certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "minica.h"
#include "ports/posix/anchors.h"

#define YEAR (365 * 86400)

struct world {
  struct minica old, next;
  X509 *cross;
  STACK_OF(X509) * trusted;
  STACK_OF(X509) * offered;
};

/* NewWithOld: the new key under the same name, signed by the old one, allowed to sign. */
static X509 *cross_of(const struct minica *old, const struct minica *next)
{
  X509 *cert = X509_dup(next->cert);
  assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(old->cert)), 1);
  assert_true(X509_sign(cert, old->key, EVP_sha256()) > 0);
  return cert;
}

static void offer(struct world *world, X509 *cert)
{
  assert_int_equal(X509_up_ref(cert), 1);
  assert_true(sk_X509_push(world->offered, cert) > 0);
}

static int set_up(void **state)
{
  static struct world world;
  int64_t now = (int64_t)time(NULL);
  world = (struct world){.old = minica_open("Server CA", now - YEAR, now + YEAR),
                         .next = minica_open("Server CA", now - YEAR, now + YEAR),
                         .trusted = sk_X509_new_null(),
                         .offered = sk_X509_new_null()};
  world.cross = cross_of(&world.old, &world.next);
  assert_int_equal(X509_up_ref(world.old.cert), 1);
  assert_true(sk_X509_push(world.trusted, world.old.cert) > 0);
  *state = &world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  sk_X509_pop_free(world->trusted, X509_free);
  sk_X509_pop_free(world->offered, X509_free);
  X509_free(world->cross);
  minica_close(&world->old);
  minica_close(&world->next);
  return 0;
}

static void a_new_ca_with_the_word_of_the_old_one_is_taken_once(void **state)
{
  struct world *world = *state;
  unsigned added = 9;
  unsigned refused = 9;
  uint8_t newest[HF_SHA256_LEN];
  uint8_t want[HF_SHA256_LEN];
  offer(world, world->old.cert);
  offer(world, world->next.cert);
  offer(world, world->cross);
  assert_int_equal(hf_anchors_take(&added, &refused, world->trusted, world->offered), HF_OK);
  assert_int_equal(added, 1);
  assert_int_equal(refused, 0);
  assert_int_equal(hf_anchors_newest(newest, world->trusted), HF_OK);
  assert_int_equal(X509_digest(world->next.cert, EVP_sha256(), want, NULL), 1);
  assert_memory_equal(newest, want, sizeof want);
  assert_int_equal(hf_anchors_take(&added, &refused, world->trusted, world->offered), HF_OK);
  assert_int_equal(added, 0);
}

static void a_taken_over_server_cannot_bring_a_ca_of_its_own(void **state)
{
  struct world *world = *state;
  int64_t now = (int64_t)time(NULL);
  unsigned added = 9;
  unsigned refused = 0;
  struct minica thief = minica_open("Server CA", now - YEAR, now + YEAR);
  X509 *self = cross_of(&thief, &thief);
  offer(world, thief.cert);
  offer(world, self);
  offer(world, world->cross); /* a real word, for another key */
  assert_int_equal(hf_anchors_take(&added, &refused, world->trusted, world->offered), HF_OK);
  assert_int_equal(added, 0);
  assert_true(refused >= 1);
  assert_int_equal(sk_X509_num(world->trusted), 1);
  X509_free(self);
  minica_close(&thief);
}

/* What the CA has signed for a server is no word for a CA: a stolen server certificate vouches for nothing. */
static void a_leaf_of_the_old_ca_vouches_for_nobody(void **state)
{
  struct world *world = *state;
  int64_t now = (int64_t)time(NULL);
  unsigned added = 9;
  unsigned refused = 0;
  struct minica_leaf leaf = {.name = "Server CA", .san = "DNS:fleet", .begins = now - YEAR, .ends = now + YEAR};
  X509 *server = minica_issue(&world->old, world->next.key, &leaf);
  offer(world, world->next.cert);
  offer(world, server);
  assert_int_equal(hf_anchors_take(&added, &refused, world->trusted, world->offered), HF_OK);
  assert_int_equal(added, 0);
  assert_int_equal(refused, 1);
  X509_free(server);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_new_ca_with_the_word_of_the_old_one_is_taken_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_taken_over_server_cannot_bring_a_ca_of_its_own, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_leaf_of_the_old_ca_vouches_for_nobody, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
