/* SPDX-License-Identifier: Apache-2.0
 * A device's certificate after it was issued: revoked, rotated, replaced, shown by two. Real engine, database, vault.
 */
#include "testserver.h"

#include "hf/server/cache.h"

#include "hf/server/credential.h"
#include "hf/server/revocation.h"

#define PRODUCT "thermo"

struct world {
  struct testserver server;
  struct hf_key *key;
  struct hf_pubkey pub;
  struct testrelease v10;
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

static struct hf_pubkey fresh_key(void)
{
  struct hf_key *key;
  struct hf_pubkey pub;
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&pub, key), HF_OK);
  hf_key_free(key);
  return pub;
}

static enum hf_err renew(struct testserver *server, struct testdevice *device, const struct hf_pubkey *key,
                         struct hf_why *why)
{
  uint8_t room[2048];
  struct hf_buf certificate = hf_buf_init(room, sizeof room);
  struct hf_peer peer = testdevice_peer(device);
  struct hf_enrol ask = {.peer = &peer, .device = hf_bytes_text(device->id), .key = *key, .renew = true};
  enum hf_err err = hf_engine_enrol(server->engine, &certificate, &ask, server->now, why);
  if (err == HF_OK) {
    testdevice_take(device, server, hf_buf_bytes(&certificate));
  }
  return err;
}

static enum hf_err token_enrol(struct testserver *server, struct testdevice *device, const struct hf_pubkey *key,
                               struct hf_why *why)
{
  uint8_t room[2048];
  uint8_t token_room[HF_ENROL_TOKEN_MAX];
  struct hf_buf certificate = hf_buf_init(room, sizeof room);
  struct hf_buf token = hf_buf_init(token_room, sizeof token_room);
  struct hf_act act = testserver_act(server);
  assert_int_equal(
      hf_enrol_token_new(server->engine, &token, &act, hf_bytes_text(device->id), HF_LIT(PRODUCT), server->now + 60),
      HF_OK);
  struct hf_enrol ask = {.token = hf_buf_bytes(&token), .device = hf_bytes_text(device->id), .key = *key};
  enum hf_err err = hf_engine_enrol(server->engine, &certificate, &ask, server->now, why);
  if (err == HF_OK) {
    testdevice_take(device, server, hf_buf_bytes(&certificate));
  }
  return err;
}

static X509_CRL *list_of(const struct testserver *server, const char *below)
{
  FILE *file = fopen(testserver_path(server, below), "rb");
  assert_non_null(file);
  X509_CRL *crl = d2i_X509_CRL_fp(file, NULL);
  assert_int_equal(fclose(file), 0);
  assert_non_null(crl);
  return crl;
}

static int64_t number_of(X509_CRL *crl)
{
  ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
  int64_t value = 0;
  assert_int_equal(ASN1_INTEGER_get_int64(&value, number), 1);
  ASN1_INTEGER_free(number);
  return value;
}

/* ---- revoking ---- */

static void a_revoked_device_is_refused_and_on_the_next_list(void **state)
{
  WORLD;
  struct hf_act act = testserver_act(server);
  struct hf_why why = {.rule = HF_RULE_NONE};
  testdevice_checkin(device, server, PRODUCT);
  testserver_tick(server);
  X509_CRL *before = list_of(server, "repo/crl/device-ca.crl");
  assert_null(X509_CRL_get_REVOKED(before));
  testserver_begin(server);
  assert_int_equal(hf_device_revoke(server->engine, &act, HF_LIT("sn-1"), HF_CRL_KEY_COMPROMISE, &why), HF_OK);
  struct hf_checkin checkin = testdevice_report(device, PRODUCT);
  assert_int_equal(testdevice_send(device, server, &checkin, NULL), HF_E_DENIED);
  assert_int_equal(renew(server, device, &world->pub, &why), HF_E_DENIED);
  why = (struct hf_why){.rule = HF_RULE_NONE};
  assert_int_equal(hf_device_revoke(server->engine, &act, HF_LIT("sn-1"), HF_CRL_KEY_COMPROMISE, &why), HF_E_STATE);
  assert_int_equal(why.rule, HF_RULE_REVOKE_NOTHING);
  assert_int_equal(hf_device_revoke(server->engine, &act, HF_LIT("nobody"), HF_CRL_KEY_COMPROMISE, &why),
                   HF_E_NOT_FOUND);
  testserver_commit(server);
  testserver_tick(server);
  X509_CRL *after = list_of(server, "repo/crl/device-ca.crl");
  assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(after)), 1);
  assert_true(number_of(after) > number_of(before));
  X509_CRL_free(before);
  X509_CRL_free(after);
}

