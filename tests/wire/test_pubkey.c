/* SPDX-License-Identifier: Apache-2.0
 * The key ids were computed with Python: SHA-256 over the object as securesystemslib's encode_canonical writes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hf/codec/json.h"
#include "hf/codec/text.h"
#include "hf/crypto/key.h"
#include "hf/wire/pubkey.h"

/* The generator of P-256: a point everybody can look up (FIPS 186-5, SP 800-186 section 3.2.1.3). */
static const char generator_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                                    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n"
                                    "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
                                    "-----END PUBLIC KEY-----\n";
static const char generator_id[] = "cf4736fae1a3a019d3506e4345cfb6549c7aa731eb5c19f61b60f0175882edcf";
static const char generator_hash[] = "5cd252fb0ce8932436faf8ccd1040981b89ee4ad6b9fe9e2a2b7e71aacb27cd3";
/* RFC 8032 section 7.1, test 1. */
static const char ed25519_hex[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
static const char ed25519_id[] = "74c181c7ad8a0855d4b55e44d2ba87aabdddb196832571f15f92fece332e4916";

static struct hf_pubkey generator(void)
{
  struct hf_pubkey pub;
  assert_int_equal(hf_pubkey_parse_pem(&pub, hf_bytes_text(generator_pem)), HF_OK);
  assert_int_equal(pub.type, HF_KEY_P256);
  return pub;
}

static struct hf_pubkey ed25519(void)
{
  struct hf_pubkey pub = {.type = HF_KEY_ED25519, .len = HF_ED25519_PUBLIC_LEN};
  assert_int_equal(hf_hex_parse(pub.at, pub.len, hf_bytes_text(ed25519_hex)), HF_OK);
  return pub;
}

static void expect_hex(const uint8_t have[HF_SHA256_LEN], const char *want)
{
  uint8_t bytes[HF_SHA256_LEN];
  assert_int_equal(hf_hex_parse(bytes, sizeof bytes, hf_bytes_text(want)), HF_OK);
  assert_memory_equal(have, bytes, sizeof bytes);
}

static void key_ids_are_those_of_securesystemslib(void **state)
{
  (void)state;
  uint8_t id[HF_SHA256_LEN];
  struct hf_pubkey p256 = generator();
  struct hf_pubkey ed = ed25519();
  hf_pubkey_tuf_id(id, &p256);
  expect_hex(id, generator_id);
  hf_pubkey_tuf_id(id, &ed);
  expect_hex(id, ed25519_id);
  hf_pubkey_hash(id, &p256);
  expect_hex(id, generator_hash);
}

static bool to_hash(void *ctx, struct hf_bytes bytes)
{
  hf_sha256_put(ctx, bytes);
  return true;
}

/* What the writer puts into metadata must hash to the id it is listed under, by the way a reader goes. */
static void the_written_object_has_the_key_id(void **state)
{
  (void)state;
  struct hf_pubkey keys[] = {generator(), ed25519()};
  for (size_t i = 0; i < 2; i++) {
    uint8_t room[512];
    uint8_t id[HF_SHA256_LEN];
    uint8_t read[HF_SHA256_LEN];
    struct hf_buf object = hf_buf_init(room, sizeof room);
    struct hf_json json;
    struct hf_sha256 hash;
    hf_pubkey_put_tuf(&object, &keys[i]);
    hf_pubkey_tuf_id(id, &keys[i]);
    assert_int_equal(hf_json_parse(&json, hf_buf_bytes(&object), NULL), HF_OK);
    hf_sha256_init(&hash);
    assert_int_equal(hf_json_canonical((struct hf_json_sink){to_hash, &hash}, json), HF_OK);
    hf_sha256_get(&hash, read);
    assert_memory_equal(read, id, sizeof id);
  }
}

static void spki_and_pem_come_back_whole(void **state)
{
  (void)state;
  for (size_t i = 0; i < 20; i++) {
    struct hf_key *key;
    struct hf_pubkey pub;
    struct hf_pubkey again;
    uint8_t room[HF_PUBKEY_PEM_MAX];
    struct hf_buf buf = hf_buf_init(room, sizeof room);
    assert_int_equal(hf_key_new(&key, i % 2 == 0 ? HF_KEY_P256 : HF_KEY_ED25519), HF_OK);
    assert_int_equal(hf_key_public(&pub, key), HF_OK);
    hf_key_free(key);
    hf_pubkey_put_spki(&buf, &pub);
    assert_int_equal(buf.len, i % 2 == 0 ? 91 : 44);
    assert_int_equal(hf_pubkey_parse_spki(&again, hf_buf_bytes(&buf)), HF_OK);
    assert_true(hf_pubkey_equal(&pub, &again));
    buf.len = 0;
    hf_pubkey_put_pem(&buf, &pub);
    assert_int_equal(hf_pubkey_parse_pem(&again, hf_buf_bytes(&buf)), HF_OK);
    assert_true(hf_pubkey_equal(&pub, &again));
  }
}

static void one_key_in_other_wrapping_is_the_same_key(void **state)
{
  (void)state;
  struct hf_pubkey want = generator();
  struct hf_pubkey have;
  static const char *const same[] = {
      "-----BEGIN PUBLIC KEY-----\r\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\r\n"
      "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\r\n-----END PUBLIC KEY-----\r\n",
      "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg"
      "9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----",
  };
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(hf_pubkey_parse_pem(&have, hf_bytes_text(same[i])), HF_OK);
    assert_true(hf_pubkey_equal(&want, &have));
  }
}

static void refuses_every_other_spki(void **state)
{
  (void)state;
  uint8_t room[HF_SPKI_MAX + 1];
  struct hf_buf buf = hf_buf_init(room, sizeof room);
  struct hf_pubkey pub = generator();
  struct hf_pubkey have;
  hf_pubkey_put_spki(&buf, &pub);
  for (size_t len = 0; len < buf.len; len++) {
    assert_int_equal(hf_pubkey_parse_spki(&have, hf_bytes_init(room, len)), HF_E_INPUT);
    assert_int_equal(have.type, HF_KEY_NONE);
  }
  room[buf.len] = 0;
  assert_int_equal(hf_pubkey_parse_spki(&have, hf_bytes_init(room, buf.len + 1)), HF_E_INPUT);
  for (size_t i = 0; i < 27; i++) { /* the bytes before the coordinates; the last is the form of the point */
    room[i] ^= 1;
    assert_int_equal(hf_pubkey_parse_spki(&have, hf_buf_bytes(&buf)), HF_E_INPUT);
    room[i] ^= 1;
  }
}

static void refuses_what_is_no_public_key_pem(void **state)
{
  (void)state;
  static const char *const bad[] = {
      "",
      "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----",
      "-----BEGIN PUBLIC KEY-----",
      "-----BEGIN EC PUBLIC KEY-----\nMFkw\n-----END EC PUBLIC KEY-----\n",
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
      "x-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n",
      /* a second key after the first */
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
      "-----END PUBLIC KEY-----\n-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n",
  };
  struct hf_pubkey pub;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(hf_pubkey_parse_pem(&pub, hf_bytes_text(bad[i])), HF_E_INPUT);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(key_ids_are_those_of_securesystemslib),
      cmocka_unit_test(the_written_object_has_the_key_id),
      cmocka_unit_test(spki_and_pem_come_back_whole),
      cmocka_unit_test(one_key_in_other_wrapping_is_the_same_key),
      cmocka_unit_test(refuses_every_other_spki),
      cmocka_unit_test(refuses_what_is_no_public_key_pem),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
