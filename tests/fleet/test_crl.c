/* SPDX-License-Identifier: Apache-2.0
 * Revocation lists as OpenSSL reads them: what we build without it must be what it understands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "hf/crypto/key.h"
#include "hf/fleet/cafile.h"
#include "hf/fleet/crl.h"

#define NOW INT64_C(1795000000) /* 2026-11-18 */

struct world {
  struct hf_key *key;
  uint8_t name[128];
  size_t name_len;
  uint8_t *entries;
  struct hf_buf packed;
};

static int set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  X509_NAME *name = X509_NAME_new();
  unsigned char *at = world->name;
  assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"Device CA", -1, -1, 0),
                   1);
  world->name_len = (size_t)i2d_X509_NAME(name, &at);
  X509_NAME_free(name);
  assert_int_equal(hf_key_new(&world->key, HF_KEY_P256), HF_OK);
  world->entries = malloc((size_t)(HF_CRL_ENTRIES_MAX + 1) * HF_CRL_ENTRY_LEN);
  world->packed = hf_buf_init(world->entries, (size_t)(HF_CRL_ENTRIES_MAX + 1) * HF_CRL_ENTRY_LEN);
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  hf_key_free(world->key);
  free(world->entries);
  free(world);
  return 0;
}

static struct hf_crl list_of(const struct world *world)
{
  return (struct hf_crl){.issuer = hf_bytes_init(world->name, world->name_len),
                         .key_id = HF_LIT("0123456789abcdefghij"),
                         .number = 0x80,
                         .this_update = NOW,
                         .next_update = NOW + 7 * 86400,
                         .entries = hf_buf_bytes(&world->packed)};
}

static void put(struct world *world, uint32_t n, int64_t time, enum hf_crl_reason reason)
{
  uint8_t serial[HF_CRL_SERIAL_LEN] = {0x40};
  serial[1] = (uint8_t)(n >> 16);
  serial[2] = (uint8_t)(n >> 8);
  serial[3] = (uint8_t)n;
  hf_crl_put_entry(&world->packed, serial, time, reason);
}

/* Build, sign, and give it to OpenSSL, which must find nothing left over and the signature right. */
static X509_CRL *read_back(const struct world *world, const struct hf_crl *crl)
{
  size_t cap = hf_crl_room(crl->entries.len);
  uint8_t *rooms = malloc(2 * cap);
  uint8_t sig_room[HF_SIG_MAX];
  struct hf_buf tbs = hf_buf_init(rooms, cap);
  struct hf_buf whole = hf_buf_init(rooms + cap, cap);
  struct hf_buf sig = hf_buf_init(sig_room, sizeof sig_room);
  assert_int_equal(hf_crl_put_tbs(&tbs, crl), HF_OK);
  assert_int_equal(hf_key_sign(&sig, world->key, hf_buf_bytes(&tbs)), HF_OK);
  assert_int_equal(hf_crl_put(&whole, hf_buf_bytes(&tbs), hf_buf_bytes(&sig)), HF_OK);
  const unsigned char *at = whole.at;
  X509_CRL *read = d2i_X509_CRL(NULL, &at, (long)whole.len);
  assert_non_null(read);
  assert_ptr_equal(at, whole.at + whole.len);
  assert_int_equal(X509_CRL_verify(read, hf_key_native(world->key)), 1);
  free(rooms);
  return read;
}

static void openssl_reads_serials_dates_reasons_and_number(void **state)
{
  struct world *world = *state;
  put(world, 1, NOW - 60, HF_CRL_KEY_COMPROMISE);
  put(world, 2, NOW, HF_CRL_UNSPECIFIED);
  put(world, 3, NOW - 5, HF_CRL_PRIVILEGE_WITHDRAWN);
  struct hf_crl crl = list_of(world);
  X509_CRL *read = read_back(world, &crl);
  STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(read);
  assert_int_equal(sk_X509_REVOKED_num(list), 3);
  assert_int_equal(X509_CRL_get_version(read), 1);
  int critical = 0;
  ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(sk_X509_REVOKED_value(list, 0), NID_crl_reason, &critical, NULL);
  assert_int_equal(ASN1_ENUMERATED_get(reason), 1);
  ASN1_ENUMERATED_free(reason);
  assert_null(X509_REVOKED_get_ext_d2i(sk_X509_REVOKED_value(list, 1), NID_crl_reason, &critical, NULL));
  ASN1_INTEGER *number = X509_CRL_get_ext_d2i(read, NID_crl_number, &critical, NULL);
  assert_int_equal(ASN1_INTEGER_get(number), 0x80);
  ASN1_INTEGER_free(number);
  AUTHORITY_KEYID *key = X509_CRL_get_ext_d2i(read, NID_authority_key_identifier, &critical, NULL);
  assert_int_equal(ASN1_STRING_length(key->keyid), 20);
  AUTHORITY_KEYID_free(key);
  int days = 0;
  int seconds = 0;
  assert_int_equal(ASN1_TIME_diff(&days, &seconds, X509_CRL_get0_lastUpdate(read), X509_CRL_get0_nextUpdate(read)), 1);
  assert_int_equal(days, 7);
  X509_CRL_free(read);
}

static void an_empty_list_has_no_list(void **state)
{
  struct world *world = *state;
  struct hf_crl crl = list_of(world);
  X509_CRL *read = read_back(world, &crl);
  assert_null(X509_CRL_get_REVOKED(read));
  X509_CRL_free(read);
}

