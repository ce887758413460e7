/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/signer.h"

#include "hf/wire/tufwrite.h"

/* What the server signs is small: a director targets file of four components is the largest. */
#define BODY_MAX 8192

struct call {
  struct hf_engine *engine;
  enum hf_vault_role role;
  struct hf_bytes subject;
};

static enum hf_err sign(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  struct call *call = ctx;
  call->engine->vault_used = true;
  return hf_vault_sign(call->engine->config.vault, sig, call->role, message, call->subject);
}

static enum hf_err key_get(struct hf_engine *engine, enum hf_vault_role role)
{
  struct hf_pubkey *key = &engine->role_key[role];
  return key->type != HF_KEY_NONE ? HF_OK : hf_vault_public(engine->config.vault, key, role);
}

enum hf_err hf_signer_put_file(struct hf_engine *engine, struct hf_buf *out, enum hf_vault_role role,
                               struct hf_bytes body, struct hf_bytes subject)
{
  uint8_t room[BODY_MAX];
  struct call call = {.engine = engine, .role = role, .subject = subject};
  enum hf_err err = key_get(engine, role);
  if (err != HF_OK) {
    return err;
  }
  const struct hf_tufwrite_signer signer = {.pub = engine->role_key[role], .sign = sign, .ctx = &call};
  return hf_tufwrite_sign_file(out, hf_buf_init(room, sizeof room), body, &signer, 1);
}
