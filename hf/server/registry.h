/* SPDX-License-Identifier: Apache-2.0
 * The registry: products, devices and their attributes, groups.
 */
#ifndef HF_SERVER_REGISTRY_H
#define HF_SERVER_REGISTRY_H

#include "hf/server/core.h"

#define HF_PRODUCT_HARDWARE_MAX 16
/** Hardware ids as stored: blank-separated. */
#define HF_PRODUCT_HARDWARE_TEXT_MAX 1040

/** A product to add. Borrows. */
struct hf_product {
  struct hf_bytes name;     /**< 1-32 of a-z 0-9 - */
  struct hf_bytes title;    /**< 1-100 bytes */
  struct hf_bytes hardware; /**< hardware ids, blank-separated, 1..HF_PRODUCT_HARDWARE_MAX */
};
/** Add a product. HF_E_EXISTS; HF_E_INPUT with why. */
HF_MUST enum hf_err hf_product_new(struct hf_engine *engine, const struct hf_act *act, const struct hf_product *product,
                                   struct hf_why *why);

/** Block a device (refused from its next request on) or let it in again. The reason is act->reason. HF_E_NOT_FOUND;
 * HF_E_STATE: it is so already. */
HF_MUST enum hf_err hf_device_block(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes id,
                                    bool blocked);
/** Set an attribute as an operator, or remove it (`value.len == 0`): the operator's word wins over the device's.
 * HF_E_NOT_FOUND; HF_E_INPUT: name or value breaks the rules of docs/spec/query.md; HF_E_SPACE: too many on this
 * device. */
HF_MUST enum hf_err hf_device_attribute(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes id,
                                        struct hf_bytes name, struct hf_bytes value);

/** What a list of devices is narrowed to. Empty views and negative numbers do not narrow. Borrows. */
struct hf_device_filter {
  struct hf_bytes product;
  struct hf_bytes version; /**< as stored: "1.1.0" */
  struct hf_bytes hardware;
  struct hf_bytes q;     /**< text the id contains */
  struct hf_bytes group; /**< a group expression (hf/fleet/query.h), already looked up if it was a name */
  struct hf_bytes after; /**< ids greater than this one */
  int state;             /**< update state, 10 silent */
  int blocked;           /**< 0, 1 */
  uint32_t limit;        /**< at most so many rows; 0: no limit */
};
/** `filter` that lets everything through. */
struct hf_device_filter hf_device_filter_init(void);

/** Columns of hf_device_list. */
enum hf_device_column {
  HF_DEVICE_N,
  HF_DEVICE_ID,
  HF_DEVICE_PRODUCT,
  HF_DEVICE_HARDWARE,
  HF_DEVICE_VERSION,
  HF_DEVICE_STATE,
  HF_DEVICE_WANTED,
  HF_DEVICE_PERCENT,
  HF_DEVICE_RULE,
  HF_DEVICE_BLOCKED,
  HF_DEVICE_KEY_STORAGE,
  HF_DEVICE_FIRST_SEEN,
  HF_DEVICE_LAST_SEEN
};
/** Devices that fit, by id. Gives `*stmt` to be stepped with hf_stmt_next and closed. HF_E_INPUT: the group expression,
 * with why (offset into it). */
HF_MUST enum hf_err hf_device_list(struct hf_stmt **stmt, struct hf_db *db, const struct hf_device_filter *filter,
                                   struct hf_why *why);
/** How many fit; `after` and `limit` are left out of account. */
HF_MUST enum hf_err hf_device_count(uint64_t *count, struct hf_db *db, const struct hf_device_filter *filter,
                                    struct hf_why *why);

/** Name an attribute query. HF_E_EXISTS; HF_E_INPUT with why (offset into the query). */
HF_MUST enum hf_err hf_group_new(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes name,
                                 struct hf_bytes query, struct hf_why *why);
/** Remove it. HF_E_NOT_FOUND; HF_E_STATE: a rollout that still may offer something uses it. */
HF_MUST enum hf_err hf_group_close(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes name);

#endif
