/* SPDX-License-Identifier: Apache-2.0
 * Writing metadata: what is written is read back by the client's own reader, and editing loses nothing. */
#include "testrepo.h"

static struct testrepo repo;

static int set_up(void **state)
{
  (void)state;
  testrepo_init(&repo, HF_KEY_P256);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  testrepo_free(&repo);
  return 0;
}

static struct hf_json json(struct hf_bytes text)
{
  struct hf_json value;
  struct hf_why why = {0};
  assert_int_equal(hf_json_parse(&value, text, &why), HF_OK);
  return value;
}

/* Compact and ascending: the canonical form differs from the text only where PEM newlines are escaped. */
static void what_it_writes_is_canonical_up_to_newlines(void **state)
{
  (void)state;
  static uint8_t room[8192], canonical[8192];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  struct hf_tufwrite_entry entry = {HF_LIT("a/b.img"), HF_LIT("{\"length\":1}")};
  for (int i = 0; i < 4; i++) {
    body = hf_buf_init(room, sizeof room);
    struct hf_buf out = hf_buf_init(canonical, sizeof canonical);
    switch (i) {
      case 0: assert_int_equal(hf_tufwrite_put_timestamp(&body, 1, 0, 2, HF_LIT("x")), HF_OK); break;
      case 1: assert_int_equal(hf_tufwrite_put_snapshot(&body, 1, 0, 2, HF_LIT("x")), HF_OK); break;
      case 2: assert_int_equal(hf_tufwrite_put_targets(&body, 1, 0, &entry, 1), HF_OK); break;
      default: assert_int_equal(hf_tufwrite_put_director(&body, 1, 0, HF_LIT("d-1"), &entry, 1), HF_OK); break;
    }
    assert_int_equal(hf_tufwrite_canonical(&out, hf_buf_bytes(&body)), HF_OK);
    assert_int_equal(out.len, body.len);
    assert_memory_equal(room, canonical, body.len);
  }
  struct hf_bytes root = testrepo_get(&repo, "1.root.json");
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_file file;
  assert_int_equal(hf_tuf_parse(&file, root, HF_TUF_ROOT, &limits, NULL), HF_OK);
  struct hf_buf out = hf_buf_init(canonical, sizeof canonical);
  assert_int_equal(hf_tufwrite_canonical(&out, file.body.text), HF_OK);
  size_t newlines = 0;
  for (size_t i = 0; i < out.len; i++) {
    newlines += canonical[i] == '\n';
  }
  assert_true(newlines > 0);
  assert_int_equal(out.len + newlines, file.body.text.len); /* `\n` is two characters in the text, one when signed */
}

static void writes_the_text_of_the_specification(void **state)
{
  (void)state;
  uint8_t room[1024];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_put_timestamp(&body, 3, 1893456000, 7, HF_LIT("abc")), HF_OK);
  assert_true(hf_bytes_is(
      hf_buf_bytes(&body),
      "{\"_type\":\"timestamp\",\"expires\":\"2030-01-01T00:00:00Z\",\"meta\":{\"snapshot.json\":{\"hashes\":{"
      "\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"},\"length\":3,\"version\":7}},"
      "\"spec_version\":\"1.0.34\",\"version\":3}"));
  body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_put_director(&body, 1, 0, HF_LIT("d-1"), NULL, 0), HF_OK);
  assert_true(hf_bytes_is(hf_buf_bytes(&body),
                          "{\"_type\":\"targets\",\"custom\":{\"holdfast\":{\"device\":\"d-1\"}},\"expires\":"
                          "\"1970-01-01T00:00:00Z\",\"spec_version\":\"1.0.34\",\"targets\":{},\"version\":1}"));
}

