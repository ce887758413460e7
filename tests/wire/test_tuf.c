/* SPDX-License-Identifier: Apache-2.0
 * Reading single metadata files, counting signatures, and the trust record. */
#include "testrepo.h"

#include "hf/codec/cbor.h"

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

#define GOOD_TAIL "\"expires\":\"2030-01-01T00:00:00Z\",\"spec_version\":\"1.0.34\",\"version\":1}"

/* The rule a file with this body is refused for by hf_tuf_parse; 0 when it is not. */
static uint16_t shape_of(enum hf_tuf_role role, const char *body)
{
  char text[4096];
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_file file;
  struct hf_why why = {0};
  snprintf(text, sizeof text, "{\"signatures\":[],\"signed\":%s}", body);
  enum hf_err err = hf_tuf_parse(&file, hf_bytes_text(text), role, &limits, &why);
  assert_int_equal(err == HF_OK, why.rule == 0);
  return why.rule;
}

static void reads_the_common_part_of_every_role(void **state)
{
  (void)state;
  assert_int_equal(shape_of(HF_TUF_ROOT, "{\"_type\":\"root\"," GOOD_TAIL), 0);
  assert_int_equal(shape_of(HF_TUF_TIMESTAMP, "{\"_type\":\"timestamp\"," GOOD_TAIL), 0);
  assert_int_equal(shape_of(HF_TUF_SNAPSHOT, "{\"_type\":\"snapshot\"," GOOD_TAIL), 0);
  assert_int_equal(shape_of(HF_TUF_TARGETS, "{\"_type\":\"targets\"," GOOD_TAIL), 0);
}

static void tells_malformed_files_apart(void **state)
{
  (void)state;
#define TS "{\"_type\":\"timestamp\","
#define EXP "\"expires\":\"2030-01-01T00:00:00Z\","
#define SPEC "\"spec_version\":\"1.0.34\","
  static const struct {
    const char *body;
    uint16_t rule;
  } cases[] = {
      {"[]", HF_RULE_TUF_SHAPE},
      {"{" GOOD_TAIL, HF_RULE_TUF_SHAPE},
      {"{\"_type\":1," GOOD_TAIL, HF_RULE_TUF_SHAPE},
      {"{\"_type\":\"Timestamp\"," GOOD_TAIL, HF_RULE_TUF_TYPE},
      {"{\"_type\":\"root\"," GOOD_TAIL, HF_RULE_TUF_TYPE},
      {TS EXP "\"version\":1}", HF_RULE_TUF_SPEC_VERSION},
      {TS EXP "\"spec_version\":\"2.0.0\",\"version\":1}", HF_RULE_TUF_SPEC_VERSION},
      {TS EXP "\"spec_version\":\"10.0\",\"version\":1}", HF_RULE_TUF_SPEC_VERSION},
      {TS EXP "\"spec_version\":1,\"version\":1}", HF_RULE_TUF_SPEC_VERSION},
      {TS EXP SPEC "\"version\":0}", HF_RULE_TUF_VERSION},
      {TS EXP SPEC "\"version\":-1}", HF_RULE_TUF_VERSION},
      {TS EXP SPEC "\"version\":\"1\"}", HF_RULE_TUF_VERSION},
      {TS EXP SPEC "\"version\":2147483648}", HF_RULE_TUF_VERSION},
      {TS EXP "\"spec_version\":\"1.0.34\"}", HF_RULE_TUF_VERSION},
      {TS SPEC "\"version\":1}", HF_RULE_TUF_EXPIRES},
      {TS SPEC "\"expires\":1893456000,\"version\":1}", HF_RULE_TUF_EXPIRES},
      {TS SPEC "\"expires\":\"2030-01-01T00:00:00+00:00\",\"version\":1}", HF_RULE_TUF_EXPIRES},
      {TS SPEC "\"expires\":\"2030-01-01T00:00:00.5Z\",\"version\":1}", HF_RULE_TUF_EXPIRES},
      {TS SPEC "\"expires\":\"2030-02-30T00:00:00Z\",\"version\":1}", HF_RULE_TUF_EXPIRES},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(shape_of(HF_TUF_TIMESTAMP, cases[i].body), cases[i].rule);
  }
}

