/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/estclient.h"

#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <stdio.h>

#include "hf/codec/text.h"
#include "ports/posix/diskfile.h"

#define DEVICE_CA "device-ca.crt"
#define EST "/.well-known/est/"

STACK_OF(X509) * hf_estclient_parse(struct hf_bytes body)
{
  uint8_t der[HF_ESTCLIENT_REPLY_MAX];
  struct hf_buf buf = hf_buf_init(der, sizeof der);
  if (hf_base64_parse(&buf, body) != HF_OK || buf.len == 0) {
    return NULL;
  }
  const unsigned char *at = der;
  PKCS7 *cms = d2i_PKCS7(NULL, &at, (long)buf.len);
  STACK_OF(X509) *certs = NULL;
  if (cms != NULL && at == der + buf.len && PKCS7_type_is_signed(cms) && cms->d.sign != NULL) {
    certs = cms->d.sign->cert;
  }
  int count = certs == NULL ? 0 : sk_X509_num(certs);
  STACK_OF(X509) *chain = count > 0 && count <= HF_IDENTITY_CHAIN_MAX ? X509_chain_up_ref(certs) : NULL;
  PKCS7_free(cms);
  ERR_clear_error();
  return chain;
}

static enum hf_err keep(void *ctx, struct hf_bytes piece)
{
  struct hf_buf *buf = ctx;
  hf_buf_put(buf, piece);
  return buf->failed ? HF_E_SPACE : HF_OK;
}

/* What an EST status means for us (RFC 7030 section 4.2.3). */
static enum hf_err judge_status(const struct hf_https *https, const struct hf_http_reply *reply, const char *path,
                                struct hf_trouble *trouble)
{
  switch (reply->status) {
    case 200: return HF_OK;
    case 400:
    case 401:
    case 403:
    case 404:
      hf_trouble_put(trouble, path, "see the server's log; is the device blocked, or its token used up?",
                     "the server refuses to enrol the device (HTTP %d)", reply->status);
      return HF_E_DENIED;
    default:
      hf_trouble_put(trouble, path, "it is tried again later", "the server does not enrol now (HTTP %d) %s",
                     reply->status, https->detail);
      return HF_E_AGAIN;
  }
}

