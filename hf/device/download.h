/* SPDX-License-Identifier: Apache-2.0
 * Fetch one image into a slot: by byte range from where it stopped, restarting when the server ignores ranges.
 *
 * It moves bytes and keeps progress; whether the bytes are the right ones the caller finds out from their hash.
 */
#ifndef HF_DEVICE_DOWNLOAD_H
#define HF_DEVICE_DOWNLOAD_H

#include "hf/device/slot.h"

/** One download. The caller fills the first part; all borrowed. */
struct hf_download {
  const struct hf_transport *transport;
  const struct hf_area *area;
  const char *path;
  uint32_t len;  /**< of the whole image, from signed metadata */
  uint32_t at;   /**< bytes known to be in the slot already: multiple of the sector, or len */
  uint32_t step; /**< bytes between two calls of `save` */
  /** Store `at`: bytes below it need not be fetched again. Called before anything below an earlier `at` is erased. */
  enum hf_err (*save)(void *ctx, uint32_t at);
  void *save_ctx;
  /* private */
  struct hf_slot_writer writer;
  struct hf_http_reply reply;
  bool begun;
};

/** Fetch what is missing.
 * @param download  borrows and changes; `at` is what is safely in the slot, whatever is returned
 * @param digest    fills with HF_OK: SHA-256 of the whole image file
 * @return HF_OK: complete; HF_E_AGAIN: network or server trouble, go on later; HF_E_SPACE: more bytes than announced,
 * or larger than the slot; HF_E_IO: flash failed; HF_E_FULL: what `save` returned */
HF_MUST enum hf_err hf_download_get(struct hf_download *download, uint8_t digest[HF_SHA256_LEN]);

#endif
