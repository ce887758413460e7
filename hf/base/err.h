/* SPDX-License-Identifier: Apache-2.0
 * How a call tells its caller what happened.
 *
 * Two questions, two types, never mixed: `enum hf_err` answers *did it run*, `enum hf_verdict` answers *is it
 * trusted*. What exactly was wrong with outside bytes is a third thing, told in `struct hf_why` (hf/base/why.h).
 */
#ifndef HF_BASE_ERR_H
#define HF_BASE_ERR_H

/** The result must be looked at. */
#define HF_MUST __attribute__((warn_unused_result))

/** Did it run? One code for each thing a caller would do differently. Zero is success. */
enum hf_err {
  HF_OK = 0,
  HF_E_INPUT,     /**< outside bytes or arguments break a rule: tell the sender, do not retry */
  HF_E_SPACE,     /**< the caller's buffer or a named maximum is too small */
  HF_E_AGAIN,     /**< nothing wrong, not now: retry later */
  HF_E_IO,        /**< the world failed: flash, disk, network */
  HF_E_FULL,      /**< no room left on disk or flash: nothing was written */
  HF_E_NOT_FOUND, /**< what was asked for does not exist */
  HF_E_EXISTS,    /**< it exists already, or somebody changed it first */
  HF_E_STATE,     /**< not allowed in the present state */
  HF_E_DENIED,    /**< no permission, or not trusted */
  HF_E_VERSION,   /**< written by a newer Holdfast */
  HF_E_CRYPTO     /**< the crypto back end failed (not: a signature was wrong) */
};

/**
 * Is it trusted? Two patterns 32 bits apart, neither zero, so that a skipped instruction or a cleared register is
 * not an approval (fault-injection hardening as in MCUboot's FIH). Only functions called *verify* return it.
 * Compare with `== HF_ALLOW`, never with `!= HF_DENY`; boot code compares twice.
 */
enum hf_verdict { HF_DENY = 0x2a5c96e1, HF_ALLOW = 0x55a3691e };

/** The name of a code, for logs and tests: "HF_E_INPUT". Borrowed, static. */
const char *hf_err_name(enum hf_err err);

#endif
