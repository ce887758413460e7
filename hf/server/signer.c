/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/signer.h"

#include <string.h>

#include "hf/server/roots.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tufwrite.h"

/* What the server signs is small: a director targets file of four components, or a snapshot that lists sixteen
 * delegated roles. */
#define BODY_MAX 8192

struct call {
  struct hf_engine *engine;
  enum hf_vault_role role; /* with HF_VAULT_NEXT when the next key signs */
  struct hf_bytes subject;
};

static enum hf_err sign(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  struct call *call = ctx;
  call->engine->vault_used = true;
  return hf_vault_sign(call->engine->config.vault, sig, call->role, message, call->subject);
}

static bool is_listed(const struct hf_tuf_root *root, enum hf_tuf_role role, const struct hf_pubkey *key)
{
  for (size_t i = 0; i < root->key_count; i++) {
    if ((root->role[role].keys >> i & 1) != 0 && hf_pubkey_equal(&root->key[i].pub, key)) {
      return true;
    }
  }
  return false;
}

/* The next key goes first: while a root lists both, the old one is on its way out. */
static enum hf_err choose(struct hf_pubkey *key, enum hf_vault_role *chosen, struct hf_engine *engine,
                          enum hf_vault_role vault, const struct hf_tuf_root *root, enum hf_tuf_role role)
{
  const enum hf_vault_role slots[] = {(enum hf_vault_role)(vault | HF_VAULT_NEXT), vault};
  for (size_t i = 0; i < 2; i++) {
    enum hf_err err = hf_vault_public(engine->config.vault, key, slots[i]);
    if (err != HF_OK && err != HF_E_NOT_FOUND) {
      return err;
    }
    if (err == HF_OK && is_listed(root, role, key)) {
      *chosen = slots[i];
      return HF_OK;
    }
  }
  return HF_E_NOT_FOUND;
}

enum hf_err hf_signer_check(struct hf_engine *engine, enum hf_vault_role vault, const struct hf_tuf_root *root,
                            enum hf_tuf_role role)
{
  struct hf_pubkey key;
  enum hf_vault_role chosen;
  return choose(&key, &chosen, engine, vault, root, role);
}

void hf_signer_forget(struct hf_engine *engine) { memset(engine->role_key, 0, sizeof engine->role_key); }

static enum hf_err key_get(struct hf_engine *engine, enum hf_vault_role vault)
{
  static const enum hf_tuf_role roles[] = {[HF_VAULT_TIMESTAMP] = HF_TUF_TIMESTAMP,
                                           [HF_VAULT_SNAPSHOT] = HF_TUF_SNAPSHOT,
                                           [HF_VAULT_DIRECTOR] = HF_TUF_TARGETS};
  struct hf_pubkey *key = &engine->role_key[vault];
  if (key->type != HF_KEY_NONE) {
    return HF_OK;
  }
  const struct hf_tuf_root *root =
      hf_roots_signing(engine, vault == HF_VAULT_DIRECTOR ? HF_ROOTS_DIRECTOR : HF_ROOTS_IMAGE);
  engine->role_slot[vault] = vault;
  if (root == NULL) {
    return hf_vault_public(engine->config.vault, key, vault);
  }
  enum hf_err err = choose(key, &engine->role_slot[vault], engine, vault, root, roles[vault]);
  if (err != HF_OK) {
    *key = (struct hf_pubkey){.type = HF_KEY_NONE};
  }
  return err == HF_E_NOT_FOUND ? HF_E_DENIED : err;
}

enum hf_err hf_signer_put_file(struct hf_engine *engine, struct hf_buf *out, enum hf_vault_role role,
                               struct hf_bytes body, struct hf_bytes subject)
{
  uint8_t room[BODY_MAX];
  enum hf_err err = key_get(engine, role);
  if (err != HF_OK) {
    return err;
  }
  struct call call = {.engine = engine, .role = engine->role_slot[role], .subject = subject};
  const struct hf_tufwrite_signer signer = {.pub = engine->role_key[role], .sign = sign, .ctx = &call};
  return hf_tufwrite_sign_file(out, hf_buf_init(room, sizeof room), body, &signer, 1);
}
