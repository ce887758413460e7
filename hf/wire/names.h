/* SPDX-License-Identifier: Apache-2.0
 * Which names may exist: device ids, products, components, hardware ids. Device and host.
 *
 * The allowed characters are safe in a path, a URL, a certificate, a shell word and a JSON text as they stand, so
 * nothing in Holdfast escapes them. None may begin with `.` or `-`: no hidden file, no parent folder, no command-line
 * option.
 */
#ifndef HF_WIRE_NAMES_H
#define HF_WIRE_NAMES_H

#include "hf/base/bytes.h"

/** A certificate's serialNumber attribute ends at 64 (RFC 5280 appendix A, ub-serial-number). */
#define HF_DEVICE_ID_MAX 64
/** Long enough for any hardware designation in use, short enough for a check-in. */
#define HF_HARDWARE_ID_MAX 64
#define HF_PRODUCT_MAX 32
#define HF_COMPONENT_MAX 32

/** 1-64 characters of `A-Z a-z 0-9 . _ -`? */
HF_MUST bool hf_names_check_device(struct hf_bytes name);
/** 1-64 characters of `A-Z a-z 0-9 . _ -`? */
HF_MUST bool hf_names_check_hardware(struct hf_bytes name);
/** 1-32 characters of `a-z 0-9 -`? */
HF_MUST bool hf_names_check_product(struct hf_bytes name);
/** 1-32 characters of `a-z 0-9 -`? */
HF_MUST bool hf_names_check_component(struct hf_bytes name);

#endif