/* Two parsers must not see two files (python-tuf issue 372). */
static void refuses_duplicated_members_and_floats(void **state)
{
  (void)state;
  static const char *const bodies[] = {
      "{\"_type\":\"timestamp\",\"version\":2," GOOD_TAIL,
      "{\"_type\":\"timestamp\",\"x\":{\"a\":1,\"a\":2}," GOOD_TAIL,
      "{\"_type\":\"timestamp\",\"\\u005ftype\":\"root\"," GOOD_TAIL,
      "{\"_type\":\"timestamp\",\"x\":1.5," GOOD_TAIL,
      "{\"_type\":\"timestamp\",\"x\":1e3," GOOD_TAIL,
      "{\"_type\":\"timestamp\",\"x\":99999999999999999999," GOOD_TAIL,
      "{\"_type\":\"timestamp\",\"x\":\"\\ud800\"," GOOD_TAIL,
  };
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
    assert_in_range(shape_of(HF_TUF_TIMESTAMP, bodies[i]), 1, 99); /* a rule of the JSON reader */
  }
}

static void refuses_files_without_signatures_or_body(void **state)
{
  (void)state;
  static const char *const texts[] = {
      "{}", "[]", "null", "{\"signed\":{}}", "{\"signatures\":[]}", "{\"signatures\":{},\"signed\":{}}"};
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct hf_tuf_file file;
    struct hf_why why = {0};
    assert_int_equal(hf_tuf_parse(&file, hf_bytes_text(texts[i]), HF_TUF_ROOT, &limits, &why), HF_E_INPUT);
    assert_int_equal(why.rule, HF_RULE_TUF_SHAPE);
  }
}

/* ---- roots ---- */

/* The rule the root of this repository is refused for after a textual change, signed anew by its root key. */
static uint16_t root_with(const char *from, const char *to)
{
  struct hf_bytes file = testrepo_get(&repo, "1.root.json");
  char *text = strndup((const char *)file.at, file.len);
  char *body = strstr(text, "\"signed\":") + 9;
  body[strlen(body) - 1] = '\0';
  char *at = strstr(body, from);
  assert_non_null(at);
  char *changed = malloc(file.len + strlen(to) + 1);
  sprintf(changed, "%.*s%s%s", (int)(at - body), body, to, at + strlen(from));
  testrepo_forge(&repo, "9.root.json", hf_bytes_text(changed), BIT(K_ROOT));
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  struct hf_why why = {0};
  enum hf_verdict verdict = hf_tuf_trust_verify(&trust, testrepo_get(&repo, "9.root.json"), &limits, &why);
  assert_int_equal(verdict == HF_ALLOW, why.rule == 0);
  assert_true(verdict == HF_ALLOW || trust.root.version == 0); /* nothing half trusted is left */
  free(changed);
  free(text);
  return why.rule;
}

/* go-tuf GHSA-fphv-w9fq-2525: a threshold of nothing switches verification off. */
static void refuses_thresholds_of_nothing_and_out_of_reach(void **state)
{
  (void)state;
  static const char *const wrong[] = {"0", "-1", "2", "17", "4294967297", "\"1\"", "null", "true", "[1]"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    char to[64];
    snprintf(to, sizeof to, "\"threshold\":%s}", wrong[i]);
    assert_int_equal(root_with("\"threshold\":1}", to), HF_RULE_TUF_THRESHOLD);
  }
  assert_int_equal(root_with("\"threshold\":1}", "\"threshold\":1}"), 0);
  assert_int_equal(root_with(",\"threshold\":1}", "}"), HF_RULE_TUF_THRESHOLD);
}

