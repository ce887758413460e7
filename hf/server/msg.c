/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/msg.h"

#include "hf/base/assert.h"
#include "hf/codec/cbor.h"
#include "hf/fleet/crl.h"
#include "hf/server/api.h"
#include "hf/server/vaultcall.h"

enum kind { KIND_U32, KIND_U64, KIND_I64, KIND_BOOL, KIND_BYTES };

/** One member of a message: where it lies in struct hf_msg, how it is written, how long it may be. */
struct field {
  uint16_t offset;
  uint8_t kind;
  uint32_t max;
};

#define AT(member) (uint16_t) offsetof(struct hf_msg, member)
#define U32(member)                                                                                                    \
  {                                                                                                                    \
    AT(member), KIND_U32, 0                                                                                            \
  }
#define U64(member)                                                                                                    \
  {                                                                                                                    \
    AT(member), KIND_U64, 0                                                                                            \
  }
#define I64(member)                                                                                                    \
  {                                                                                                                    \
    AT(member), KIND_I64, 0                                                                                            \
  }
#define BOOL(member)                                                                                                   \
  {                                                                                                                    \
    AT(member), KIND_BOOL, 0                                                                                           \
  }
#define BYTES(member, max)                                                                                             \
  {                                                                                                                    \
    AT(member), KIND_BYTES, (max)                                                                                      \
  }
#define PEER(member)                                                                                                   \
  BOOL(member.present), BYTES(member.device, 64), BYTES(member.certificate, 32), BOOL(member.factory),                 \
      I64(member.not_after), BYTES(member.address, 64), U32(member.tls), BYTES(member.cipher, 48),                     \
      BYTES(member.anchor, 8)

static const struct field fields_ask[] = {PEER(ask.peer), BYTES(ask.body, 64u << 10)};
static const struct field fields_enrol[] = {
    PEER(enrol.peer),         BYTES(enrol.token, 128),      BYTES(enrol.device, 64),
    BYTES(enrol.product, 32), BYTES(enrol.hardware, 64),    BYTES(enrol.key, HF_P256_PUBLIC_LEN),
    BOOL(enrol.renew),        BYTES(enrol.factory_key, 32), BYTES(enrol.factory_kind, 32),
    BOOL(enrol.factory_weak),
};
static const struct field fields_api[] = {
    U32(api.method),
    BYTES(api.path, 2048),
    BYTES(api.query, 8192),
    BYTES(api.body, HF_API_BODY_MAX),
    BYTES(api.bearer, 512),
    BYTES(api.session, 512),
    BYTES(api.csrf, 512),
    BYTES(api.if_none, 512),
    BYTES(api.address, 64),
    BYTES(api.content_type, 256),
    BYTES(api.ticket, HF_API_TICKET_MAX),
    BOOL(api.tls),
    BYTES(api.upload, 128),
    BYTES(api.upload_sha256, 32),
    U64(api.upload_len),
};
static const struct field fields_answer[] = {
    U32(answer.err), U32(answer.rule), U32(answer.at), U64(answer.number), BYTES(answer.body, HF_API_REPLY_MAX),
};
static const struct field fields_reply[] = {
    U32(reply.status),
    BYTES(reply.content_type, 128),
    BYTES(reply.body, HF_API_REPLY_MAX),
    BYTES(reply.set_session, 256),
    BYTES(reply.etag, 64),
    BYTES(reply.location, 128),
    BYTES(reply.allow, 64),
    U32(reply.retry_after_s),
    BOOL(reply.pass_on),
};
static const struct field fields_change[] = {U64(change.number)};
static const struct field fields_sign[] = {U32(sign.role), BYTES(sign.canonical, HF_API_BODY_MAX),
                                           BYTES(sign.subject, 128)};
static const struct field fields_issue[] = {BYTES(issue.device, 64), BYTES(issue.key, HF_P256_PUBLIC_LEN),
                                            I64(issue.not_before),   I64(issue.not_after),
                                            U32(issue.ca),           BYTES(issue.crl_url, HF_VAULT_URL_MAX)};
static const struct field fields_crl[] = {U32(crl.ca), U64(crl.number), I64(crl.this_update), I64(crl.next_update),
                                          BYTES(crl.entries, HF_CRL_ENTRIES_MAX *HF_CRL_ENTRY_LEN)};
static const struct field fields_post[] = {BYTES(post.json, HF_API_REPLY_MAX)};
static const struct field fields_posted[] = {U64(posted.number), BOOL(posted.delivered)};
static const struct field fields_link[] = {U32(link.peer), U32(link.number)};

