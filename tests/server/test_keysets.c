/* SPDX-License-Identifier: Apache-2.0
 * Key sets on the server: only what the owners signed, in order, and each device is told once it lags. */
#include "testserver.h"

#include "hf/server/keysets.h"

#define PRODUCT "thermo"

struct world {
  struct testserver server;
  struct hf_key *device_key;
  struct testrelease v10;
  struct testdevice device;
};

static int set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  struct hf_pubkey pub;
  assert_non_null(world);
  testserver_open(&world->server);
  testserver_product(&world->server, PRODUCT);
  assert_int_equal(hf_key_new(&world->device_key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&pub, world->device_key), HF_OK);
  world->v10 = (struct testrelease){.product = PRODUCT, .version = "1.0.0", .from = "*", .counter = 1};
  testserver_release(&world->server, &world->v10);
  testdevice_init(&world->device, "sn-1", &world->v10);
  testdevice_enrol(&world->device, &world->server, PRODUCT, &pub);
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  hf_key_free(world->device_key);
  testserver_close(&world->server);
  free(world);
  return 0;
}

#define WORLD                                                                                                          \
  struct world *world = *state;                                                                                        \
  struct testserver *server = &world->server;                                                                          \
  (void)server

struct file {
  uint8_t at[HF_KEYSET_MAX];
  struct hf_bytes bytes;
};

/* The image key, revoked or not, and a second key (the targets key serves) so that not all are revoked. */
static void make(struct file *file, struct testserver *server, uint32_t version, bool revoked, struct hf_key *owner)
{
  uint8_t plain_room[HF_KEYSET_MAX];
  struct hf_buf plain = hf_buf_init(plain_room, sizeof plain_room);
  struct hf_buf out = hf_buf_init(file->at, sizeof file->at);
  struct hf_keyset set = {.version = version, .product_len = 6, .product = PRODUCT, .count = 2, .revoked = revoked};
  struct hf_image_signer signer = {.sign = testserver_digest_sign, .ctx = owner};
  assert_int_equal(hf_key_public(&set.key[0], server->image), HF_OK);
  assert_int_equal(hf_key_public(&set.key[1], server->targets), HF_OK);
  assert_int_equal(hf_key_public(&signer.pub, owner), HF_OK);
  assert_int_equal(hf_keyset_encode(&plain, &set), HF_OK);
  assert_int_equal(hf_keyset_parse(&set, hf_buf_bytes(&plain), NULL), HF_OK);
  assert_int_equal(hf_keyset_sign(&out, &set, &signer), HF_OK);
  file->bytes = hf_buf_bytes(&out);
}

static enum hf_err publish(struct testserver *server, const char *product, const struct file *file, uint16_t *rule)
{
  struct hf_act act = testserver_act(server);
  struct hf_why why = {0};
  testserver_begin(server);
  enum hf_err err = hf_keysets_publish(server->engine, &act, hf_bytes_text(product), file->bytes, &why);
  testserver_commit(server);
  *rule = why.rule;
  return err;
}

static void checkin(struct world *world, bool has_keyset, uint32_t keyset)
{
  struct hf_checkin checkin = testdevice_report(&world->device, PRODUCT);
  struct hf_why why = {0};
  checkin.has_keyset = has_keyset;
  checkin.keyset = keyset;
  testserver_begin(&world->server);
  assert_int_equal(testdevice_send(&world->device, &world->server, &checkin, &why), HF_OK);
  testserver_commit(&world->server);
}

static void a_device_is_told_of_a_newer_set_until_it_has_it(void **state)
{
  WORLD;
  struct file file;
  uint16_t rule;
  checkin(world, true, 0);
  assert_int_equal(world->device.answer.keyset, 0);
  make(&file, server, 1, false, server->root);
  assert_int_equal(publish(server, PRODUCT, &file, &rule), HF_OK);
  checkin(world, true, 0);
  assert_int_equal(world->device.answer.keyset, 1);
  checkin(world, true, 0); /* again: nothing new was said, the answer stands */
  assert_int_equal(world->device.answer.keyset, 1);
  checkin(world, true, 1);
  assert_int_equal(world->device.answer.keyset, 0);
  assert_int_equal(testserver_number(server, "SELECT keyset FROM device"), 1);
  checkin(world, false, 0); /* a boot loader that takes none is not told */
  assert_int_equal(world->device.answer.keyset, 0);
  assert_int_equal(testserver_number(server, "SELECT keyset FROM device"), -1);
}

static void what_is_served_is_what_was_signed(void **state)
{
  WORLD;
  struct file file;
  struct file served;
  uint16_t rule;
  make(&file, server, 3, false, server->root);
  assert_int_equal(publish(server, PRODUCT, &file, &rule), HF_OK);
  struct hf_buf out = hf_buf_init(served.at, sizeof served.at);
  assert_int_equal(hf_file_get(&out, testserver_path(server, "repo/keysets/thermo.3.keyset")), HF_OK);
  assert_true(hf_bytes_equal(hf_buf_bytes(&out), file.bytes));
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM audit WHERE action = 'keyset.publish'"), 1);
}

/* Somebody holds the server and an operator's token, but no root key. */
static void no_set_is_published_that_the_owners_did_not_sign(void **state)
{
  WORLD;
  struct file file;
  uint16_t rule;
  make(&file, server, 1, false, server->targets);
  assert_int_equal(publish(server, PRODUCT, &file, &rule), HF_E_DENIED);
  assert_int_equal(rule, HF_RULE_KEYSET_UNSIGNED);
  make(&file, server, 1, false, server->root);
  file.at[8] = 2; /* another version than was signed */
  assert_int_equal(publish(server, PRODUCT, &file, &rule), HF_E_DENIED);
  assert_int_equal(rule, HF_RULE_KEYSET_UNSIGNED);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM keyset"), 0);
}

static void versions_rise_and_revoked_keys_stay_revoked(void **state)
{
  WORLD;
  struct file file;
  uint16_t rule;
  make(&file, server, 5, true, server->root);
  assert_int_equal(publish(server, PRODUCT, &file, &rule), HF_OK);
  assert_int_equal(publish(server, PRODUCT, &file, &rule), HF_E_EXISTS);
  make(&file, server, 4, true, server->root);
  assert_int_equal(publish(server, PRODUCT, &file, &rule), HF_E_EXISTS);
  make(&file, server, 6, false, server->root);
  assert_int_equal(publish(server, PRODUCT, &file, &rule), HF_E_DENIED);
  assert_int_equal(rule, HF_RULE_KEYSET_BACK);
  make(&file, server, 6, true, server->root);
  assert_int_equal(publish(server, PRODUCT, &file, &rule), HF_OK);
}

static void another_product_is_another_set(void **state)
{
  WORLD;
  struct file file;
  uint16_t rule;
  testserver_product(server, "lamp");
  make(&file, server, 1, false, server->root);
  assert_int_equal(publish(server, "lamp", &file, &rule), HF_E_DENIED);
  assert_int_equal(rule, HF_RULE_KEYSET_PRODUCT);
  assert_int_equal(publish(server, "nosuch", &file, &rule), HF_E_NOT_FOUND);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_device_is_told_of_a_newer_set_until_it_has_it, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_served_is_what_was_signed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(no_set_is_published_that_the_owners_did_not_sign, set_up, tear_down),
      cmocka_unit_test_setup_teardown(versions_rise_and_revoked_keys_stay_revoked, set_up, tear_down),
      cmocka_unit_test_setup_teardown(another_product_is_another_set, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
