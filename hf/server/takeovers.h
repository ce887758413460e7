/* SPDX-License-Identifier: Apache-2.0
 * Takeover orders (hf/wire/takeover.h) as the old server hands them out: the way to leave it. Static files below
 * repo/takeover/: the order as <product>.<version>.json, the two roots it names as <sha256>.json.
 */
#ifndef HF_SERVER_TAKEOVERS_H
#define HF_SERVER_TAKEOVERS_H

#include "hf/server/core.h"
#include "hf/wire/takeover.h"

/** An order and what it needs. Borrows. */
struct hf_takeover_files {
  struct hf_bytes order;
  struct hf_bytes director_root;
  struct hf_bytes image_root;
};

/** Publish an order: signed by the root role that is published now, for this product, newer than the last one, and both
 * roots are the ones it names and signed by their own keys. From their next check-in on the devices of the product are
 * told of it.
 * @return HF_OK; HF_E_NOT_FOUND: no such product; HF_E_DENIED: refused, with why; HF_E_EXISTS: an order of this
 * version, or a higher one, is published; HF_E_FULL; HF_E_IO */
HF_MUST enum hf_err hf_takeovers_publish(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes product,
                                         const struct hf_takeover_files *files, struct hf_why *why);

/** Tell no further device. Those that have the order keep it. HF_E_NOT_FOUND: none is told of. */
HF_MUST enum hf_err hf_takeovers_withdraw(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes product);

/** Version of the order that devices of a product are told of now; 0: none, or it has expired. */
HF_MUST enum hf_err hf_takeovers_told(uint32_t *version, struct hf_db *db, struct hf_bytes product, int64_t now);

#endif
