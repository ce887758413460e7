/* SPDX-License-Identifier: Apache-2.0
 * Making a device on a POSIX machine: what a factory station does to a board, done to a folder.
 */
#ifndef HF_POSIX_PROVISION_H
#define HF_POSIX_PROVISION_H

#include "ports/posix/deviceconf.h"

/** Largest image file and metadata file taken. */
#define HF_PROVISION_IMAGE_MAX (64u << 20)
#define HF_PROVISION_ROOT_MAX 65536

/** File names, all borrowed; NULL: not given. */
struct hf_provision_files {
  const char *server_ca;     /**< PEM: by whom the device knows its server */
  const char *root;          /**< root.json of the image repository */
  const char *director_root; /**< root.json of the director repository */
  const char *image_keys[8]; /**< PEM public keys that images are signed with */
  size_t image_key_count;
  const char *owner_keys[4]; /**< PEM public keys of who may replace image keys by a signed key set */
  size_t owner_key_count;
  const char *image;        /**< the first software: a signed image */
  const char *csr;          /**< write: certification request for the factory certificate, PEM */
  const char *factory_cert; /**< PEM: what the factory made of that request */
  const char *key;          /**< no file: where the keys live, as hf_identity_new says */
  const char *token;        /**< file that holds a one-time enrolment token */
  const char *open_key;     /**< PEM private key, P-256, that opens encrypted images; NULL: plain images only */
};

/** Make a new device in `folder`, which must not hold one yet: settings, key, flash file with trust and first image,
 * confirmed. All files but `csr`, `factory_cert`, `token` and `open_key` must be given. The settings are written last:
 * a folder without them is not taken for a device. */
HF_MUST enum hf_err hf_provision_new(int folder, const struct hf_deviceconf *conf,
                                     const struct hf_provision_files *files, struct hf_trouble *trouble);

/** Add to a device that exists: factory certificate, token, another CA, another image key; or write its request again.
 */
HF_MUST enum hf_err hf_provision_put(int folder, const struct hf_provision_files *files, struct hf_trouble *trouble);

/** Put the factory certificate, and the station's CA behind it, on a device that exists: it must be for its key and id.
 * @param pem  borrows */
HF_MUST enum hf_err hf_provision_put_factory(int folder, struct hf_bytes pem, struct hf_trouble *trouble);
/** Version (appended) and digest of the software that the device was made with, read back from its flash file. */
HF_MUST enum hf_err hf_provision_first(struct hf_buf *version, uint8_t digest[HF_SHA256_LEN], int folder,
                                       const struct hf_deviceconf *conf, struct hf_trouble *trouble);

#endif