static void refuses_a_role_without_keys_or_without_the_role(void **state)
{
  (void)state;
  assert_int_equal(root_with("\"snapshot\":{\"keyids\":[", "\"snapshot\":{\"keyids\":[],\"x\":["),
                   HF_RULE_TUF_THRESHOLD);
  assert_int_equal(root_with("\"snapshot\":{", "\"snapshotX\":{"), HF_RULE_TUF_SHAPE);
  assert_int_equal(root_with("\"roles\":{", "\"rolesX\":{"), HF_RULE_TUF_SHAPE);
  assert_int_equal(root_with("\"keys\":{", "\"keysX\":{"), HF_RULE_TUF_SHAPE);
  assert_int_equal(root_with("\"consistent_snapshot\":true", "\"consistent_snapshot\":1"), HF_RULE_TUF_SHAPE);
}

static void refuses_key_ids_that_are_not_the_keys_hash(void **state)
{
  (void)state;
  /* one hex digit of the first key's id, there and in its role */
  assert_int_equal(root_with("\"keyval\":{\"public\":\"-----BEGIN", "\"keyval\":{\"note\":1,\"public\":\"-----BEGIN"),
                   HF_RULE_TUF_KEY_ID);
  assert_int_equal(root_with("\"scheme\":\"ecdsa-sha2-nistp256\"", "\"scheme\":\"ecdsa-sha2-nistp384\""),
                   HF_RULE_TUF_KEY_ID);
}

static void refuses_a_role_that_names_an_unlisted_key(void **state)
{
  (void)state;
  assert_int_equal(
      root_with("\"root\":{\"keyids\":[",
                "\"root\":{\"keyids\":[\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\","),
      HF_RULE_TUF_KEY_MISSING);
  assert_int_equal(root_with("\"root\":{\"keyids\":[", "\"root\":{\"keyids\":[7,"), HF_RULE_TUF_KEY_MISSING);
}

/* A member of "keys" under the right id, with a comma after it. */
static void put_key_object(struct hf_buf *out, const char *object)
{
  uint8_t canonical[1024], id[HF_SHA256_LEN];
  struct hf_buf message = hf_buf_init(canonical, sizeof canonical);
  assert_int_equal(hf_tufwrite_canonical(&message, hf_bytes_text(object)), HF_OK);
  hf_sha256(id, hf_buf_bytes(&message));
  hf_buf_put_text(out, "\"keys\":{");
  hf_json_put_hex(out, hf_bytes_init(id, sizeof id));
  hf_buf_put_u8(out, ':');
  hf_buf_put_text(out, object);
  hf_buf_put_u8(out, ',');
  assert_int_equal(hf_buf_terminate(out), HF_OK);
}

static uint16_t root_with_key(const char *object)
{
  char room[1024];
  struct hf_buf to = hf_buf_init(room, sizeof room);
  put_key_object(&to, object);
  return root_with("\"keys\":{", room);
}

/* Other people's repositories have RSA keys and stranger ones. They count for nothing, and they do no harm. */
static void keys_of_unknown_type_count_for_nothing(void **state)
{
  (void)state;
  static const char rsa[] = "{\"keytype\":\"rsa\",\"keyval\":{\"public\":\"AAAA\"},\"scheme\":\"rsassa-pss-sha256\"}";
  char to[512];
  assert_int_equal(root_with_key(rsa), 0);
  assert_int_equal(root_with_key("{\"keytype\":\"oidc\",\"keyval\":{\"issuer\":\"x\"},\"scheme\":\"Fulcio\"}"), 0);
  assert_int_equal(root_with_key("{\"keytype\":\"ed25519\",\"scheme\":\"ed25519ph\"}"), 0);
  snprintf(to, sizeof to, "\"keys\":{\"%064d\":%s,", 7, rsa); /* but its id must still be its hash */
  assert_int_equal(root_with("\"keys\":{", to), HF_RULE_TUF_KEY_ID);
}

