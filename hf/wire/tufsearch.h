/* SPDX-License-Identifier: Apache-2.0
 * Finding a target through delegations (TUF 1.0.34 section 5.6.7) as a pure state machine: pre-order, depth first, each
 * role once, terminating delegations, path patterns, path hash prefixes and succinct hash bins (TAP 15). No heap, no
 * I/O, no recursion; whoever calls lends the memory, which says how far a search may go.
 *
 * It begins where hf/wire/tufclient.h ended, with the verified top-level targets file:
 *
 *   hf_tufsearch_init(&search, &room, &client, NULL, path);
 *   while ((step = hf_tufsearch_next(&search, &fetch)) == HF_TUFSEARCH_FETCH) {
 *     hf_tufsearch_put_name(&url, &fetch);                    "7.bins-3f.json"
 *     got = download(url, fetch.max_len, buffer);
 *     err = hf_tufsearch_give(&search, got, bytes, &why);
 *   }
 *   if (step == HF_TUFSEARCH_FOUND) hf_tufsearch_target(&target, &search, &why);     views in the buffer given last
 *
 * With ONE buffer for metadata this is all: nothing of a file is needed once the next fetch begins, because the
 * delegations still to be followed are in `room` with their keys. What the snapshot says of a role (version, length,
 * hashes) is not kept: the snapshot is asked for again before each delegated role and must be the very one that the
 * refresh accepted. A host that keeps the snapshot's text hands it over, and no file is fetched twice.
 *
 * Every delegated file is checked as the top-level one: length, hashes and version as in the snapshot, signatures by
 * the keys and threshold of the role that delegated to it (of that one, whoever else delegates to it too), expiry. That
 * no version goes down is the snapshot's business (section 5.5.5) and was checked there. The trust record is not
 * changed.
 */
#ifndef HF_WIRE_TUFSEARCH_H
#define HF_WIRE_TUFSEARCH_H

#include "hf/wire/tufclient.h"

/** Bytes of a delegated role's name. */
#define HF_TUFSEARCH_ROLE_MAX 128
/** Bytes of one path pattern, and characters of one path hash prefix. */
#define HF_TUFSEARCH_PATTERN_MAX 256
/** A visited role is remembered by the first bytes of its name's SHA-256. */
#define HF_TUFSEARCH_ID_LEN 8
/** Roles one search visits at most, by default on hosts (python-tuf has the same number); memory says less on devices.
 */
#define HF_TUFSEARCH_VISITED_DEFAULT 32
/** How deep delegations may be nested: targets delegates to depth 1. */
#define HF_TUFSEARCH_DEPTH_MAX 16
/** "4294967295.", a role name with every byte percent-encoded, ".json". */
#define HF_TUFSEARCH_NAME_MAX (11 + 3 * HF_TUFSEARCH_ROLE_MAX + 5)

enum hf_tufsearch_step {
  HF_TUFSEARCH_FETCH = 1,  /**< fetch this file and give it */
  HF_TUFSEARCH_FOUND,      /**< hf_tufsearch_target and hf_tufsearch_found may be read */
  HF_TUFSEARCH_ABSENT,     /**< every role that may speak of the target was asked: it does not exist */
  HF_TUFSEARCH_REFUSED,    /**< something broke a rule, or the search was too long: nothing is known of the target */
  HF_TUFSEARCH_UNAVAILABLE /**< a file could not be had: try again later */
};

/** A delegation that matches the target and waits to be followed. */
struct hf_tufsearch_role {
  uint8_t name[HF_TUFSEARCH_ROLE_MAX];
  uint8_t name_len;
  uint8_t depth;
  uint8_t key_count;
  bool terminating;
  struct hf_tuf_signers signers;
};

/** Memory for one search, all lent. A device does with 4 roles, 6 keys and 8 visited (1.1 KiB). */
struct hf_tufsearch_room {
  struct hf_tufsearch_role *role; /**< delegations waiting at one time */
  size_t role_cap;
  struct hf_tuf_key *key; /**< their keys together */
  size_t key_cap;
  uint8_t (*visited)[HF_TUFSEARCH_ID_LEN]; /**< roles visited below targets */
  size_t visited_cap;
};

