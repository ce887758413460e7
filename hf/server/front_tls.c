/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/front_tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One suite family each: ECDSA keys, ephemeral exchange, authenticated encryption. */
#define SUITES_12 "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "P-256:X25519"
/* A session may be resumed this long; the certificate's dates are judged on every request all the same. */
#define SESSION_S 3600L

static enum hf_err complain(enum hf_err err, const char *path, const char *what)
{
  char reason[160] = "";
  unsigned long code = ERR_peek_last_error();
  if (code != 0) {
    ERR_error_string_n(code, reason, sizeof reason);
  }
  fprintf(stderr, "front: %s: %s%s%s\n", path, what, reason[0] == '\0' ? "" : ": ", reason);
  ERR_clear_error();
  return err;
}

static enum hf_err load_certificate(X509 **cert, const char *server_dir, const char *name)
{
  char path[PATH_MAX + 32];
  (void)snprintf(path, sizeof path, "%s/tls/%s", server_dir, name);
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    return complain(HF_E_NOT_FOUND, path, "cannot be opened");
  }
  *cert = PEM_read_X509(file, NULL, NULL, NULL);
  (void)fclose(file);
  return *cert != NULL ? HF_OK : complain(HF_E_INPUT, path, "not a certificate in PEM");
}

/* Every CA of one kind that is there: number 1 to HF_CAFILE_MAX, some of them retired or not made yet. */
static enum hf_err load_cas(struct hf_front_cas *cas, const char *server_dir, const char *stem, const char *suffix)
{
  char name[48];
  char path[PATH_MAX + 64];
  cas->count = 0;
  for (unsigned number = 1; number <= HF_CAFILE_MAX; number++) {
    enum hf_err err = hf_cafile_name(name, sizeof name, stem, number, suffix);
    (void)snprintf(path, sizeof path, "%s/tls/%s", server_dir, name);
    if (err == HF_OK && access(path, F_OK) == 0) {
      err = load_certificate(&cas->at[cas->count], server_dir, name);
      cas->count += err == HF_OK;
    }
    if (err != HF_OK) {
      return err;
    }
  }
  return HF_OK;
}

static enum hf_err load_all_cas(struct hf_front_tls *tls, const char *server_dir)
{
  enum hf_err err = load_cas(&tls->device_ca, server_dir, "device-ca", ".crt");
  err = err == HF_OK ? load_cas(&tls->factory_ca, server_dir, "factory-ca", ".crt") : err;
  err = err == HF_OK ? load_cas(&tls->server_ca, server_dir, "server-ca", ".crt") : err;
  err = err == HF_OK ? load_cas(&tls->server_cross, server_dir, "server-ca", ".cross.crt") : err;
  if (err == HF_OK && (tls->device_ca.count == 0 || tls->factory_ca.count == 0 || tls->server_ca.count == 0)) {
    err = complain(HF_E_NOT_FOUND, server_dir, "tls/device-ca.crt, tls/factory-ca.crt or tls/server-ca.crt is missing");
  }
  uint8_t sha256[HF_SHA256_LEN];
  unsigned len = 0;
  if (err == HF_OK && X509_digest(tls->server_ca.at[tls->server_ca.count - 1], EVP_sha256(), sha256, &len) != 1) {
    err = HF_E_CRYPTO;
  }
  memcpy(tls->anchor, sha256, err == HF_OK ? sizeof tls->anchor : 0);
  return err;
}

static bool trust(SSL_CTX *ctx, const struct hf_front_cas *cas)
{
  bool good = true;
  for (size_t i = 0; i < cas->count && good; i++) {
    good = X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cas->at[i]) == 1 &&
           SSL_CTX_add_client_CA(ctx, cas->at[i]) == 1;
  }
  return good;
}

static void free_cas(struct hf_front_cas *cas)
{
  for (size_t i = 0; i < HF_CAFILE_MAX; i++) {
    X509_free(cas->at[i]);
  }
}

/* A server whose clock is wrong would sign metadata that nobody believes, or that never ends. */
static enum hf_err check_clock(const X509 *server, const char *server_dir)
{
  char path[PATH_MAX + 32];
  (void)snprintf(path, sizeof path, "%s/tls/server.crt", server_dir);
  if (X509_cmp_current_time(X509_get0_notBefore(server)) >= 0) {
    return complain(HF_E_STATE, path, "the certificate begins in the future; set the clock of this computer");
  }
  if (X509_cmp_current_time(X509_get0_notAfter(server)) <= 0) {
    return complain(HF_E_STATE, path,
                    "the certificate has ended; if the clock of this computer is right, make a new one");
  }
  return HF_OK;
}

/* Dates are left to hf_front_device; everything else about the certificate must be right. */
static int on_verify(int good, X509_STORE_CTX *ctx)
{
  int error = X509_STORE_CTX_get_error(ctx);
  if (!good && X509_STORE_CTX_get_error_depth(ctx) == 0 &&
      (error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID)) {
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
  }
  return good;
}

