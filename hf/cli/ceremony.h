/* SPDX-License-Identifier: Apache-2.0
 * A signing ceremony: the draft of a change to TUF metadata on its way from holder to holder, as one file.
 *
 * The draft carries all that a holder needs to judge it on a computer without network and workspace: the roots from the
 * first to the present one, what is served now, and what is to be served, with the signatures collected so far.
 * docs/spec/ceremony.md. Nothing in it is believed: the roots must follow one another, versions must be the next ones,
 * and what changes is worked out anew wherever it is shown.
 */
#ifndef HF_CLI_CEREMONY_H
#define HF_CLI_CEREMONY_H

#include <jansson.h>

#include "hf/cli/disk.h"
#include "hf/crypto/key.h"
#include "hf/wire/tufclient.h"
#include "hf/wire/tufrole.h"

/** Longest draft: two targets files of 4 MiB as JSON texts, and what goes around them. */
#define HF_CEREMONY_MAX (32u << 20)
/** root, targets and the delegated roles a snapshot may list. */
#define HF_CEREMONY_FILES_MAX (2 + HF_TUF_LISTED_MAX)
/** Roots a draft may carry; a client walks as many in one refresh. */
#define HF_CEREMONY_ROOTS_MAX 256

/** One metadata file of the draft. Views into the draft's JSON. */
struct hf_ceremony_file {
  const char *name; /**< "root", "targets" or a delegated role */
  struct hf_tuf_file next;
  struct hf_tuf_file present; /**< text.len 0: there is none yet (a new role) */
};

/** A draft at hand. */
struct hf_ceremony {
  json_t *json;
  bool director;
  struct hf_tuf_limits limits;
  uint8_t *scratch;
  struct hf_tuf_trust trust;    /**< the present root, at the end of the chain */
  struct hf_tuf_root next_root; /**< when root is among the files */
  bool has_root;
  uint8_t first[HF_SHA256_LEN]; /**< SHA-256 of the first root's text: what `holdfast init` printed */
  struct hf_tuf_file targets;   /**< the present targets.json, for delegated roles; text.len 0: not carried */
  size_t count;
  struct hf_ceremony_file file[HF_CEREMONY_FILES_MAX];
};

/** Begin a draft. @param roots  takes: array of the roots' texts, from the first. Free with hf_ceremony_free. */
void hf_ceremony_init(struct hf_ceremony *ceremony, bool director, json_t *roots);
/** Add a file with no signatures yet. @param present  empty: none. Call hf_ceremony_check afterwards. */
void hf_ceremony_put(struct hf_ceremony *ceremony, const char *name, struct hf_bytes present, struct hf_bytes next);
/** The present targets.json, when the draft has a delegated role's file but not targets itself. */
void hf_ceremony_put_targets(struct hf_ceremony *ceremony, struct hf_bytes text);
/** Read all of it and judge what can be judged: HF_E_INPUT, HF_E_DENIED with why. */
HF_MUST enum hf_err hf_ceremony_check(struct hf_ceremony *ceremony, struct hf_why *why);
/** Load and check a draft. HF_OK or an error after a message. Free with hf_ceremony_free, also then. */
HF_MUST enum hf_err hf_ceremony_open(struct hf_ceremony *ceremony, const char *path);
/** Write it. After a message. */
HF_MUST enum hf_err hf_ceremony_write(const struct hf_ceremony *ceremony, const char *path);
void hf_ceremony_free(struct hf_ceremony *ceremony);

/** Who must sign a file: for a root the present and the new root's holders, else one role's. */
struct hf_ceremony_rings {
  struct hf_tufrole role; /**< storage for a delegated role's keys */
  struct hf_tufkey_ring ring[2];
  const char *whose[2]; /**< "present root", "new root" or the role's name */
  size_t count;
};
/** Fill it. HF_E_NOT_FOUND: nobody delegates to this role. Must not be moved. */
HF_MUST enum hf_err hf_ceremony_rings_get(struct hf_ceremony_rings *rings, const struct hf_ceremony *ceremony,
                                          const struct hf_ceremony_file *file, struct hf_why *why);
/** Has this key of the ring signed the file? */
bool hf_ceremony_signed(const struct hf_ceremony *ceremony, const struct hf_ceremony_file *file,
                        const struct hf_tufkey_ring *ring, size_t key);
/** Has every file all the signatures it needs? */
bool hf_ceremony_complete(const struct hf_ceremony *ceremony);
/** Sign every file this key may sign. @param count  fills: how many. HF_E_DENIED (CEREMONY_KEY): none. */
HF_MUST enum hf_err hf_ceremony_sign(struct hf_ceremony *ceremony, size_t *count, struct hf_key *key,
                                     struct hf_why *why);
/** Take the valid signatures of another copy of the same draft. HF_E_INPUT (CEREMONY_OTHER): another change. */
HF_MUST enum hf_err hf_ceremony_merge(struct hf_ceremony *ceremony, const struct hf_ceremony *other, size_t *count,
                                      struct hf_why *why);

/** Print in plain words what the draft changes, and what holds after it. Text from the draft is cleaned. */
void hf_ceremony_print(const struct hf_ceremony *ceremony, FILE *out);
/** Print who has signed and who is missing. */
void hf_ceremony_print_status(const struct hf_ceremony *ceremony, FILE *out);

#endif
