/* SPDX-License-Identifier: Apache-2.0
 * The stage that attacks happen on, and the rows that come of them.
 */
#include "attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/base/why.h"
#include "hf/wire/pubkey.h"

enum { RULES_MAX = 8, ROWS_MAX = 64, DAY = 86400 };

struct simrepo repo;
struct simdevice device;
struct hf_key *device_key;

static struct simrepo thief;
static struct hf_key *thief_key[8]; /* whatever he did not steal, he signs with one of these */
static unsigned stolen;
static bool rotated; /* his online keys are of his own making */
static struct simworld recorded;
static int running[2];

/* ---- rows ---- */

static struct seen {
  uint16_t rule[RULES_MAX];
  size_t rules;
  char runs[64];
} seen;

static struct {
  const struct attack *attack;
  struct seen seen;
} row[ROWS_MAX];
static size_t rows;

void attack_note(uint16_t rule)
{
  for (size_t i = 0; i < seen.rules; i++) {
    if (seen.rule[i] == rule) {
      return;
    }
  }
  assert_true(seen.rules < RULES_MAX);
  seen.rule[seen.rules++] = rule;
}

/* cmocka leaves a failed test by longjmp: what comes after the call happens to those that passed. */
static void run_attack(void **state)
{
  const struct attack *attack = *state;
  seen = (struct seen){.rules = 0};
  attack->run(state);
  row[rows].attack = attack;
  row[rows++].seen = seen;
}

static void write_row(FILE *out, const char *source, const struct attack *attack, const struct seen *was)
{
  static const char *const outcomes[] = {"holds", "noticed", "falls"};
  (void)fprintf(out, "%s\t%s\t%s\t", attack->kind, attack->keys, outcomes[attack->outcome]);
  for (size_t i = 0; i < was->rules; i++) {
    (void)fprintf(out, "%s%s", i == 0 ? "" : " ", hf_rule_words(was->rule[i])->name);
  }
  (void)fprintf(out, "\t%s\t%s\t%s\t%s\n", was->runs, attack->why, source, attack->name);
}

static int write_rows(const char *path, const char *source)
{
  FILE *out = fopen(path, "w");
  if (out == NULL) {
    perror(path);
    return 1;
  }
  for (size_t i = 0; i < rows; i++) {
    write_row(out, source, row[i].attack, &row[i].seen);
  }
  return fclose(out) == 0 ? 0 : 1;
}

/* ---- the stage ---- */

static enum hf_err sign(void *ctx, struct hf_buf *sig, uint8_t hash[HF_SHA256_LEN], const uint8_t digest[HF_SHA256_LEN])
{
  struct hf_pubkey pub;
  enum hf_err err = hf_key_public(&pub, ctx);
  hf_pubkey_hash(hash, &pub);
  return err == HF_OK ? hf_key_sign_digest(sig, ctx, digest) : err;
}

static void add_images(void)
{
  static const struct simrepo_image images[] = {
      [MAIN10] = {.version = "1.0.0", .counter = 2, .payload_len = 3000},
      [MAIN11] = {.version = "1.1.0", .counter = 2, .payload_len = 3500},
      [MAIN12] = {.version = "1.2.0", .counter = 3, .payload_len = 4500, .requires = ">=1.1 <1.2"},
      [MAIN09] = {.version = "0.9.0", .counter = 1, .payload_len = 900},
      [OTHER_BOARD] = {.version = "1.3.0", .counter = 3, .payload_len = 900, .hardware = "thermo-b"},
      [RADIO10] = {.version = "1.0.0", .counter = 5, .payload_len = 2000, .component = SIMREPO_RADIO},
      [RADIO11] = {.version = "1.1.0", .counter = 6, .payload_len = 2500, .component = SIMREPO_RADIO},
      [RADIO12] = {.version = "1.2.0", .counter = 6, .payload_len = 2600, .component = SIMREPO_RADIO}};
  for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
    assert_int_equal(simrepo_add(&repo, images[i]), (int)i);
  }
}

static int begin(void **state)
{
  (void)state;
  stolen = 0;
  running[0] = MAIN10;
  running[1] = RADIO10;
  simrepo_init_pairs(&repo, SIMDEVICE_NOW);
  add_images();
  assert_int_equal(hf_key_new(&device_key, HF_KEY_P256), HF_OK);
  simdevice_init_two(&device, &repo, MAIN10, RADIO10, 8);
  device.config.sign = sign;
  device.config.sign_ctx = device_key;
  attack_publish(&repo);
  attack_order(&repo, NULL, 0);
  assert_true(simdevice_boot(&device, HF_RESET_POWER));
  attack_step(1);
  return 0;
}

