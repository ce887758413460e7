/* SPDX-License-Identifier: Apache-2.0
 * TUF metadata (specification 1.0.34): reading the four top-level roles, counting signatures, and the record of what a
 * device trusts. The order in which files are fetched and judged is hf/wire/tufclient.h.
 *
 * Nothing here owns memory; views borrow the file's text. docs/spec/tuf.md.
 */
#ifndef HF_WIRE_TUF_H
#define HF_WIRE_TUF_H

#include "hf/base/why.h"
#include "hf/codec/json.h"
#include "hf/crypto/crypto.h"
#include "hf/wire/target.h"

/** Keys of the four top-level roles together. The largest public root seen has ten. */
#define HF_TUF_KEYS_MAX 16
/** A key's id is remembered by its first bytes: they only choose which key to try, the key itself decides. */
#define HF_TUF_KEY_ID_LEN 8
/** Files a snapshot may list beside targets.json: delegated roles, remembered for the rollback check. */
#define HF_TUF_LISTED_MAX 16
#define HF_TUF_LISTED_ID_LEN 8
/** Encoded trust record: 16 keys of 77 bytes, 16 listed files of 13, three digests, small numbers, a check. */
#define HF_TUF_TRUST_MAX 1664
/** Versions are 1..2^31-1. */
#define HF_TUF_VERSION_MAX INT32_MAX

enum hf_tuf_role { HF_TUF_ROOT = 0, HF_TUF_TIMESTAMP = 1, HF_TUF_SNAPSHOT = 2, HF_TUF_TARGETS = 3, HF_TUF_ROLES = 4 };

struct hf_tuf_host;

/** How much a client puts up with. Start from hf_tuf_limits_init. */
struct hf_tuf_limits {
  uint32_t file_max[HF_TUF_ROLES]; /**< bytes of each role's file */
  uint32_t roots_max;              /**< new roots in one refresh; 256 */
  uint32_t signatures_max;         /**< entries in "signatures" looked at, 64; more is refused before any crypto */
  bool hashes_required;            /**< timestamp must give the snapshot's hash (Uptane 5.4.4.5); true */
  int64_t time_floor;              /**< seconds; the clock is not believed when it says less; 0 */
  uint8_t *scratch;                /**< for Ed25519 over text that is not in canonical form already: room for the
                                        canonical bytes; NULL: such a signature does not count */
  size_t scratch_cap;
  bool foreign;                   /**< a repository that other tools made: key ids need not be hashes, a role may have a
                                       threshold that its keys do not reach (nothing is signed by it then), or name a key
                                       that is not there; false */
  const struct hf_tuf_host *host; /**< what only hosts can do; NULL: nothing of it, as on devices */
  void *host_ctx;                 /**< handed to its functions */
};

/** Defaults: root 64 KiB, timestamp 16 KiB, snapshot 2 MiB, targets 8 MiB. Devices lower them to their buffer. */
struct hf_tuf_limits hf_tuf_limits_init(void);

/** A file that is well-formed and says it is of a role; not yet trusted. */
struct hf_tuf_file {
  struct hf_bytes text;
  struct hf_json body; /**< the "signed" member */
  struct hf_json signatures;
  enum hf_tuf_role role;
  uint32_t version;
  int64_t expires;
};

struct hf_tuf_key {
  struct hf_pubkey pub;
  uint8_t id[HF_TUF_KEY_ID_LEN];
};

/** Who may sign for a role. */
struct hf_tuf_signers {
  uint16_t keys; /**< bit i: key[i] of the root */
  uint16_t threshold;
};

struct hf_tuf_root {
  uint32_t version;
  int64_t expires;
  bool consistent_snapshot;
  uint8_t key_count;
  struct hf_tuf_key key[HF_TUF_KEYS_MAX];
  struct hf_tuf_signers role[HF_TUF_ROLES];
};

/** What one file says about another: an entry of "meta". */
struct hf_tuf_meta {
  uint32_t version;
  uint32_t length; /**< 0: not said */
  bool has_sha256;
  bool has_sha512;
  uint8_t sha256[HF_SHA256_LEN];
  uint8_t sha512[HF_SHA512_LEN]; /**< checked on hosts; a device goes by SHA-256, which it demands */
};

/** What a host adds: key types and a hash that devices do not link, and a snapshot too long for the trust record. */
struct hf_tuf_host {
  const char *name;
  uint32_t version; /**< 1 */
  /** Read a key object of a type this file does not know. `pub` gets type HF_KEY_HOST and SHA-256 of the
   * SubjectPublicKeyInfo. HF_OK; HF_E_NOT_FOUND: unknown here too, counts for nothing; HF_E_INPUT: malformed. */
  enum hf_err (*key_parse)(void *ctx, struct hf_pubkey *pub, struct hf_json object);
  /** Is `sig`, the text value of "sig", a signature of such a key over the canonical form of the file's body? */
  enum hf_verdict (*verify)(void *ctx, const struct hf_pubkey *pub, const struct hf_tuf_file *file, struct hf_json sig);
  void (*sha512)(uint8_t out[HF_SHA512_LEN], struct hf_bytes bytes);
  /** In place of the comparison with trust->listed, which stays empty: nothing that the trusted snapshot listed is
   * missing or older in this one (TUF section 5.5.5). NULL: the record's list is used. */
  enum hf_verdict (*listing_verify)(void *ctx, const struct hf_tuf_file *snapshot, struct hf_why *why);
};

/** The version floor of one role and what was signed under that version. */
struct hf_tuf_floor {
  uint32_t version;              /**< 0: none yet */
  bool has_digest;               /**< a file of exactly this version was accepted */
  uint8_t digest[HF_SHA256_LEN]; /**< of the canonical "signed" part */
};

