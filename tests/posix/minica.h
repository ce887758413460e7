/* SPDX-License-Identifier: Apache-2.0
 * Certificates for tests: a CA, what it issues, with any dates and names.
 */
#ifndef HF_TESTS_MINICA_H
#define HF_TESTS_MINICA_H

#include <openssl/x509.h>
#include <stdint.h>

struct minica {
  EVP_PKEY *key;
  X509 *cert;
};

/** What goes into a certificate. */
struct minica_leaf {
  const char *name; /**< CN and serialNumber */
  const char *san;  /**< as in OpenSSL's subjectAltName, or NULL */
  int64_t begins, ends;
};

EVP_PKEY *minica_key(void);
struct minica minica_open(const char *name, int64_t begins, int64_t ends);
void minica_close(struct minica *ca);
/** A certificate over a public key; the caller frees it. */
X509 *minica_issue(const struct minica *ca, EVP_PKEY *pub, const struct minica_leaf *leaf);

#endif