static void thief_leaves(void)
{
  for (size_t i = 0; i < thief.blobs; i++) {
    free(thief.blob[i]);
  }
  if (rotated) {
    hf_key_free(thief.online);
    hf_key_free(thief.director);
  }
  rotated = false;
  for (size_t i = 0; i < sizeof thief_key / sizeof thief_key[0]; i++) {
    hf_key_free(thief_key[i]);
    thief_key[i] = NULL;
  }
  thief = (struct simrepo){0};
}

static int end(void **state)
{
  (void)state;
  const char *broken = device.broken;
  uint32_t breaches = device.flash.breaches;
  thief_leaves();
  simdevice_free(&device);
  simrepo_free(&repo);
  hf_key_free(device_key);
  if (broken != NULL) {
    print_error("the device: %s\n", broken);
  }
  return broken == NULL && breaches == 0 ? 0 : -1;
}

int attack_main(int argc, char **argv, const char *source, const struct attack *attacks, size_t count)
{
  struct CMUnitTest tests[ROWS_MAX];
  if (argc != 2 || count > ROWS_MAX) {
    (void)fprintf(stderr, "usage: %s FILE\n", argv[0]);
    return 2;
  }
  (void)remove(argv[1]);
  for (size_t i = 0; i < count; i++) {
    tests[i] = (struct CMUnitTest){attacks[i].name, run_attack, begin, end, (void *)(uintptr_t)&attacks[i]};
  }
  int failed = _cmocka_run_group_tests(source, tests, count, NULL, NULL);
  return failed != 0 || rows != count ? 1 : write_rows(argv[1], source);
}

/* ---- the attacker ---- */

struct simrepo *attack_steal(unsigned keys)
{
  assert_null(thief_key[0]);
  stolen = keys;
  thief = repo;
  thief.blobs = 0;
  const struct {
    unsigned key;
    struct hf_key **at;
  } lacks[] = {{STOLEN_DIRECTOR, &thief.director}, {STOLEN_TIMESTAMP, &thief.timestamp},
               {STOLEN_SNAPSHOT, &thief.online},   {STOLEN_TARGETS, &thief.targets},
               {STOLEN_TARGETS2, &thief.targets2}, {STOLEN_ROOT, &thief.root},
               {STOLEN_ROOT2, &thief.root2},       {STOLEN_IMAGE, &thief.image}};
  for (size_t i = 0; i < sizeof lacks / sizeof lacks[0]; i++) {
    assert_int_equal(hf_key_new(&thief_key[i], HF_KEY_P256), HF_OK);
    if ((keys & lacks[i].key) == 0) {
      *lacks[i].at = thief_key[i];
    }
  }
  return &thief;
}

int attack_image(struct simrepo *from, const char *component)
{
  struct simrepo_image evil = {.version = "6.6.6", .counter = 66, .payload_len = 5000, .component = component};
  return simrepo_add(from, evil);
}

void attack_publish(struct simrepo *from) { simrepo_publish(from, &device.world, SIMDEVICE_NOW); }

void attack_order(struct simrepo *from, const int *images, size_t count)
{
  simrepo_order_set(from, &device.world, images, count, NULL);
  device.server.answer.director = from->director_version;
}

void attack_rotate(struct simrepo *from)
{
  from->online = NULL; /* lent; what takes its place is his */
  from->director = NULL;
  rotated = true;
  simrepo_rotate(from, &device.world, SIMDEVICE_NOW);
  simrepo_rotate_director(from, &device.world, SIMDEVICE_NOW);
}

void attack_swap(int wanted, struct hf_bytes served)
{
  for (size_t i = 0; i < device.world.count; i++) {
    if (device.world.file[i].body.at == repo.images[wanted].file.at) {
      device.world.file[i].body = served;
      return;
    }
  }
  fail_msg("image %d is not served", wanted);
}

struct hf_bytes attack_file(const char *path)
{
  for (size_t i = 0; i < device.world.count; i++) {
    if (strcmp(device.world.file[i].path, path) == 0) {
      return device.world.file[i].body;
    }
  }
  fail_msg("%s is not served", path);
  return (struct hf_bytes){0};
}

