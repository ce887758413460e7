/* SPDX-License-Identifier: Apache-2.0
 * Writes seeds for the fuzz targets of this layer: real metadata, images and check-ins with keys made on the spot, so
 * that no private key is in the tree. Usage: wire_seeds CORPUS-FOLDER; the files are committed. */
#include "testimage.h"
#include "testrepo.h"

#include "hf/wire/checkin.h"
#include "hf/wire/image.h"
#include "hf/wire/keyset.h"
#include "hf/wire/report.h"
#include "hf/wire/takeover.h"

static const char *folder;

static void write_seed(const char *noun, const char *name, struct hf_bytes bytes)
{
  char path[512];
  snprintf(path, sizeof path, "%s/%s/%s", folder, noun, name);
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(bytes.at, 1, bytes.len, file) != bytes.len || fclose(file) != 0) {
    perror(path);
    exit(1);
  }
}

static enum hf_err sign_digest(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

static void image_seed(enum hf_key_type type, const char *name, const struct hf_image_build *build)
{
  static uint8_t room[16384];
  uint8_t payload[100];
  struct hf_key *key;
  struct hf_image_signer signer = {.sign = sign_digest};
  memset(payload, 0x5a, sizeof payload);
  assert_int_equal(hf_key_new(&key, type), HF_OK);
  assert_int_equal(hf_key_public(&signer.pub, key), HF_OK);
  signer.ctx = key;
  memset(room, 0, HF_P256_PUBLIC_LEN);
  room[0] = 0xed;
  memcpy(type == HF_KEY_P256 ? room : room + 1, signer.pub.at, signer.pub.len);
  struct hf_buf out = hf_buf_init(room + HF_P256_PUBLIC_LEN, sizeof room - HF_P256_PUBLIC_LEN);
  assert_int_equal(hf_image_sign(&out, build, hf_bytes_init(payload, sizeof payload), &signer), HF_OK);
  write_seed("image", name, hf_bytes_init(room, HF_P256_PUBLIC_LEN + out.len));
  hf_key_free(key);
}

static void image_seeds(void)
{
  struct hf_image_build full = testimage_build();
  full.sbom = HF_LIT("0123456789abcdef0123456789abcdef");
  struct hf_image_build plain = {.version = {1, 0, 0, 0}};
  image_seed(HF_KEY_P256, "p256-full", &full);
  image_seed(HF_KEY_P256, "p256-plain", &plain);
  image_seed(HF_KEY_ED25519, "ed25519-full", &full);
}

static void keyset_seed(void)
{
  uint8_t room[HF_P256_PUBLIC_LEN + HF_KEYSET_MAX];
  uint8_t unsigned_room[HF_KEYSET_MAX];
  struct hf_key *key;
  struct hf_image_signer signer = {.sign = sign_digest};
  struct hf_keyset set = {.version = 3, .product_len = 4, .product = "lamp", .count = 2, .revoked = 1};
  struct hf_buf plain = hf_buf_init(unsigned_room, sizeof unsigned_room);
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&signer.pub, key), HF_OK);
  signer.ctx = key;
  set.key[0] = signer.pub;
  set.key[1] = (struct hf_pubkey){.type = HF_KEY_ED25519, .len = HF_ED25519_PUBLIC_LEN};
  assert_int_equal(hf_keyset_encode(&plain, &set), HF_OK);
  assert_int_equal(hf_keyset_parse(&set, hf_buf_bytes(&plain), NULL), HF_OK);
  memcpy(room, signer.pub.at, HF_P256_PUBLIC_LEN);
  struct hf_buf out = hf_buf_init(room + HF_P256_PUBLIC_LEN, HF_KEYSET_MAX);
  assert_int_equal(hf_keyset_sign(&out, &set, &signer), HF_OK);
  write_seed("keyset", "two-keys", hf_bytes_init(room, HF_P256_PUBLIC_LEN + out.len));
  hf_key_free(key);
}

static enum hf_err sign_message(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

static void takeover_seed(void)
{
  uint8_t body_room[HF_TAKEOVER_MAX];
  uint8_t scratch[HF_TAKEOVER_MAX];
  uint8_t room[HF_P256_PUBLIC_LEN + HF_TAKEOVER_MAX];
  struct hf_buf body = hf_buf_init(body_room, sizeof body_room);
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_key *key;
  struct hf_tufwrite_signer signer = {.sign = sign_message};
  struct hf_takeover_new order = {.version = 3,
                                  .expires = 1900000000,
                                  .product = HF_LIT("lamp"),
                                  .server = HF_LIT("https://[2001:db8::1]:8443"),
                                  .server_ca = HF_LIT("-----BEGIN CERTIFICATE-----\nTm8=\n"),
                                  .director_root = HF_LIT("d"),
                                  .image_root = HF_LIT("i")};
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&signer.pub, key), HF_OK);
  signer.ctx = key;
  hf_buf_put(&out, hf_bytes_init(signer.pub.at, signer.pub.len));
  assert_int_equal(hf_takeover_put(&body, &order), HF_OK);
  assert_int_equal(hf_tufwrite_sign_file(&out, hf_buf_init(scratch, sizeof scratch), hf_buf_bytes(&body), &signer, 1),
                   HF_OK);
  write_seed("takeover", "signed", hf_buf_bytes(&out));
  hf_key_free(key);
}

