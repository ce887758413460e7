/* SPDX-License-Identifier: Apache-2.0
 * Keys in PKCS#11 tokens (OASIS PKCS#11 2.40), straight through the module's function list: only so can a wrong PIN, a
 * locked token, a missing key and a token pulled out be told apart, and a key be made inside the token.
 *
 * A module is loaded when the first key of it is opened and stays loaded. One thread.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/x509.h>
#include <p11-kit/pkcs11.h>

#include "hf/crypto/keyback.h"
#include "hf/crypto/keyuri.h"

/** Modules in one process: one for the keys, one for a spy in front of it, and room. */
#define MODULES_MAX 4
/** More slots than any reader rack or network HSM partition list we know of. */
#define SLOTS_MAX 256
/** Objects looked at before "several" is said. */
#define OBJECTS_MAX 2
#define CERT_MAX 8192
#define PROXY "p11-kit-proxy.so"

struct module {
  char path[HF_KEYURI_PATH_MAX + 1];
  CK_FUNCTION_LIST *call;
  pid_t owner; /* a child of fork starts the module anew (PKCS#11 2.40, section 5.2 of the usage guide) */
};

struct p11 {
  CK_FUNCTION_LIST *call;
  CK_SESSION_HANDLE session;
  CK_OBJECT_HANDLE object;
  bool each_time; /* CKA_ALWAYS_AUTHENTICATE: the PIN is asked for at each signature */
  size_t pin_len;
  uint8_t pin[HF_KEYURI_PIN_MAX];
};

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule, enum hf_err err)
{
  hf_why_put(why, rule, 0);
  return err;
}

static enum hf_err explain(struct hf_why *why, CK_RV rv)
{
  switch (rv) {
    case CKR_OK: return HF_OK;
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE: return refuse(why, HF_RULE_KEY_PIN, HF_E_DENIED);
    case CKR_PIN_LOCKED:
    case CKR_PIN_EXPIRED: return refuse(why, HF_RULE_KEY_PIN_LOCKED, HF_E_DENIED);
    case CKR_USER_NOT_LOGGED_IN: return refuse(why, HF_RULE_KEY_PIN_NONE, HF_E_DENIED);
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_SESSION_CLOSED:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_OBJECT_HANDLE_INVALID:
    case CKR_KEY_HANDLE_INVALID: return refuse(why, HF_RULE_KEY_GONE, HF_E_IO);
    default: return refuse(why, HF_RULE_KEY_TOKEN_FAILED, HF_E_IO);
  }
}

/* ---- modules ---- */

static enum hf_err module_start(CK_FUNCTION_LIST *call)
{
  CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
  CK_RV rv = call->C_Initialize(&args);
  return rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED ? HF_OK : HF_E_IO;
}

static enum hf_err module_load(CK_FUNCTION_LIST **call, const char *path)
{
  CK_RV (*list)(CK_FUNCTION_LIST **) = NULL;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  void *symbol = library == NULL ? NULL : dlsym(library, "C_GetFunctionList");
  if (symbol == NULL) {
    return HF_E_IO;
  }
  memcpy(&list, &symbol, sizeof list); /* POSIX lets dlsym give functions; ISO C has no cast for it */
  if (list(call) != CKR_OK || *call == NULL) {
    return HF_E_IO;
  }
  return module_start(*call);
}

static enum hf_err module_get(CK_FUNCTION_LIST **call, const struct hf_keyuri *uri, struct hf_why *why)
{
  static struct module modules[MODULES_MAX];
  static size_t count;
  const char *path = uri->module_path;
  if (path[0] == '\0') {
    path = getenv("HOLDFAST_PKCS11_MODULE");
    path = path == NULL || path[0] == '\0' ? PROXY : path;
  }
  for (size_t i = 0; i < count; i++) {
    if (strcmp(modules[i].path, path) == 0) {
      *call = modules[i].call;
      bool ours = modules[i].owner == getpid();
      modules[i].owner = getpid();
      return ours || module_start(*call) == HF_OK ? HF_OK : refuse(why, HF_RULE_KEY_MODULE, HF_E_IO);
    }
  }
  if (count == MODULES_MAX || strlen(path) > HF_KEYURI_PATH_MAX || module_load(call, path) != HF_OK) {
    return refuse(why, HF_RULE_KEY_MODULE, HF_E_IO);
  }
  memcpy(modules[count].path, path, strlen(path) + 1);
  modules[count].owner = getpid();
  modules[count++].call = *call;
  return HF_OK;
}