void attack_record(void) { recorded = device.world; }

void attack_replay(void)
{
  memcpy(device.world.file, recorded.file, sizeof recorded.file);
  device.world.count = recorded.count;
}

/* Is this image whole in the slot that runs? */
static void assert_image(uint8_t component, int image)
{
  uint8_t slot = device.choice.slot[component];
  assert_true(slot < HF_SLOTS);
  struct hf_bytes file = repo.images[image].file;
  assert_memory_equal(device.flash.at + device.layout.slot[component][slot].start, file.at, file.len);
}

/* The owner orders the new set. */
static void update(void)
{
  attack_order(&repo, (const int[]){RADIO11, MAIN12}, 2);
  assert_true(simdevice_settle(&device, MAIN12, 60));
  device.server.answer.director = 0;
  attack_step(2);
  assert_image(0, MAIN12);
  assert_image(1, RADIO11);
}

void attack_update(void)
{
  update();
  running[0] = MAIN12;
  running[1] = RADIO11;
}

void attack_step(int count)
{
  struct hf_agent_next next;
  for (int i = 0; i < count; i++) {
    assert_true(simdevice_step(&device, &next));
  }
}

void attack_days(int days)
{
  for (int i = 0; i < days; i++) {
    device.server.answer.time += DAY;
    simworld_set_uptime(hf_port_uptime_ms() + (uint64_t)DAY * 1000);
    attack_step(2);
  }
}

/* ---- what came of it ---- */

bool attack_told(uint16_t kind, uint16_t rule)
{
  for (uint32_t i = 0; i < device.server.events; i++) {
    if (device.server.event[i].kind == kind && device.server.event[i].rule == rule) {
      return true;
    }
  }
  return false;
}

void attack_runs(int main_image, int radio_image)
{
  for (int power = 0; power < 2; power++) {
    assert_image(0, main_image);
    assert_image(1, radio_image);
    struct hf_bootstate boot;
    assert_int_equal(hf_bootstate_get(&boot, &device.layout.boot), HF_OK);
    for (uint8_t i = 0; i < 2; i++) {
      enum hf_slot_status other = boot.image[i].slot[1 - device.choice.slot[i]].status;
      assert_true(other != HF_SLOT_STAGED && other != HF_SLOT_TRYING);
    }
    assert_true(simdevice_boot(&device, HF_RESET_POWER));
    attack_step(1);
  }
  assert_null(device.broken);
  assert_string_equal(device.server.version, repo.images[main_image].version);
  assert_string_equal(device.server.second, repo.images[radio_image].version);
  (void)snprintf(seen.runs, sizeof seen.runs, "main %s, radio %s", device.server.version, device.server.second);
}

void attack_refused(uint16_t rule)
{
  attack_step(3);
  assert_int_equal(device.server.rule, rule);
  assert_int_equal(device.server.state, HF_UPDATE_REFUSED);
  assert_true(attack_told(HF_EVENT_REFUSED, rule));
  attack_note(rule);
  attack_runs(running[0], running[1]);
}

static uint32_t above(uint32_t ours, uint32_t theirs) { return ours > theirs ? ours : theirs; }

static void replace(struct hf_key **key)
{
  hf_key_free(*key);
  assert_int_equal(hf_key_new(key, HF_KEY_P256), HF_OK);
}

void attack_recovers(void)
{
  device.world.fault = SIMWORLD_GOOD;
  if (thief_key[0] != NULL) { /* whatever numbers he used up */
    repo.image_version = above(repo.image_version, thief.image_version);
    repo.director_version = above(repo.director_version, thief.director_version);
  }
  if (stolen & (STOLEN_TARGETS | STOLEN_TARGETS2)) {
    replace(&repo.targets);
    replace(&repo.targets2);
  }
  if (stolen & STOLEN_TIMESTAMP) {
    replace(&repo.timestamp);
  }
  if (stolen & (STOLEN_TIMESTAMP | STOLEN_SNAPSHOT | STOLEN_TARGETS | STOLEN_TARGETS2)) {
    simrepo_rotate(&repo, &device.world, SIMDEVICE_NOW);
  }
  if (stolen & STOLEN_DIRECTOR) {
    simrepo_rotate_director(&repo, &device.world, SIMDEVICE_NOW);
  }
  repo.now = device.server.answer.time;
  simrepo_publish(&repo, &device.world, repo.now);
  update();
}