static void refuses_malformed_keys_of_known_type(void **state)
{
  (void)state;
  static const char *const keys[] = {
      "{\"keytype\":\"ed25519\",\"keyval\":{\"public\":\"00\"},\"scheme\":\"ed25519\"}",
      "{\"keytype\":\"ed25519\",\"keyval\":{\"public\":7},\"scheme\":\"ed25519\"}",
      "{\"keytype\":\"ed25519\",\"keyval\":\"00\",\"scheme\":\"ed25519\"}",
      "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\"}",
      "{\"keyval\":{\"public\":\"00\"},\"scheme\":\"ed25519\"}",
      "{\"keytype\":\"ed25519\",\"keyval\":{\"public\":\"00\"}}",
      "{\"keytype\":\"ecdsa\",\"keyval\":{\"public\":\"no PEM\"},\"scheme\":\"ecdsa-sha2-nistp256\"}",
      "{\"keytype\":\"ecdsa\",\"keyval\":{\"public\":\"-----BEGIN PUBLIC "
      "KEY-----\\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lsh"
      "QhqowtrbLDFw4rXAxZuE=\\n-----END PUBLIC KEY-----\\n\"},\"scheme\":\"ecdsa-sha2-nistp256\"}", /* Ed25519 inside */
  };
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    assert_int_equal(root_with_key(keys[i]), HF_RULE_TUF_KEY);
  }
}

static void refuses_more_keys_than_a_device_keeps(void **state)
{
  (void)state;
  struct hf_key *key[HF_TUF_KEYS_MAX + 1];
  struct hf_pubkey pub[HF_TUF_KEYS_MAX + 1];
  char *text = malloc(65536), *all = text;
  uint8_t room[4096];
  for (size_t i = 0; i < HF_TUF_KEYS_MAX + 1; i++) {
    assert_int_equal(hf_key_new(&key[i], HF_KEY_ED25519), HF_OK);
    assert_int_equal(hf_key_public(&pub[i], key[i]), HF_OK);
  }
  text += sprintf(text, "\"keys\":{");
  for (size_t i = 0; i < HF_TUF_KEYS_MAX - 3; i++) { /* with the four of the repository: one too many */
    struct hf_buf out = hf_buf_init(room, sizeof room);
    uint8_t id[32];
    hf_pubkey_tuf_id(id, &pub[i]);
    hf_json_put_hex(&out, hf_bytes_init(id, 32));
    hf_buf_put_u8(&out, ':');
    hf_pubkey_put_tuf(&out, &pub[i]);
    hf_buf_put_u8(&out, ',');
    text += sprintf(text, "%.*s", (int)out.len, (const char *)out.at);
    if (i == HF_TUF_KEYS_MAX - 5) {
      assert_int_equal(root_with("\"keys\":{", all), 0);
    }
  }
  assert_int_equal(root_with("\"keys\":{", all), HF_RULE_TUF_KEYS);
  for (size_t i = 0; i < HF_TUF_KEYS_MAX + 1; i++) {
    hf_key_free(key[i]);
  }
  free(all);
}

static void a_root_must_be_signed_by_itself(void **state)
{
  (void)state;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  struct hf_why why = {0};
  testrepo_root(&repo, 1, BIT(K_TARGETS));
  assert_int_equal(hf_tuf_trust_verify(&trust, testrepo_get(&repo, "1.root.json"), &limits, &why), HF_DENY);
  assert_int_equal(why.rule, HF_RULE_TUF_UNSIGNED);
  assert_int_equal(trust.root.version, 0);
}

/* ---- what is under the signature ---- */