static SSL_CTX *new_context(const struct hf_setup *setup)
{
  SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
  char groups[] = GROUPS; /* the macro below wants it writable */
  char certificate[PATH_MAX + 32];
  char key[PATH_MAX + 32];
  (void)snprintf(certificate, sizeof certificate, "%s/tls/server.crt", setup->server_dir);
  (void)snprintf(key, sizeof key, "%s/tls/server.key", setup->server_dir);
  if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(ctx, SUITES_12) != 1 || SSL_CTX_set_ciphersuites(ctx, SUITES_13) != 1 ||
      SSL_CTX_set1_groups_list(ctx, groups) != 1) {
    (void)complain(HF_E_CRYPTO, "TLS", "cannot be set up");
    SSL_CTX_free(ctx);
    return NULL;
  }
  if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ctx) != 1) {
    (void)complain(HF_E_INPUT, key, "not the key of tls/server.crt, or one of them cannot be read");
    SSL_CTX_free(ctx);
    return NULL;
  }
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets only: nothing is kept here */
  (void)SSL_CTX_set_num_tickets(ctx, 1);
  (void)SSL_CTX_set_timeout(ctx, SESSION_S);
  return ctx;
}

static enum hf_err open_devices(struct hf_front_tls *tls, const struct hf_setup *setup)
{
  static const unsigned char session_name[] = "holdfast devices";
  uint8_t ticket_key[sizeof setup->ticket_key];
  tls->devices = new_context(setup);
  if (tls->devices == NULL) {
    return HF_E_CRYPTO;
  }
  memcpy(ticket_key, setup->ticket_key, sizeof ticket_key);
  /* All fronts share the key: a device may resume with any of them. A ticket carries the client's certificate. */
  bool good = trust(tls->devices, &tls->device_ca) && trust(tls->devices, &tls->factory_ca) &&
              SSL_CTX_set_session_id_context(tls->devices, session_name, sizeof session_name - 1) == 1 &&
              SSL_CTX_set_tlsext_ticket_keys(tls->devices, ticket_key, sizeof ticket_key) == 1;
  hf_secret_wipe(ticket_key, sizeof ticket_key);
  SSL_CTX_set_verify(tls->devices, SSL_VERIFY_PEER, on_verify);
  /* An operational certificate is issued by a CA of ours itself, a factory certificate perhaps by a station's CA. */
  SSL_CTX_set_verify_depth(tls->devices, 2);
  return good ? HF_OK : complain(HF_E_CRYPTO, "tls/device-ca.crt and tls/factory-ca.crt", "cannot be used");
}

enum hf_err hf_front_tls_open(struct hf_front_tls *tls, const struct hf_setup *setup)
{
  *tls = (struct hf_front_tls){0};
  enum hf_err err = load_certificate(&tls->server, setup->server_dir, "server.crt");
  err = err == HF_OK ? check_clock(tls->server, setup->server_dir) : err;
  err = err == HF_OK ? load_all_cas(tls, setup->server_dir) : err;
  err = err == HF_OK ? open_devices(tls, setup) : err;
  if (err == HF_OK) {
    tls->people = new_context(setup);
    err = tls->people != NULL ? HF_OK : HF_E_CRYPTO;
  }
  if (err == HF_OK) {
    (void)SSL_CTX_set_options(tls->people, SSL_OP_NO_TICKET);
  } else {
    hf_front_tls_close(tls);
  }
  return err;
}

void hf_front_tls_close(struct hf_front_tls *tls)
{
  SSL_CTX_free(tls->devices);
  SSL_CTX_free(tls->people);
  X509_free(tls->server);
  struct hf_front_cas *cas[] = {&tls->device_ca, &tls->factory_ca, &tls->server_ca, &tls->server_cross};
  for (size_t i = 0; i < sizeof cas / sizeof cas[0]; i++) {
    free_cas(cas[i]);
  }
  *tls = (struct hf_front_tls){0};
}

/* ---- identity ---- */

/* One attribute of the subject as UTF-8, when it is there exactly once, and plain. */
static bool get_name(char *out, size_t cap, const X509_NAME *subject, int nid)
{
  int at = X509_NAME_get_index_by_NID(subject, nid, -1);
  out[0] = '\0';
  if (at < 0 || X509_NAME_get_index_by_NID(subject, nid, at) >= 0) {
    return false;
  }
  unsigned char *text = NULL;
  int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  bool fits = len > 0 && (size_t)len < cap && memchr(text, 0, (size_t)len) == NULL;
  if (fits) {
    memcpy(out, text, (size_t)len);
    out[len] = '\0';
  }
  OPENSSL_free(text);
  return fits;
}

static bool get_time(int64_t *seconds, const ASN1_TIME *time)
{
  int days = 0;
  int rest = 0;
  ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
  bool good = epoch != NULL && ASN1_TIME_diff(&days, &rest, epoch, time) == 1;
  ASN1_TIME_free(epoch);
  *seconds = (int64_t)days * 86400 + rest;
  return good;
}

