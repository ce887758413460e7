/* SPDX-License-Identifier: Apache-2.0
 * Releases: taking uploads in, and publishing what the offline key has signed.
 */
#ifndef HF_SERVER_RELEASES_H
#define HF_SERVER_RELEASES_H

#include "hf/fleet/release.h"
#include "hf/server/core.h"

/** A finished upload: moves it from the spool folder to where releases find it.
 * @param spool   name of the file in DIR/server/spool; borrows
 * @param sha256  front computed it while writing
 * HF_E_INPUT: the file is not what was said; HF_E_FULL; HF_E_IO. A repeat of the same file is HF_OK. */
HF_MUST enum hf_err hf_upload_put(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes spool,
                                  const uint8_t sha256[32], uint64_t length);

/** Remove one upload that nobody published for a week. Inside a group. */
HF_MUST enum hf_err hf_upload_tick(struct hf_engine *engine, int64_t now);

/** A release to publish. Borrows. */
struct hf_release_new {
  struct hf_bytes product;
  struct hf_bytes version;
  struct hf_bytes notes;
  bool security;
  struct hf_bytes sbom;    /**< its SHA-256 (32 bytes), uploaded before, or empty */
  struct hf_bytes role;    /**< a delegated role whose file it goes into; empty: targets.json */
  struct hf_bytes targets; /**< the signed file, byte for byte */
};
/**
 * Publish: the whole client workflow runs over what would be served, every new artifact is checked against its upload,
 * then the release is stored and, once the group is committed, visible.
 * @return HF_OK; HF_E_DENIED: a signature or rule of TUF (why, offset into targets); HF_E_INPUT: targets and release do
 * not fit each other (why); HF_E_NOT_FOUND: no such product, or an artifact was not uploaded; HF_E_EXISTS: the version
 * is published already; HF_E_FULL; HF_E_IO
 */
HF_MUST enum hf_err hf_release_publish(struct hf_engine *engine, const struct hf_act *act,
                                       const struct hf_release_new *release, struct hf_why *why);

/** Releases of a product, newest first, at most HF_RELEASES_MAX. Gives `*releases` to free(). */
HF_MUST enum hf_err hf_release_load(struct hf_release **releases, size_t *count, struct hf_db *db,
                                    struct hf_bytes product);

#endif