/* Every character of the signed part counts, those of unknown members too; those outside do not. */
static void a_signature_covers_members_it_does_not_know(void **state)
{
  (void)state;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  struct hf_tuf_file file;
  testrepo_trust(&repo, &trust, 1);
  testrepo_forge(&repo, "x",
                 HF_LIT("{\"_type\":\"timestamp\","
                        "\"zz\":{\"nul\":\"\\u0000\",\"quote\":\"\\\"\\\\\",\"text\":\"a\\n\\tb\","
                        "\"list\":[1,-2,true,null,\"\\u00e9\"]}," GOOD_TAIL),
                 BIT(K_TIMESTAMP));
  struct hf_bytes good = testrepo_get(&repo, "x");
  assert_int_equal(hf_tuf_parse(&file, good, HF_TUF_TIMESTAMP, &limits, NULL), HF_OK);
  assert_int_equal(hf_tuf_verify(&file, &trust.root, &limits, NULL), HF_ALLOW);
  size_t from = (size_t)(file.body.text.at - good.at), to = from + file.body.text.len;
  char *copy = malloc(good.len + 1);
  for (size_t i = from; i < to; i++) {
    memcpy(copy, good.at, good.len);
    copy[i] ^= 1;
    if (hf_tuf_parse(&file, hf_bytes_init(copy, good.len), HF_TUF_TIMESTAMP, &limits, NULL) == HF_OK) {
      assert_int_equal(hf_tuf_verify(&file, &trust.root, &limits, NULL), HF_DENY);
    }
  }
  free(copy);
}

/* The same content, written by another tool: other order, blanks, escapes. The signature is over the meaning. */
static void a_signature_holds_whatever_the_layout(void **state)
{
  (void)state;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  struct hf_tuf_file file;
  testrepo_trust(&repo, &trust, 1);
  testrepo_forge(&repo, "x", HF_LIT("{\"_type\":\"timestamp\"," GOOD_TAIL), BIT(K_TIMESTAMP));
  struct hf_bytes good = testrepo_get(&repo, "x");
  char *text = strndup((const char *)good.at, good.len);
  char *sigs = strstr(text, "[");
  *strstr(text, ",\"signed\"") = '\0';
  char other[2048];
  snprintf(other, sizeof other,
           "{\n  \"signed\": { \"version\" : 1 , \"spec_version\":\"1.0.34\",\n\t\"expires\":\"2030-01-01T00:00:00Z\","
           "\"_ty\\u0070e\":\"timestamp\" },\n\"signatures\":\n%s }\n",
           sigs);
  assert_int_equal(hf_tuf_parse(&file, hf_bytes_text(other), HF_TUF_TIMESTAMP, &limits, NULL), HF_OK);
  assert_int_equal(hf_tuf_verify(&file, &trust.root, &limits, NULL), HF_ALLOW);
  free(text);
}

/* Ed25519 wants the message in one piece; without scratch memory a text that is not canonical cannot count. */
static void ed25519_over_other_layouts_needs_scratch(void **state)
{
  (void)state;
  struct testrepo other;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  struct hf_tuf_file file;
  uint8_t scratch[512];
  testrepo_init(&other, HF_KEY_ED25519);
  testrepo_trust(&other, &trust, 1);
  testrepo_forge(&other, "x", HF_LIT("{\"_type\":\"timestamp\", \"note\":\"a\\nb\"," GOOD_TAIL), BIT(K_TIMESTAMP));
  assert_int_equal(hf_tuf_parse(&file, testrepo_get(&other, "x"), HF_TUF_TIMESTAMP, &limits, NULL), HF_OK);
  assert_int_equal(hf_tuf_verify(&file, &trust.root, &limits, NULL), HF_DENY);
  limits.scratch = scratch;
  limits.scratch_cap = 16;
  assert_int_equal(hf_tuf_verify(&file, &trust.root, &limits, NULL), HF_DENY);
  limits.scratch_cap = sizeof scratch;
  assert_int_equal(hf_tuf_verify(&file, &trust.root, &limits, NULL), HF_ALLOW);
  testrepo_free(&other);
}