static void dates_from_2050_on_have_four_digits_of_the_year(void **state)
{
  struct world *world = *state;
  struct hf_crl crl = list_of(world);
  crl.this_update = INT64_C(2524607999);
  crl.next_update = INT64_C(2524608000);
  X509_CRL *read = read_back(world, &crl);
  assert_int_equal(ASN1_STRING_type(X509_CRL_get0_lastUpdate(read)), V_ASN1_UTCTIME);
  assert_int_equal(ASN1_STRING_type(X509_CRL_get0_nextUpdate(read)), V_ASN1_GENERALIZEDTIME);
  assert_int_equal(ASN1_TIME_check(X509_CRL_get0_nextUpdate(read)), 1);
  X509_CRL_free(read);
}

static void the_longest_list_is_whole_and_one_more_is_refused(void **state)
{
  struct world *world = *state;
  for (uint32_t i = 0; i < HF_CRL_ENTRIES_MAX; i++) {
    put(world, i, NOW - 1, HF_CRL_SUPERSEDED);
  }
  struct hf_crl crl = list_of(world);
  X509_CRL *read = read_back(world, &crl);
  assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(read)), HF_CRL_ENTRIES_MAX);
  X509_CRL_free(read);
  put(world, HF_CRL_ENTRIES_MAX, NOW - 1, HF_CRL_SUPERSEDED);
  assert_int_equal(hf_crl_check(hf_buf_bytes(&world->packed), NOW), HF_E_INPUT);
}

static void refuses_entries_that_are_not_in_order_not_of_ours_or_of_the_future(void **state)
{
  struct world *world = *state;
  put(world, 2, NOW, HF_CRL_SUPERSEDED);
  assert_int_equal(hf_crl_check(hf_buf_bytes(&world->packed), NOW), HF_OK);
  assert_int_equal(hf_crl_check(hf_buf_bytes(&world->packed), NOW - 1), HF_E_INPUT);
  assert_int_equal(hf_crl_check(hf_bytes_init(world->entries, HF_CRL_ENTRY_LEN - 1), NOW), HF_E_INPUT);
  world->entries[HF_CRL_ENTRY_LEN - 1] = 6; /* certificateHold: a device is blocked instead */
  assert_int_equal(hf_crl_check(hf_buf_bytes(&world->packed), NOW), HF_E_INPUT);
  world->entries[HF_CRL_ENTRY_LEN - 1] = HF_CRL_SUPERSEDED;
  world->entries[0] = 0x80; /* would be negative */
  assert_int_equal(hf_crl_check(hf_buf_bytes(&world->packed), NOW), HF_E_INPUT);
  world->entries[0] = 0x40;
  world->entries[HF_CRL_SERIAL_LEN] = 0xff; /* a time beyond 9999 */
  assert_int_equal(hf_crl_check(hf_buf_bytes(&world->packed), NOW), HF_E_INPUT);
  world->entries[HF_CRL_SERIAL_LEN] = 0;
  put(world, 2, NOW, HF_CRL_SUPERSEDED);
  assert_int_equal(hf_crl_check(hf_buf_bytes(&world->packed), NOW), HF_E_INPUT);
  struct hf_crl crl = list_of(world);
  uint8_t room[4096];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_crl_put_tbs(&out, &crl), HF_E_INPUT);
  crl.entries.len = 0;
  crl.next_update = crl.this_update;
  assert_int_equal(hf_crl_put_tbs(&out, &crl), HF_E_INPUT);
}

static void reasons_have_the_names_of_the_rfc(void **state)
{
  (void)state;
  int64_t reason;
  assert_int_equal(hf_crl_reason_parse(&reason, HF_LIT("keyCompromise")), HF_OK);
  assert_int_equal(reason, 1);
  assert_string_equal(hf_crl_reason_name(9), "privilegeWithdrawn");
  assert_null(hf_crl_reason_name(6));
  assert_int_equal(hf_crl_reason_parse(&reason, HF_LIT("removeFromCRL")), HF_E_INPUT);
}

static void files_of_a_rotated_ca_are_numbered_from_two(void **state)
{
  (void)state;
  char name[32];
  assert_int_equal(hf_cafile_name(name, sizeof name, "device-ca", 1, ".crt"), HF_OK);
  assert_string_equal(name, "device-ca.crt");
  assert_int_equal(hf_cafile_name(name, sizeof name, "device-ca", 2, ".crt"), HF_OK);
  assert_string_equal(name, "device-ca-2.crt");
  assert_int_equal(hf_cafile_name(name, sizeof name, "device-ca", 10, ".crt"), HF_E_INPUT);
  assert_int_equal(hf_cafile_name(name, 8, "device-ca", 2, ".crt"), HF_E_SPACE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(openssl_reads_serials_dates_reasons_and_number, set_up, tear_down),
      cmocka_unit_test_setup_teardown(an_empty_list_has_no_list, set_up, tear_down),
      cmocka_unit_test_setup_teardown(dates_from_2050_on_have_four_digits_of_the_year, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_longest_list_is_whole_and_one_more_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(refuses_entries_that_are_not_in_order_not_of_ours_or_of_the_future, set_up,
                                      tear_down),
      cmocka_unit_test(reasons_have_the_names_of_the_rfc),
      cmocka_unit_test(files_of_a_rotated_ca_are_numbered_from_two),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
