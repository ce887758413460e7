/* SPDX-License-Identifier: Apache-2.0
 * Bring one TUF repository's metadata up to date: hf/wire/tufclient.h over a transport, its trust record in the store.
 */
#ifndef HF_DEVICE_REFRESH_H
#define HF_DEVICE_REFRESH_H

#include "hf/device/clock.h"
#include "hf/device/store.h"
#include "hf/wire/tufsearch.h"

/** What a device lends to one search: delegations waiting at a time, their keys together, roles visited. */
#define HF_REFRESH_ROLES 4
#define HF_REFRESH_KEYS 6
#define HF_REFRESH_VISITED 8

/** One repository as this device knows it. All borrowed. */
struct hf_refresh_source {
  const struct hf_transport *transport;
  const char *path; /**< in front of the metadata file names: "/director/" */
  uint16_t key;     /**< of the trust record: HF_STORE_TRUST_DIRECTOR or HF_STORE_TRUST_IMAGE */
  uint8_t *work;    /**< holds one metadata file, and its last HF_TUF_TRUST_MAX bytes the trust record */
  size_t work_cap;
  bool shared; /**< its keys sign the files of other devices too: what they say of versions is kept by
                    hf_refresh_keep, once somebody has looked whose files they are */
  bool lazy;   /**< stop after the timestamp when it says nothing new; then there are no targets */
};

/** A refresh under way or over; about 2.3 KiB, for the stack. */
struct hf_refresh {
  struct hf_tuf_trust trust;
  struct hf_tuf_limits limits;
  struct hf_tufclient client; /**< its targets file borrows `work` */
  bool spoiled;               /**< a search overwrote it: refresh again before the next search */
};

/** Run the whole client workflow once. New roots are stored before what they vouch for is fetched, and reset the clock
 * just before: offline keys replaced online ones, and what those said of the time is void. The rest of the trust record
 * is stored when it is over, before anything acts on it, unless `source->shared`.
 * @param refresh  fills
 * @param store    borrows, changes
 * @param clock    borrows, changes
 * @return HF_OK: verified targets are in `refresh->client`; HF_E_DENIED: refused, see hf_tufclient_why; HF_E_AGAIN:
 *         unavailable; HF_E_NOT_FOUND: no valid trust record; HF_E_IO, HF_E_FULL: the store failed */
HF_MUST enum hf_err hf_refresh_get(struct hf_refresh *refresh, const struct hf_refresh_source *source,
                                   struct hf_store *store, struct hf_clock *clock);

/** Find a target by its path, in the targets file of the refresh or through delegations, with the same one buffer (TUF
 * 1.0.34 section 5.6.7). Delegations follow as far as HF_REFRESH_ROLES, HF_REFRESH_KEYS and HF_REFRESH_VISITED allow.
 * @param refresh  borrows, changes: hf_refresh_get returned HF_OK, and it is not spoiled
 * @param file     fills; borrows `source->work`
 * @param path     borrows: must not lie in `source->work`
 * @param why      fills with HF_E_DENIED, rule 300-399
 * @return HF_OK; HF_E_NOT_FOUND: no role lists it; HF_E_DENIED: refused; HF_E_AGAIN: unavailable
 * Stack about 1.9 KB beside the crypto back end's. */
HF_MUST enum hf_err hf_refresh_find(struct hf_refresh *refresh, const struct hf_refresh_source *source,
                                    struct hf_target_file *file, struct hf_bytes path, struct hf_why *why);

/** Store the versions that came of a refresh of a shared source: its files are this device's. */
HF_MUST enum hf_err hf_refresh_keep(const struct hf_refresh *refresh, const struct hf_refresh_source *source,
                                    struct hf_store *store);

/** Write a trust record: factory provisioning, and the end of a refresh. @param room  HF_TUF_TRUST_MAX bytes */
HF_MUST enum hf_err hf_refresh_put_trust(struct hf_store *store, uint16_t key, const struct hf_tuf_trust *trust,
                                         uint8_t *room);

#endif
