/* SPDX-License-Identifier: Apache-2.0
 * Another processor in memory, behind a simdevice: its own flash, boot loader, store and key; partial verification. For
 * tests, and a model of how a real one may be built of the same parts.
 */
#ifndef PORTS_SIM_SIMSECONDARY_H
#define PORTS_SIM_SIMSECONDARY_H

#include "hf/device/boot.h"
#include "hf/device/secondary.h"
#include "hf/device/slot.h"
#include "hf/device/store.h"
#include "hf/wire/partial.h"
#include "ports/sim/simrepo.h"

#define SIMSECONDARY_SECTOR 1024
#define SIMSECONDARY_SLOT (8 * SIMSECONDARY_SECTOR)

/** What it took, or is taking: stored. */
struct simsecondary_held {
  uint8_t sha256[HF_SHA256_LEN];
  uint32_t len, at; /**< at == len: whole and verified */
  uint8_t slot;
};

struct simsecondary {
  struct simflash flash;
  struct hf_layout layout;
  struct hf_boot_choice choice;
  struct hf_boot_records records;
  struct hf_store store;
  struct hf_slot_writer writer;
  struct simsecondary_held held;
  struct hf_tuf_trust trust; /**< of the director */
  struct hf_partial_order order;
  bool ordered; /**< `order` was verified since this boot */
  const struct simrepo *repo;
  struct hf_key *key; /**< signs its reports; borrowed; NULL: none */
  const char *device;
  int64_t now;
  uint32_t reports, boots, trials;
  struct hf_pubkey time_key; /**< type HF_KEY_NONE: does not ask for the time */
  uint8_t nonce[HF_TIMESIG_NONCE_LEN];
  /* what is wrong with it */
  bool silent;  /**< never answers */
  bool refuses; /**< takes no image */
  bool sick;    /**< a trial crashes at once */
  bool stuck;   /**< says that it activates, and does not */
  int lie;      /**< image index that it says it runs; -1: the truth */
  int deaf;     /**< answers so many reports after a restart not */
  int deaf_left;
};

extern const struct hf_secondary_ops simsecondary_ops;

/** As it leaves the factory: image `first` in slot 0, the director's first root trusted. Exits on failure. */
void simsecondary_init(struct simsecondary *second, const struct simrepo *repo, int first, int64_t now);
void simsecondary_free(struct simsecondary *second);
/** Power is back. */
void simsecondary_power_on(struct simsecondary *second);
/** Version it runs, its minor number. */
uint32_t simsecondary_minor(const struct simsecondary *second);

#endif
