/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/anchors.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "ports/posix/diskfile.h"

#define SERVER_CA "server-ca.crt"

static bool held(STACK_OF(X509) * certs, const X509 *cert)
{
  for (int i = 0; i < sk_X509_num(certs); i++) {
    if (X509_cmp(sk_X509_value(certs, i), cert) == 0) {
      return true;
    }
  }
  return false;
}

/* Is there, in what was offered, a CA certificate for this very key that one we trust has signed? */
static bool vouched(STACK_OF(X509) * trusted, STACK_OF(X509) * offered, X509 *root)
{
  for (int i = 0; i < sk_X509_num(offered); i++) {
    X509 *cross = sk_X509_value(offered, i);
    bool same = X509_check_ca(cross) == 1 && EVP_PKEY_eq(X509_get0_pubkey(cross), X509_get0_pubkey(root)) == 1 &&
                X509_NAME_cmp(X509_get_subject_name(cross), X509_get_subject_name(root)) == 0;
    for (int j = 0; same && j < sk_X509_num(trusted); j++) {
      X509 *old = sk_X509_value(trusted, j);
      if (X509_check_issued(old, cross) == X509_V_OK && X509_verify(cross, X509_get0_pubkey(old)) == 1) {
        return true;
      }
    }
  }
  return false;
}

enum hf_err hf_anchors_take(unsigned *added, unsigned *refused, STACK_OF(X509) * trusted, STACK_OF(X509) * offered)
{
  *added = *refused = 0;
  enum hf_err err = HF_OK;
  for (int i = 0; i < sk_X509_num(offered) && err == HF_OK; i++) {
    X509 *root = sk_X509_value(offered, i);
    if (X509_self_signed(root, 1) != 1 || X509_check_ca(root) != 1 || held(trusted, root)) {
      continue;
    }
    if (!vouched(trusted, offered, root)) {
      (*refused)++;
      continue;
    }
    if (sk_X509_num(trusted) >= HF_IDENTITY_CHAIN_MAX) {
      err = HF_E_FULL;
    } else if (X509_up_ref(root) != 1 || sk_X509_push(trusted, root) <= 0) {
      err = HF_E_SPACE;
    } else {
      (*added)++;
    }
  }
  ERR_clear_error();
  return err;
}

enum hf_err hf_anchors_newest(uint8_t sha256[HF_SHA256_LEN], STACK_OF(X509) * trusted)
{
  unsigned len = 0;
  int count = sk_X509_num(trusted);
  return count > 0 && X509_digest(sk_X509_value(trusted, count - 1), EVP_sha256(), sha256, &len) == 1 ? HF_OK
                                                                                                      : HF_E_CRYPTO;
}

static enum hf_err put_file(int folder, STACK_OF(X509) * trusted)
{
  uint8_t pem[HF_IDENTITY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  enum hf_err err = HF_OK;
  for (int i = 0; err == HF_OK && i < sk_X509_num(trusted); i++) {
    err = hf_identity_put_pem(&buf, sk_X509_value(trusted, i));
  }
  return err == HF_OK ? hf_diskfile_put(folder, SERVER_CA, hf_buf_bytes(&buf), 0644) : err;
}

/* Worked out on a copy: what cannot be written to the disk is not trusted either. */
static enum hf_err take(unsigned *added, struct hf_identity *identity, STACK_OF(X509) * offered,
                        struct hf_trouble *trouble)
{
  unsigned refused = 0;
  STACK_OF(X509) *next = X509_chain_up_ref(identity->server_ca);
  enum hf_err err = next == NULL ? HF_E_SPACE : hf_anchors_take(added, &refused, next, offered);
  if (err == HF_OK && *added > 0) {
    err = put_file(identity->folder, next);
  }
  if (err == HF_OK && *added > 0) {
    STACK_OF(X509) *old = identity->server_ca;
    identity->server_ca = next;
    next = old;
  }
  sk_X509_pop_free(next, X509_free);
  if (err == HF_OK && refused > 0) {
    const struct hf_rule_words *words = hf_rule_words(HF_RULE_ANCHORS_UNVOUCHED);
    hf_trouble_put(trouble, SERVER_CA, words->todo, "%s", words->what);
    return HF_E_DENIED;
  }
  if (err != HF_OK) {
    hf_trouble_put(trouble, SERVER_CA, "see the disk", "the server's new CA cannot be kept (%s)", hf_err_name(err));
  }
  return err;
}

enum hf_err hf_anchors_fetch(unsigned *added, struct hf_https *https, struct hf_identity *identity,
                             struct hf_trouble *trouble)
{
  STACK_OF(X509) *offered = NULL;
  *added = 0;
  enum hf_err err = hf_estclient_server_cas(&offered, https, trouble);
  if (err == HF_OK) {
    err = take(added, identity, offered, trouble);
  }
  sk_X509_pop_free(offered, X509_free);
  return err;
}
