/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/keychest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum hf_err owners_get(struct hf_keychest *chest, int folder, const struct hf_deviceconf *conf,
                              struct hf_trouble *trouble)
{
  if (conf->keys == 0 || (faccessat(folder, HF_KEYCHEST_OWNERS, F_OK, 0) != 0 && errno == ENOENT)) {
    return HF_OK;
  }
  enum hf_err err = hf_imagekeys_get_from(&chest->owners, folder, HF_KEYCHEST_OWNERS, trouble);
  if (err != HF_OK) {
    return err;
  }
  if (chest->owners.keys.count > HF_KEYSET_OWNERS_MAX || chest->owners.keys.count < conf->owners_needed) {
    hf_trouble_put(trouble, HF_KEYCHEST_OWNERS, "one to four owners, and no more needed than there are",
                   "%zu owners, and %u of them must sign a key set", chest->owners.keys.count, conf->owners_needed);
    return HF_E_INPUT;
  }
  return HF_OK;
}

enum hf_err hf_keychest_open(struct hf_keychest *chest, int folder, const struct hf_deviceconf *conf,
                             struct hf_flashfile *flash, struct hf_trouble *trouble)
{
  memset(chest, 0, sizeof *chest);
  enum hf_err err = hf_imagekeys_get(&chest->keys, folder, trouble);
  err = err == HF_OK ? owners_get(chest, folder, conf, trouble) : err;
  if (err != HF_OK) {
    return err;
  }
  struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(conf);
  (void)snprintf(chest->product, sizeof chest->product, "%s", conf->product);
  chest->area = hf_flashfile_keys(flash, &geometry);
  chest->owner_set = (struct hf_keyset_owners){.key = chest->owners.keys.key,
                                               .count = (uint8_t)chest->owners.keys.count,
                                               .threshold = (uint8_t)conf->owners_needed};
  chest->store =
      (struct hf_keystore){.area = &chest->area, .owners = &chest->owner_set, .product = hf_bytes_text(chest->product)};
  hf_keychest_load(chest);
  return HF_OK;
}

const struct hf_keystore *hf_keychest_store(const struct hf_keychest *chest)
{
  return chest->owner_set.count == 0 ? NULL : &chest->store;
}

void hf_keychest_load(struct hf_keychest *chest)
{
  hf_keystore_load(&chest->chain, hf_keychest_store(chest), &chest->keys.keys);
}
