/* SPDX-License-Identifier: Apache-2.0
 * The inside of the engine: what its nouns (registry, rollouts, repo, director, api ...) share. Outside the engine only
 * hf/server/engine.h is used.
 *
 * Rules of the house. Reads are plain SQL on `engine->db`, in engine and reader alike (tables: docs/spec/database.md).
 * Writes go through the nouns' functions, which keep memory, audit log and files in step. Each write belongs to the
 * group that hf_engine_begin opened; what must follow a commit (a file becoming visible) waits for hf_engine_commit.
 */
#ifndef HF_SERVER_CORE_H
#define HF_SERVER_CORE_H

#include "hf/fleet/audit.h"
#include "hf/server/db.h"
#include "hf/server/engine.h"

struct hf_api;
struct hf_cache;
struct hf_rollout_set;
struct hf_repo;
struct hf_roots;
struct hf_revocation;
struct hf_api;

/** Things a console looks at; one row each in table `pulse`. */
enum hf_pulse {
  HF_PULSE_DEVICE,
  HF_PULSE_ROLLOUT,
  HF_PULSE_RELEASE,
  HF_PULSE_GROUP,
  HF_PULSE_PRODUCT,
  HF_PULSE_AUDIT,
  HF_PULSE_FACTORY,
  HF_PULSE_COUNT
};

/** What is kept of table `setting`, so that a check-in reads no row. Seconds. */
struct hf_settings {
  int64_t checkin_interval_s;  /**< how often devices come: 1800 */
  int64_t rollout_interval_s;  /**< how often while a wave of theirs runs: 300, never more than checkin_interval_s */
  int64_t silent_after_s;      /**< silence after which a device counts as silent: 3 intervals and at least an hour;
                                    0: work it out so */
  int64_t postpone_max_s;      /**< how long a user may put an update off: 7 days */
  int64_t security_deadline_s; /**< deadline of a security release when the rollout names none: 3 days */
  int64_t certificate_life_s;  /**< life of an operational certificate: 90 days */
  int64_t factory_listed_only; /**< 1: a device in no batch record may not enrol; 0: it raises an alarm */
  int64_t renewal_grace_s;     /**< how long after its end a certificate can still be renewed: 90 days */
  char crl_url[161];           /**< where others find the revocation lists, without file name; "" not said */
  char webhook[257];           /**< "" for none */
};

struct hf_engine {
  struct hf_db *db;
  struct hf_engine_config config; /**< `server_dir` is a copy of ours */
  char *server_dir;
  struct hf_settings settings;
  struct hf_cache *cache;           /**< devices in memory; NULL in the reader */
  struct hf_rollout_set *rollouts;  /**< rollouts that may offer something; NULL in the reader */
  struct hf_repo *repo;             /**< image repository; NULL in the reader */
  struct hf_revocation *revocation; /**< device CAs and their lists; NULL in the reader */
  struct hf_roots *roots;           /**< roots of both repositories; NULL in the reader */
  struct hf_api *api;               /**< what the REST side keeps; hf_api_open */
  struct hf_audit_chain chain;      /**< end of the audit log */
  uint64_t change;                  /**< number of the last change */
  uint64_t pulse[HF_PULSE_COUNT];   /**< changes not yet in table `pulse`; 0: none */
  enum hf_err poison;               /**< a write failed half-way: the group cannot be committed */
  enum hf_err mark_poison;          /**< this and the next two as they were at the mark */
  uint64_t mark_change;
  uint64_t mark_number;
  bool in_group;
  struct hf_pubkey role_key[HF_VAULT_ROLES]; /**< public keys of enum hf_vault_role; type HF_KEY_NONE: not asked yet */
  enum hf_vault_role role_slot[HF_VAULT_ROLES]; /**< which of the vault's keys that is: with or without HF_VAULT_NEXT */
  uint8_t anchor[8];                         /**< of the newest server CA, as fronts told last */
  bool vault_used;                           /**< the vault signed something in this group */
  uint32_t generation;                       /**< rises when what devices are offered may have changed */
  uint64_t dice;                             /**< spreads check-ins; no secret */
  int64_t ticked;                            /**< time of the last tick */
  int64_t now;                               /**< of the API request being worked on */
};

/** Who changes something, from where and why: one entry of the audit log with each change. Borrows. */
struct hf_act {
  struct hf_bytes who;     /**< "operator:anna", "token:ci", "device:sn-1", "server" */
  struct hf_bytes address; /**< or empty */
  struct hf_bytes reason;  /**< what the person wrote, or empty */
  int64_t now;
};

/** A path below the server folder. HF_E_SPACE when it does not fit. */
HF_MUST enum hf_err hf_engine_path(char *path, size_t cap, const struct hf_engine *engine, const char *below);
/** Remember that a write failed, so that the group is undone; gives the error back. */
enum hf_err hf_engine_poison(struct hf_engine *engine, enum hf_err err);
/** Import the first operator that `holdfast init` left (docs/spec/workspace.md) once, in a transaction of its own. */
HF_MUST enum hf_err hf_engine_bootstrap(struct hf_engine *engine, int64_t now);
/** Note a change for the live views; stored with the group. */
void hf_engine_touch(struct hf_engine *engine, enum hf_pulse kind);
/** "device", "rollout", ...: the key in table `pulse`. Static. */
const char *hf_pulse_name(enum hf_pulse kind);
/** A mark inside the group to go back to when one request of it fails half-way; marks do not nest. Undoing reads memory
 * anew. */
HF_MUST enum hf_err hf_engine_mark(struct hf_engine *engine);
HF_MUST enum hf_err hf_engine_mark_keep(struct hf_engine *engine);
HF_MUST enum hf_err hf_engine_mark_undo(struct hf_engine *engine);
/** Forget what is in memory and read it anew from the database: after an undone group or mark. */
HF_MUST enum hf_err hf_engine_reload(struct hf_engine *engine);

/** Make and drop engine->api: part of hf_engine_open and hf_engine_close, in engine and reader alike. */
HF_MUST enum hf_err hf_api_open(struct hf_engine *engine);
void hf_api_close(struct hf_engine *engine);

#endif
