/* SPDX-License-Identifier: Apache-2.0
 * The engine: decides and stores. What the engine process does with each message, without the process around it.
 *
 * The loop around it (hf/server/engine_loop.c) takes every waiting message, calls hf_engine_begin, one function below
 * for each message, hf_engine_commit, and only then sends the answers: an answer means it is on disk. The reader
 * process opens it read-only and calls hf_engine_api alone.
 */
#ifndef HF_SERVER_ENGINE_H
#define HF_SERVER_ENGINE_H

#include "hf/base/bytes.h"
#include "hf/base/why.h"
#include "hf/server/api.h"
#include "hf/server/vaultcall.h"

struct hf_engine;

/** Who is asking on the device listener, from its verified client certificate. */
struct hf_peer {
  struct hf_bytes device;  /**< device id; borrows */
  uint8_t certificate[32]; /**< SHA-256 of the certificate DER */
  bool factory;            /**< a factory (IDevID) certificate: may only enrol */
  int64_t not_after;       /**< end of the certificate's validity */
  struct hf_bytes address; /**< text of the peer's address, for the record; borrows */
  uint32_t tls;            /**< version as on the wire: 0x0304; 0 unknown */
  struct hf_bytes anchor;  /**< first 8 bytes of the SHA-256 of this server's newest CA; empty unknown; borrows */
  struct hf_bytes cipher;  /**< suite, at most 48 bytes; borrows */
};

/** Where the engine finds things. Paths borrow. */
struct hf_engine_config {
  const char *server_dir; /**< DIR/server of the workspace */
  bool read_only;         /**< the reader: no vault, no writes, hf_engine_api on GET only */
  struct hf_vault_link *vault;
  uint8_t login_key[32];  /**< random, made by keeper at start, the same in engine and reader (hf/server/api.h) */
  struct hf_pubkey factory_ca; /**< of tls/factory-ca.crt; type HF_KEY_NONE: nothing of a factory is believed */
  bool sandboxed;         /**< are the processes narrowed? told by GET /health and GET /overview */
};

/** Open the database (making or upgrading its schema) and load what is kept in memory. Gives `*engine`.
 * HF_E_VERSION: the database was written by a newer Holdfast; HF_E_FULL; HF_E_IO. */
HF_MUST enum hf_err hf_engine_open(struct hf_engine **engine, const struct hf_engine_config *config, int64_t now);
void hf_engine_close(struct hf_engine *engine);

/** Begin a group of changes / make them durable. When commit fails, nothing of the group happened: every answer of the
 * group must be replaced by a failure. */
HF_MUST enum hf_err hf_engine_begin(struct hf_engine *engine);
HF_MUST enum hf_err hf_engine_commit(struct hf_engine *engine);

/**
 * A check-in.
 * @param answer  fills with the CBOR answer of docs/shape.md; cap at least HF_CHECKIN_ANSWER_MAX
 * @param body    the CBOR as received (front has parsed it once; parsed again here)
 * @return HF_OK; HF_E_DENIED: blocked or unknown device; HF_E_INPUT with why; HF_E_FULL/HF_E_IO: tell it to come again
 */
HF_MUST enum hf_err hf_engine_checkin(struct hf_engine *engine, struct hf_buf *answer, const struct hf_peer *peer,
                                      struct hf_bytes body, int64_t now, struct hf_why *why);

/**
 * A director metadata file for this device, signing anew through the vault when it is stale.
 * @param name  as in the URL after /director/: "timestamp.json", "3.targets.json", "2.root.json"
 * @return HF_OK with the file appended; HF_E_NOT_FOUND; HF_E_DENIED
 */
HF_MUST enum hf_err hf_engine_director(struct hf_engine *engine, struct hf_buf *file, const struct hf_peer *peer,
                                       struct hf_bytes name, int64_t now);

/** An EST enrolment whose CSR front has parsed and whose proof of possession it has checked. */
struct hf_enrol {
  const struct hf_peer *peer;   /**< factory or operational certificate; NULL with a token */
  struct hf_bytes token;        /**< one-time token (HTTP Basic password), empty with a certificate */
  struct hf_bytes device;       /**< the id the CSR asks for */
  struct hf_bytes product;      /**< from the factory certificate or empty */
  struct hf_bytes hardware;     /**< the same */
  struct hf_bytes factory_key;  /**< SHA-256 of the factory certificate's key, or empty */
  struct hf_bytes factory_kind; /**< its key and signature: "ec-256 sha256"; at most 32 bytes */
  bool factory_weak;            /**< RSA below 2048 bits, SHA-1 or older */
  struct hf_pubkey key;         /**< public key of the CSR */
  bool renew;                   /**< simplereenroll: same device, certificate of ours presented */
};

/** @param certificate  fills with the issued certificate, DER. HF_E_DENIED: blocked, wrong or used token, id taken by
 * another key without right; HF_E_INPUT */
HF_MUST enum hf_err hf_engine_enrol(struct hf_engine *engine, struct hf_buf *certificate, const struct hf_enrol *enrol,
                                    int64_t now, struct hf_why *why);

/** An API request; always fills a reply, errors included. Runs in the engine (writes) or the reader (GET). */
void hf_engine_api(struct hf_engine *engine, struct hf_api_reply *reply, const struct hf_api_request *request);

/** Once a second: rollouts, re-signing, expiry of sessions and tokens. */
HF_MUST enum hf_err hf_engine_tick(struct hf_engine *engine, int64_t now);

/** The vault process was started anew: what it was asked once is asked again. */
void hf_engine_vault_anew(struct hf_engine *engine);

/** Monotonic number of the last change a console would want to see; front's long poll compares it. */
uint64_t hf_engine_change(const struct hf_engine *engine);

/** Next outbound message for the courier, as JSON `{"id","url","body"}`; HF_E_NOT_FOUND: none. Taken off the queue by
 * hf_engine_outbox_done. */
HF_MUST enum hf_err hf_engine_outbox_get(struct hf_engine *engine, struct hf_buf *message, int64_t now);
HF_MUST enum hf_err hf_engine_outbox_done(struct hf_engine *engine, uint64_t id, bool delivered, int64_t now);

#endif