/* ---- tokens ---- */

/* A blank-padded field of PKCS#11 against what the URI wants; nothing wanted fits all. */
static bool field_fits(const unsigned char *field, size_t cap, const char *want)
{
  while (cap > 0 && (field[cap - 1] == ' ' || field[cap - 1] == '\0')) {
    cap--;
  }
  return want[0] == '\0' || (strlen(want) == cap && memcmp(field, want, cap) == 0);
}

static bool token_fits(const CK_TOKEN_INFO *info, const struct hf_keyuri *uri)
{
  return (info->flags & CKF_TOKEN_INITIALIZED) != 0 && field_fits(info->label, sizeof info->label, uri->token) &&
         field_fits(info->manufacturerID, sizeof info->manufacturerID, uri->manufacturer) &&
         field_fits(info->model, sizeof info->model, uri->model) &&
         field_fits(info->serialNumber, sizeof info->serialNumber, uri->serial);
}

static enum hf_err token_find(CK_SLOT_ID *slot, CK_TOKEN_INFO *info, CK_FUNCTION_LIST *call,
                              const struct hf_keyuri *uri, struct hf_why *why)
{
  CK_SLOT_ID slots[SLOTS_MAX];
  CK_ULONG count = SLOTS_MAX;
  size_t found = 0;
  CK_RV rv = call->C_GetSlotList(CK_TRUE, slots, &count);
  if (rv != CKR_OK) {
    return explain(why, rv);
  }
  for (CK_ULONG i = 0; i < count; i++) {
    CK_TOKEN_INFO one;
    bool wanted = uri->slot == HF_KEYURI_NO_SLOT || uri->slot == slots[i];
    if (wanted && call->C_GetTokenInfo(slots[i], &one) == CKR_OK && token_fits(&one, uri)) {
      *slot = slots[i];
      *info = one;
      found++;
    }
  }
  if (found != 1) {
    return found == 0 ? refuse(why, HF_RULE_KEY_TOKEN, HF_E_NOT_FOUND) : refuse(why, HF_RULE_KEY_TOKENS, HF_E_INPUT);
  }
  return HF_OK;
}

/* ---- PIN ---- */

static enum hf_err pin_read(struct p11 *p11, const char *path, struct hf_why *why)
{
  uint8_t room[HF_KEYURI_PIN_MAX + 2];
  struct stat about;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  ssize_t got = -1;
  if (file >= 0 && fstat(file, &about) == 0 && S_ISREG(about.st_mode) && (about.st_mode & (S_IRWXG | S_IRWXO)) == 0) {
    got = read(file, room, sizeof room);
  }
  if (file >= 0) {
    (void)close(file);
  }
  size_t len = 0;
  while (got > 0 && len < (size_t)got && room[len] != '\n' && room[len] != '\r') {
    len++;
  }
  bool good = len > 0 && len <= HF_KEYURI_PIN_MAX;
  if (good) {
    memcpy(p11->pin, room, len);
    p11->pin_len = len;
  }
  hf_secret_wipe(room, sizeof room);
  return good ? HF_OK : refuse(why, HF_RULE_KEY_PIN_SOURCE, HF_E_DENIED);
}

/* `*stored`: nobody typed it just now, so it would be tried again and again. */
static enum hf_err pin_get(struct p11 *p11, bool *stored, const struct hf_keyuri *uri, struct hf_bytes pin,
                           struct hf_why *why)
{
  *stored = true;
  if (uri->pin_source[0] != '\0') {
    return pin_read(p11, uri->pin_source, why);
  }
  if (uri->pin_value[0] != '\0') {
    pin = hf_bytes_text(uri->pin_value);
  } else {
    *stored = false;
  }
  if (pin.len > HF_KEYURI_PIN_MAX) {
    return refuse(why, HF_RULE_KEY_PIN, HF_E_DENIED);
  }
  if (pin.len > 0) {
    memcpy(p11->pin, pin.at, pin.len);
  }
  p11->pin_len = pin.len;
  return HF_OK;
}