static void malformed_signatures_are_stepped_over(void **state)
{
  (void)state;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  struct hf_tuf_file file;
  testrepo_trust(&repo, &trust, 1);
  testrepo_forge(&repo, "x", HF_LIT("{\"_type\":\"timestamp\"," GOOD_TAIL), BIT(K_TIMESTAMP));
  struct hf_bytes good = testrepo_get(&repo, "x");
  static const char junk[] =
      "{\"signatures\":[null,7,{},{\"keyid\":\"zz\",\"sig\":\"00\"},{\"keyid\":\"\",\"sig\":\"\"},"
      "{\"sig\":\"00\"},[[]],";
  char *text = malloc(good.len + sizeof junk);
  memcpy(text, junk, sizeof junk - 1);
  memcpy(text + sizeof junk - 1, good.at + 15, good.len - 15);
  struct hf_bytes whole = hf_bytes_init(text, good.len - 15 + sizeof junk - 1);
  assert_int_equal(hf_tuf_parse(&file, whole, HF_TUF_TIMESTAMP, &limits, NULL), HF_OK);
  assert_int_equal(hf_tuf_verify(&file, &trust.root, &limits, NULL), HF_ALLOW);
  free(text);
}

/* TUF 1.0.34 section 4.2.1: a key id stands in the list once. A second entry is not even looked at (CVE-2020-6173). */
static void refuses_two_entries_of_one_key(void **state)
{
  (void)state;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  struct hf_tuf_file file;
  uint8_t room[2048];
  testrepo_trust(&repo, &trust, 1);
  for (int first = 0; first < 2; first++) {
    struct hf_tufwrite_sig sigs[2];
    struct hf_tufwrite_signer signer = testrepo_signer(&repo, K_TIMESTAMP);
    struct hf_bytes body = HF_LIT("{\"_type\":\"timestamp\"," GOOD_TAIL);
    struct hf_buf out = hf_buf_init(room, sizeof room);
    for (int i = 0; i < 2; i++) {
      assert_int_equal(hf_tufwrite_sign(&sigs[i], &signer, i == first ? body : HF_LIT("{}")), HF_OK);
    }
    hf_tufwrite_put_file(&out, body, sigs, 2);
    assert_int_equal(hf_tuf_parse(&file, hf_buf_bytes(&out), HF_TUF_TIMESTAMP, &limits, NULL), HF_OK);
    struct hf_why why = {0};
    assert_int_equal(hf_tuf_verify(&file, &trust.root, &limits, &why), HF_DENY);
    assert_int_equal(why.rule, HF_RULE_TUF_SIGNED_TWICE);
  }
}

static void refuses_a_file_above_its_roles_limit(void **state)
{
  (void)state;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_bytes root = testrepo_get(&repo, "1.root.json");
  struct hf_tuf_file file;
  struct hf_why why = {0};
  limits.file_max[HF_TUF_ROOT] = (uint32_t)root.len;
  assert_int_equal(hf_tuf_parse(&file, root, HF_TUF_ROOT, &limits, &why), HF_OK);
  limits.file_max[HF_TUF_ROOT]--;
  assert_int_equal(hf_tuf_parse(&file, root, HF_TUF_ROOT, &limits, &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_TUF_TOO_LONG);
}

/* ---- targets ---- */

static void finds_targets_and_tells_absence_from_delegation(void **state)
{
  (void)state;
  static const char body[] = "{\"_type\":\"targets\",%s\"targets\":{\"a/b.img\":{\"hashes\":{\"sha256\":"
                             "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"},\"length\":5},"
                             "\"bad\":{\"length\":5}}," GOOD_TAIL;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  for (int delegates = 0; delegates < 2; delegates++) {
    char text[2048], whole[4096];
    struct hf_tuf_file file;
    struct hf_target_file target;
    struct hf_why why = {0};
    snprintf(text, sizeof text, body, delegates ? "\"delegations\":{\"keys\":{},\"roles\":[{}]}," : "");
    snprintf(whole, sizeof whole, "{\"signatures\":[],\"signed\":%s}", text);
    assert_int_equal(hf_tuf_parse(&file, hf_bytes_text(whole), HF_TUF_TARGETS, &limits, NULL), HF_OK);
    assert_int_equal(hf_tuf_target_get(&target, &file, HF_LIT("a/b.img"), &why), HF_OK);
    assert_int_equal(target.length, 5);
    assert_int_equal(target.sha256[1], 0x11);
    assert_int_equal(hf_tuf_target_get(&target, &file, HF_LIT("a/c.img"), &why),
                     delegates ? HF_E_INPUT : HF_E_NOT_FOUND);
    assert_int_equal(why.rule, delegates ? HF_RULE_TUF_DELEGATED : 0);
    why = (struct hf_why){0};
    assert_int_equal(hf_tuf_target_get(&target, &file, HF_LIT("bad"), &why), HF_E_INPUT);
    assert_int_equal(why.rule, HF_RULE_TUF_TARGET);
  }
}

