/* SPDX-License-Identifier: Apache-2.0
 * What runs out, and what to do about it long before: certificates of the server, and the words for people.
 */
#ifndef HF_SERVER_EXPIRY_H
#define HF_SERVER_EXPIRY_H

#include "hf/server/core.h"

/** Things that expire, each with a lead of its own. */
enum hf_expiry {
  HF_EXPIRY_ROOT,
  HF_EXPIRY_DIRECTOR_ROOT,
  HF_EXPIRY_TARGETS,
  HF_EXPIRY_ROLE,   /**< a delegated role */
  HF_EXPIRY_ONLINE, /**< snapshot, timestamp: the server signs them itself */
  HF_EXPIRY_SERVER, /**< tls/server.crt */
  HF_EXPIRY_SERVER_CA,
  HF_EXPIRY_DEVICE_CA,
  HF_EXPIRY_FACTORY_CA
};

/** What to tell a person; NULL while there is nothing to do. Borrowed, static. */
const char *hf_expiry_warning(enum hf_expiry what, int64_t expires, int64_t now);

/** Read the ends of the certificates in DIR/server/tls into table `meta`, for GET /keys: once, when the engine opens.
 * What cannot be read is left out. */
HF_MUST enum hf_err hf_expiry_open(struct hf_engine *engine);
/** The end of one of them; HF_E_NOT_FOUND. Engine and reader. */
HF_MUST enum hf_err hf_expiry_get(int64_t *expires, struct hf_db *db, enum hf_expiry certificate);
/** Its file name below tls/, "server.crt". Static. */
const char *hf_expiry_file(enum hf_expiry certificate);

#endif