struct hf_tufsearch_fetch {
  enum hf_tuf_role role; /**< HF_TUF_SNAPSHOT: once more; HF_TUF_TARGETS: a delegated role */
  struct hf_bytes name;  /**< of the role, as it is; borrows the search */
  uint32_t version;      /**< in front of the name; 0: none */
  uint32_t max_len;      /**< stop reading after so many bytes */
};

/** Where the target is. Views into the targets text. */
struct hf_tufsearch_found {
  struct hf_json name;  /**< the member's name in "targets" */
  struct hf_json value; /**< its value */
  struct hf_bytes role; /**< the delegated role that lists it; empty: the top-level targets file */
};

/** One search. Members are private. Borrows everything it is begun with. */
struct hf_tufsearch {
  struct hf_tufsearch_room room;
  const struct hf_tuf_trust *trust;
  const struct hf_tuf_limits *limits;
  const struct hf_tuf_file *snapshot; /**< NULL: fetched again */
  int64_t now;
  struct hf_bytes path;
  uint8_t path_hash[HF_SHA256_LEN];
  size_t roles; /**< waiting */
  size_t keys;  /**< theirs, and before them nothing: the top of the stack has the last ones */
  size_t visited;
  enum hf_tufsearch_step step;
  bool expected;               /**< `expect` is of the role on top */
  struct hf_tuf_meta expect;   /**< what the snapshot says of it */
  struct hf_tufsearch_role at; /**< the role whose file was read last */
  struct hf_tuf_file file;
  struct hf_tufsearch_found found;
  struct hf_why why;
};

/**
 * Begin a search; looks into the top-level targets file at once.
 * @param room      borrows
 * @param client    borrows: its last step was DONE. Its targets text may be overwritten once this returns with a FETCH
 * as the next step; its trust record, limits stay
 * @param snapshot  borrows: the snapshot file that this refresh accepted, parsed, its text kept; NULL: it is fetched
 * again
 * @param path      borrows: the target's path
 */
void hf_tufsearch_init(struct hf_tufsearch *search, const struct hf_tufsearch_room *room,
                       const struct hf_tufclient *client, const struct hf_tuf_file *snapshot, struct hf_bytes path);
/** What to do now. Fills `fetch` only for HF_TUFSEARCH_FETCH; asking twice changes nothing. */
HF_MUST enum hf_tufsearch_step hf_tufsearch_next(const struct hf_tufsearch *search, struct hf_tufsearch_fetch *fetch);
/** Append the file name below metadata/: version, role name percent-encoded but for letters, digits and `-._~`, .json.
 */
void hf_tufsearch_put_name(struct hf_buf *out, const struct hf_tufsearch_fetch *fetch);
/**
 * Hand over what the fetch brought.
 * @param bytes  borrows until the next give; the last file until the target has been used
 * @param why    fills at refusal; may be NULL; also kept, see hf_tufsearch_why
 * @return HF_OK: go on with hf_tufsearch_next; HF_E_DENIED: refused; HF_E_AGAIN: unavailable; HF_E_STATE: nothing was
 *         asked for
 * Stack under 1.5 KB on a Cortex-M beside the crypto back end's.
 */
HF_MUST enum hf_err hf_tufsearch_give(struct hf_tufsearch *search, enum hf_tufclient_got got, struct hf_bytes bytes,
                                      struct hf_why *why);
/**
 * Offer a copy kept from before, in place of a fetch: the same checks, but a copy that fails them leaves the search as
 * it was. HF_OK: taken, go on; HF_E_NOT_FOUND: it is not the file that is wanted; HF_E_STATE: nothing was asked for.
 */
HF_MUST enum hf_err hf_tufsearch_offer(struct hf_tufsearch *search, struct hf_bytes bytes);
/** Where the target is; NULL unless the step is FOUND. */
const struct hf_tufsearch_found *hf_tufsearch_found(const struct hf_tufsearch *search);
/** Read the found target as Holdfast's own repositories write it (hf_target_file_parse). HF_E_INPUT: malformed;
 * HF_E_STATE: none found. */
HF_MUST enum hf_err hf_tufsearch_target(struct hf_target_file *target, const struct hf_tufsearch *search,
                                        struct hf_why *why);
/** Why the search ended in REFUSED or UNAVAILABLE. */
struct hf_why hf_tufsearch_why(const struct hf_tufsearch *search);

#endif