/* ---- metadata ---- */

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
static const char image_value[] =
    "{\"custom\":{\"holdfast\":{\"component\":\"main\",\"counter\":2,\"from\":\">=1.0.0 <1.1\",\"hardware\":[\"thermo-"
    "a\",\"thermo-b\"],\"image\":\"" HASH "\",\"product\":\"thermostat\",\"sbom\":\"" HASH
    "\",\"security\":false,\"version\":\"1.1.0\"}},\"hashes\":{\"sha256\":\"" HASH "\"},\"length\":1000}";
static const char order_value[] =
    "{\"custom\":{\"holdfast\":{\"component\":\"main\",\"counter\":2,\"device\":\"thermo-0001\",\"hardware\":\"thermo-"
    "a\",\"order\":0}},\"hashes\":{\"sha256\":\"" HASH "\"},\"length\":1000}";

static void role_seed(struct testrepo *repo, enum hf_tuf_role role, const char *from, const char *name)
{
  uint8_t room[16384];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_buf_put_u8(&out, (uint8_t)role);
  hf_buf_put(&out, testrepo_get(repo, from));
  write_seed("tuf", name, hf_buf_bytes(&out));
}

static void put_answer(struct hf_buf *out, unsigned got, struct hf_bytes bytes)
{
  hf_buf_put_u8(out, (uint8_t)(got - 1));
  hf_buf_put_be16(out, (uint16_t)bytes.len);
  hf_buf_put(out, bytes);
}

static void refresh_seed(struct testrepo *repo, const char *const *names, size_t count, const char *name)
{
  uint8_t room[16384];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_buf_put_u8(&out, 5);
  hf_buf_put_be16(&out, (uint16_t)testrepo_get(repo, "1.root.json").len);
  hf_buf_put(&out, testrepo_get(repo, "1.root.json"));
  for (size_t i = 0; i < count; i++) {
    if (names[i] == NULL) {
      put_answer(&out, HF_TUFCLIENT_NOT_FOUND, HF_LIT(""));
    } else {
      put_answer(&out, HF_TUFCLIENT_BYTES, testrepo_get(repo, names[i]));
    }
  }
  assert_false(out.failed);
  write_seed("tuf", name, hf_buf_bytes(&out));
}

static void trust_seed(struct testrepo *repo)
{
  uint8_t room[1 + HF_TUF_TRUST_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_tuf_trust trust;
  testrepo_trust(repo, &trust, 1);
  assert_done(repo, &trust);
  hf_buf_put_u8(&out, 4);
  hf_tuf_trust_encode(&out, &trust);
  write_seed("tuf", "trust", hf_buf_bytes(&out));
}

static void uptane_seed(struct testrepo *repo, struct hf_bytes director, const char *name)
{
  uint8_t room[8192];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_buf_put_be16(&out, (uint16_t)director.len);
  hf_buf_put(&out, director);
  hf_buf_put(&out, testrepo_get(repo, "1.targets.json"));
  write_seed("uptane", name, hf_buf_bytes(&out));
}

static void metadata_seeds(void)
{
  static struct testrepo repo, small;
  struct hf_tufwrite_entry image = {HF_LIT("thermostat/1.1.0/main.img"), hf_bytes_text(image_value)};
  struct hf_tufwrite_entry order = {HF_LIT("thermostat/1.1.0/main.img"), hf_bytes_text(order_value)};
  uint8_t room[4096];
  testrepo_init(&repo, HF_KEY_P256);
  testrepo_publish(&repo, 1, &image, 1);
  testrepo_root(&repo, 2, BIT(K_ROOT));
  testrepo_init(&small, HF_KEY_ED25519);
  testrepo_publish(&small, 1, &image, 1);
  role_seed(&repo, HF_TUF_ROOT, "1.root.json", "root");
  role_seed(&small, HF_TUF_ROOT, "1.root.json", "root-ed25519");
  role_seed(&repo, HF_TUF_TIMESTAMP, "timestamp.json", "timestamp");
  role_seed(&repo, HF_TUF_SNAPSHOT, "1.snapshot.json", "snapshot");
  role_seed(&repo, HF_TUF_TARGETS, "1.targets.json", "targets");
  trust_seed(&repo);
  const char *const whole[] = {NULL, "timestamp.json", "1.snapshot.json", "1.targets.json"};
  const char *const rotated[] = {"2.root.json", NULL, "timestamp.json", "1.snapshot.json", "1.targets.json"};
  refresh_seed(&small, whole, 4, "refresh-ed25519");
  refresh_seed(&repo, rotated, 5, "refresh-two-roots");

  struct hf_buf body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_put_director(&body, 1, 4102444800, HF_LIT("thermo-0001"), &order, 1), HF_OK);
  write_seed("target", "director-body", hf_buf_bytes(&body));
  testrepo_forge(&repo, "d", hf_buf_bytes(&body), BIT(K_TARGETS));
  uptane_seed(&repo, testrepo_get(&repo, "d"), "agreed");
  body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_put_director(&body, 1, 4102444800, HF_LIT("thermo-0001"), NULL, 0), HF_OK);
  testrepo_forge(&repo, "d", hf_buf_bytes(&body), BIT(K_TARGETS));
  uptane_seed(&repo, testrepo_get(&repo, "d"), "empty");
  write_seed("target", "image", hf_bytes_text(image_value));
  write_seed("target", "order", hf_bytes_text(order_value));
  write_seed("target", "unsorted-body",
             HF_LIT("{\"version\":7,\"targets\":{\"z/z\":9,\"b\":{ },\"\\u0061\":1},\"x\":[1, 2]}"));
  testrepo_free(&repo);
  testrepo_free(&small);
}