/* ---- the trust record ---- */

static struct hf_tuf_trust fullest(void)
{
  struct hf_tuf_trust trust;
  memset(&trust, 0, sizeof trust);
  trust.root.version = HF_TUF_VERSION_MAX;
  trust.root.expires = INT64_MAX;
  trust.root.consistent_snapshot = true;
  trust.root.key_count = HF_TUF_KEYS_MAX;
  for (size_t i = 0; i < HF_TUF_KEYS_MAX; i++) {
    trust.root.key[i].pub = repo.pub[i % TESTREPO_KEYS];
    memset(trust.root.key[i].id, (int)(i + 1), sizeof trust.root.key[i].id);
  }
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    trust.root.role[i] = (struct hf_tuf_signers){0xffff, 16};
    trust.floor[i] = (struct hf_tuf_floor){i == 0 ? 0 : HF_TUF_VERSION_MAX, i != 0, {0}};
    memset(trust.floor[i].digest, i == 0 ? 0 : 0xee, sizeof trust.floor[i].digest);
  }
  trust.listed_count = HF_TUF_LISTED_MAX;
  for (size_t i = 0; i < HF_TUF_LISTED_MAX; i++) {
    trust.listed[i].version = HF_TUF_VERSION_MAX;
    memset(trust.listed[i].id, (int)i, sizeof trust.listed[i].id);
  }
  return trust;
}