/* The issuer's name and key id; that the signature is right was checked in the handshake (or in the one this session
 * resumes), against these two CAs only. */
static bool issued_by(const X509 *cert, const struct hf_front_cas *cas)
{
  for (size_t i = 0; i < cas->count; i++) {
    if (X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(cas->at[i])) == 0) {
      return true;
    }
  }
  return false;
}

bool hf_front_tls_kind(char kind[32], const X509 *cert)
{
  int digest = NID_undef;
  int bits = 0;
  EVP_PKEY *key = X509_get0_pubkey(cert);
  (void)X509_get_signature_info((X509 *)(uintptr_t)cert, &digest, NULL, &bits, NULL);
  bool rsa = key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
  bool ec = key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC;
  int size = key == NULL ? 0 : EVP_PKEY_get_bits(key);
  const char *name = rsa ? "rsa" : ec ? "ec" : key == NULL ? "unknown" : OBJ_nid2sn(EVP_PKEY_get_base_id(key));
  (void)snprintf(kind, 32, "%s-%d %s", name, size, digest == NID_undef ? "self" : OBJ_nid2ln(digest));
  bool old = digest == NID_sha1 || digest == NID_md5 || digest == NID_md5_sha1;
  return old || key == NULL || (rsa && size < 2048) || (ec && size < 224);
}

/* What is worth knowing of the connection, and of a key that we have not issued. */
static void describe(struct hf_front_identity *identity, const X509 *cert, const SSL *ssl)
{
  unsigned len = 0;
  identity->tls = (uint32_t)SSL_version(ssl);
  (void)snprintf(identity->cipher, sizeof identity->cipher, "%s", SSL_get_cipher_name(ssl));
  if (!identity->factory) {
    return;
  }
  identity->weak = hf_front_tls_kind(identity->kind, cert);
  uint8_t *der = NULL;
  int der_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
  if (der_len <= 0 || EVP_Digest(der, (size_t)der_len, identity->key_hash, &len, EVP_sha256(), NULL) != 1) {
    memset(identity->key_hash, 0, sizeof identity->key_hash);
  }
  OPENSSL_free(der);
}

enum hf_err hf_front_tls_identity(struct hf_front_identity *identity, const struct hf_front_tls *tls, const SSL *ssl)
{
  *identity = (struct hf_front_identity){0};
  X509 *cert = SSL_get0_peer_certificate(ssl);
  if (cert == NULL) {
    return HF_OK;
  }
  const X509_NAME *subject = X509_get_subject_name(cert);
  char common[HF_DEVICE_ID_MAX + 1];
  unsigned digest_len = 0;
  bool operational = issued_by(cert, &tls->device_ca);
  identity->factory = !operational; /* by the factory CA, or by a station's CA below it */
  if (SSL_get_verify_result(ssl) != X509_V_OK ||
      !get_name(identity->device, sizeof identity->device, subject, NID_serialNumber) ||
      !hf_names_check_device(hf_bytes_text(identity->device)) ||
      X509_digest(cert, EVP_sha256(), identity->sha256, &digest_len) != 1 ||
      !get_time(&identity->not_before, X509_get0_notBefore(cert)) ||
      !get_time(&identity->not_after, X509_get0_notAfter(cert))) {
    return HF_E_DENIED;
  }
  /* 802.1AR: serialNumber is the name; a CN that says something else would show one name and act under another. */
  if (X509_NAME_get_index_by_NID(subject, NID_commonName, -1) >= 0 &&
      (!get_name(common, sizeof common, subject, NID_commonName) || strcmp(common, identity->device) != 0)) {
    return HF_E_DENIED;
  }
  if (identity->factory) {
    (void)get_name(identity->product, sizeof identity->product, subject, NID_organizationalUnitName);
    (void)get_name(identity->hardware, sizeof identity->hardware, subject, NID_description);
  }
  describe(identity, cert, ssl);
  identity->present = true;
  return HF_OK;
}

bool hf_front_tls_host_check(const struct hf_front_tls *tls, struct hf_bytes host)
{
  char name[264];
  size_t len = host.len;
  if (len > 0 && host.at[0] == '[') { /* [IPv6]:port */
    const uint8_t *end = memchr(host.at, ']', len);
    if (end == NULL) {
      return false;
    }
    host.at++;
    len = (size_t)(end - host.at);
  } else {
    const uint8_t *colon = len == 0 ? NULL : memchr(host.at, ':', len);
    len = colon == NULL ? len : (size_t)(colon - host.at);
  }
  if (len == 0 || len >= sizeof name) {
    return false;
  }
  memcpy(name, host.at, len);
  name[len] = '\0';
  return X509_check_host(tls->server, name, len, 0, NULL) == 1 || X509_check_ip_asc(tls->server, name, 0) == 1;
}
