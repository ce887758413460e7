/* SPDX-License-Identifier: Apache-2.0
 * Who a POSIX device is: its factory identity (IDevID), its operational identity (LDevID), and the one CA by which it
 * knows its server. Keys are made here and live in files of mode 0600, in a TPM 2.0 or in a PKCS#11 token: all where
 * the factory key is. A key file holds the key, the TPM's wrapped form, or the line that names it (hf/crypto/key.h).
 * Nothing but the certificate request ever leaves.
 *
 *   factory.key factory.crt   made once, stays for life; the certificate may be absent (one-time token instead)
 *   device.key device.crt     short-lived, replaced at each renewal
 *   next.key                  the key a renewal asked a certificate for, until that certificate is in place
 *   old.key                   names the token's key pair that a renewal replaces, until it is removed there
 *   server-ca.crt             the server's CA, pinned
 *   device-ca.crt             the CA chain that EST's cacerts told: who signs device.crt
 *
 * The renaming of device.crt is the moment a renewal happens. A power cut before it leaves the old pair; one after it
 * leaves the new certificate beside next.key, which hf_identity_open recognises and puts in place. A key pair in a
 * token is named on disk before it is made and until after it is removed, so a cut leaves none that nobody knows of.
 */
#ifndef HF_POSIX_IDENTITY_H
#define HF_POSIX_IDENTITY_H

#include <openssl/x509.h>

#include "hf/crypto/key.h"
#include "hf/wire/csr.h"
#include "ports/posix/trouble.h"

/** Longest certificate file: a few P-256 certificates with comments. */
#define HF_IDENTITY_PEM_MAX 16384
/** CA certificates a device will hold. */
#define HF_IDENTITY_CHAIN_MAX 18

/** A key and its certificate; both NULL when absent. */
struct hf_identity_pair {
  struct hf_key *key;
  X509 *cert;
  X509 *issuer; /**< the factory station's CA, shown to the server beside `cert`; NULL when the file has none */
};

struct hf_identity {
  int folder;      /**< borrowed */
  bool look;       /**< change nothing on disk */
  char device[65]; /**< device id, from the settings */
  struct hf_identity_pair factory;
  struct hf_identity_pair device_pair;
  STACK_OF(X509) * server_ca; /**< at least one */
  bool lost;                  /**< there was an operational identity, and it was of no use */
};

/**
 * Make factory.key unless it is there. HF_OK when it exists afterwards.
 * @param home  `file`; `tpm2`; `tpm2:handle=0x81...` for a key that is in the TPM; `pkcs11:...`, where a key that is in
 *              the token is taken and one that is not is made. The PIN comes from the URI.
 */
HF_MUST enum hf_err hf_identity_new(int folder, const char *home, struct hf_trouble *trouble);

/** Where the key lives that the device proves itself with now. */
enum hf_key_home hf_identity_home(const struct hf_identity *identity);

/** Read factory.key alone. Gives `*key`: hf_key_free. */
HF_MUST enum hf_err hf_identity_factory_key(struct hf_key **key, int folder);

/**
 * Load what is there and finish or undo a renewal that a power cut interrupted.
 * @param identity  fills; hf_identity_close frees. Holds a factory key at least, and the server CA.
 * @param folder    borrows for the identity's life
 * @param device    borrows: device id; a certificate of another name is refused
 * @return HF_OK, also when the operational identity is absent or damaged (it is to be enrolled for, then);
 *         HF_E_NOT_FOUND: no factory key or server CA; HF_E_INPUT: a file is not what its name says, or the factory
 *         certificate is for another key or device; HF_E_DENIED, HF_E_IO from the disk
 */
HF_MUST enum hf_err hf_identity_open(struct hf_identity *identity, int folder, const char *device,
                                     struct hf_trouble *trouble);
/** As open, but changes nothing on disk: for looking at a device that may be running. */
HF_MUST enum hf_err hf_identity_look(struct hf_identity *identity, int folder, const char *device,
                                     struct hf_trouble *trouble);
void hf_identity_close(struct hf_identity *identity);

/** Append a certification request in DER, signed by `key` (hf/wire/csr.h). Errors as hf_csr_encode. */
HF_MUST enum hf_err hf_identity_put_csr(struct hf_buf *out, const struct hf_key *key,
                                        const struct hf_csr_subject *subject);

/** The key a renewal asks for: next.key, made now or left from an attempt before. Gives `*key`; on disk at HF_OK. */
HF_MUST enum hf_err hf_identity_next(struct hf_key **key, int folder);

/**
 * Put a new certificate in place of the old: the key must be next.key's, the name the device's, and the signature must
 * lead to one of `chain`. On HF_OK both files are in place and `identity` holds them.
 * @param cert   borrows
 * @param chain  borrows: CA certificates
 * @param now    seconds since 1970, judged against the certificate's validity
 */
HF_MUST enum hf_err hf_identity_put(struct hf_identity *identity, X509 *cert, STACK_OF(X509) * chain, int64_t now,
                                    struct hf_trouble *trouble);

/** Is `cert` signed, perhaps over others in `chain`, by a self-signed certificate in `chain`, and valid at `now`? */
HF_MUST enum hf_verdict hf_identity_verify(X509 *cert, STACK_OF(X509) * chain, int64_t now);

/** Seconds since 1970 at which a certificate ends; 0 when it cannot be told. */
int64_t hf_identity_ends(const X509 *cert);
/** Seconds since 1970 at which it begins; 0 when it cannot be told. */
int64_t hf_identity_begins(const X509 *cert);
/** Does the certificate's serialNumber attribute name this device, and CN the same? */
bool hf_identity_names(const X509 *cert, const char *device);

/** Is the certificate for this key? */
bool hf_identity_fits(const struct hf_key *key, const X509 *cert);

/** All certificates of a PEM text, in order. Gives the stack: sk_X509_pop_free(chain, X509_free). NULL when there is
 * none, more than HF_IDENTITY_CHAIN_MAX, or anything broken. */
STACK_OF(X509) * hf_identity_parse_pem(struct hf_bytes pem);
/** Append a certificate as PEM. */
HF_MUST enum hf_err hf_identity_put_pem(struct hf_buf *out, X509 *cert);

#endif