struct hf_tuf_listed {
  uint8_t id[HF_TUF_LISTED_ID_LEN]; /**< first bytes of SHA-256 of the file name */
  uint32_t version;
};

/**
 * All that must survive power-off for one repository: the trusted root and the rollback floors. Fixed size, about
 * 1.7 KiB in memory; as a record at most HF_TUF_TRUST_MAX bytes, to be replaced atomically.
 */
struct hf_tuf_trust {
  struct hf_tuf_root root;
  struct hf_tuf_floor floor[HF_TUF_ROLES]; /**< [HF_TUF_ROOT] unused: root.version is its floor */
  uint8_t listed_count;
  struct hf_tuf_listed listed[HF_TUF_LISTED_MAX];
};

/**
 * Check a file's shape: JSON, "signed", "signatures", "_type" of this role, "spec_version" 1.x, version, expires.
 * @param file    fills; borrows `text`
 * @param text    borrows
 * @param role    what it must be
 * @param limits  borrows: size, number of signatures
 * @param why     fills, rule 300-399 or of the JSON reader, offset into text; may be NULL
 * @return HF_OK, HF_E_INPUT
 */
HF_MUST enum hf_err hf_tuf_parse(struct hf_tuf_file *file, struct hf_bytes text, enum hf_tuf_role role,
                                 const struct hf_tuf_limits *limits, struct hf_why *why);
/** The same for a file of another `_type` that a role's keys sign: hf/wire/takeover.h. */
HF_MUST enum hf_err hf_tuf_parse_typed(struct hf_tuf_file *file, struct hf_bytes text, const char *type,
                                       enum hf_tuf_role role, const struct hf_tuf_limits *limits, struct hf_why *why);

/**
 * Have enough distinct keys that `root` gives the file's role signed it? Counts key material, not key ids and not
 * signatures (TUF 1.0.34 section 4.2.1; CVE-2020-6174). Does not look at version or expiry.
 * @param file    borrows
 * @param root    borrows: the trusted root, or a new root to be checked against itself
 * @param limits  borrows: signatures_max, scratch
 * @param why     fills (TUF_UNSIGNED); may be NULL
 */
HF_MUST enum hf_verdict hf_tuf_verify(const struct hf_tuf_file *file, const struct hf_tuf_root *root,
                                      const struct hf_tuf_limits *limits, struct hf_why *why);

/** Read a root file's body. Key ids must be the hash of their key, unless limits->foreign; thresholds 1..keys;
 * keys of unknown type are skipped and count for nothing. Stack about 900 bytes. */
HF_MUST enum hf_err hf_tuf_root_parse(struct hf_tuf_root *root, const struct hf_tuf_file *file,
                                      const struct hf_tuf_limits *limits, struct hf_why *why);
/** Read one entry of "meta" of a timestamp or snapshot. HF_E_NOT_FOUND when it is not listed. */
HF_MUST enum hf_err hf_tuf_meta_get(struct hf_tuf_meta *meta, const struct hf_tuf_file *file, const char *name,
                                    struct hf_why *why);
/** The same for an entry already at hand, when walking "meta". */
HF_MUST enum hf_err hf_tuf_meta_parse(struct hf_tuf_meta *meta, const struct hf_tuf_file *file, struct hf_json entry,
                                      struct hf_why *why);
/**
 * The bytes of a file against what another said about it: length, and every hash that this client knows.
 * @return HF_ALLOW; HF_DENY with TUF_LENGTH or TUF_HASH
 */
HF_MUST enum hf_verdict hf_tuf_meta_verify(const struct hf_tuf_meta *meta, struct hf_bytes bytes,
                                           const struct hf_tuf_limits *limits, struct hf_why *why);
/** SHA-256 of the canonical form of any value. */
void hf_tuf_hash(uint8_t out[HF_SHA256_LEN], struct hf_json value);
/** SHA-256 of the canonical "signed" part: what the signatures are over. */
void hf_tuf_digest(uint8_t out[HF_SHA256_LEN], const struct hf_tuf_file *file);

/**
 * Find a target by its path in one targets file; through delegations: hf/wire/tufsearch.h.
 * @return HF_OK; HF_E_NOT_FOUND; HF_E_INPUT: the entry is malformed, or it is not there and the file delegates
 *         (TUF_DELEGATED: delegations are not followed, so its absence proves nothing)
 */
HF_MUST enum hf_err hf_tuf_target_get(struct hf_target_file *target, const struct hf_tuf_file *targets,
                                      struct hf_bytes path, struct hf_why *why);
/** The "targets" object, to be walked with hf_json_walk_init; an empty object when there is none. */
struct hf_json hf_tuf_targets(const struct hf_tuf_file *targets);
/** Does the file delegate to other roles? */
bool hf_tuf_delegates(const struct hf_tuf_file *targets);

/**
 * Begin to trust: the root a device leaves the factory with. Must be signed by its own keys; its expiry is not judged.
 * @param trust  fills; no floors yet
 */
HF_MUST enum hf_verdict hf_tuf_trust_verify(struct hf_tuf_trust *trust, struct hf_bytes root_text,
                                            const struct hf_tuf_limits *limits, struct hf_why *why);
/** Append the record (deterministic CBOR). */
void hf_tuf_trust_encode(struct hf_buf *out, const struct hf_tuf_trust *trust);
/** Read a record back. HF_E_INPUT: not one of ours; HF_E_VERSION: of a newer Holdfast. */
HF_MUST enum hf_err hf_tuf_trust_parse(struct hf_tuf_trust *trust, struct hf_bytes record, struct hf_why *why);

/** "root", "timestamp", "snapshot", "targets". Static. */
const char *hf_tuf_role_name(enum hf_tuf_role role);

#endif
