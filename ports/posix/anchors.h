/* SPDX-License-Identifier: Apache-2.0
 * The server CAs a device trusts, and how it comes to trust a newer one: the one it has vouches for it (RFC 4210
 * section 4.4, NewWithOld). docs/spec/identity.md.
 *
 * A server that was taken over holds the key of its TLS certificate, not that of its CA, which is offline: it can hand
 * out any list and none is believed.
 */
#ifndef HF_POSIX_ANCHORS_H
#define HF_POSIX_ANCHORS_H

#include "ports/posix/estclient.h"

/**
 * Ask the server for its CAs and trust those that are vouched for; server-ca.crt is replaced whole or not at all.
 * @param added     fills: how many were new
 * @param https     borrows; logged in or not
 * @param identity  its server_ca grows; the transport, which borrows it, must be given it again when `added` > 0
 * @return HF_OK; HF_E_DENIED: there is a new one that nobody vouches for (rule 630); HF_E_AGAIN: network;
 *         HF_E_INPUT: no certificates came; else from the disk
 */
HF_MUST enum hf_err hf_anchors_fetch(unsigned *added, struct hf_https *https, struct hf_identity *identity,
                                     struct hf_trouble *trouble);

/** Take from `offered` every self-signed CA that `trusted` does not have and that a certificate in `offered`, signed by
 * one in `trusted`, vouches for. Those taken are appended to `trusted`, in the order in which they came.
 * @param refused  fills: self-signed ones that nobody vouches for */
HF_MUST enum hf_err hf_anchors_take(unsigned *added, unsigned *refused, STACK_OF(X509) * trusted,
                                    STACK_OF(X509) * offered);

/** SHA-256 of the newest: the last in the file. */
HF_MUST enum hf_err hf_anchors_newest(uint8_t sha256[HF_SHA256_LEN], STACK_OF(X509) * trusted);

#endif