static void only_a_token_and_a_new_key_bring_a_compromised_device_back(void **state)
{
  WORLD;
  struct hf_act act = testserver_act(server);
  struct hf_why why = {.rule = HF_RULE_NONE};
  testserver_begin(server);
  assert_int_equal(hf_device_revoke(server->engine, &act, HF_LIT("sn-1"), HF_CRL_KEY_COMPROMISE, &why), HF_OK);
  struct hf_pubkey other = fresh_key();
  assert_int_equal(testdevice_try_enrol(device, server, PRODUCT, &other, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_REVOKED);
  why = (struct hf_why){.rule = HF_RULE_NONE};
  assert_int_equal(token_enrol(server, device, &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_KEY_REVOKED);
  assert_int_equal(token_enrol(server, device, &other, &why), HF_OK);
  testserver_commit(server);
  testdevice_checkin(device, server, PRODUCT);
  assert_int_equal(testserver_number(server, "SELECT revoked FROM device WHERE id = 'sn-1'"), 0);
}

static void what_a_new_enrolment_replaces_is_listed_and_what_a_renewal_replaces_is_not(void **state)
{
  WORLD;
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_pubkey second = fresh_key();
  struct hf_pubkey third = fresh_key();
  testserver_begin(server);
  assert_int_equal(renew(server, device, &second, &why), HF_OK);
  testserver_commit(server);
  testdevice_checkin(device, server, PRODUCT);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM revoked"), 0);
  testserver_begin(server);
  assert_int_equal(token_enrol(server, device, &third, &why), HF_OK);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM revoked WHERE reason = 4"), 1);
}

static void a_list_is_signed_again_before_it_ends_and_forgets_what_has_ended(void **state)
{
  WORLD;
  struct hf_act act = testserver_act(server);
  struct hf_why why = {.rule = HF_RULE_NONE};
  testserver_begin(server);
  assert_int_equal(hf_device_revoke(server->engine, &act, HF_LIT("sn-1"), HF_CRL_SUPERSEDED, &why), HF_OK);
  testserver_commit(server);
  testserver_tick(server);
  int64_t first = testserver_number(server, "SELECT number FROM crl");
  server->now += HF_CRL_AGAIN_S - 1;
  testserver_tick(server);
  assert_int_equal(testserver_number(server, "SELECT number FROM crl"), first);
  server->now += 1;
  assert_int_equal(hf_db_run(server->engine->db, "UPDATE revoked SET ends = 1"), HF_OK);
  testserver_tick(server);
  assert_true(testserver_number(server, "SELECT number FROM crl") > first);
  assert_int_equal(testserver_number(server, "SELECT count FROM crl"), 0);
}

/* ---- rotation ---- */

static void a_rotation_asks_at_each_check_in_until_a_new_key_came(void **state)
{
  WORLD;
  struct hf_act act = testserver_act(server);
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct testdevice old = *device;
  struct hf_pubkey next = fresh_key();
  testdevice_checkin(device, server, PRODUCT);
  assert_false(device->answer.rekey);
  testserver_begin(server);
  assert_int_equal(hf_device_rotate(server->engine, &act, HF_LIT("sn-1"), 600, &why), HF_OK);
  testserver_commit(server);
  testdevice_checkin(device, server, PRODUCT);
  assert_true(device->answer.renew && device->answer.rekey);
  testserver_begin(server);
  assert_int_equal(renew(server, device, &world->pub, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_ENROL_SAME_KEY);
  assert_int_equal(renew(server, device, &next, &why), HF_OK);
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM revoked"), 0); /* not used yet */
  testdevice_checkin(device, server, PRODUCT);
  assert_false(device->answer.rekey);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM revoked WHERE reason = 4"), 1);
  old.number = device->number;
  struct hf_checkin checkin = testdevice_report(&old, PRODUCT);
  testserver_begin(server);
  assert_int_equal(testdevice_send(&old, server, &checkin, NULL), HF_E_DENIED);
  testserver_commit(server);
}

static void a_group_is_rotated_as_one(void **state)
{
  WORLD;
  struct hf_act act = testserver_act(server);
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct testdevice second;
  struct hf_pubkey pub = fresh_key();
  uint64_t count = 0;
  testdevice_init(&second, "sn-2", &world->v10);
  testdevice_enrol(&second, server, PRODUCT, &pub);
  testdevice_checkin(device, server, PRODUCT);
  testdevice_checkin(&second, server, PRODUCT);
  testserver_begin(server);
  assert_int_equal(hf_group_new(server->engine, &act, HF_LIT("firsts"), HF_LIT("id = \"sn-1\""), &why), HF_OK);
  assert_int_equal(hf_group_rotate(server->engine, &act, &count, HF_LIT("firsts"), 600), HF_OK);
  assert_int_equal(count, 1);
  assert_int_equal(hf_group_rotate(server->engine, &act, &count, HF_LIT("nobody"), 600), HF_E_NOT_FOUND);
  testserver_commit(server);
  testdevice_checkin(device, server, PRODUCT);
  testdevice_checkin(&second, server, PRODUCT);
  assert_true(device->answer.rekey);
  assert_false(second.answer.rekey);
}

/* ---- copies ---- */

static void a_stolen_certificate_that_was_replaced_raises_an_alarm(void **state)
{
  WORLD;
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct testdevice thief = *device;
  struct hf_pubkey next = fresh_key();
  testserver_begin(server);
  assert_int_equal(renew(server, device, &next, &why), HF_OK);
  testserver_commit(server);
  testdevice_checkin(device, server, PRODUCT);
  struct hf_checkin checkin = testdevice_report(&thief, PRODUCT);
  testserver_begin(server);
  for (int i = 0; i < 10; i++) {
    assert_int_equal(testdevice_send(&thief, server, &checkin, NULL), HF_E_DENIED);
    assert_int_equal(renew(server, &thief, &world->pub, &why), HF_E_DENIED);
  }
  testserver_commit(server);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM alarm WHERE kind = 'old-certificate' AND device ="
                                             " 'sn-1' AND count = 1"),
                   1);
}

static void two_that_take_turns_under_one_certificate_raise_an_alarm(void **state)
{
  WORLD;
  testdevice_checkin(device, server, PRODUCT);
  struct testdevice clone = *device;
  clone.boot = device->boot + 1; /* the copy starts once more, as any copy does */
  clone.number = 0;
  for (int i = 0; i < 4; i++) {
    testdevice_checkin(device, server, PRODUCT);
    testdevice_checkin(&clone, server, PRODUCT);
  }
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM alarm WHERE kind = 'possible-clone'"), 1);
}

static void late_and_doubled_messages_of_one_device_raise_none(void **state)
{
  WORLD;
  for (int i = 0; i < 40; i++) {
    testdevice_checkin(device, server, PRODUCT);
    if (i % 10 == 5) {
      device->number--; /* the same once more: the answer was lost on the way */
      testdevice_checkin(device, server, PRODUCT);
    }
    if (i % 13 == 7) {
      device->boot++;
      device->number = 0;
    }
  }
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM alarm"), 0);
}

static void a_device_set_back_to_an_old_copy_is_shown_and_heard_again(void **state)
{
  WORLD;
  device->boot = 7;
  testdevice_checkin(device, server, PRODUCT);
  testdevice_checkin(device, server, PRODUCT);
  device->boot = 3;
  device->number = 0;
  for (int i = 0; i < 6; i++) {
    testdevice_checkin(device, server, PRODUCT);
  }
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM alarm WHERE kind = 'possible-clone'"), 1);
  assert_int_equal(testserver_number(server, "SELECT boot_id FROM device WHERE id = 'sn-1'"), 3);
}

/* The server was started anew in between, or the device was silent for long: only the registry knows its last boot. */
static void a_device_set_back_is_heard_again_also_when_nobody_remembers_its_numbers(void **state)
{
  WORLD;
  device->boot = UINT32_MAX; /* or somebody with a copy of its certificate said so, once */
  testdevice_checkin(device, server, PRODUCT);
  hf_cache_drop(server->engine->cache, HF_LIT("sn-1"));
  device->boot = 3;
  device->number = 0;
  for (int i = 0; i < 8; i++) {
    testdevice_checkin(device, server, PRODUCT);
  }
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM alarm WHERE kind = 'possible-clone'"), 1);
  assert_int_equal(testserver_number(server, "SELECT boot_id FROM device WHERE id = 'sn-1'"), 3);
}

static void fill_list(struct testserver *server, unsigned count)
{
  char sql[300];
  (void)snprintf(
      sql, sizeof sql,
      "INSERT OR IGNORE INTO revoked WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %u)"
      " SELECT 1, CAST(printf('%%016d', n) AS BLOB), 'x', 1, 4, 4000000000, NULL FROM c",
      count);
  testserver_begin(server);
  assert_int_equal(hf_db_run(server->engine->db, sql), HF_OK);
  testserver_commit(server);
}

static void revoke_for_sure(struct testserver *server, const char *id)
{
  struct hf_act act = testserver_act(server);
  struct hf_why why = {0};
  testserver_begin(server);
  assert_int_equal(hf_device_revoke(server->engine, &act, hf_bytes_text(id), HF_CRL_KEY_COMPROMISE, &why), HF_OK);
  testserver_commit(server);
}

/* Devices that enrol again and again fill half of the list; a full one stops nobody from being refused here. */
static void a_list_that_is_full_stops_no_revocation(void **state)
{
  WORLD;
  struct testdevice second;
  testdevice_init(&second, "sn-2", &world->v10);
  testdevice_enrol(&second, server, PRODUCT, &world->pub);
  fill_list(server, HF_CRL_ENTRIES_MAX / 2);
  testdevice_enrol(device, server, PRODUCT, &world->pub); /* supersedes the certificate before */
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM revoked WHERE device = 'sn-1'"), 0);
  revoke_for_sure(server, "sn-1");
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM revoked WHERE device = 'sn-1' AND reason = 1"), 1);
  fill_list(server, HF_CRL_ENTRIES_MAX);
  revoke_for_sure(server, "sn-2");
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM revoked WHERE device = 'sn-2'"), 0);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM device WHERE id = 'sn-2' AND revoked > 0"), 1);
}

