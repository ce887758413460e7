/* SPDX-License-Identifier: Apache-2.0
 * A whole device in each boot mode, from the server's order to the confirmed image: agent, update client, boot loader;
 * plain images and encrypted ones. And power cut at operations all through such a life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "hf/crypto/cipher.h"
#include "ports/sim/simdevice.h"

enum { V10, V11, V12, V13, S11, S12, S13, ELSEWHERE, STEPS = 80 };

static struct simrepo repo;
static struct hf_key *opening, *elsewhere;
static struct hf_seal_key seal_key;
static const struct hf_seal_box box = {&hf_seal_p256_ops, &seal_key};
static struct simworld order[8];

static const struct hf_trailer_format formats[] = {
    {.mode = HF_BOOT_DIRECT},
    {.mode = HF_BOOT_OVERWRITE, .sectors_max = 16},
    {.mode = HF_BOOT_SWAP_MOVE, .sectors_max = 16, .key_len = 16},
    {.mode = HF_BOOT_SWAP_OFFSET, .sectors_max = 16, .key_len = 16},
};

static enum hf_err agree(void *ctx, uint8_t secret[32], const uint8_t point[HF_P256_PUBLIC_LEN])
{
  return hf_key_agree(secret, ctx, point);
}

static int publish(void **state)
{
  (void)state;
  static const char *const versions[] = {"1.0.0", "1.1.0", "1.2.0", "1.3.0", "2.1.0", "2.2.0", "2.3.0", "2.4.0"};
  static const uint32_t lens[] = {3000, 4100, 2777, 3333, 4100, 2777, 3333, 900};
  simrepo_init(&repo, SIMDEVICE_NOW);
  assert_int_equal(hf_key_new(&opening, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_new(&elsewhere, HF_KEY_P256), HF_OK);
  seal_key = (struct hf_seal_key){agree, opening};
  struct simworld world = {.count = 0};
  for (int i = V10; i <= ELSEWHERE; i++) {
    (void)simrepo_add(&repo, (struct simrepo_image){.version = versions[i],
                                                    .counter = i == V10 ? 1 : 2,
                                                    .payload_len = lens[i],
                                                    .seal_for = i == ELSEWHERE ? elsewhere
                                                                : i >= S11     ? opening
                                                                               : NULL});
  }
  simrepo_publish(&repo, &world, SIMDEVICE_NOW);
  for (int i = V11; i <= ELSEWHERE; i++) {
    simrepo_order(&repo, &world, i, NULL, SIMDEVICE_NOW);
    order[i] = world;
  }
  return 0;
}

static int clean(void **state)
{
  (void)state;
  hf_key_free(opening);
  hf_key_free(elsewhere);
  simrepo_free(&repo);
  return 0;
}

static void serve(struct simdevice *device, int image)
{
  memcpy(device->world.file, order[image].file, sizeof order[image].file);
  device->world.count = order[image].count;
  device->server.answer.director++;
}

static bool live(struct simdevice *device, int first)
{
  serve(device, first);
  if (!simdevice_settle(device, first, STEPS)) {
    return false;
  }
  if (device->format.mode != HF_BOOT_OVERWRITE) {
    device->sick = first + 1;
    serve(device, first + 1);
    if (!simdevice_settle(device, first + 1, STEPS)) {
      return false;
    }
    device->sick = -1;
  }
  serve(device, first + 2);
  return simdevice_settle(device, first + 2, STEPS);
}

static uint32_t live_with(size_t format, int first, uint32_t cut, enum simflash_tear tear)
{
  static struct simdevice device;
  simdevice_init(&device, &repo, V10, 8, 0xff);
  simdevice_set_mode(&device, &formats[format], &box);
  device.flash.cut_at = cut;
  device.flash.tear = tear;
  device.flash.seed = cut;
  bool ended = live(&device, first);
  if (!ended || device.broken != NULL || device.flash.breaches != 0) {
    print_message("format %zu first %d cut %u tear %d: %s, breaches %u, state %d rule %u boot rule %u\n", format, first,
                  cut, (int)tear, device.broken != NULL ? device.broken : "did not end", device.flash.breaches,
                  (int)device.server.state, device.server.rule, device.choice.why.rule);
    fail();
  }
  if (cut == 0) {
    struct hf_agent_next next;
    for (int i = 0; i < 3; i++) { /* to tell the server */
      assert_true(simdevice_step(&device, &next));
    }
    assert_string_equal(device.server.version, first == V11 ? "1.3.0" : "2.3.0");
    assert_int_equal(simdevice_image_in(&device, device.choice.slot[0]), first + 2);
    bool told = false;
    for (uint32_t i = 0; i < device.server.events; i++) {
      told = told || (device.server.event[i].kind == HF_EVENT_CONFIRMED &&
                      strcmp(device.server.event[i].subject, device.server.version) == 0);
    }
    assert_true(told);
  }
  uint32_t ops = device.flash.ops;
  simdevice_free(&device);
  return ops;
}

static void updates_from_order_to_confirmation_in_each_mode(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    (void)live_with(i, V11, 0, SIMFLASH_TEAR_NONE);
  }
}

static void installs_encrypted_images_in_each_mode(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    (void)live_with(i, S11, 0, SIMFLASH_TEAR_NONE);
  }
}

static void comes_back_from_power_cuts_in_each_mode(void **state)
{
  (void)state;
  unsigned cuts = 0;
  for (size_t i = 0; i < 4; i++) {
    for (int first = V11; first <= S11; first += S11 - V11) {
      uint32_t ops = live_with(i, first, 0, SIMFLASH_TEAR_NONE);
      for (uint32_t cut = 1 + (uint32_t)i; cut <= ops; cut += first == V11 && i == 0 ? 23 : 7) {
        (void)live_with(i, first, cut, (enum simflash_tear)(cut % SIMFLASH_TEARS));
        cuts++;
      }
    }
  }
  print_message("%u power cuts\n", cuts);
}

static void refuses_what_is_encrypted_for_others(void **state)
{
  (void)state;
  for (size_t i = 0; i < 8; i++) {
    static struct simdevice device;
    bool has_key = i < 4;
    simdevice_init(&device, &repo, V10, 8, 0xff);
    simdevice_set_mode(&device, &formats[i % 4], has_key ? &box : NULL);
    serve(&device, ELSEWHERE);
    struct hf_agent_next next;
    assert_true(simdevice_boot(&device, HF_RESET_POWER));
    for (int step = 0; step < 4; step++) {
      assert_true(simdevice_step(&device, &next));
    }
    assert_int_equal(device.server.state, HF_UPDATE_REFUSED);
    assert_int_equal(device.server.rule, has_key ? HF_RULE_SEAL_KEY : HF_RULE_SEAL_NO_KEY);
    assert_string_equal(device.server.version, "1.0.0");
    assert_null(device.broken);
    simdevice_free(&device);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(updates_from_order_to_confirmation_in_each_mode),
      cmocka_unit_test(installs_encrypted_images_in_each_mode),
      cmocka_unit_test(comes_back_from_power_cuts_in_each_mode),
      cmocka_unit_test(refuses_what_is_encrypted_for_others),
  };
  return cmocka_run_group_tests(tests, publish, clean);
}
