/* SPDX-License-Identifier: Apache-2.0
 * Enrolment: who may get an operational certificate (the certificate itself is made by the vault).
 */
#ifndef HF_SERVER_ENROL_H
#define HF_SERVER_ENROL_H

#include "hf/server/core.h"

/** Text of a one-time token: "hfe_" and 64 hex digits. Only its SHA-256 is stored. */
#define HF_ENROL_TOKEN_MAX 80

/**
 * Make a one-time token for one device id.
 * @param token   appended: the secret, shown once
 * @param expires seconds since 1970
 * @return HF_OK; HF_E_NOT_FOUND: no such product; HF_E_INPUT
 */
HF_MUST enum hf_err hf_enrol_token_new(struct hf_engine *engine, struct hf_buf *token, const struct hf_act *act,
                                       struct hf_bytes device, struct hf_bytes product, int64_t expires);

#endif
