/* SPDX-License-Identifier: Apache-2.0
 * What a device, or the jig script that holds it, says to a factory station: one JSON object a line
 * (docs/spec/factory.md). Pure; strict, as everything from a socket.
 */
#ifndef HF_FLEET_STATIONLINE_H
#define HF_FLEET_STATIONLINE_H

#include "hf/fleet/batch.h"

/** Longest line, without its newline. */
#define HF_STATIONLINE_MAX 4096
/** Longest certificate request, DER. */
#define HF_STATIONLINE_CSR_MAX 1024

enum hf_stationline_op {
  HF_STATIONLINE_BEGIN,  /**< which device id, what to put on it */
  HF_STATIONLINE_ISSUE,  /**< a certificate for this request */
  HF_STATIONLINE_RESULT, /**< how the test went */
  HF_STATIONLINE_STATUS, /**< how many are made */
  HF_STATIONLINE_OPS
};

/** A request. Holds copies; text ends with NUL. */
struct hf_stationline {
  enum hf_stationline_op op;
  char device[HF_DEVICE_ID_MAX + 1]; /**< "" in begin: give me one */
  uint8_t csr[HF_STATIONLINE_CSR_MAX];
  size_t csr_len;
  unsigned storage;
  unsigned result;
  char reason[HF_BATCH_TEXT_MAX + 1];
  unsigned debug;
  unsigned readout;
  bool has_boot_keys;
  uint8_t boot_keys[HF_SHA256_LEN];
  char version[26];
  bool has_image;
  uint8_t image[HF_SHA256_LEN];
};

/** Read a line. HF_E_INPUT with why. Members that are not of its op are refused. */
HF_MUST enum hf_err hf_stationline_parse(struct hf_stationline *line, struct hf_bytes text, struct hf_why *why);
/** "secure-element" and so on: key storage by number (docs/shape.md, check-in key 12). Static; NULL beyond. */
const char *hf_factory_storage_name(unsigned storage);

#endif
