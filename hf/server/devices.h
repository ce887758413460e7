/* SPDX-License-Identifier: Apache-2.0
 * One device's row, for the paths that work on one device: check-in, rollouts, director, enrolment.
 */
#ifndef HF_SERVER_DEVICES_H
#define HF_SERVER_DEVICES_H

#include "hf/server/core.h"
#include "hf/wire/names.h"
#include "hf/wire/version.h"

/** What of a device row those paths need. No pointers. */
struct hf_device_row {
  int64_t n;
  char id[HF_DEVICE_ID_MAX + 1];
  char product[HF_PRODUCT_MAX + 1];
  char hardware[HF_HARDWARE_ID_MAX + 1];  /**< "" until the first check-in of a device enrolled by token */
  char assigned[HF_VERSION_TEXT_MAX + 1]; /**< version it is to run, "" none */
  int64_t assignment;
  int64_t director;
  int64_t epoch;
  int64_t event_number;
  int64_t boot_id;
  int64_t state;
  bool blocked;
};

/** Read a row. HF_E_NOT_FOUND. */
HF_MUST enum hf_err hf_device_row_get(struct hf_device_row *row, struct hf_db *db, int64_t n);
/** Row number of an id. HF_E_NOT_FOUND. */
HF_MUST enum hf_err hf_device_find(int64_t *n, struct hf_db *db, struct hf_bytes id);
/** Give a device a new order: the release `version` of its product, or none (empty). Rises `assignment`. */
HF_MUST enum hf_err hf_device_assign(struct hf_engine *engine, struct hf_device_row *row, struct hf_bytes version);
/** Copy text into a member of a struct, NUL-terminated; what does not fit is cut. */
void hf_text_copy(char *to, size_t cap, struct hf_bytes text);

#endif
