/* SPDX-License-Identifier: Apache-2.0
 * Moving to another server (hf/wire/takeover.h), in steps that a power cut may separate:
 *
 *   keep    the order is judged by the root that is trusted now, and stored: `waiting`
 *   probe   the port reaches the new server under the CA that the order names; until it does, the old server serves on
 *   move    both new roots are taken, each the very file that the order names, then the order is `moved`
 *   enrol   the port gets an operational certificate from the new server
 *
 * The address and the CA of a moved device are those of the order in its store, not those of its configuration. What
 * was said by the old server (download under way, events, clock) stays; what it signed counts no more.
 */
#ifndef HF_DEVICE_MIGRATION_H
#define HF_DEVICE_MIGRATION_H

#include "hf/device/clock.h"
#include "hf/device/store.h"
#include "hf/wire/takeover.h"

/** Numbers are flash format. */
enum hf_migration_state {
  HF_MIGRATION_NONE = 0,    /**< no order was ever taken */
  HF_MIGRATION_WAITING = 1, /**< kept; the new server was not reached yet */
  HF_MIGRATION_MOVED = 2    /**< this device belongs to the order's server */
};

/** A kept order with the five bytes in front of it, as it lies in the store. */
#define HF_MIGRATION_ROOM (5 + HF_TAKEOVER_MAX)
/** Work buffer: a new order beside the kept one, or beside the trust record. */
#define HF_MIGRATION_WORK_MIN (2 * HF_MIGRATION_ROOM)

/** Where an order and its roots are fetched. All borrowed. */
struct hf_migration_source {
  const struct hf_transport *transport; /**< to the old server */
  const char *path;                     /**< "/repo/" when NULL */
  uint8_t *work;                        /**< one file at a time, and the trust record behind it */
  size_t work_cap;                      /**< HF_MIGRATION_WORK_MIN at least; a root may be as long as it less
                                             HF_TUF_TRUST_MAX */
};

/** What is kept.
 * @param state  fills
 * @param order  fills, unless the state is HF_MIGRATION_NONE; borrows `room`
 * @param room   fills: HF_MIGRATION_ROOM bytes
 * @return HF_OK; HF_E_INPUT: a record that is none of ours; HF_E_IO */
HF_MUST enum hf_err hf_migration_get(enum hf_migration_state *state, struct hf_takeover *order,
                                     uint8_t room[HF_MIGRATION_ROOM], const struct hf_store *store);

/** Judge an order and keep it, waiting. The same again is HF_OK.
 * @param text  borrows: the whole file; may lie at the start of `work`, which then does not hold it any more
 * @param work  changes: HF_MIGRATION_WORK_MIN bytes at least
 * @param why   fills at refusal; may be NULL
 * @return HF_OK; HF_E_DENIED: refused, nothing changed; HF_E_NOT_FOUND: no trust record; HF_E_IO, HF_E_FULL */
HF_MUST enum hf_err hf_migration_keep(struct hf_store *store, const struct hf_clock *clock, struct hf_bytes product,
                                      struct hf_bytes text, struct hf_buf work, struct hf_why *why);

/** Fetch the order of this version and keep it. Errors as hf_migration_keep; HF_E_AGAIN: network or server trouble. */
HF_MUST enum hf_err hf_migration_fetch(struct hf_store *store, const struct hf_clock *clock, struct hf_bytes product,
                                       const struct hf_migration_source *source, uint32_t version, struct hf_why *why);

/** Move: fetch both roots from the old server and begin to trust them. Called once the new server was reached.
 * @return HF_OK: moved, reboot or start anew; HF_E_STATE: no order is waiting; HF_E_DENIED: a root is not the one that
 *         the order names; HF_E_AGAIN; HF_E_SPACE: a root does not fit; HF_E_IO, HF_E_FULL: some of it may be written,
 *         and this is called again */
HF_MUST enum hf_err hf_migration_move(struct hf_store *store, const struct hf_migration_source *source,
                                      struct hf_why *why);

/** The same with roots at hand: an order that came by cable. */
HF_MUST enum hf_err hf_migration_move_with(struct hf_store *store, struct hf_bytes director_root,
                                           struct hf_bytes image_root, struct hf_buf work, struct hf_why *why);

#endif