static void refuses_roots_that_lock_somebody_out(void **state)
{
  (void)state;
  static uint8_t room[16384];
  struct hf_tufwrite_root good = {.version = 1, .keys = repo.pub, .key_count = 2};
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    good.role[i] = (struct hf_tuf_signers){1, 1};
  }
  struct hf_pubkey twins[2] = {repo.pub[0], repo.pub[0]};
  for (int i = 0; i < 7; i++) {
    struct hf_buf body = hf_buf_init(room, sizeof room);
    struct hf_tufwrite_root root = good;
    switch (i) {
      case 0: root.role[HF_TUF_SNAPSHOT].threshold = 0; break;
      case 1: root.role[HF_TUF_SNAPSHOT].threshold = 2; break;
      case 2: root.role[HF_TUF_ROOT].keys = 4; break; /* a key that is not there */
      case 3: root.role[HF_TUF_ROOT].keys = 0; break;
      case 4: root.keys = twins; break;
      case 5: root.version = 0; break;
      default: root.key_count = HF_TUF_KEYS_MAX + 1; break;
    }
    assert_int_equal(hf_tufwrite_put_root(&body, &root), HF_E_INPUT);
  }
  struct hf_buf body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_put_root(&body, &good), HF_OK);
  size_t need = body.len;
  for (size_t cap = 0; cap < need; cap += 7) {
    body = hf_buf_init(room, cap);
    assert_int_equal(hf_tufwrite_put_root(&body, &good), HF_E_SPACE);
  }
}

static void refuses_entries_out_of_order_or_astray(void **state)
{
  (void)state;
  uint8_t room[1024];
  struct hf_bytes value = HF_LIT("{}");
  struct hf_tufwrite_entry cases[4][2] = {{{HF_LIT("b"), value}, {HF_LIT("a"), value}},
                                          {{HF_LIT("a"), value}, {HF_LIT("a"), value}},
                                          {{HF_LIT("../a"), value}, {HF_LIT("b"), value}},
                                          {{HF_LIT("a"), value}, {HF_LIT("b"), HF_LIT("")}}};
  for (int i = 0; i < 4; i++) {
    struct hf_buf body = hf_buf_init(room, sizeof room);
    assert_int_equal(hf_tufwrite_put_targets(&body, 1, 0, cases[i], 2), HF_E_INPUT);
  }
}

static void refuses_versions_outside_the_bounds(void **state)
{
  (void)state;
  uint8_t room[1024];
  static const uint32_t wrong[] = {0, (uint32_t)HF_TUF_VERSION_MAX + 1};
  for (size_t i = 0; i < 2; i++) {
    struct hf_buf body = hf_buf_init(room, sizeof room);
    struct hf_tufwrite_edit edit = {.version = wrong[i]};
    assert_int_equal(hf_tufwrite_put_timestamp(&body, wrong[i], 0, 1, HF_LIT("x")), HF_E_INPUT);
    assert_int_equal(hf_tufwrite_put_timestamp(&body, 1, 0, wrong[i], HF_LIT("x")), HF_E_INPUT);
    assert_int_equal(hf_tufwrite_put_snapshot(&body, wrong[i], 0, 1, HF_LIT("x")), HF_E_INPUT);
    assert_int_equal(hf_tufwrite_put_snapshot(&body, 1, 0, 1, HF_LIT("")), HF_E_INPUT);
    assert_int_equal(hf_tufwrite_put_targets(&body, wrong[i], 0, NULL, 0), HF_E_INPUT);
    assert_int_equal(hf_tufwrite_put_director(&body, wrong[i], 0, HF_LIT("d"), NULL, 0), HF_E_INPUT);
    assert_int_equal(hf_tufwrite_edit_targets(&body, json(HF_LIT("{\"targets\":{}}")), &edit), HF_E_INPUT);
  }
}

/* ---- editing ---- */

static const char *edited(const char *body, const struct hf_tufwrite_entry *entries, size_t count)
{
  static char room[4096];
  struct hf_tufwrite_edit edit = {.version = 8, .expires = 0, .entries = entries, .count = count};
  struct hf_buf out = hf_buf_init(room, sizeof room - 1);
  assert_int_equal(hf_tufwrite_edit_targets(&out, json(hf_bytes_text(body)), &edit), HF_OK);
  (void)json(hf_buf_bytes(&out)); /* still good JSON, no member twice */
  room[out.len] = '\0';
  return room;
}

