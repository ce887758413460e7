/* SPDX-License-Identifier: Apache-2.0
 * The device listener: check-in, director metadata, repository files, enrolment (docs/spec/est.md).
 */
#ifndef HF_SERVER_FRONT_DEVICE_H
#define HF_SERVER_FRONT_DEVICE_H

#include "hf/server/front_core.h"

/** A request head on the device listener. */
void hf_front_device_head(struct hf_conn *conn);
/** Its body is whole. */
void hf_front_device_body(struct hf_conn *conn);
/** The engine has answered. */
void hf_front_device_answer(struct hf_conn *conn, const struct hf_msg *msg);
/** Serve `/repo/...`; both listeners do. */
void hf_front_repo(struct hf_conn *conn);
/** Serve `/crl/...`, the revocation lists; both listeners do. */
void hf_front_crl(struct hf_conn *conn);

#endif
