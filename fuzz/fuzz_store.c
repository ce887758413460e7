/* SPDX-License-Identifier: Apache-2.0
 * links: hf_sim
 * A flash with anything on it: store and boot records open or refuse, never leave the area, and the store works on.
 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/device/bootstate.h"
#include "hf/device/store.h"
#include "ports/sim/simflash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SECTOR = 512, SIZE = 4 * SECTOR };

static void use_store(const struct hf_area *area)
{
  static uint8_t room[HF_STORE_VALUE_MAX];
  struct hf_store store;
  if (hf_store_open(&store, area) != HF_OK) {
    return;
  }
  for (uint16_t i = 0; i < store.count; i++) {
    struct hf_buf out = hf_buf_init(room, sizeof room);
    enum hf_err err = hf_store_get(&out, &store, store.index[i].key);
    HF_ASSERT(err == HF_OK ? out.len == store.index[i].len : out.len == 0);
  }
  enum hf_err err = hf_store_put(&store, 700, HF_LIT("a value that was not there"));
  HF_ASSERT(err == HF_OK || err == HF_E_FULL);
  uint16_t count = store.count;
  HF_ASSERT(hf_store_open(&store, area) == HF_OK && store.count == count);
  struct hf_buf out = hf_buf_init(room, sizeof room);
  enum hf_err got = hf_store_get(&out, &store, 700);
  HF_ASSERT(err != HF_OK || (got == HF_OK && hf_bytes_is(hf_buf_bytes(&out), "a value that was not there")));
}

static void use_bootstate(const struct hf_area *area)
{
  struct hf_bootstate state;
  enum hf_err err = hf_bootstate_get(&state, area);
  if (err == HF_E_VERSION) {
    return;
  }
  state.images = err == HF_OK ? state.images : 2;
  HF_ASSERT(err == HF_OK || err == HF_E_NOT_FOUND || err == HF_E_DENIED);
  state.image[0].counter = 77;
  /* A record with the highest number there is leaves none to count up to. */
  if (hf_bootstate_put(&state, area) == HF_OK) {
    HF_ASSERT(hf_bootstate_get(&state, area) == HF_OK && state.image[0].counter == 77);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const uint32_t aligns[4] = {1, 4, 8, 16};
  if (size < 1) {
    return 0;
  }
  for (int use = 0; use < 2; use++) {
    struct simflash flash;
    simflash_init(&flash, SIZE, SECTOR, aligns[data[0] % 4], data[0] & 4 ? 0x00 : 0xff);
    size_t len = size - 1 < SIZE ? size - 1 : SIZE;
    memcpy(flash.at, data + 1, len);
    for (uint32_t i = 0; i < SIZE; i++) {
      flash.written[i / flash.align] |= (uint8_t)(flash.at[i] != flash.erased);
    }
    struct hf_area area = simflash_area(&flash, 0, SIZE);
    if (use == 0) {
      use_store(&area);
    } else {
      use_bootstate(&area);
    }
    HF_ASSERT(flash.breaches == 0);
    simflash_free(&flash);
  }
  return 0;
}