/* Who may send and receive, as a set of `enum hf_process`. */
#define SET_KEEPER (1u << HF_KEEPER)
#define SET_FRONT (1u << HF_FRONT)
#define SET_ENGINE (1u << HF_ENGINE)
#define SET_VAULT (1u << HF_VAULT)
#define SET_COURIER (1u << HF_COURIER)
#define SET_ENGINE_OR_READER (SET_ENGINE | 1u << HF_READER)
#define SET_ANY (SET_ENGINE_OR_READER | SET_FRONT | SET_VAULT | SET_COURIER)

struct shape {
  uint16_t type;
  uint8_t from;
  uint8_t to;
  uint16_t count;
  const struct field *fields;
};

static const struct shape *shape_of(uint64_t type)
{
  static const struct shape shapes[] = {
#define HF_MSG(name, number, from, to, member, what)                                                                   \
  {(number), SET_##from, SET_##to, sizeof fields_##member / sizeof(struct field), fields_##member},
#include "hf/server/msg.def"
#undef HF_MSG
  };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    if (shapes[i].type == type) {
      return &shapes[i];
    }
  }
  return NULL;
}

static void put_field(struct hf_buf *out, const struct field *field, const struct hf_msg *msg)
{
  const void *at = (const uint8_t *)msg + field->offset;
  switch ((enum kind)field->kind) {
    case KIND_U32: hf_cbor_put_uint(out, *(const uint32_t *)at); break;
    case KIND_U64: hf_cbor_put_uint(out, *(const uint64_t *)at); break;
    case KIND_I64: hf_cbor_put_int(out, *(const int64_t *)at); break;
    case KIND_BOOL: hf_cbor_put_bool(out, *(const bool *)at); break;
    case KIND_BYTES: {
      const struct hf_bytes *bytes = at;
      if (bytes->len > field->max) {
        out->failed = true; /* the sender checks what it lets in; this is the last fence */
        return;
      }
      hf_cbor_put_bytes(out, *bytes);
      break;
    }
  }
}

void hf_msg_encode(struct hf_buf *out, const struct hf_msg *msg)
{
  const struct shape *shape = shape_of(msg->type);
  HF_ASSERT(shape != NULL);
  size_t head = out->len;
  hf_buf_put_be32(out, 0);
  hf_cbor_put_array(out, 2u + shape->count);
  hf_cbor_put_uint(out, msg->type);
  hf_cbor_put_uint(out, msg->id);
  for (size_t i = 0; i < shape->count; i++) {
    put_field(out, &shape->fields[i], msg);
  }
  if (out->failed) {
    return;
  }
  size_t len = out->len - head - HF_MSG_HEAD;
  if (len > HF_MSG_MAX) {
    out->failed = true;
    return;
  }
  struct hf_buf prefix = hf_buf_init(out->at + head, HF_MSG_HEAD);
  hf_buf_put_be32(&prefix, (uint32_t)len);
}

static void take_field(struct hf_cbor *in, const struct field *field, struct hf_msg *msg)
{
  void *at = (uint8_t *)msg + field->offset;
  switch ((enum kind)field->kind) {
    case KIND_U32: *(uint32_t *)at = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
    case KIND_U64: *(uint64_t *)at = hf_cbor_uint(in, UINT64_MAX); break;
    case KIND_I64: *(int64_t *)at = hf_cbor_int(in); break;
    case KIND_BOOL: *(bool *)at = hf_cbor_bool(in); break;
    case KIND_BYTES: *(struct hf_bytes *)at = hf_cbor_bytes(in, field->max); break;
  }
}

enum hf_err hf_msg_parse(struct hf_msg *msg, struct hf_bytes body)
{
  *msg = (struct hf_msg){0};
  struct hf_cbor in = hf_cbor_init(body, NULL);
  size_t count = hf_cbor_array(&in, 32);
  uint64_t type = hf_cbor_uint(&in, UINT16_MAX);
  uint64_t id = hf_cbor_uint(&in, UINT32_MAX);
  const struct shape *shape = shape_of(type);
  if (hf_cbor_failed(&in) || shape == NULL || count != 2u + shape->count) {
    return HF_E_INPUT;
  }
  msg->type = (enum hf_msg_type)type;
  msg->id = (uint32_t)id;
  for (size_t i = 0; i < shape->count; i++) {
    take_field(&in, &shape->fields[i], msg);
  }
  return hf_cbor_done(&in) ? HF_OK : HF_E_INPUT;
}

bool hf_msg_allowed(enum hf_msg_type type, enum hf_process from, enum hf_process to)
{
  const struct shape *shape = shape_of(type);
  return shape != NULL && (shape->from & 1u << from) != 0 && (shape->to & 1u << to) != 0;
}

const char *hf_process_name(enum hf_process process)
{
  static const char *const names[HF_PROCESS_COUNT] = {"keeper", "front", "engine", "reader", "vault", "courier"};
  return process < HF_PROCESS_COUNT ? names[process] : "unknown";
}
