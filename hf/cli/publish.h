/* SPDX-License-Identifier: Apache-2.0
 * Publishing: the server's targets metadata verified as a device would, changed, signed offline, and seen to be served.
 *
 * The operator's own root and rollback floor decide what is believed, not the server: DIR/offline/root.json at first,
 * then DIR/offline/trust.cbor.
 */
#ifndef HF_CLI_PUBLISH_H
#define HF_CLI_PUBLISH_H

#include "hf/cli/client.h"
#include "hf/cli/offline.h"
#include "hf/wire/tufclient.h"
#include "hf/wire/tufwrite.h"

/** Longest targets.json; the API takes 4 MiB. */
#define HF_PUBLISH_TARGETS_MAX (4u << 20)

/** The operator's view of the image repository. */
struct hf_publish {
  const char *offline; /**< the offline folder; borrows */
  int64_t now;
  struct hf_tuf_trust trust;
  struct hf_tuf_limits limits;
  struct hf_blob scratch;  /**< room for canonical text */
  struct hf_blob targets;  /**< the verified targets.json */
  struct hf_tuf_file file; /**< the same, parsed; borrows `targets` */
};

/** Load root and floor. HF_E_NOT_FOUND, HF_E_INPUT, HF_E_DENIED after a message. Free with hf_publish_free, also then.
 */
HF_MUST enum hf_err hf_publish_init(struct hf_publish *publish, const char *offline, int64_t now);
void hf_publish_free(struct hf_publish *publish);

/** Run the client workflow against the server; the floor is stored whenever it rises. An exit code. */
HF_MUST int hf_publish_refresh(struct hf_publish *publish, struct hf_client *client);
/**
 * Sign the next version of the targets file.
 * @param text     gives the whole file; free with hf_blob_free
 * @param entries  ascending by path
 * @param source   where the passphrase comes from
 * @return HF_OK; else after a message
 */
HF_MUST enum hf_err hf_publish_sign(struct hf_publish *publish, struct hf_blob *text,
                                    const struct hf_tufwrite_edit *edit, const struct hf_passphrase_source *source);

#endif
