/* SPDX-License-Identifier: Apache-2.0
 * Signing what a simulated server serves.
 */
#include "ports/sim/simrepo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/wire/pubkey.h"

enum { DAY = 86400, YEAR = 365 * DAY, FILE_CAP = 16384 };

static void must(enum hf_err err, const char *what)
{
  if (err != HF_OK) {
    fprintf(stderr, "simrepo: %s: %s\n", what, hf_err_name(err));
    exit(1);
  }
}

static struct hf_bytes keep(struct simrepo *repo, struct hf_bytes bytes)
{
  uint8_t *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
  if (copy == NULL || repo->blobs == SIMREPO_BLOBS_MAX) {
    fputs("simrepo: no room\n", stderr);
    exit(1);
  }
  memcpy(copy, bytes.at, bytes.len);
  repo->blob[repo->blobs++] = copy;
  return hf_bytes_init(copy, bytes.len);
}

static enum hf_err sign_message(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

static enum hf_err sign_digest(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

static struct hf_pubkey public_of(const struct hf_key *key)
{
  struct hf_pubkey pub;
  must(hf_key_public(&pub, key), "public key");
  return pub;
}

/* `second` may be NULL. */
static struct hf_bytes sign_file(struct simrepo *repo, struct hf_bytes body, struct hf_key *key, struct hf_key *second)
{
  uint8_t *room = malloc((size_t)2 * FILE_CAP);
  if (room == NULL) {
    exit(1);
  }
  struct hf_buf out = hf_buf_init(room, FILE_CAP);
  struct hf_tufwrite_signer signers[2] = {{.pub = public_of(key), .sign = sign_message, .ctx = key}};
  if (second != NULL) {
    signers[1] = (struct hf_tufwrite_signer){.pub = public_of(second), .sign = sign_message, .ctx = second};
  }
  must(hf_tufwrite_sign_file(&out, hf_buf_init(room + FILE_CAP, FILE_CAP), body, signers, second != NULL ? 2 : 1),
       "sign a file");
  struct hf_bytes file = keep(repo, hf_buf_bytes(&out));
  free(room);
  return file;
}

/* A root before it is signed: keys in the order in which roles name them. */
struct making {
  struct hf_pubkey key[8];
  struct hf_tufwrite_root root;
};

/* `second` NULL: one key, threshold one. */
static struct hf_tuf_signers add_keys(struct making *making, const struct hf_key *key, const struct hf_key *second)
{
  size_t at = making->root.key_count++;
  struct hf_tuf_signers signers = {(uint16_t)(1u << at), 1};
  making->key[at] = public_of(key);
  if (second != NULL) {
    making->key[making->root.key_count++] = public_of(second);
    signers = (struct hf_tuf_signers){(uint16_t)(3u << at), 2};
  }
  return signers;
}

static struct hf_bytes sign_root(struct simrepo *repo, struct making *making, uint32_t version, int64_t now)
{
  uint8_t room[8192];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  making->root.version = version;
  making->root.expires = now + 10 * (int64_t)YEAR;
  making->root.consistent_snapshot = true;
  making->root.keys = making->key;
  must(hf_tufwrite_put_root(&body, &making->root), "root");
  return sign_file(repo, hf_buf_bytes(&body), repo->root, repo->root2);
}

static struct hf_bytes make_image_root(struct simrepo *repo, int64_t now)
{
  struct making making = {.root.key_count = 0};
  struct hf_tuf_signers *role = making.root.role;
  role[HF_TUF_ROOT] = add_keys(&making, repo->root, repo->root2);
  role[HF_TUF_TIMESTAMP] = role[HF_TUF_SNAPSHOT] = add_keys(&making, repo->online, NULL);
  role[HF_TUF_TARGETS] = add_keys(&making, repo->targets, repo->targets2);
  if (repo->timestamp != NULL) {
    role[HF_TUF_TIMESTAMP] = add_keys(&making, repo->timestamp, NULL);
  }
  return sign_root(repo, &making, repo->root_version, now);
}

static struct hf_bytes make_director_root(struct simrepo *repo, int64_t now)
{
  struct making making = {.root.key_count = 0};
  struct hf_tuf_signers *role = making.root.role;
  role[HF_TUF_ROOT] = add_keys(&making, repo->root, repo->root2);
  role[HF_TUF_TIMESTAMP] = role[HF_TUF_SNAPSHOT] = role[HF_TUF_TARGETS] = add_keys(&making, repo->director, NULL);
  return sign_root(repo, &making, repo->director_root_version, now);
}

static void init(struct simrepo *repo, int64_t now, bool pairs)
{
  *repo = (struct simrepo){.root_version = 1, .director_root_version = 1};
  struct hf_key **keys[] = {&repo->root,     &repo->targets, &repo->online,   &repo->director, &repo->image,
                            &repo->stranger, &repo->root2,   &repo->targets2, &repo->timestamp};
  for (size_t i = 0; i < (pairs ? 9 : 6); i++) {
    must(hf_key_new(keys[i], HF_KEY_P256), "new key");
  }
  repo->now = now;
  repo->image_pub = public_of(repo->image);
  repo->image_keys = (struct hf_image_keys){.key = &repo->image_pub, .count = 1};
  repo->image_root = make_image_root(repo, now);
  repo->director_root = make_director_root(repo, now);
}

void simrepo_init(struct simrepo *repo, int64_t now) { init(repo, now, false); }

void simrepo_init_pairs(struct simrepo *repo, int64_t now) { init(repo, now, true); }

void simrepo_free(struct simrepo *repo)
{
  struct hf_key *keys[] = {repo->root,     repo->targets, repo->online,   repo->director, repo->image,
                           repo->stranger, repo->root2,   repo->targets2, repo->timestamp};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    hf_key_free(keys[i]);
  }
  for (size_t i = 0; i < repo->blobs; i++) {
    free(repo->blob[i]);
  }
  *repo = (struct simrepo){0};
}

static struct hf_bytes component_of(const struct simrepo_image *image)
{
  return hf_bytes_text(image->component != NULL ? image->component : SIMREPO_COMPONENT);
}

int simrepo_add(struct simrepo *repo, struct simrepo_image image)
{
  struct simrepo_image *slot = &repo->images[repo->count];
  *slot = image;
  struct hf_image_build build = {.has_counter = true,
                                 .counter = image.counter,
                                 .product = HF_LIT(SIMREPO_PRODUCT),
                                 .component = component_of(&image),
                                 .hardware_count = 1};
  struct hf_pubkey device;
  if (image.seal_for != NULL) {
    device = public_of(image.seal_for);
    build.encrypt_for = &device;
  }
  build.hardware[0] = hf_bytes_text(image.hardware != NULL ? image.hardware : SIMREPO_HARDWARE);
  must(hf_version_parse(&build.version, hf_bytes_text(image.version), NULL), "version");
  size_t cap = image.payload_len + HF_IMAGE_OVERHEAD_MAX;
  uint8_t *room = malloc(cap + image.payload_len);
  if (room == NULL) {
    exit(1);
  }
  uint8_t *payload = room + cap;
  uint32_t x = image.counter * 2654435761u + build.version.minor;
  for (uint32_t i = 0; i < image.payload_len; i++) {
    x = x * 1664525u + 1013904223u;
    payload[i] = (uint8_t)(x >> 24);
  }
  struct hf_key *key = image.unsigned_key ? repo->stranger : repo->image;
  const struct hf_image_signer signer = {.pub = public_of(key), .sign = sign_digest, .ctx = key};
  struct hf_buf out = hf_buf_init(room, cap);
  must(hf_image_sign(&out, &build, hf_bytes_init(payload, image.payload_len), &signer), "sign an image");
  slot->file = keep(repo, hf_buf_bytes(&out));
  slot->plain = slot->file;
  if (image.seal_for != NULL) {
    memcpy(room + HF_IMAGE_HEADER_LEN, payload, image.payload_len);
    slot->plain = keep(repo, hf_buf_bytes(&out));
  }
  free(room);
  struct hf_image_source source = hf_image_source_init(&slot->file);
  must(hf_image_parse(&slot->info, &source, NULL), "parse an image");
  hf_sha256(slot->sha256, slot->file);
  return repo->count++;
}

static uint32_t told_counter(const struct simrepo_image *image)
{
  return image->told_counter != 0 ? image->told_counter : image->counter;
}

static struct hf_target_file target_file(const struct simrepo_image *image, struct hf_bytes path)
{
  struct hf_target_file file = {.path = path, .length = (uint32_t)image->file.len};
  memcpy(file.sha256, image->sha256, HF_SHA256_LEN);
  return file;
}

static struct hf_bytes put_path(struct hf_buf *out, const struct simrepo_image *image)
{
  size_t start = out->len;
  hf_target_put_path(out, HF_LIT(SIMREPO_PRODUCT), &image->info.version, component_of(image));
  return hf_bytes_init(out->at + start, out->len - start);
}

static struct hf_bytes image_value(struct hf_buf *out, const struct simrepo_image *image, struct hf_bytes path)
{
  struct hf_target target = {.product = HF_LIT(SIMREPO_PRODUCT),
                             .component = component_of(image),
                             .version = image->info.version,
                             .from = hf_bytes_text(image->from != NULL ? image->from : "*"),
                             .counter = told_counter(image),
                             .security = image->security,
                             .hardware_count = 1};
  target.hardware[0] = hf_bytes_text(image->hardware != NULL ? image->hardware : SIMREPO_HARDWARE);
  memcpy(target.image, image->info.digest, HF_SHA256_LEN);
  if (image->requires != NULL) {
    bool is_radio = image->component != NULL;
    target.requires[target.requires_count++] = (struct hf_target_require){
        hf_bytes_text(is_radio ? SIMREPO_COMPONENT : SIMREPO_RADIO), hf_bytes_text(image->requires)};
  }
  struct hf_target_file file = target_file(image, path);
  size_t start = out->len;
  hf_target_put(out, &target, &file);
  return hf_bytes_init(out->at + start, out->len - start);
}

static int by_path(const void *a, const void *b)
{
  return hf_bytes_order(((const struct hf_tufwrite_entry *)a)->path, ((const struct hf_tufwrite_entry *)b)->path);
}

static void serve(struct simworld *world, const char *folder, const char *name, uint32_t version, struct hf_bytes file)
{
  char path[HF_HTTP_PATH_MAX];
  if (version == 0) {
    snprintf(path, sizeof path, "%s%s.json", folder, name);
  } else {
    snprintf(path, sizeof path, "%s%u.%s.json", folder, version, name);
  }
  simworld_put(world, path, file);
}

/* What a repository serves beside its targets. */
struct online_files {
  const char *folder;
  struct hf_key *key;
  struct hf_key *timestamp; /* NULL: `key` */
  uint32_t version;
  int64_t expires;
  uint32_t targets_version;
};

static void serve_online(struct simrepo *repo, struct simworld *world, const struct online_files *files,
                         struct hf_bytes targets)
{
  uint8_t room[2048];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  must(hf_tufwrite_put_snapshot(&body, files->version, files->expires, files->targets_version, targets), "snapshot");
  struct hf_bytes snapshot = sign_file(repo, hf_buf_bytes(&body), files->key, NULL);
  body = hf_buf_init(room, sizeof room);
  must(hf_tufwrite_put_timestamp(&body, files->version, files->expires, files->version, snapshot), "timestamp");
  serve(world, files->folder, "targets", files->targets_version, targets);
  serve(world, files->folder, "snapshot", files->version, snapshot);
  struct hf_key *timestamp = files->timestamp != NULL ? files->timestamp : files->key;
  serve(world, files->folder, "timestamp", 0, sign_file(repo, hf_buf_bytes(&body), timestamp, NULL));
}

static void serve_image(struct simworld *world, const struct simrepo_image *image, struct hf_bytes path)
{
  char url[HF_HTTP_PATH_MAX];
  struct hf_buf out = hf_buf_init(url, sizeof url);
  hf_buf_put_text(&out, "/repo/targets/");
  hf_target_put_url(&out, path, image->sha256, true);
  must(hf_buf_terminate(&out), "url");
  simworld_put(world, url, image->file);
}

void simrepo_publish(struct simrepo *repo, struct simworld *world, int64_t now)
{
  uint8_t *room = malloc((size_t)2 * FILE_CAP);
  if (room == NULL) {
    exit(1);
  }
  struct hf_buf text = hf_buf_init(room, FILE_CAP);
  struct hf_tufwrite_entry entries[SIMREPO_IMAGES_MAX];
  for (int i = 0; i < repo->count; i++) {
    entries[i].path = put_path(&text, &repo->images[i]);
    entries[i].value = image_value(&text, &repo->images[i], entries[i].path);
    serve_image(world, &repo->images[i], entries[i].path);
  }
  qsort(entries, (size_t)repo->count, sizeof entries[0], by_path);
  int64_t offline = repo->offline_expires != 0 ? repo->offline_expires : now + YEAR;
  int64_t online = repo->online_expires != 0 ? repo->online_expires : now + DAY;
  repo->image_version++;
  struct hf_buf body = hf_buf_init(room + FILE_CAP, FILE_CAP);
  must(hf_tufwrite_put_targets(&body, repo->image_version, offline, entries, (size_t)repo->count), "targets");
  struct hf_bytes targets = sign_file(repo, hf_buf_bytes(&body), repo->targets, repo->targets2);
  free(room);
  const struct online_files files = {"/repo/metadata/",   repo->online, repo->timestamp,
                                     repo->image_version, online,       repo->image_version};
  serve_online(repo, world, &files, targets);
  serve(world, "/repo/metadata/", "root", 1, repo->image_root);
  serve(world, "/director/", "root", 1, repo->director_root);
}

void simrepo_resign(struct simrepo *repo, struct simworld *world, struct hf_bytes targets, uint32_t targets_version)
{
  int64_t expires = repo->online_expires != 0 ? repo->online_expires : repo->now + DAY;
  const struct online_files files = {"/repo/metadata/",   repo->online, repo->timestamp,
                                     repo->image_version, expires,      targets_version};
  serve_online(repo, world, &files, targets);
}

static struct hf_tufwrite_entry order_entry(struct hf_buf *text, const struct simrepo_image *wanted,
                                            struct hf_bytes device, uint32_t place)
{
  struct hf_tufwrite_entry entry = {.path = put_path(text, wanted)};
  const struct hf_target_order order = {
      .component = component_of(wanted),
      .device = device,
      .hardware = hf_bytes_text(wanted->hardware != NULL ? wanted->hardware : SIMREPO_HARDWARE),
      .counter = told_counter(wanted),
      .order = place};
  struct hf_target_file file = target_file(wanted, entry.path);
  size_t start = text->len;
  hf_target_order_put(text, &order, &file);
  entry.value = hf_bytes_init(text->at + start, text->len - start);
  return entry;
}

static void serve_order(struct simrepo *repo, struct simworld *world, const struct hf_tufwrite_director *director,
                        int64_t now)
{
  uint8_t room[8192];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  repo->director_version++;
  must(hf_tufwrite_put_director_timed(&body, repo->director_version, now + (int64_t)7 * DAY, director),
       "director targets");
  struct hf_bytes targets = sign_file(repo, hf_buf_bytes(&body), repo->director, NULL);
  int64_t expires = now + (int64_t)7 * DAY;
  uint32_t version = repo->director_version;
  const struct online_files files = {"/director/", repo->director, NULL, version, expires, version};
  serve_online(repo, world, &files, targets);
}

void simrepo_order(struct simrepo *repo, struct simworld *world, int image, const char *device, int64_t now)
{
  uint8_t text_room[1024];
  struct hf_buf text = hf_buf_init(text_room, sizeof text_room);
  struct hf_bytes id = hf_bytes_text(device != NULL ? device : SIMREPO_DEVICE);
  struct hf_tufwrite_entry entry = {0};
  if (image != SIMREPO_NOTHING) {
    entry = order_entry(&text, &repo->images[image], id, 0);
  }
  const struct hf_tufwrite_director director = {
      .device = id, .entries = &entry, .count = image == SIMREPO_NOTHING ? 0 : 1};
  serve_order(repo, world, &director, now);
}

void simrepo_order_set(struct simrepo *repo, struct simworld *world, const int *images, size_t count,
                       const struct hf_pubkey *time)
{
  uint8_t text_room[4096];
  struct hf_buf text = hf_buf_init(text_room, sizeof text_room);
  struct hf_tufwrite_entry entries[4];
  for (size_t i = 0; i < count; i++) {
    entries[i] = order_entry(&text, &repo->images[images[i]], HF_LIT(SIMREPO_DEVICE), (uint32_t)i);
  }
  qsort(entries, count, sizeof entries[0], by_path);
  const struct hf_tufwrite_director director = {
      .device = HF_LIT(SIMREPO_DEVICE), .entries = entries, .count = count, .time = time};
  serve_order(repo, world, &director, repo->now);
}

void simrepo_rotate(struct simrepo *repo, struct simworld *world, int64_t now)
{
  hf_key_free(repo->online);
  must(hf_key_new(&repo->online, HF_KEY_P256), "new key");
  repo->root_version++;
  struct hf_bytes root = make_image_root(repo, now);
  serve(world, "/repo/metadata/", "root", repo->root_version, root);
}

void simrepo_rotate_director(struct simrepo *repo, struct simworld *world, int64_t now)
{
  hf_key_free(repo->director);
  must(hf_key_new(&repo->director, HF_KEY_P256), "new key");
  repo->director_root_version++;
  struct hf_bytes root = make_director_root(repo, now);
  serve(world, "/director/", "root", repo->director_root_version, root);
}
