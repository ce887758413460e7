/* SPDX-License-Identifier: Apache-2.0
 * The rollouts in memory: of each product the newest one, with the releases its devices may step over.
 *
 * Counts live here and are written with the group; the database's are those of the last commit.
 */
#ifndef HF_SERVER_ROLLOUT_SET_H
#define HF_SERVER_ROLLOUT_SET_H

#include "hf/fleet/query.h"
#include "hf/fleet/release.h"
#include "hf/fleet/rollout.h"
#include "hf/server/core.h"
#include "hf/wire/names.h"

/** The newest rollout of a product. */
struct hf_rollout_active {
  char product[HF_PRODUCT_MAX + 1];
  char version[HF_VERSION_TEXT_MAX + 1];
  struct hf_rollout rollout;
  struct hf_query *group;                    /**< who takes part; NULL: everybody */
  struct hf_query *wave_group[HF_WAVES_MAX]; /**< NULL: a percent wave */
  struct hf_release *releases;
  size_t release_count;
  size_t target; /**< index of its release */
  bool dirty;
};
struct hf_rollout_set {
  struct hf_rollout_active *at;
  size_t count;
  size_t cap;
};

/** Read them all. Gives engine->rollouts. */
HF_MUST enum hf_err hf_rollout_set_open(struct hf_engine *engine);
void hf_rollout_set_close(struct hf_engine *engine);
/** Read one anew, replacing that of the same product: after a start or a new release. */
HF_MUST enum hf_err hf_rollout_set_load(struct hf_engine *engine, struct hf_bytes product);
/** The newest rollout of a product; NULL: none. Borrowed until the set changes. */
struct hf_rollout_active *hf_rollout_set_get(struct hf_engine *engine, struct hf_bytes product);
/** Act on the counts: next wave, stop, finish; as often as they allow. */
HF_MUST enum hf_err hf_rollout_set_settle(struct hf_engine *engine, struct hf_rollout_active *active, int64_t now);
/** Write what changed. */
HF_MUST enum hf_err hf_rollout_set_flush(struct hf_engine *engine, int64_t now);

#endif
