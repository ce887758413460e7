/* SPDX-License-Identifier: Apache-2.0
 * A file on its way in: streamed to spool/ with a running SHA-256. The engine takes it from there, or it is removed.
 */
#ifndef HF_SERVER_FRONT_SPOOL_H
#define HF_SERVER_FRONT_SPOOL_H

#include "hf/crypto/crypto.h"

/** Longest upload: images of Linux devices are a few hundred MB. */
#define HF_SPOOL_FILE_MAX (UINT64_C(2) << 30)
/** Longest name in spool/. */
#define HF_SPOOL_NAME_MAX 48

struct hf_spool_file {
  int folder;
  int file;
  char name[HF_SPOOL_NAME_MAX];
  uint64_t len;
  struct hf_sha256 hash;
};

/** Make a new file in the spool folder. Gives `*upload`. `front` and `number` make its name unique.
 * HF_E_FULL; HF_E_IO; HF_E_SPACE */
HF_MUST enum hf_err hf_spool_new(struct hf_spool_file **upload, int folder, unsigned front, uint64_t number);
/** Append a piece. HF_E_FULL: the disk is full; HF_E_IO. */
HF_MUST enum hf_err hf_spool_put(struct hf_spool_file *upload, struct hf_bytes piece);
/** All is here: make it durable and tell its hash. HF_E_FULL; HF_E_IO. */
HF_MUST enum hf_err hf_spool_get(struct hf_spool_file *upload, uint8_t sha256[HF_SHA256_LEN]);
/** Remove the file, if it is still in the spool, and free. */
void hf_spool_free(struct hf_spool_file *upload);
/** Remove what an earlier life of this front left behind. */
void hf_spool_clean(int folder, unsigned front);

#endif
