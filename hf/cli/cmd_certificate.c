/* SPDX-License-Identifier: Apache-2.0
 * holdfast certificate renew: the server's TLS certificate, signed anew by the offline server CA. */
#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "hf/cli/cafolder.h"
#include "hf/cli/command.h"
#include "hf/cli/founding.h"
#include "hf/cli/offline.h"
#include "hf/cli/output.h"
#include "hf/cli/pki.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"

#define DAY INT64_C(86400)
#define LIFE_S (UINT64_C(5) * 365 * 86400)
#define NAME_MAX_LEN 256

/** What the new certificate is made of. */
struct renewal {
  char dir[HF_PATH_MAX];
  char offline[HF_PATH_MAX];
  char room[HF_PKI_NAMES_MAX][NAME_MAX_LEN];
  const char *names[HF_PKI_NAMES_MAX + 1];
  size_t count;
};

static void name_add(struct renewal *renewal, const char *text, size_t len)
{
  if (renewal->count < HF_PKI_NAMES_MAX && len > 0 && len < NAME_MAX_LEN) {
    char *room = renewal->room[renewal->count];
    hf_format(room, NAME_MAX_LEN, "%.*s", (int)len, text);
    renewal->names[renewal->count++] = room;
  }
}

static void name_take(struct renewal *renewal, const GENERAL_NAME *name)
{
  char text[INET6_ADDRSTRLEN];
  const ASN1_STRING *value = name->type == GEN_DNS     ? name->d.dNSName
                             : name->type == GEN_IPADD ? name->d.iPAddress
                                                       : NULL;
  if (value == NULL) {
    return;
  }
  const void *at = ASN1_STRING_get0_data(value);
  size_t len = (size_t)ASN1_STRING_length(value);
  if (name->type == GEN_DNS) {
    name_add(renewal, at, len);
  } else if (inet_ntop(len == 4 ? AF_INET : AF_INET6, at, text, sizeof text) != NULL && (len == 4 || len == 16)) {
    name_add(renewal, text, strlen(text));
  }
}

/* The names of the present certificate, so that devices find the server under all they knew. */
static enum hf_err names_get(struct renewal *renewal, const char *path)
{
  struct hf_blob pem;
  enum hf_err err = hf_disk_get(&pem, path, HF_PKI_PEM_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
  X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
  GENERAL_NAMES *names = cert == NULL ? NULL : X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
  for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
    name_take(renewal, sk_GENERAL_NAME_value(names, i));
  }
  GENERAL_NAMES_free(names);
  X509_free(cert);
  BIO_free(bio);
  hf_blob_free(&pem);
  if (renewal->count == 0) {
    hf_complain(path, "give them with --name", "the present certificate tells no names");
    return HF_E_INPUT;
  }
  return HF_OK;
}

/* What the CA before says of this one, behind the certificate: a device that has not learned the new CA yet finds a
 * path (docs/spec/identity.md). The first CA has nobody before it. */
static enum hf_err put_cross(struct hf_buf *pem, const char *offline, unsigned number)
{
  char path[HF_PATH_MAX];
  struct hf_blob cross = {NULL, 0};
  if (number < 2) {
    return HF_OK;
  }
  enum hf_err err = hf_cafolder_path(path, offline, "server-ca", number, ".cross.crt");
  err = err == HF_OK ? hf_disk_get(&cross, path, HF_PKI_PEM_MAX) : err;
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  hf_buf_put(pem, hf_blob_bytes(&cross));
  hf_blob_free(&cross);
  return pem->failed ? HF_E_SPACE : HF_OK;
}

/* By the newest server CA there is. */
static enum hf_err sign(const struct renewal *renewal, struct hf_buf *pem, const struct hf_call *call,
                        struct hf_pki_validity validity)
{
  unsigned newest = hf_cafolder_newest(renewal->offline, "server-ca");
  unsigned number = newest > 0 ? newest : 1; /* the message about a missing one names the first */
  char path[HF_PATH_MAX];
  struct hf_key *ca = NULL;
  struct hf_key *key = NULL;
  struct hf_blob cert = {NULL, 0};
  struct hf_passphrase_source source = {.file = hf_args_get(call, "passphrase-file"),
                                        .prompt = "Passphrase of the server CA's key"};
  enum hf_err err = hf_path_join(path, renewal->dir, "server/tls/server.key");
  if (err == HF_OK) {
    err = hf_key_file_open(&key, path, &source);
  }
  if (err == HF_OK) {
    err = hf_cafolder_path(path, renewal->offline, "server-ca", number, ".pem");
  }
  if (err == HF_OK) {
    err = hf_key_file_open(&ca, path, &source);
  }
  if (err == HF_OK) {
    err = hf_cafolder_path(path, renewal->offline, "server-ca", number, ".crt");
  }
  if (err == HF_OK) {
    err = hf_disk_get(&cert, path, HF_PKI_PEM_MAX);
    if (err != HF_OK) {
      hf_disk_complain(err, "read", path);
    }
  }
  if (err == HF_OK) {
    struct hf_pki_issuer issuer = {ca, hf_blob_bytes(&cert)};
    err = hf_pki_put_server(pem, key, renewal->names, &issuer, validity);
    if (err != HF_OK) {
      hf_complain("--name", "give host names or addresses", "the certificate cannot be made (%s)", hf_err_name(err));
    }
  }
  if (err == HF_OK) {
    err = put_cross(pem, renewal->offline, number);
  }
  hf_blob_free(&cert);
  hf_key_free(ca);
  hf_key_free(key);
  return err;
}

static enum hf_err renew(struct renewal *renewal, const struct hf_call *call)
{
  char path[HF_PATH_MAX];
  uint8_t room[HF_PKI_PEM_MAX];
  uint64_t life;
  size_t at = 0;
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  int64_t now = (int64_t)time(NULL);
  const char *wrong = hf_clock_check(now);
  if (wrong != NULL) {
    hf_complain(NULL, "set the clock", "%s", wrong);
    return HF_E_STATE;
  }
  enum hf_err err = hf_args_duration(call, "expires", &life, LIFE_S);
  if (err == HF_OK) {
    err = hf_path_join(path, renewal->dir, "server/tls/server.crt");
  }
  if (err == HF_OK) {
    err = names_get(renewal, path);
  }
  for (const char *name = hf_args_next(call, "name", &at); name != NULL; name = hf_args_next(call, "name", &at)) {
    name_add(renewal, name, strlen(name));
  }
  if (err == HF_OK) {
    err = sign(renewal, &pem, call, (struct hf_pki_validity){now - DAY, now + (int64_t)life});
  }
  if (err == HF_OK) {
    err = hf_disk_put(path, hf_buf_bytes(&pem), 0644);
    if (err != HF_OK) {
      hf_disk_complain(err, "write", path);
    }
  }
  if (err == HF_OK) {
    printf("Wrote %s, good until %s.\nTell the running server: SIGHUP to its first process (systemctl reload).\n", path,
           hf_say_time(now + (int64_t)life));
  }
  return err;
}

int hf_cmd_certificate_renew(const struct hf_call *call)
{
  struct renewal renewal = {.count = 0};
  enum hf_err err = hf_place_workspace(renewal.dir, call, false);
  if (err == HF_OK) {
    err = hf_place_offline(renewal.offline, call);
  }
  if (err == HF_OK) {
    err = renew(&renewal, call);
  }
  return hf_exit_of(err);
}
