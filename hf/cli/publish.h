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
  struct hf_blob snapshot; /**< the verified snapshot */
};

/** Load root and floor. HF_E_NOT_FOUND, HF_E_INPUT, HF_E_DENIED after a message. Free with hf_publish_free, also then.
 */
HF_MUST enum hf_err hf_publish_init(struct hf_publish *publish, const char *offline, int64_t now);
void hf_publish_free(struct hf_publish *publish);

/** Run the client workflow against the server; the floor is stored whenever it rises. An exit code. */
HF_MUST int hf_publish_refresh(struct hf_publish *publish, struct hf_client *client);
/**
 * Fetch the present file of a delegated role, verified as a client would: as the snapshot lists it, signed by whom
 * targets.json names. After hf_publish_refresh.
 * @param file  fills; borrows `text`
 * @param text  gives; empty when the role has no file yet
 * @return an exit code; HF_EXIT_ABSENT after a message when targets.json does not delegate to it
 */
HF_MUST int hf_publish_role(struct hf_publish *publish, struct hf_client *client, struct hf_tuf_file *file,
                            struct hf_blob *text, const char *name);
/** A file without signatures around a "signed" part. Gives `text`. */
HF_MUST enum hf_err hf_publish_unsigned(struct hf_blob *text, struct hf_bytes body);

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