/* ---- check-ins ---- */

static void report_seeds(void)
{
  uint8_t room[HF_REPORT_MAX], signed_room[HF_REPORT_MAX];
  const uint8_t key[HF_SHA256_LEN] = {1};
  struct hf_buf out = hf_buf_init(room, sizeof room), whole = hf_buf_init(signed_room, sizeof signed_room);
  struct hf_report report = {.device = HF_LIT("sn-1"),
                             .part = HF_LIT("main"),
                             .counter = UINT64_C(3) << 32,
                             .time = 1790000000,
                             .attack = HF_RULE_TUF_ROLLBACK,
                             .component_count = 1,
                             .secondary_count = 1,
                             .secondary = {HF_LIT("0123456789abcdef")}};
  report.component[0] = (struct hf_checkin_component){.name = HF_LIT("main"), .version = HF_LIT("1.2.0+7")};
  assert_int_equal(hf_report_encode(&out, &report), HF_OK);
  write_seed("report", "manifest", hf_buf_bytes(&out));
  hf_report_put_signed(&whole, key, hf_buf_bytes(&out), HF_LIT("signature"));
  write_seed("report", "signed", hf_buf_bytes(&whole));
}

static void checkin_seeds(void)
{
  uint8_t room[HF_CHECKIN_MAX];
  struct hf_checkin checkin = {.boot = 3,
                               .number = 1,
                               .product = HF_LIT("thermostat"),
                               .hardware = HF_LIT("thermo-a"),
                               .component_count = 1,
                               .time = 1000};
  checkin.component[0] = (struct hf_checkin_component){.name = HF_LIT("main"), .version = HF_LIT("1.0.0")};
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_buf_put_u8(&out, 0);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  write_seed("checkin", "idle", hf_buf_bytes(&out));

  checkin.component_count = 2;
  checkin.component[1] = (struct hf_checkin_component){.name = HF_LIT("radio"), .version = HF_LIT("3.1.0+7")};
  checkin.update = (struct hf_checkin_update){HF_UPDATE_REFUSED, HF_LIT("1.2.0"), 50, HF_RULE_UPTANE_HASH};
  checkin.has_acted = true;
  checkin.acted = 4;
  checkin.event_count = 2;
  checkin.event[0] = (struct hf_checkin_event){7, HF_EVENT_BOOT, 990, 0, HF_LIT("")};
  checkin.event[1] = (struct hf_checkin_event){8, HF_EVENT_REFUSED, 995, HF_RULE_UPTANE_HASH, HF_LIT("1.2.0")};
  checkin.attribute_count = 2;
  checkin.attribute[0] = (struct hf_checkin_attribute){HF_LIT("site"), HF_LIT("K\xc3\xb6ln")};
  checkin.attribute[1] = (struct hf_checkin_attribute){HF_LIT("floor"), HF_LIT("")};
  checkin.storage = HF_KEY_STORAGE_FILE;
  checkin.postponed_until = 2000;
  out = hf_buf_init(room, sizeof room);
  hf_buf_put_u8(&out, 0);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  write_seed("checkin", "full", hf_buf_bytes(&out));

  struct hf_checkin_answer answer = {.time = 1790000000,
                                     .next_s = 1800,
                                     .director = 4,
                                     .has_events_to = true,
                                     .events_to = 8,
                                     .attributes_stored = true,
                                     .deadline = 1790086400,
                                     .renew = true,
                                     .keyset = 3,
                                     .timesig = {1790000000, HF_LIT("0123456789")}};
  out = hf_buf_init(room, sizeof room);
  hf_buf_put_u8(&out, 1);
  assert_int_equal(hf_checkin_answer_encode(&out, &answer), HF_OK);
  write_seed("checkin", "answer", hf_buf_bytes(&out));
}

int main(int argc, char **argv)
{
  if (argc != 2) {
    fprintf(stderr, "usage: wire_seeds CORPUS-FOLDER\n");
    return 2;
  }
  folder = argv[1];
  image_seeds();
  keyset_seed();
  takeover_seed();
  metadata_seeds();
  checkin_seeds();
  report_seeds();
  return 0;
}
