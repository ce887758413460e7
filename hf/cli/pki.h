/* SPDX-License-Identifier: Apache-2.0
 * Certificates the command line makes: the three CAs, the server's, and factory certificates (IDevID).
 *
 * Operational certificates (LDevID) are not made here: the vault issues those.
 */
#ifndef HF_CLI_PKI_H
#define HF_CLI_PKI_H

#include "hf/crypto/key.h"
#include "hf/wire/names.h"

/** 9999-12-31T23:59:59Z: "no end" of IEEE 802.1AR section 8.7 for identities that last as long as the device. */
#define HF_PKI_NO_END INT64_C(253402300799)
/** Names a server certificate can carry. */
#define HF_PKI_NAMES_MAX 32
/** A PEM certificate of ours is under 2 KiB. */
#define HF_PKI_PEM_MAX 8192

/** Who signs. */
struct hf_pki_issuer {
  const struct hf_key *key;
  struct hf_bytes certificate; /**< PEM; empty: the key signs for itself (a CA) */
};

/** What all certificates have. */
struct hf_pki_validity {
  int64_t not_before;
  int64_t not_after;
};

/** Append a self-signed CA certificate, PEM: CN and O, path length 0, keyCertSign and cRLSign. HF_E_CRYPTO; HF_E_SPACE.
 */
HF_MUST enum hf_err hf_pki_put_ca(struct hf_buf *pem, const struct hf_key *key, const char *organisation,
                                  const char *name, struct hf_pki_validity validity);
/** The same for the factory CA, below which each factory order has a CA of its station: path length 1. */
HF_MUST enum hf_err hf_pki_put_factory_ca(struct hf_buf *pem, const struct hf_key *key, const char *organisation,
                                          const char *name, struct hf_pki_validity validity);
/** The same for a CA that was made before there were stations: same key, same names. HF_E_INPUT: not its key. */
HF_MUST enum hf_err hf_pki_put_factory_ca_again(struct hf_buf *pem, const struct hf_key *key, struct hf_bytes before);
/**
 * Append a new server CA, self-signed, and the same key signed by the CA before (RFC 4210 section 4.4: NewWithNew and
 * NewWithOld). Both have the old one's name: a path over the second then has no CA below the first, which its path
 * length of 0 forbids (RFC 5280 section 4.2.1.9 does not count self-issued ones).
 * @param old  the CA before. HF_E_CRYPTO; HF_E_SPACE
 */
HF_MUST enum hf_err hf_pki_put_server_ca(struct hf_buf *root, struct hf_buf *cross, const struct hf_key *key,
                                         const struct hf_pki_issuer *old, struct hf_pki_validity validity);
/** Append a server certificate, PEM: SAN of `names` (DNS names and IP addresses), serverAuth. `names` ends with NULL.
 * HF_E_INPUT: a name is neither. */
HF_MUST enum hf_err hf_pki_put_server(struct hf_buf *pem, const struct hf_key *key, const char *const *names,
                                      const struct hf_pki_issuer *issuer, struct hf_pki_validity validity);

/** A factory certificate to be (docs/spec/factory.md). */
struct hf_pki_factory {
  char device[HF_DEVICE_ID_MAX + 1]; /**< filled by hf_pki_request_check */
  const char *product;
  const char *hardware;
};

/**
 * Read a certificate request, PEM or DER, check its own signature, take the device id out of its subject.
 * @param factory  fills `device`; product and hardware are compared with what the request says
 * @param request  borrows
 * @param what     at failure: what is wrong with it, for a person; borrowed, static
 * @return HF_OK; HF_E_INPUT: no request, no usable id, another product; HF_E_DENIED: its signature is wrong
 */
HF_MUST enum hf_err hf_pki_request_check(struct hf_pki_factory *factory, struct hf_bytes request, const char **what);
/** Append the factory certificate for that request, PEM; its organisation is the issuer's. */
HF_MUST enum hf_err hf_pki_put_factory(struct hf_buf *pem, const struct hf_pki_factory *factory,
                                       struct hf_bytes request, const struct hf_pki_issuer *issuer,
                                       struct hf_pki_validity validity);
/** Public key of a request that hf_pki_request_check took. */
HF_MUST enum hf_err hf_pki_request_key(struct hf_pubkey *pub, struct hf_bytes request);
/**
 * Append the CA certificate of a factory station for one order, DER: path length 0, names held to the product and
 * hardware (RFC 5280 section 4.2.1.10), its key to the period of the order (section 4.2.1.4 of RFC 2459).
 * @param station  the station's public key
 * @return HF_E_STATE: the factory CA was made before there were stations and allows no CA below it
 */
HF_MUST enum hf_err hf_pki_put_station_ca(struct hf_buf *der, const struct hf_pubkey *station, const char *order,
                                          const struct hf_pki_factory *factory, const struct hf_pki_issuer *issuer,
                                          struct hf_pki_validity period);
/** Public key of a PEM certificate; HF_E_INPUT. */
HF_MUST enum hf_err hf_pki_public(struct hf_pubkey *pub, struct hf_bytes pem);
/** Append a certificate in the other form. HF_E_INPUT; HF_E_SPACE. */
HF_MUST enum hf_err hf_pki_pem_of(struct hf_buf *pem, struct hf_bytes der);
HF_MUST enum hf_err hf_pki_der_of(struct hf_buf *der, struct hf_bytes pem);
/** End of validity of a PEM certificate; HF_E_INPUT when it is none. */
HF_MUST enum hf_err hf_pki_not_after(int64_t *seconds, struct hf_bytes pem);

#endif