/* One EST call. Gives `*certs` at HF_OK. */
static enum hf_err call(STACK_OF(X509) * *certs, struct hf_https *https, const char *path, struct hf_bytes body,
                        struct hf_trouble *trouble)
{
  uint8_t text[HF_ESTCLIENT_REPLY_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  struct hf_http_reply reply;
  struct hf_http_request request = {.method = body.len > 0 ? "POST" : "GET",
                                    .path = path,
                                    .content_type = body.len > 0 ? "application/pkcs10" : NULL,
                                    .body = body,
                                    .max_len = sizeof text};
  enum hf_err err = hf_https_ops.request(https, &reply, &request, (struct hf_sink){.put = keep, .ctx = &buf});
  if (err != HF_OK) {
    hf_trouble_put(trouble, path, "it is tried again later", "the request to the server failed (%s): %s",
                   hf_err_name(err), https->detail);
    return err;
  }
  err = judge_status(https, &reply, path, trouble);
  if (err == HF_OK) {
    *certs = hf_estclient_parse(hf_buf_bytes(&buf));
    err = *certs == NULL ? HF_E_INPUT : HF_OK;
  }
  if (err == HF_E_INPUT) {
    hf_trouble_put(trouble, path, "see the server's log", "the server's reply holds no certificates");
  }
  return err;
}

enum hf_err hf_estclient_server_cas(STACK_OF(X509) * *certs, struct hf_https *https, struct hf_trouble *trouble)
{
  return call(certs, https, EST "server/cacerts", (struct hf_bytes){NULL, 0}, trouble);
}

/* What the server wants its device CA to be, kept for people and for judging what it issues. */
static enum hf_err get_ca(STACK_OF(X509) * *chain, struct hf_https *https, int folder, struct hf_trouble *trouble)
{
  uint8_t pem[HF_IDENTITY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  enum hf_err err = call(chain, https, EST "cacerts", (struct hf_bytes){NULL, 0}, trouble);
  for (int i = 0; err == HF_OK && i < sk_X509_num(*chain); i++) {
    err = hf_identity_put_pem(&buf, sk_X509_value(*chain, i));
  }
  return err == HF_OK ? hf_diskfile_put(folder, DEVICE_CA, hf_buf_bytes(&buf), 0644) : err;
}

static X509 *find_ours(STACK_OF(X509) * certs, const struct hf_key *key)
{
  for (int i = 0; i < sk_X509_num(certs); i++) {
    if (hf_identity_fits(key, sk_X509_value(certs, i))) {
      return sk_X509_value(certs, i);
    }
  }
  return sk_X509_value(certs, 0); /* hf_identity_put says what is wrong with it */
}

/* The issuing CA's own time is the best there is: a device without clock gets its first certificate this way. */
static int64_t time_for(const struct hf_https *https, const X509 *cert)
{
  const struct hf_clock *clock = https->spec.clock;
  int64_t now = clock != NULL ? hf_clock_now(clock) : hf_port_time();
  bool told = clock == NULL || clock->told != 0;
  bool outside = now < hf_identity_begins(cert) || now > hf_identity_ends(cert);
  return !told && outside ? hf_identity_begins(cert) : now;
}

struct attempt {
  enum hf_estclient_by by;
  const char *path;
  struct hf_https_login login;
};

static enum hf_err ask_certificate(struct hf_https *https, struct hf_identity *identity, const struct attempt *attempt,
                                   struct hf_bytes csr, struct hf_trouble *trouble)
{
  STACK_OF(X509) *chain = NULL;
  STACK_OF(X509) *certs = NULL;
  struct hf_key *next = NULL;
  enum hf_err err = hf_https_login(https, &attempt->login);
  if (err == HF_OK) {
    err = get_ca(&chain, https, identity->folder, trouble);
  }
  if (err == HF_OK) {
    err = call(&certs, https, attempt->path, csr, trouble);
  }
  if (err == HF_OK) {
    err = hf_identity_next(&next, identity->folder);
  }
  if (err == HF_OK) {
    X509 *cert = find_ours(certs, next);
    /* The connection's identity is about to be freed. */
    err = hf_https_login(https, &(struct hf_https_login){.pair = NULL});
    err = err == HF_OK ? hf_identity_put(identity, cert, chain, time_for(https, cert), trouble) : err;
  }
  hf_key_free(next);
  sk_X509_pop_free(certs, X509_free);
  sk_X509_pop_free(chain, X509_free);
  return err;
}

static enum hf_err make_request(struct hf_buf *text, const struct hf_identity *identity,
                                const struct hf_csr_subject *subject)
{
  uint8_t der[HF_CSR_MAX];
  struct hf_buf buf = hf_buf_init(der, sizeof der);
  struct hf_key *next = NULL;
  enum hf_err err = hf_identity_next(&next, identity->folder);
  if (err == HF_OK) {
    err = hf_identity_put_csr(&buf, next, subject);
  }
  hf_key_free(next);
  if (err == HF_OK) {
    hf_base64_put(text, hf_buf_bytes(&buf));
    err = text->failed ? HF_E_SPACE : HF_OK;
  }
  return err;
}

static enum hf_err get_token(struct hf_buf *token, int folder)
{
  enum hf_err err = hf_diskfile_get(token, folder, HF_ESTCLIENT_TOKEN);
  while (err == HF_OK && token->len > 0 && token->at[token->len - 1] <= ' ') {
    token->len--;
  }
  return err == HF_OK ? hf_buf_terminate(token) : err;
}

/* What there is to enrol with, best first. */
static size_t list_attempts(struct attempt attempts[3], const struct hf_identity *identity, const char *token)
{
  size_t count = 0;
  const struct hf_identity_pair *own = &identity->device_pair;
  if (own->cert != NULL) { /* ended or not: for how long after its end it still helps is the server's to say */
    attempts[count++] = (struct attempt){HF_ESTCLIENT_RENEWED, EST "simplereenroll", {.pair = own}};
  }
  if (identity->factory.cert != NULL) {
    attempts[count++] = (struct attempt){HF_ESTCLIENT_FACTORY, EST "simpleenroll", {.pair = &identity->factory}};
  }
  if (token[0] != '\0') {
    attempts[count++] =
        (struct attempt){HF_ESTCLIENT_BY_TOKEN, EST "simpleenroll", {.name = identity->device, .password = token}};
  }
  return count;
}

enum hf_err hf_estclient_run(enum hf_estclient_by *by, struct hf_https *https, struct hf_identity *identity,
                             const struct hf_csr_subject *subject, struct hf_trouble *trouble)
{
  char token[HF_ESTCLIENT_TOKEN_MAX] = "";
  struct hf_buf token_buf = hf_buf_init(token, sizeof token);
  uint8_t text[2 * HF_CSR_MAX];
  struct hf_buf csr = hf_buf_init(text, sizeof text);
  struct attempt attempts[3];
  *by = HF_ESTCLIENT_NONE;
  if (get_token(&token_buf, identity->folder) != HF_OK) {
    token[0] = '\0';
  }
  enum hf_err err = make_request(&csr, identity, subject);
  size_t count = err == HF_OK ? list_attempts(attempts, identity, token) : 0;
  if (err == HF_OK && count == 0) {
    hf_trouble_put(trouble, "factory.crt", "provision a factory certificate or a one-time token",
                   "the device has nothing to enrol with");
    err = HF_E_NOT_FOUND;
  }
  for (size_t i = 0; i < count; i++) {
    struct hf_trouble found = {.what = ""};
    err = ask_certificate(https, identity, &attempts[i], hf_buf_bytes(&csr), &found);
    if (err == HF_OK) {
      *by = attempts[i].by;
      break;
    }
    hf_trouble_put(trouble, found.where, found.todo, "%s", found.what);
    if (err != HF_E_DENIED) {
      break; /* the next one would meet the same network or the same disk */
    }
  }
  if (*by == HF_ESTCLIENT_BY_TOKEN) {
    err = hf_diskfile_remove(identity->folder, HF_ESTCLIENT_TOKEN);
  }
  hf_secret_wipe(token, sizeof token);
  const struct hf_identity_pair *own = identity->device_pair.cert != NULL ? &identity->device_pair : NULL;
  enum hf_err login_err = hf_https_login(https, &(struct hf_https_login){.pair = own});
  return err != HF_OK ? err : login_err;
}
