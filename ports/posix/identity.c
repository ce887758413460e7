/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/identity.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "hf/crypto/keyuri.h"
#include "ports/posix/diskfile.h"

#define FACTORY_KEY "factory.key"
#define FACTORY_CRT "factory.crt"
#define DEVICE_KEY "device.key"
#define DEVICE_CRT "device.crt"
#define NEXT_KEY "next.key"
#define OLD_KEY "old.key"
#define SERVER_CA "server-ca.crt"

static enum hf_err put_key(int folder, const char *name, const struct hf_key *key)
{
  uint8_t pem[HF_KEY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  enum hf_err err = hf_key_encode(&buf, key, (struct hf_bytes){NULL, 0});
  if (err == HF_OK) {
    err = hf_diskfile_put(folder, name, hf_buf_bytes(&buf), 0600);
  }
  hf_secret_wipe(pem, sizeof pem);
  return err;
}

static enum hf_err get_key_why(struct hf_key **key, int folder, const char *name, struct hf_why *why)
{
  uint8_t text[HF_KEY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  *key = NULL;
  enum hf_err err = hf_diskfile_get(&buf, folder, name);
  if (err == HF_OK) {
    err = hf_key_open(key, hf_buf_bytes(&buf), (struct hf_bytes){NULL, 0}, why);
  }
  hf_secret_wipe(text, sizeof text);
  return err;
}

static enum hf_err get_key(struct hf_key **key, int folder, const char *name)
{
  return get_key_why(key, folder, name, NULL);
}

static void complain(struct hf_trouble *trouble, const char *file, const char *todo, const char *what, enum hf_err err,
                     const struct hf_why *why)
{
  if (why->rule != HF_RULE_NONE) {
    const struct hf_rule_words *words = hf_rule_words(why->rule);
    hf_trouble_put(trouble, file, words->todo, "%s", words->what);
  } else {
    hf_trouble_put(trouble, file, todo, "%s (%s)", what, hf_err_name(err));
  }
}

/* ---- where keys are made ---- */

/* A key pair in a token is named on disk before it exists, so that a power cut leaves no key that nobody knows of. */
static enum hf_err make_in_token(struct hf_key **key, int folder, const char *name, struct hf_keyuri *uri,
                                 struct hf_why *why)
{
  uint8_t text[HF_KEYURI_MAX];
  struct hf_buf line = hf_buf_init(text, sizeof text);
  hf_keyuri_put(&line, uri, true);
  hf_buf_put_text(&line, "\n");
  enum hf_err err = line.failed ? HF_E_SPACE : hf_diskfile_put(folder, name, hf_buf_bytes(&line), 0600);
  if (err == HF_OK) {
    err = hf_key_create(key, hf_buf_bytes(&line), (struct hf_bytes){NULL, 0}, why);
  }
  hf_secret_wipe(text, sizeof text);
  return err;
}

/* Of the same token as `like`, with a name of its own. */
static enum hf_err make_beside(struct hf_key **key, int folder, const char *name, struct hf_bytes like,
                               struct hf_why *why)
{
  static const char label[] = "holdfast device key";
  struct hf_keyuri uri;
  enum hf_err err = hf_keyuri_parse(&uri, like, why);
  if (err == HF_OK) {
    memset(uri.object, 0, sizeof uri.object);
    memcpy(uri.object, label, sizeof label);
    memset(uri.id, 0, sizeof uri.id);
    uri.id_len = 16;
    err = hf_random(uri.id, uri.id_len);
  }
  err = err == HF_OK ? make_in_token(key, folder, name, &uri, why) : err;
  hf_secret_wipe(&uri, sizeof uri);
  return err;
}

static enum hf_err make_and_put(struct hf_key **key, int folder, const char *name, bool tpm, struct hf_why *why)
{
  enum hf_err err = tpm ? hf_key_create_tpm(key, why) : hf_key_new(key, HF_KEY_P256);
  if (err == HF_OK) {
    err = put_key(folder, name, *key);
    if (err != HF_OK) {
      hf_key_free(*key);
      *key = NULL;
    }
  }
  return err;
}

static bool begins(struct hf_bytes text, const char *with)
{
  size_t len = strlen(with);
  return text.len >= len && memcmp(text.at, with, len) == 0;
}

/* A new key, in the place where the factory key is. */
static enum hf_err make_key(struct hf_key **key, int folder, const char *name)
{
  uint8_t text[HF_KEY_PEM_MAX];
  struct hf_buf like = hf_buf_init(text, sizeof text);
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = hf_diskfile_get(&like, folder, FACTORY_KEY);
  if (err == HF_OK && hf_keyuri_check(hf_buf_bytes(&like))) {
    err = make_beside(key, folder, name, hf_buf_bytes(&like), &why);
  } else if (err == HF_OK) {
    bool tpm = begins(hf_buf_bytes(&like), "tpm2:") || begins(hf_buf_bytes(&like), "-----BEGIN TSS2");
    err = make_and_put(key, folder, name, tpm, &why);
  }
  hf_secret_wipe(text, sizeof text);
  return err;
}

/* Remove the key pair that a file names from its token; nothing to do for files and for keys wrapped by a TPM. HF_OK
 * when it is not in the token afterwards. */
static enum hf_err destroy_named(int folder, const char *name)
{
  uint8_t text[HF_KEY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = hf_diskfile_get(&buf, folder, name);
  if (err == HF_OK && hf_keyuri_check(hf_buf_bytes(&buf))) {
    err = hf_key_destroy(hf_buf_bytes(&buf), (struct hf_bytes){NULL, 0}, &why);
  }
  hf_secret_wipe(text, sizeof text);
  return err == HF_E_NOT_FOUND && why.rule != HF_RULE_KEY_TOKEN ? HF_OK : err;
}

static enum hf_err make_factory(struct hf_key **key, int folder, const char *home, struct hf_why *why)
{
  struct hf_bytes text = hf_bytes_text(home);
  struct hf_keyuri uri = {.slot = HF_KEYURI_NO_SLOT};
  if (strcmp(home, "file") == 0 || strcmp(home, "tpm2") == 0) {
    return make_and_put(key, folder, FACTORY_KEY, home[0] == 't', why);
  }
  if (!hf_key_is_reference(text)) {
    return HF_E_INPUT;
  }
  enum hf_err err = hf_keyuri_check(text) ? hf_keyuri_parse(&uri, text, why) : HF_OK;
  if (err != HF_OK) {
    return err;
  }
  if (hf_keyuri_check(text) && uri.object[0] == '\0' && uri.id_len == 0) { /* only the token is named */
    hf_secret_wipe(&uri, sizeof uri);
    return make_beside(key, folder, FACTORY_KEY, text, why);
  }
  err = hf_key_open(key, text, (struct hf_bytes){NULL, 0}, why);
  if (err == HF_OK) { /* made before, by the manufacturer */
    err = hf_diskfile_put(folder, FACTORY_KEY, text, 0600);
  } else if (why->rule == HF_RULE_KEY_OBJECT) {
    *why = (struct hf_why){.rule = HF_RULE_NONE};
    err = make_in_token(key, folder, FACTORY_KEY, &uri, why);
  }
  hf_secret_wipe(&uri, sizeof uri);
  return err;
}

enum hf_err hf_identity_new(int folder, const char *home, struct hf_trouble *trouble)
{
  struct hf_key *key = NULL;
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = get_key_why(&key, folder, FACTORY_KEY, &why);
  if (err == HF_E_NOT_FOUND && why.rule != HF_RULE_KEY_TOKEN) {
    why.rule = HF_RULE_NONE;
    err = make_factory(&key, folder, home, &why);
  }
  hf_key_free(key);
  if (err != HF_OK) {
    complain(trouble, FACTORY_KEY,
             err == HF_E_INPUT ? "file, tpm2, tpm2:handle=0x81NNNNNN or pkcs11:..."
                               : "check the folder's permissions, or remove a damaged key to make a new device",
             "cannot make or read the device's key", err, &why);
  }
  return err;
}

enum hf_key_home hf_identity_home(const struct hf_identity *identity)
{
  const struct hf_key *key = identity->device_pair.cert != NULL ? identity->device_pair.key : identity->factory.key;
  return key == NULL ? HF_KEY_IN_FILE : hf_key_home(key);
}

enum hf_err hf_identity_factory_key(struct hf_key **key, int folder) { return get_key(key, folder, FACTORY_KEY); }

/* ---- certificates ---- */

STACK_OF(X509) * hf_identity_parse_pem(struct hf_bytes pem)
{
  BIO *bio = pem.len == 0 || pem.len > HF_IDENTITY_PEM_MAX ? NULL : BIO_new_mem_buf(pem.at, (int)pem.len);
  STACK_OF(X509) *chain = sk_X509_new_null();
  bool good = bio != NULL && chain != NULL;
  while (good) {
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (cert == NULL) {
      /* "no start line" is the end of the file; anything else is a broken certificate. */
      good = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE && sk_X509_num(chain) > 0;
      break;
    }
    if (sk_X509_num(chain) >= HF_IDENTITY_CHAIN_MAX || sk_X509_push(chain, cert) <= 0) {
      X509_free(cert);
      good = false;
    }
  }
  ERR_clear_error();
  BIO_free(bio);
  if (!good) {
    sk_X509_pop_free(chain, X509_free);
    return NULL;
  }
  return chain;
}

enum hf_err hf_identity_put_pem(struct hf_buf *out, X509 *cert)
{
  BIO *bio = BIO_new(BIO_s_mem());
  const char *text = NULL;
  enum hf_err err = HF_E_CRYPTO;
  if (bio != NULL && PEM_write_bio_X509(bio, cert) == 1) {
    long len = BIO_get_mem_data(bio, &text);
    hf_buf_put(out, hf_bytes_init(text, (size_t)len));
    err = out->failed ? HF_E_SPACE : HF_OK;
  }
  BIO_free(bio);
  return err;
}

static enum hf_err get_chain(STACK_OF(X509) * *chain, int folder, const char *name)
{
  uint8_t pem[HF_IDENTITY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  enum hf_err err = hf_diskfile_get(&buf, folder, name);
  *chain = err == HF_OK ? hf_identity_parse_pem(hf_buf_bytes(&buf)) : NULL;
  return err == HF_OK && *chain == NULL ? HF_E_INPUT : err;
}

/* The first certificate of a file; the rest is its chain, which the server knows anyway. */
static enum hf_err get_cert(X509 **cert, X509 **issuer, int folder, const char *name)
{
  STACK_OF(X509) *chain = NULL;
  enum hf_err err = get_chain(&chain, folder, name);
  *cert = err == HF_OK ? sk_X509_shift(chain) : NULL;
  *issuer = err == HF_OK ? sk_X509_shift(chain) : NULL;
  sk_X509_pop_free(chain, X509_free);
  return err;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
  struct tm tm;
  int days = 0;
  int seconds = 0;
  ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
  bool good = epoch != NULL && time != NULL && ASN1_TIME_to_tm(time, &tm) == 1 &&
              ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
  ASN1_TIME_free(epoch);
  return good ? (int64_t)days * 86400 + seconds : 0;
}

int64_t hf_identity_ends(const X509 *cert) { return cert == NULL ? 0 : seconds_of(X509_get0_notAfter(cert)); }
int64_t hf_identity_begins(const X509 *cert) { return cert == NULL ? 0 : seconds_of(X509_get0_notBefore(cert)); }

static bool entry_is(const X509_NAME *name, int nid, const char *want)
{
  int at = X509_NAME_get_index_by_NID(name, nid, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(name, nid, at) >= 0) {
    return false;
  }
  const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
  struct hf_bytes bytes = hf_bytes_init(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
  return hf_bytes_is(bytes, want);
}

bool hf_identity_names(const X509 *cert, const char *device)
{
  const X509_NAME *name = X509_get_subject_name(cert);
  return entry_is(name, NID_serialNumber, device) && entry_is(name, NID_commonName, device);
}

bool hf_identity_fits(const struct hf_key *key, const X509 *cert)
{
  EVP_PKEY *pub = cert == NULL ? NULL : X509_get0_pubkey(cert);
  bool same = key != NULL && pub != NULL && EVP_PKEY_eq(pub, hf_key_native(key)) == 1;
  ERR_clear_error();
  return same;
}

enum hf_verdict hf_identity_verify(X509 *cert, STACK_OF(X509) * chain, int64_t now)
{
  enum hf_verdict verdict = HF_DENY;
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  if (store == NULL || ctx == NULL) {
    goto out;
  }
  for (int i = 0; i < sk_X509_num(chain); i++) {
    X509 *ca = sk_X509_value(chain, i);
    if (X509_self_signed(ca, 0) == 1 && X509_STORE_add_cert(store, ca) != 1) {
      goto out;
    }
  }
  if (X509_STORE_CTX_init(ctx, store, cert, chain) != 1) {
    goto out;
  }
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)now);
  verdict = X509_verify_cert(ctx) == 1 ? HF_ALLOW : HF_DENY;
out:
  X509_STORE_CTX_free(ctx);
  X509_STORE_free(store);
  ERR_clear_error();
  return verdict;
}

static enum hf_err sign_digest(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

enum hf_err hf_identity_put_csr(struct hf_buf *out, const struct hf_key *key, const struct hf_csr_subject *subject)
{
  struct hf_pubkey pub;
  enum hf_err err = hf_key_public(&pub, key);
  if (err != HF_OK) {
    return err;
  }
  /* The signer's context is not const for the sake of signers with state; a key has none. */
  union {
    const struct hf_key *in;
    void *out;
  } ctx = {.in = key};
  return hf_csr_encode(out, subject, &pub, (struct hf_csr_signer){.sign = sign_digest, .ctx = ctx.out});
}

/* ---- the whole ---- */

static enum hf_err load(struct hf_identity_pair *pair, int folder, const char *key, const char *cert,
                        struct hf_why *why)
{
  enum hf_err err = get_key_why(&pair->key, folder, key, why);
  if (err != HF_OK && err != HF_E_NOT_FOUND) {
    return err;
  }
  err = get_cert(&pair->cert, &pair->issuer, folder, cert);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

/* device.crt decides which key is the device's: see the head of identity.h. */
static enum hf_err settle(struct hf_identity *identity)
{
  struct hf_identity_pair *pair = &identity->device_pair;
  if (pair->cert == NULL || hf_identity_fits(pair->key, pair->cert)) {
    return HF_OK;
  }
  struct hf_key *next = NULL;
  enum hf_err err = get_key(&next, identity->folder, NEXT_KEY);
  if (err == HF_OK && !hf_identity_fits(next, pair->cert)) {
    err = HF_E_INPUT;
  }
  if (err == HF_OK && !identity->look) {
    err = hf_diskfile_move(identity->folder, NEXT_KEY, DEVICE_KEY);
  }
  if (err != HF_OK) {
    hf_key_free(next);
    return err == HF_E_NOT_FOUND ? HF_E_INPUT : err;
  }
  hf_key_free(pair->key);
  pair->key = next;
  return HF_OK;
}

static bool sound(const struct hf_identity *identity, const struct hf_identity_pair *pair)
{
  return pair->cert == NULL ||
         (hf_identity_fits(pair->key, pair->cert) && hf_identity_names(pair->cert, identity->device));
}

/* What a device cannot be without: its factory key, and the CA of its server. */
static enum hf_err load_basis(struct hf_identity *identity, struct hf_trouble *trouble)
{
  const char *file = FACTORY_KEY;
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = load(&identity->factory, identity->folder, FACTORY_KEY, FACTORY_CRT, &why);
  if (err == HF_OK && identity->factory.key == NULL) {
    err = HF_E_NOT_FOUND;
  }
  if (err == HF_OK && !sound(identity, &identity->factory)) {
    hf_trouble_put(trouble, FACTORY_CRT, "use the certificate that was made for this device's request",
                   "this certificate is not for the device \"%s\" and its key", identity->device);
    return HF_E_INPUT;
  }
  if (err == HF_OK) {
    file = SERVER_CA;
    err = get_chain(&identity->server_ca, identity->folder, SERVER_CA);
  }
  if (err != HF_OK) {
    complain(trouble, file, "restore the file, or provision the device again", "cannot load the device's identity", err,
             &why);
  }
  return err;
}

static void free_pair(struct hf_identity_pair *pair)
{
  hf_key_free(pair->key);
  X509_free(pair->cert);
  X509_free(pair->issuer);
  *pair = (struct hf_identity_pair){NULL, NULL, NULL};
}

static bool same_file(int folder, const char *one, const char *two)
{
  uint8_t rooms[2][HF_KEY_PEM_MAX];
  struct hf_buf a = hf_buf_init(rooms[0], sizeof rooms[0]);
  struct hf_buf b = hf_buf_init(rooms[1], sizeof rooms[1]);
  bool same = hf_diskfile_get(&a, folder, one) == HF_OK && hf_diskfile_get(&b, folder, two) == HF_OK &&
              hf_bytes_equal(hf_buf_bytes(&a), hf_buf_bytes(&b));
  hf_secret_wipe(rooms, sizeof rooms);
  return same;
}

/* old.key names the token's key pair that a renewal replaces. It goes once the new pair is in place, or is forgotten
 * when the renewal did not happen; when the token refuses now, the next start tries again. */
static void forget_old(const struct hf_identity *identity)
{
  int folder = identity->folder;
  bool in_place = identity->device_pair.cert != NULL;
  if (identity->look || !hf_diskfile_exists(folder, OLD_KEY)) {
    return;
  }
  bool undone = same_file(folder, OLD_KEY, DEVICE_KEY);
  if (undone || (in_place && destroy_named(folder, OLD_KEY) == HF_OK)) {
    (void)(hf_diskfile_remove(folder, OLD_KEY) == HF_OK); /* or at the next start */
  }
}

/* Before device.crt is replaced: what device.key names will have to go. */
static enum hf_err note_old(int folder)
{
  uint8_t text[HF_KEY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  enum hf_err err = hf_diskfile_get(&buf, folder, DEVICE_KEY);
  if (err == HF_OK && hf_keyuri_check(hf_buf_bytes(&buf))) {
    err = hf_diskfile_put(folder, OLD_KEY, hf_buf_bytes(&buf), 0600);
  }
  hf_secret_wipe(text, sizeof text);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static enum hf_err load_all(struct hf_identity *identity, const char *device, struct hf_trouble *trouble)
{
  struct hf_buf name = hf_buf_init(identity->device, sizeof identity->device);
  hf_buf_put_text(&name, device);
  if (hf_buf_terminate(&name) != HF_OK) {
    return HF_E_INPUT;
  }
  enum hf_err err = load_basis(identity, trouble);
  if (err != HF_OK) {
    hf_identity_close(identity);
    return err;
  }
  struct hf_identity_pair *pair = &identity->device_pair;
  err = load(pair, identity->folder, DEVICE_KEY, DEVICE_CRT, NULL);
  if (err == HF_OK) {
    err = settle(identity);
  }
  /* An operational identity that cannot be used is one to enrol for again, not a reason to stay away. */
  if (err != HF_OK || !sound(identity, pair)) {
    free_pair(pair);
    identity->lost = true;
  }
  forget_old(identity);
  return HF_OK;
}

enum hf_err hf_identity_open(struct hf_identity *identity, int folder, const char *device, struct hf_trouble *trouble)
{
  memset(identity, 0, sizeof *identity);
  identity->folder = folder;
  return load_all(identity, device, trouble);
}

enum hf_err hf_identity_look(struct hf_identity *identity, int folder, const char *device, struct hf_trouble *trouble)
{
  memset(identity, 0, sizeof *identity);
  identity->folder = folder;
  identity->look = true;
  return load_all(identity, device, trouble);
}

void hf_identity_close(struct hf_identity *identity)
{
  free_pair(&identity->factory);
  free_pair(&identity->device_pair);
  sk_X509_pop_free(identity->server_ca, X509_free);
  identity->server_ca = NULL;
}

enum hf_err hf_identity_next(struct hf_key **key, int folder)
{
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = get_key_why(key, folder, NEXT_KEY, &why);
  if (err != HF_E_INPUT && (err != HF_E_NOT_FOUND || why.rule == HF_RULE_KEY_TOKEN)) {
    return err;
  }
  /* A next key that cannot be used is worth nothing: no certificate names it yet. */
  if (err == HF_E_INPUT || why.rule != HF_RULE_NONE) {
    (void)(destroy_named(folder, NEXT_KEY) == HF_OK);
  }
  return make_key(key, folder, NEXT_KEY);
}

static enum hf_err judge(const struct hf_identity *identity, const struct hf_identity_pair *offered,
                         STACK_OF(X509) * chain, int64_t now, struct hf_trouble *trouble)
{
  X509 *cert = offered->cert;
  const char *todo = "look at the server's log and at its device CA";
  if (!hf_identity_fits(offered->key, cert)) {
    hf_trouble_put(trouble, DEVICE_CRT, todo, "the server sent a certificate for another key");
  } else if (!hf_identity_names(cert, identity->device)) {
    hf_trouble_put(trouble, DEVICE_CRT, todo, "the server sent a certificate for another device");
  } else if (hf_identity_verify(cert, chain, now) != HF_ALLOW) {
    hf_trouble_put(trouble, DEVICE_CRT, todo, "the server sent a certificate that its own CA does not vouch for now");
  } else {
    return HF_OK;
  }
  return HF_E_DENIED;
}

enum hf_err hf_identity_put(struct hf_identity *identity, X509 *cert, STACK_OF(X509) * chain, int64_t now,
                            struct hf_trouble *trouble)
{
  struct hf_key *next = NULL;
  uint8_t pem[HF_IDENTITY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  enum hf_err err = get_key(&next, identity->folder, NEXT_KEY);
  if (err == HF_OK) {
    err = judge(identity, &(struct hf_identity_pair){.key = next, .cert = cert}, chain, now, trouble);
  }
  if (err == HF_OK) {
    err = hf_identity_put_pem(&buf, cert);
  }
  if (err == HF_OK) {
    err = note_old(identity->folder);
  }
  if (err == HF_OK) {
    err = hf_diskfile_put(identity->folder, DEVICE_CRT, hf_buf_bytes(&buf), 0644);
  }
  if (err == HF_OK) {
    err = hf_diskfile_move(identity->folder, NEXT_KEY, DEVICE_KEY);
  }
  if (err != HF_OK) {
    hf_key_free(next);
    hf_trouble_put(trouble, DEVICE_CRT, "check the folder's permissions and the room on the disk",
                   "cannot put the new certificate in place (%s)", hf_err_name(err));
    return err;
  }
  (void)X509_up_ref(cert);
  free_pair(&identity->device_pair);
  identity->device_pair = (struct hf_identity_pair){.key = next, .cert = cert};
  forget_old(identity);
  return HF_OK;
}
