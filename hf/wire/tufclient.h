/* SPDX-License-Identifier: Apache-2.0
 * The TUF client workflow (specification 1.0.34 section 5) as a pure state machine: bytes and time in; the next file
 * to fetch, or the end, out. No heap, no I/O, no clock, no files kept: the trust record is its only memory.
 *
 *   hf_tufclient_init(&client, &trust, &limits, now);
 *   while (hf_tufclient_next(&client, &fetch) == HF_TUFCLIENT_FETCH) {
 *     got = download(fetch.name, fetch.max_len, buffer);
 *     err = hf_tufclient_give(&client, got, bytes, &why);
 *     if (hf_tufclient_changed(&client)) store hf_tuf_trust_encode(trust);     before the next fetch
 *   }
 *
 * A director repository runs through the same machine; what is special about it is hf/wire/uptane.h.
 */
#ifndef HF_WIRE_TUFCLIENT_H
#define HF_WIRE_TUFCLIENT_H

#include "hf/wire/tuf.h"

enum hf_tufclient_step {
  HF_TUFCLIENT_FETCH = 1,  /**< fetch this file and give it */
  HF_TUFCLIENT_DONE,       /**< everything verified; hf_tufclient_targets may be read */
  HF_TUFCLIENT_REFUSED,    /**< something broke a rule: report it, keep what is installed */
  HF_TUFCLIENT_UNAVAILABLE /**< a file could not be had: nothing is trusted less or more; try again later */
};

/** How a fetch ended. */
enum hf_tufclient_got {
  HF_TUFCLIENT_BYTES = 1, /**< the whole file */
  HF_TUFCLIENT_NOT_FOUND, /**< the server says that it does not exist (404): for a root the end of the chain */
  HF_TUFCLIENT_FAILED,    /**< anything else: network, 5xx, redirect, cut body */
  HF_TUFCLIENT_TOO_LONG   /**< more than max_len bytes came (endless data) */
};

struct hf_tufclient_fetch {
  enum hf_tuf_role role;
  char name[32];    /**< below metadata/: "7.root.json"; NUL-terminated */
  uint32_t max_len; /**< stop reading after so many bytes */
};

/** One refresh. Members are private. Borrows trust, limits and, after DONE, the targets bytes given last. */
struct hf_tufclient {
  struct hf_tuf_trust *trust;
  const struct hf_tuf_limits *limits;
  int64_t now;
  enum hf_tufclient_step step;
  enum hf_tuf_role role; /**< of the file wanted next */
  uint32_t roots;        /**< new ones in this refresh */
  bool changed;
  bool fresh;
  bool recovered;
  struct hf_tuf_meta expect; /**< of the snapshot or targets file wanted next */
  struct hf_tuf_file targets;
  struct hf_why why;
};

/**
 * Begin a refresh.
 * @param trust   borrows, changes: the record; updated only by steps that were wholly verified
 * @param limits  borrows
 * @param now     seconds since 1970, already the device's best; limits->time_floor is applied here
 */
void hf_tufclient_init(struct hf_tufclient *client, struct hf_tuf_trust *trust, const struct hf_tuf_limits *limits,
                       int64_t now);
/** What to do now. Fills `fetch` only for HF_TUFCLIENT_FETCH; asking twice changes nothing. */
HF_MUST enum hf_tufclient_step hf_tufclient_next(const struct hf_tufclient *client, struct hf_tufclient_fetch *fetch);
/**
 * Hand over what the fetch brought.
 * @param got    how it ended
 * @param bytes  borrows until the call returns; the targets file until its last use. Empty unless HF_TUFCLIENT_BYTES
 * @param why    fills at refusal; may be NULL; also kept, see hf_tufclient_why
 * @return HF_OK: go on with hf_tufclient_next; HF_E_DENIED: refused; HF_E_AGAIN: unavailable; HF_E_STATE: nothing was
 *         asked for
 * Stack about 3.5 KB on a Cortex-M beside the crypto back end's: a new root is read beside the trusted one.
 */
HF_MUST enum hf_err hf_tufclient_give(struct hf_tufclient *client, enum hf_tufclient_got got, struct hf_bytes bytes,
                                      struct hf_why *why);
/**
 * Offer a copy kept from before, in place of a fetch of a snapshot or targets file: the same checks, but a copy that
 * fails them leaves the refresh as it was.
 * @return HF_OK: taken, go on; HF_E_NOT_FOUND: it is not the file that is wanted; HF_E_STATE: neither of these is
 * wanted
 */
HF_MUST enum hf_err hf_tufclient_offer(struct hf_tufclient *client, struct hf_bytes bytes);
/** Did a new root of this refresh take a timestamp or snapshot key away, so that the floors were forgotten (TUF section
 * 5.3.11) and files kept from before count for nothing? */
bool hf_tufclient_recovered(const struct hf_tufclient *client);
/** Did the last give change the trust record, so that it must be stored before going on? Reading does not reset it;
 * the next give does. */
bool hf_tufclient_changed(const struct hf_tufclient *client);
/** After the timestamp: is there anything newer than what was accepted before this refresh? False lets a caller that
 * kept its targets file stop early. */
bool hf_tufclient_fresh(const struct hf_tufclient *client);
/** The verified targets file; NULL unless the last step was DONE. Its views live as long as the bytes given last. */
const struct hf_tuf_file *hf_tufclient_targets(const struct hf_tufclient *client);
/** Why the refresh ended in REFUSED or UNAVAILABLE. */
struct hf_why hf_tufclient_why(const struct hf_tufclient *client);

#endif
