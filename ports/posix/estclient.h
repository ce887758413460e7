/* SPDX-License-Identifier: Apache-2.0
 * Enrolment over Secure Transport, the device's side (RFC 7030): cacerts, simpleenroll, simplereenroll.
 */
#ifndef HF_POSIX_ESTCLIENT_H
#define HF_POSIX_ESTCLIENT_H

#include "ports/posix/https.h"

/** One-time token for a device without factory certificate: a file in the device's folder, removed once used. */
#define HF_ESTCLIENT_TOKEN "enrol.token"
#define HF_ESTCLIENT_TOKEN_MAX 128
/** Largest reply taken: a chain of HF_IDENTITY_CHAIN_MAX certificates in base64. */
#define HF_ESTCLIENT_REPLY_MAX 32768

/** What the outcome was, for the log. */
enum hf_estclient_by { HF_ESTCLIENT_NONE, HF_ESTCLIENT_RENEWED, HF_ESTCLIENT_FACTORY, HF_ESTCLIENT_BY_TOKEN };

/**
 * Get a new operational certificate for a new key and put both in place: with the present operational certificate while
 * it is valid; when there is none, or the server refuses it, with the factory certificate, else with the token.
 * @param by        fills: with which of them it succeeded
 * @param https     borrows; left logged in with the newest operational identity there is
 * @param identity  its operational pair is replaced at HF_OK
 * @param subject   borrows: who asks
 * @param trouble   fills
 * @return HF_OK; HF_E_AGAIN: network or server trouble, or the server wants to be asked again later;
 *         HF_E_DENIED: the server refuses all that we have, or its certificate was refused; HF_E_NOT_FOUND: nothing to
 *         enrol with; HF_E_INPUT: the reply is not a certificate; else from the disk
 */
HF_MUST enum hf_err hf_estclient_run(enum hf_estclient_by *by, struct hf_https *https, struct hf_identity *identity,
                                     const struct hf_csr_subject *subject, struct hf_trouble *trouble);

/** The server's own CAs, by EST's cacerts under the label "server" (RFC 7030 section 3.2.2): self-signed ones and what
 * vouches for the newer of them. Gives the stack: sk_X509_pop_free. Errors as hf_estclient_run. */
HF_MUST enum hf_err hf_estclient_server_cas(STACK_OF(X509) * *certs, struct hf_https *https,
                                            struct hf_trouble *trouble);

/** Parse the body of an EST reply: base64 of a certs-only CMS message (RFC 7030 section 4.1.3). Gives the stack:
 * sk_X509_pop_free. NULL when it is anything else, empty, or holds more than HF_IDENTITY_CHAIN_MAX. */
STACK_OF(X509) * hf_estclient_parse(struct hf_bytes body);

#endif