static void editing_keeps_what_it_does_not_know(void **state)
{
  (void)state;
  struct hf_tufwrite_entry entries[] = {{HF_LIT("b"), HF_LIT("{\"new\":1}")}};
  assert_string_equal(
      edited("{\"_type\":\"targets\",\"delegations\":{\"keys\":{},\"roles\":[]},\"expires\":\"2020-01-01T00:00:00Z\","
             "\"targets\":{\"a\":{ \"x\" : \"\\u00e9\\n\" },\"c\":2},\"version\":7,\"x-vendor\":[1, 2]}",
             entries, 1),
      "{\"_type\":\"targets\",\"delegations\":{\"keys\":{},\"roles\":[]},\"expires\":\"1970-01-01T00:00:00Z\","
      "\"targets\":{\"a\":{ \"x\" : \"\\u00e9\\n\" },\"b\":{\"new\":1},\"c\":2},\"version\":8,\"x-vendor\":[1, 2]}");
}

static void editing_adds_replaces_and_takes_out(void **state)
{
  (void)state;
  struct hf_tufwrite_entry entries[] = {
      {HF_LIT("a"), HF_LIT("0")}, {HF_LIT("b"), HF_LIT("")}, {HF_LIT("c"), HF_LIT("33")}, {HF_LIT("z"), HF_LIT("9")}};
  assert_string_equal(edited("{\"targets\":{\"b\":2,\"c\":3,\"d\":4},\"version\":7}", entries, 4),
                      "{\"targets\":{\"a\":0,\"c\":33,\"d\":4,\"z\":9},\"version\":8}");
  assert_string_equal(edited("{\"targets\":{},\"version\":7}", entries + 3, 1),
                      "{\"targets\":{\"z\":9},\"version\":8}");
}

/* Another tool's order: entries are replaced where they stand, never written twice. */
static void editing_an_unsorted_file_writes_nothing_twice(void **state)
{
  (void)state;
  struct hf_tufwrite_entry entries[] = {
      {HF_LIT("a"), HF_LIT("11")}, {HF_LIT("m"), HF_LIT("5")}, {HF_LIT("z"), HF_LIT("99")}};
  assert_string_equal(edited("{\"version\":7,\"targets\":{\"z\":9,\"b\":2,\"\\u0061\":1}}", entries, 3),
                      "{\"version\":8,\"targets\":{\"m\":5,\"z\":99,\"b\":2,\"a\":11}}");
}

static void editing_refuses_what_is_not_there(void **state)
{
  (void)state;
  uint8_t room[512];
  struct hf_tufwrite_entry entry = {HF_LIT("x"), HF_LIT("")};
  struct hf_tufwrite_edit edit = {.version = 8, .entries = &entry, .count = 1};
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_edit_targets(&out, json(HF_LIT("{\"targets\":{}}")), &edit), HF_E_NOT_FOUND);
  assert_int_equal(hf_tufwrite_edit_targets(&out, json(HF_LIT("{\"targets\":[]}")), &edit), HF_E_INPUT);
  assert_int_equal(hf_tufwrite_edit_targets(&out, json(HF_LIT("{}")), &edit), HF_E_INPUT);
}

/* ---- signing ---- */

static enum hf_err sign_wrong(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  (void)ctx;
  return hf_key_sign(sig, repo.key[K_THIEF], message);
}

static enum hf_err sign_denied(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  (void)ctx, (void)sig, (void)message;
  return HF_E_DENIED;
}