static void one_key_on_two_devices_is_marked_on_both(void **state)
{
  WORLD;
  struct testdevice second;
  testdevice_init(&second, "sn-2", &world->v10);
  testdevice_enrol(&second, server, PRODUCT, &world->pub);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM device WHERE shared = 1"), 2);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM alarm WHERE kind = 'shared-key'"), 1);
}

/* ---- what a check-in shows ---- */

static void the_connection_is_noted_once_and_the_anchor_is_judged(void **state)
{
  WORLD;
  uint8_t body_room[HF_CHECKIN_MAX];
  uint8_t answer_room[HF_CHECKIN_ANSWER_MAX];
  struct hf_checkin_answer answer;
  struct hf_peer peer = testdevice_peer(device);
  peer.tls = 0x0304;
  peer.cipher = HF_LIT("TLS_AES_128_GCM_SHA256");
  peer.anchor = HF_LIT("newestCA");
  for (int i = 0; i < 3; i++) {
    struct hf_buf body = hf_buf_init(body_room, sizeof body_room);
    struct hf_buf out = hf_buf_init(answer_room, sizeof answer_room);
    struct hf_checkin checkin = testdevice_report(device, PRODUCT);
    checkin.has_anchor = i > 0;
    memcpy(checkin.anchor, i == 1 ? "formerCA" : "newestCA", 8);
    assert_int_equal(hf_checkin_encode(&body, &checkin), HF_OK);
    testserver_begin(server);
    assert_int_equal(hf_engine_checkin(server->engine, &out, &peer, hf_buf_bytes(&body), server->now, NULL), HF_OK);
    testserver_commit(server);
    assert_int_equal(hf_checkin_answer_parse(&answer, hf_buf_bytes(&out), NULL), HF_OK);
    assert_int_equal(answer.anchors, i == 1);
  }
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM device WHERE tls = 772 AND cipher ="
                                             " 'TLS_AES_128_GCM_SHA256' AND anchor = x'6e65776573744341'"),
                   1);
  assert_int_equal(testserver_number(server, "SELECT count(*) FROM server_ca"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(a_revoked_device_is_refused_and_on_the_next_list),
      TEST(only_a_token_and_a_new_key_bring_a_compromised_device_back),
      TEST(what_a_new_enrolment_replaces_is_listed_and_what_a_renewal_replaces_is_not),
      TEST(a_list_is_signed_again_before_it_ends_and_forgets_what_has_ended),
      TEST(a_rotation_asks_at_each_check_in_until_a_new_key_came),
      TEST(a_group_is_rotated_as_one),
      TEST(a_stolen_certificate_that_was_replaced_raises_an_alarm),
      TEST(two_that_take_turns_under_one_certificate_raise_an_alarm),
      TEST(late_and_doubled_messages_of_one_device_raise_none),
      TEST(a_device_set_back_to_an_old_copy_is_shown_and_heard_again),
      TEST(a_list_that_is_full_stops_no_revocation),
      TEST(a_device_set_back_is_heard_again_also_when_nobody_remembers_its_numbers),
      TEST(one_key_on_two_devices_is_marked_on_both),
      TEST(the_connection_is_noted_once_and_the_anchor_is_judged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
