/* SPDX-License-Identifier: Apache-2.0
 * Messages between the processes of the server: every type, its members, its one encoding (docs/spec/processes.md).
 *
 * A message is a frame: length (4 bytes, network order), then a deterministic CBOR array [type, id, member...]. What
 * each type carries is a table in msg.c, so that encoding and parsing cannot drift apart. How frames move over a socket
 * is hf/server/link.h. Processes of one server are of one build: there is no version in a frame.
 */
#ifndef HF_SERVER_MSG_H
#define HF_SERVER_MSG_H

#include "hf/base/bytes.h"
#include "hf/base/why.h"
#include "hf/crypto/crypto.h"

/** Longest frame body: an API body (HF_API_BODY_MAX) plus what goes around it. */
#define HF_MSG_MAX ((4u << 20) + (64u << 10))
/** Length prefix of a frame. */
#define HF_MSG_HEAD 4

enum hf_msg_type {
#define HF_MSG(name, number, from, to, member, what) HF_MSG_##name = (number),
#include "hf/server/msg.def"
#undef HF_MSG
};

/** The kinds of process. */
enum hf_process { HF_KEEPER, HF_FRONT, HF_ENGINE, HF_READER, HF_VAULT, HF_COURIER, HF_PROCESS_COUNT };

/** `struct hf_peer` on the wire. */
struct hf_msg_peer {
  bool present;
  struct hf_bytes device;
  struct hf_bytes certificate; /**< 32 bytes */
  bool factory;
  int64_t not_after;
  struct hf_bytes address;
  uint32_t tls;           /**< TLS version of the connection, as on the wire: 0x0304 */
  struct hf_bytes cipher; /**< its suite */
  struct hf_bytes anchor; /**< of the newest server CA: first bytes of its SHA-256 */
};

/** One message. All views borrow: from the caller when encoding, from the frame after parsing. */
struct hf_msg {
  enum hf_msg_type type;
  uint32_t id; /**< chosen by who asks, repeated in the answer; 0 where nothing is answered */
  union {
    struct {
      struct hf_msg_peer peer;
      struct hf_bytes body; /**< CHECKIN: the body; DIRECTOR: the file name */
    } ask;
    struct {
      struct hf_msg_peer peer; /**< `present` false: by token */
      struct hf_bytes token;
      struct hf_bytes device;
      struct hf_bytes product;
      struct hf_bytes hardware;
      struct hf_bytes key; /**< the raw point, HF_P256_PUBLIC_LEN bytes */
      bool renew;
      struct hf_bytes factory_key;  /**< factory certificate: SHA-256 of its SubjectPublicKeyInfo; else empty */
      struct hf_bytes factory_kind; /**< "ec-256 sha256" */
      bool factory_weak;
    } enrol;
    struct {
      uint32_t method;
      struct hf_bytes path, query, body, bearer, session, csrf, if_none, address, content_type, ticket;
      bool tls;
      struct hf_bytes upload;
      struct hf_bytes upload_sha256; /**< 32 bytes, or empty */
      uint64_t upload_len;
    } api;
    struct {
      uint32_t err;  /**< an `enum hf_err` */
      uint32_t rule; /**< of `struct hf_why` */
      uint32_t at;
      uint64_t number; /**< VAULT_HEAD: the entry's number; VAULT_TIME: the time; else 0 */
      struct hf_bytes body;
    } answer;
    struct {
      uint32_t status;
      struct hf_bytes content_type, body, set_session, etag, location, allow;
      uint32_t retry_after_s;
      bool pass_on;
    } reply;
    struct {
      uint64_t number;
    } change; /**< CHANGE; VAULT_CA: which; also the empty messages VAULT_HEAD, STOP, READY (0) */
    struct {
      uint32_t role;
      struct hf_bytes canonical; /**< VAULT_SIGN; VAULT_TIME: the nonces */
      struct hf_bytes subject;
    } sign;
    struct {
      struct hf_bytes device;
      struct hf_bytes key; /**< the raw point */
      int64_t not_before;
      int64_t not_after;
      uint32_t ca;             /**< number of the device CA that is to sign: the newest */
      struct hf_bytes crl_url; /**< of the CRL distribution point, or empty */
    } issue;
    struct {
      uint32_t ca;
      uint64_t number;
      int64_t this_update;
      int64_t next_update;
      struct hf_bytes entries; /**< packed as in hf/fleet/crl.h */
    } crl;
    struct {
      struct hf_bytes json;
    } post;
    struct {
      uint64_t number; /**< the id in the JSON */
      bool delivered;
    } posted;
    struct {
      uint32_t peer;   /**< an `enum hf_process` */
      uint32_t number; /**< which front */
    } link;
  };
};

/** Append a whole frame, length prefix included. Sets `out->failed` when it does not fit or exceeds HF_MSG_MAX. */
void hf_msg_encode(struct hf_buf *out, const struct hf_msg *msg);

/**
 * Parse the body of one frame (without its length).
 * @param msg   fills; its views borrow `body`
 * @return HF_OK; HF_E_INPUT: unknown type, wrong shape, a member over its maximum, left-over bytes
 */
HF_MUST enum hf_err hf_msg_parse(struct hf_msg *msg, struct hf_bytes body);

/** May this kind of process send this type to that kind? */
bool hf_msg_allowed(enum hf_msg_type type, enum hf_process from, enum hf_process to);

/** "engine", for logs. Borrowed, static. */
const char *hf_process_name(enum hf_process process);

#endif
