/* SPDX-License-Identifier: Apache-2.0
 * The TUF roots of both repositories: which one is trusted now, which online key it lists, and publishing the next.
 *
 * The database decides, files follow (as hf/server/repo.h): the next root lies beside its name until the group is
 * committed. A kill at any moment leaves either root whole; opening puts back what was committed. Which of the vault's
 * keys signs is read from the trusted root and is no state of its own, so it cannot disagree with it.
 */
#ifndef HF_SERVER_ROOTS_H
#define HF_SERVER_ROOTS_H

#include "hf/server/core.h"
#include "hf/server/repo.h"

/** Versions above this are out of reach of an honest server: somebody fast-forwarded them with a stolen key. A root
 * that takes that key away lets the counting begin again (TUF 1.0.34 section 5.3.11). */
#define HF_ROOTS_FAST_FORWARD (1 << 30)

enum hf_roots_repository { HF_ROOTS_IMAGE = 0, HF_ROOTS_DIRECTOR = 1, HF_ROOTS_COUNT = 2 };

/** "image", "director". Static. */
const char *hf_roots_name(enum hf_roots_repository repository);

/** Put back the root files that the database has and the disk lacks, and read the present roots. After hf_repo_open.
 * Gives engine->roots. */
HF_MUST enum hf_err hf_roots_open(struct hf_engine *engine);
void hf_roots_close(struct hf_engine *engine);

/** Version of the present root, from the database: engine and reader. 1 before the first publication. */
HF_MUST enum hf_err hf_roots_version(int64_t *version, struct hf_db *db, enum hf_roots_repository repository);
/** The text of one root. Gives heap bytes to free(). HF_E_NOT_FOUND. Engine and reader. */
HF_MUST enum hf_err hf_roots_load(struct hf_bytes *text, const struct hf_engine *engine,
                                  enum hf_roots_repository repository, int64_t version);
/** The root that what is signed now must fit: the next one while it is being published. NULL: not read. Borrows. */
const struct hf_tuf_root *hf_roots_signing(const struct hf_engine *engine, enum hf_roots_repository repository);

/** A root to publish. Borrows. */
struct hf_roots_new {
  enum hf_roots_repository repository;
  struct hf_bytes text;             /**< the signed root, byte for byte */
  const struct hf_repo_file *files; /**< targets files signed anew because the root changes who may sign them */
  size_t count;
};
/**
 * Publish the next root: signatures of the present and of its own threshold, version, expiry; that the vault holds the
 * online keys it lists; then the whole client workflow over the chain and what would be served. Snapshot and timestamp
 * are signed anew with the keys that it lists.
 * @param version  fills with its version
 * @return HF_OK; HF_E_EXISTS: not the present version plus one (ROOT_STALE); HF_E_DENIED with the rule broken;
 *         HF_E_INPUT: not a root; HF_E_STATE: another publication is under way; HF_E_FULL; HF_E_IO
 */
HF_MUST enum hf_err hf_roots_publish(struct hf_engine *engine, int64_t *version, const struct hf_act *act,
                                     const struct hf_roots_new *root, struct hf_why *why);
/** After a commit: make the new root visible; after a rollback: forget it. Called by hf_repo_settle, before the
 * timestamp that the new key signed becomes visible. */
void hf_roots_settle(struct hf_engine *engine, bool committed);
/** Once a second: what could not be made visible is tried again. */
HF_MUST enum hf_err hf_roots_tick(struct hf_engine *engine);

#endif