static void a_record_reads_back_as_it_was(void **state)
{
  (void)state;
  struct hf_tuf_trust trust = fullest(), read;
  uint8_t room[HF_TUF_TRUST_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_tuf_trust_encode(&out, &trust);
  assert_false(out.failed); /* the fullest fits */
  assert_int_equal(hf_tuf_trust_parse(&read, hf_buf_bytes(&out), NULL), HF_OK);
  assert_memory_equal(&read.root.key, &trust.root.key, sizeof read.root.key);
  assert_memory_equal(&read.floor, &trust.floor, sizeof read.floor);
  assert_memory_equal(&read.listed, &trust.listed, sizeof read.listed);
  assert_true(read.root.expires == INT64_MAX && read.root.consistent_snapshot);

  testrepo_trust(&repo, &trust, 1); /* and a young one */
  out = hf_buf_init(room, sizeof room);
  hf_tuf_trust_encode(&out, &trust);
  assert_in_range(out.len, 1, 512);
  assert_int_equal(hf_tuf_trust_parse(&read, hf_buf_bytes(&out), NULL), HF_OK);
  assert_int_equal(read.root.key_count, 4);
  assert_int_equal(read.floor[HF_TUF_SNAPSHOT].version, 0);
}

static void a_record_with_any_bit_damaged_is_refused(void **state)
{
  (void)state;
  struct hf_tuf_trust trust = fullest(), read;
  uint8_t room[HF_TUF_TRUST_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_tuf_trust_encode(&out, &trust);
  for (size_t len = 0; len < out.len; len++) {
    uint8_t *exact = malloc(len + 1);
    memcpy(exact, room, len);
    struct hf_why why = {0};
    assert_int_equal(hf_tuf_trust_parse(&read, hf_bytes_init(exact, len), &why), HF_E_INPUT);
    assert_int_not_equal(why.rule, 0);
    assert_int_equal(read.root.version, 0);
    free(exact);
  }
  for (size_t i = 0; i < out.len * 8; i++) {
    room[i / 8] ^= (uint8_t)(1u << i % 8);
    assert_int_not_equal(hf_tuf_trust_parse(&read, hf_buf_bytes(&out), NULL), HF_OK);
    room[i / 8] ^= (uint8_t)(1u << i % 8);
  }
  assert_int_equal(hf_tuf_trust_parse(&read, hf_buf_bytes(&out), NULL), HF_OK);
}

static void a_record_of_a_newer_version_is_called_so(void **state)
{
  (void)state;
  struct hf_tuf_trust read;
  assert_int_equal(hf_tuf_trust_parse(&read, HF_LIT("\xa1\x00\x02"), NULL), HF_E_VERSION);
  assert_int_equal(hf_tuf_trust_parse(&read, HF_LIT("\xa1\x00\x00"), NULL), HF_E_INPUT);
}

static void a_record_cannot_carry_a_threshold_of_nothing(void **state)
{
  (void)state;
  struct hf_tuf_trust trust = fullest(), read;
  uint8_t room[HF_TUF_TRUST_MAX];
  trust.root.role[HF_TUF_TARGETS].threshold = 0;
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_tuf_trust_encode(&out, &trust);
  assert_int_equal(hf_tuf_trust_parse(&read, hf_buf_bytes(&out), NULL), HF_E_INPUT);
}

/* A P-256 key that says it is Ed25519 would leave half of itself over. */
static void a_record_cannot_carry_a_key_of_the_wrong_length(void **state)
{
  (void)state;
  struct hf_tuf_trust trust, read;
  uint8_t room[HF_TUF_TRUST_MAX];
  testrepo_trust(&repo, &trust, 1);
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_tuf_trust_encode(&out, &trust);
  uint8_t *at = room;
  while (memcmp(at, trust.root.key[0].id, HF_TUF_KEY_ID_LEN) != 0) {
    at++;
  }
  assert_int_equal(at[-1], HF_KEY_P256);
  at[-1] = HF_KEY_ED25519;
  uint8_t hash[HF_SHA256_LEN]; /* with its check mended: key 8 and a byte string of 8 end the record */
  hf_sha256(hash, hf_bytes_init(room, out.len - 10));
  memcpy(room + out.len - 8, hash, 8);
  assert_int_equal(hf_tuf_trust_parse(&read, hf_buf_bytes(&out), NULL), HF_E_INPUT);
}

static void names_its_roles(void **state)
{
  (void)state;
  assert_string_equal(hf_tuf_role_name(HF_TUF_ROOT), "root");
  assert_string_equal(hf_tuf_role_name(HF_TUF_TARGETS), "targets");
  assert_string_equal(hf_tuf_role_name(HF_TUF_ROLES), "unknown");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(reads_the_common_part_of_every_role),
      TEST(tells_malformed_files_apart),
      TEST(refuses_duplicated_members_and_floats),
      TEST(refuses_files_without_signatures_or_body),
      TEST(refuses_thresholds_of_nothing_and_out_of_reach),
      TEST(refuses_a_role_without_keys_or_without_the_role),
      TEST(refuses_key_ids_that_are_not_the_keys_hash),
      TEST(refuses_a_role_that_names_an_unlisted_key),
      TEST(keys_of_unknown_type_count_for_nothing),
      TEST(refuses_malformed_keys_of_known_type),
      TEST(refuses_more_keys_than_a_device_keeps),
      TEST(a_root_must_be_signed_by_itself),
      TEST(a_signature_covers_members_it_does_not_know),
      TEST(a_signature_holds_whatever_the_layout),
      TEST(ed25519_over_other_layouts_needs_scratch),
      TEST(malformed_signatures_are_stepped_over),
      TEST(refuses_two_entries_of_one_key),
      TEST(refuses_a_file_above_its_roles_limit),
      TEST(finds_targets_and_tells_absence_from_delegation),
      TEST(a_record_reads_back_as_it_was),
      TEST(a_record_with_any_bit_damaged_is_refused),
      TEST(a_record_of_a_newer_version_is_called_so),
      TEST(a_record_cannot_carry_a_threshold_of_nothing),
      TEST(a_record_cannot_carry_a_key_of_the_wrong_length),
      TEST(names_its_roles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