static enum hf_err log_in(struct p11 *p11, CK_SLOT_ID slot, const CK_TOKEN_INFO *info, bool stored, struct hf_why *why)
{
  if ((info->flags & CKF_LOGIN_REQUIRED) == 0) {
    return HF_OK;
  }
  if ((info->flags & CKF_USER_PIN_LOCKED) != 0) {
    return refuse(why, HF_RULE_KEY_PIN_LOCKED, HF_E_DENIED);
  }
  bool pad = (info->flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0; /* the token has keys of its own */
  if (p11->pin_len == 0 && !pad) {
    return refuse(why, HF_RULE_KEY_PIN_NONE, HF_E_DENIED);
  }
  CK_SESSION_INFO now;
  bool in = p11->call->C_GetSessionInfo(p11->session, &now) == CKR_OK &&
            (now.state == CKS_RO_USER_FUNCTIONS || now.state == CKS_RW_USER_FUNCTIONS);
  if (in) {
    return HF_OK;
  }
  /* Whoever starts again after a failure must not lock the token by it. */
  if (stored && (info->flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY)) != 0) {
    return refuse(why, HF_RULE_KEY_PIN_STALE, HF_E_DENIED);
  }
  CK_RV rv = p11->call->C_Login(p11->session, CKU_USER, pad ? NULL : p11->pin, pad ? 0 : p11->pin_len);
  if (rv == CKR_USER_ALREADY_LOGGED_IN) {
    return HF_OK;
  }
  if (rv != CKR_OK) {
    CK_TOKEN_INFO after;
    bool told = p11->call->C_GetTokenInfo(slot, &after) == CKR_OK;
    if (told && (after.flags & CKF_USER_PIN_LOCKED) != 0) {
      rv = CKR_PIN_LOCKED;
    } else if (told && (after.flags & CKF_USER_PIN_FINAL_TRY) != 0 && rv == CKR_PIN_INCORRECT) {
      return refuse(why, HF_RULE_KEY_PIN_LAST, HF_E_DENIED);
    }
  }
  return explain(why, rv);
}

/* ---- objects ---- */

#define ATTR(kind, value)                                                                                              \
  {                                                                                                                    \
    (kind), &(value), sizeof(value)                                                                                    \
  }
static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;

static CK_ULONG put_names(CK_ATTRIBUTE *to, const struct hf_keyuri *uri)
{
  CK_ULONG count = 0;
  union {
    const void *in;
    void *out;
  } label = {.in = uri->object}, id = {.in = uri->id};
  if (uri->object[0] != '\0') {
    to[count++] = (CK_ATTRIBUTE){CKA_LABEL, label.out, strlen(uri->object)};
  }
  if (uri->id_len > 0) {
    to[count++] = (CK_ATTRIBUTE){CKA_ID, id.out, uri->id_len};
  }
  return count;
}

/* How many objects of a class have these names; at most OBJECTS_MAX are counted. */
static enum hf_err find(CK_OBJECT_HANDLE object[OBJECTS_MAX], CK_ULONG *count, const struct p11 *p11,
                        CK_OBJECT_CLASS class, const struct hf_keyuri *uri, struct hf_why *why)
{
  CK_ATTRIBUTE want[4] = {ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, yes)};
  CK_ULONG names = put_names(want + 2, uri);
  *count = 0;
  CK_RV rv = p11->call->C_FindObjectsInit(p11->session, want, 2 + names);
  if (rv == CKR_OK) {
    rv = p11->call->C_FindObjects(p11->session, object, OBJECTS_MAX, count);
    (void)p11->call->C_FindObjectsFinal(p11->session);
  }
  return explain(why, rv);
}

static size_t get(const struct p11 *p11, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE kind, uint8_t *out, size_t cap)
{
  CK_ATTRIBUTE attribute = {kind, out, cap};
  CK_RV rv = p11->call->C_GetAttributeValue(p11->session, object, &attribute, 1);
  return rv == CKR_OK && attribute.ulValueLen <= cap ? attribute.ulValueLen : 0;
}