static void notices_a_private_key_that_is_not_the_named_one(void **state)
{
  (void)state;
  struct hf_tufwrite_sig sig;
  struct hf_tufwrite_signer signer = {.pub = repo.pub[K_ROOT], .sign = sign_wrong};
  assert_int_equal(hf_tufwrite_sign(&sig, &signer, HF_LIT("{}")), HF_E_CRYPTO);
  signer.sign = sign_denied;
  assert_int_equal(hf_tufwrite_sign(&sig, &signer, HF_LIT("{}")), HF_E_DENIED);
  signer = testrepo_signer(&repo, K_ROOT);
  assert_int_equal(hf_tufwrite_sign(&sig, &signer, HF_LIT("{}")), HF_OK);
}

static void signs_nothing_that_is_not_json(void **state)
{
  (void)state;
  static uint8_t room[1024], scratch[1024];
  struct hf_tufwrite_signer signer = testrepo_signer(&repo, K_ROOT);
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(
      hf_tufwrite_sign_file(&out, hf_buf_init(scratch, sizeof scratch), HF_LIT("{\"a\":1,\"a\":2}"), &signer, 1),
      HF_E_INPUT);
  out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_sign_file(&out, hf_buf_init(scratch, 3), HF_LIT("{\"a\":1}"), &signer, 1), HF_E_SPACE);
  out = hf_buf_init(room, 20);
  assert_int_equal(hf_tufwrite_sign_file(&out, hf_buf_init(scratch, sizeof scratch), HF_LIT("{}"), &signer, 1),
                   HF_E_SPACE);
}

/* Two people, two machines, one root: the second signs the file the first has sent. */
static void a_second_holder_adds_his_signature(void **state)
{
  (void)state;
  static uint8_t room[16384], canonical[16384];
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_file file;
  struct hf_tuf_trust trust;
  struct hf_tufwrite_sig sig;
  struct hf_tufwrite_signer second = testrepo_signer(&repo, K_ROOT2);
  repo.root_keys |= BIT(K_ROOT2);
  repo.role[HF_TUF_ROOT] = (struct hf_tuf_signers){BIT(K_ROOT) | BIT(K_ROOT2), 2};
  testrepo_root(&repo, 1, BIT(K_ROOT));
  struct hf_bytes first = testrepo_get(&repo, "1.root.json");
  assert_int_equal(hf_tuf_trust_verify(&trust, first, &limits, NULL), HF_DENY);
  for (int again = 0; again < 2; again++) { /* twice: the same holder's signature is replaced, not repeated */
    struct hf_buf out = hf_buf_init(room, sizeof room), message = hf_buf_init(canonical, sizeof canonical);
    assert_int_equal(hf_tuf_parse(&file, first, HF_TUF_ROOT, &limits, NULL), HF_OK);
    assert_int_equal(hf_tufwrite_canonical(&message, file.body.text), HF_OK);
    assert_int_equal(hf_tufwrite_sign(&sig, &second, hf_buf_bytes(&message)), HF_OK);
    assert_int_equal(hf_tufwrite_put_cosigned(&out, &file, &sig), HF_OK);
    testrepo_set(&repo, "1.root.json", hf_buf_bytes(&out));
    first = testrepo_get(&repo, "1.root.json");
    assert_int_equal(hf_tuf_trust_verify(&trust, first, &limits, NULL), HF_ALLOW);
    assert_int_equal(hf_tuf_parse(&file, first, HF_TUF_ROOT, &limits, NULL), HF_OK);
    assert_int_equal(hf_json_count(file.signatures), 2);
  }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(what_it_writes_is_canonical_up_to_newlines),
      TEST(writes_the_text_of_the_specification),
      TEST(refuses_roots_that_lock_somebody_out),
      TEST(refuses_entries_out_of_order_or_astray),
      TEST(refuses_versions_outside_the_bounds),
      TEST(editing_keeps_what_it_does_not_know),
      TEST(editing_adds_replaces_and_takes_out),
      TEST(editing_an_unsorted_file_writes_nothing_twice),
      TEST(editing_refuses_what_is_not_there),
      TEST(a_second_holder_adds_his_signature),
      TEST(notices_a_private_key_that_is_not_the_named_one),
      TEST(signs_nothing_that_is_not_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