/* CKA_EC_POINT is an OCTET STRING around the point; some modules forget the wrapping. */
static bool take_point(struct hf_pubkey *pub, const uint8_t *at, size_t len)
{
  if (len == HF_P256_PUBLIC_LEN + 2 && at[0] == 0x04 && at[1] == HF_P256_PUBLIC_LEN) {
    at += 2;
    len -= 2;
  }
  *pub = (struct hf_pubkey){.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
  if (len != HF_P256_PUBLIC_LEN || at[0] != 0x04) {
    return false;
  }
  memcpy(pub->at, at, len);
  return true;
}

static bool take_certificate(struct hf_pubkey *pub, const struct p11 *p11, CK_OBJECT_HANDLE object)
{
  static uint8_t der[CERT_MAX];
  size_t len = get(p11, object, CKA_VALUE, der, sizeof der);
  const unsigned char *at = der;
  X509 *cert = len == 0 ? NULL : d2i_X509(NULL, &at, (long)len);
  EVP_PKEY *key = cert == NULL ? NULL : X509_get0_pubkey(cert);
  uint8_t point[HF_P256_PUBLIC_LEN];
  size_t got = 0;
  bool good = key != NULL && EVP_PKEY_is_a(key, "EC") &&
              EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", point, sizeof point, &got) == 1 &&
              take_point(pub, point, got);
  X509_free(cert);
  return good;
}

/* The public half: on the key itself (PKCS#11 3.0), a public key of the same id, or a certificate of it. */
static enum hf_err find_public(struct hf_pubkey *pub, const struct p11 *p11, const struct hf_keyuri *uri,
                               struct hf_why *why)
{
  uint8_t point[HF_P256_PUBLIC_LEN + 8];
  struct hf_keyuri names = {.slot = HF_KEYURI_NO_SLOT};
  CK_OBJECT_HANDLE object[OBJECTS_MAX];
  CK_ULONG count = 0;
  size_t len = get(p11, p11->object, CKA_EC_POINT, point, sizeof point);
  if (len > 0 && take_point(pub, point, len)) {
    return HF_OK;
  }
  names.id_len = get(p11, p11->object, CKA_ID, names.id, sizeof names.id);
  if (names.id_len == 0) {
    memcpy(names.object, uri->object, sizeof names.object);
  }
  if (names.id_len == 0 && names.object[0] == '\0') {
    return refuse(why, HF_RULE_KEY_PUBLIC, HF_E_INPUT);
  }
  enum hf_err err = find(object, &count, p11, CKO_PUBLIC_KEY, &names, why);
  if (err == HF_OK && count == 1) {
    len = get(p11, object[0], CKA_EC_POINT, point, sizeof point);
    if (len > 0 && take_point(pub, point, len)) {
      return HF_OK;
    }
  }
  err = err == HF_OK ? find(object, &count, p11, CKO_CERTIFICATE, &names, why) : err;
  if (err == HF_OK && (count != 1 || !take_certificate(pub, p11, object[0]))) {
    return refuse(why, HF_RULE_KEY_PUBLIC, HF_E_INPUT);
  }
  return err;
}

static const uint8_t p256_name[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

static enum hf_err check_kind(struct p11 *p11, struct hf_why *why)
{
  CK_KEY_TYPE type = 0;
  CK_BBOOL flag = CK_FALSE;
  uint8_t curve[16];
  size_t len = get(p11, p11->object, CKA_EC_PARAMS, curve, sizeof curve);
  bool good = get(p11, p11->object, CKA_KEY_TYPE, (uint8_t *)&type, sizeof type) == sizeof type && type == CKK_EC &&
              len == sizeof p256_name && memcmp(curve, p256_name, len) == 0 &&
              get(p11, p11->object, CKA_SIGN, &flag, sizeof flag) == sizeof flag && flag == CK_TRUE;
  p11->each_time = get(p11, p11->object, CKA_ALWAYS_AUTHENTICATE, &flag, sizeof flag) == sizeof flag && flag == CK_TRUE;
  return good ? HF_OK : refuse(why, HF_RULE_KEY_KIND, HF_E_INPUT);
}

static enum hf_err find_private(struct p11 *p11, const struct hf_keyuri *uri, struct hf_why *why)
{
  CK_OBJECT_HANDLE object[OBJECTS_MAX];
  CK_ULONG count = 0;
  enum hf_err err = find(object, &count, p11, CKO_PRIVATE_KEY, uri, why);
  if (err != HF_OK) {
    return err;
  }
  if (count != 1) {
    return count == 0 ? refuse(why, HF_RULE_KEY_OBJECT, HF_E_NOT_FOUND) : refuse(why, HF_RULE_KEY_OBJECTS, HF_E_INPUT);
  }
  p11->object = object[0];
  return HF_OK;
}

/* ---- making and removing ---- */

static enum hf_err generate(struct p11 *p11, struct hf_keyuri *uri, struct hf_why *why)
{
  enum hf_err err = find_private(p11, uri, NULL);
  if (err == HF_OK || err == HF_E_INPUT) {
    return refuse(why, HF_RULE_KEY_EXISTS, HF_E_EXISTS);
  }
  if (uri->object[0] == '\0' && uri->id_len == 0) {
    return refuse(why, HF_RULE_KEY_URI, HF_E_INPUT);
  }
  if (uri->id_len == 0) {
    uri->id_len = 16;
    if (hf_random(uri->id, uri->id_len) != HF_OK) {
      return HF_E_CRYPTO;
    }
  }
  uint8_t curve[sizeof p256_name];
  memcpy(curve, p256_name, sizeof curve);
  CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
  CK_ATTRIBUTE public[8] = {ATTR(CKA_TOKEN, yes), ATTR(CKA_VERIFY, yes), ATTR(CKA_EC_PARAMS, curve)};
  CK_ATTRIBUTE private[8] = {ATTR(CKA_TOKEN, yes), ATTR(CKA_PRIVATE, yes), ATTR(CKA_SENSITIVE, yes),
                             ATTR(CKA_EXTRACTABLE, no), ATTR(CKA_SIGN, yes)};
  CK_ULONG publics = 3 + put_names(public + 3, uri);
  CK_ULONG privates = 5 + put_names(private + 5, uri);
  CK_OBJECT_HANDLE ignored;
  CK_RV rv = p11->call->C_GenerateKeyPair(p11->session, &mechanism, public, publics, private, privates, &ignored,
                                          &p11->object);
  return explain(why, rv);
}

static enum hf_err remove_class(const struct p11 *p11, CK_OBJECT_CLASS class, const struct hf_keyuri *uri, bool must,
                                struct hf_why *why)
{
  CK_OBJECT_HANDLE object[OBJECTS_MAX];
  CK_ULONG count = 0;
  enum hf_err err = find(object, &count, p11, class, uri, why);
  if (err == HF_OK && count > 1) {
    return refuse(why, HF_RULE_KEY_OBJECTS, HF_E_INPUT);
  }
  if (err == HF_OK && count == 0) {
    return must ? refuse(why, HF_RULE_KEY_OBJECT, HF_E_NOT_FOUND) : HF_OK;
  }
  return err == HF_OK ? explain(why, p11->call->C_DestroyObject(p11->session, object[0])) : err;
}

/* ---- life ---- */

static void p11_close(void *ctx)
{
  struct p11 *p11 = ctx;
  if (p11->session != CK_INVALID_HANDLE) {
    (void)p11->call->C_CloseSession(p11->session);
  }
  hf_secret_wipe(p11, sizeof *p11);
  free(p11);
}

static enum hf_err sign(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN], struct hf_why *why)
{
  struct p11 *p11 = ctx;
  CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
  uint8_t data[HF_SHA256_LEN];
  uint8_t raw[64];
  CK_ULONG len = sizeof raw;
  memcpy(data, digest, sizeof data);
  CK_RV rv = p11->call->C_SignInit(p11->session, &mechanism, p11->object);
  if (rv == CKR_OK && p11->each_time) {
    rv = p11->call->C_Login(p11->session, CKU_CONTEXT_SPECIFIC, p11->pin, p11->pin_len);
  }
  rv = rv == CKR_OK ? p11->call->C_Sign(p11->session, data, sizeof data, raw, &len) : rv;
  if (rv != CKR_OK || len != sizeof raw) {
    return rv == CKR_OK ? refuse(why, HF_RULE_KEY_TOKEN_FAILED, HF_E_IO) : explain(why, rv);
  }
  ECDSA_SIG *der = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(raw, 32, NULL);
  BIGNUM *s = BN_bin2bn(raw + 32, 32, NULL);
  if (der == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(der, r, s) != 1) {
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(der);
    return HF_E_CRYPTO;
  }
  unsigned char room[HF_SIG_MAX];
  unsigned char *at = room;
  int made = i2d_ECDSA_SIG(der, NULL) <= HF_SIG_MAX ? i2d_ECDSA_SIG(der, &at) : 0;
  ECDSA_SIG_free(der);
  if (made > 0) {
    hf_buf_put(sig, hf_bytes_init(room, (size_t)made));
  }
  return made > 0 && !sig->failed ? HF_OK : HF_E_CRYPTO;
}

static const struct hf_keyback_ops p11_ops = {
    .name = "pkcs11", .version = 1, .home = HF_KEY_IN_PKCS11, .sign = sign, .encode = NULL, .close = p11_close};

/* A session with the token, logged in. On HF_OK p11_close ends it; on failure nothing is left. */
static enum hf_err session_open(struct p11 **p11, const struct hf_keyuri *uri, struct hf_bytes pin, bool write,
                                struct hf_why *why)
{
  CK_SLOT_ID slot = 0;
  CK_TOKEN_INFO info;
  bool stored = false;
  struct p11 *made = calloc(1, sizeof *made);
  if (made == NULL) {
    return HF_E_CRYPTO;
  }
  made->session = CK_INVALID_HANDLE;
  enum hf_err err = module_get(&made->call, uri, why);
  err = err == HF_OK ? token_find(&slot, &info, made->call, uri, why) : err;
  err = err == HF_OK ? pin_get(made, &stored, uri, pin, why) : err;
  if (err == HF_OK) {
    CK_FLAGS flags = CKF_SERIAL_SESSION | (write ? CKF_RW_SESSION : 0);
    err = explain(why, made->call->C_OpenSession(slot, flags, NULL, NULL, &made->session));
  }
  err = err == HF_OK ? log_in(made, slot, &info, stored, why) : err;
  if (err != HF_OK) {
    p11_close(made);
    return err;
  }
  *p11 = made;
  return HF_OK;
}

enum hf_err hf_p11_open(struct hf_keyback_found *found, struct hf_bytes text, struct hf_bytes pin, enum hf_p11_how how,
                        struct hf_why *why)
{
  struct hf_keyuri uri;
  struct p11 *p11 = NULL;
  enum hf_err err = hf_keyuri_parse(&uri, text, why);
  err = err == HF_OK ? session_open(&p11, &uri, pin, how == HF_P11_CREATE, why) : err;
  if (err != HF_OK) {
    hf_secret_wipe(&uri, sizeof uri);
    return err;
  }
  err = how == HF_P11_CREATE ? generate(p11, &uri, why) : find_private(p11, &uri, why);
  err = err == HF_OK ? check_kind(p11, why) : err;
  err = err == HF_OK ? find_public(&found->pub, p11, &uri, why) : err;
  hf_secret_wipe(&uri, sizeof uri);
  if (err != HF_OK) {
    p11_close(p11);
    return err;
  }
  if (!p11->each_time) {
    hf_secret_wipe(p11->pin, sizeof p11->pin);
    p11->pin_len = 0;
  }
  found->ops = &p11_ops;
  found->ctx = p11;
  return HF_OK;
}

enum hf_err hf_p11_destroy(struct hf_bytes text, struct hf_bytes pin, struct hf_why *why)
{
  struct hf_keyuri uri;
  struct p11 *p11 = NULL;
  enum hf_err err = hf_keyuri_parse(&uri, text, why);
  if (err == HF_OK && uri.object[0] == '\0' && uri.id_len == 0) {
    err = refuse(why, HF_RULE_KEY_URI, HF_E_INPUT);
  }
  err = err == HF_OK ? session_open(&p11, &uri, pin, true, why) : err;
  err = err == HF_OK ? remove_class(p11, CKO_PUBLIC_KEY, &uri, false, why) : err;
  err = err == HF_OK ? remove_class(p11, CKO_PRIVATE_KEY, &uri, true, why) : err;
  if (p11 != NULL) {
    p11_close(p11);
  }
  hf_secret_wipe(&uri, sizeof uri);
  return err;
}
