/* SPDX-License-Identifier: Apache-2.0
 * Writing TUF metadata: the "signed" part of each role, the bytes to sign, and the file around both. Hosts: the CLI
 * signs root and targets offline, the server timestamp, snapshot and director through its vault.
 *
 * What is written is compact JSON in ascending order. Its canonical form (what is signed) differs only where a text
 * has escapes: PEM newlines in root. docs/spec/tuf.md.
 */
#ifndef HF_WIRE_TUFWRITE_H
#define HF_WIRE_TUFWRITE_H

#include "hf/wire/tuf.h"

/** A root as its author sees it. Roles point into `keys` by bit. */
struct hf_tufwrite_root {
  uint32_t version;
  int64_t expires;
  bool consistent_snapshot;
  const struct hf_pubkey *keys; /**< borrows; each key once */
  size_t key_count;             /**< at most HF_TUF_KEYS_MAX */
  struct hf_tuf_signers role[HF_TUF_ROLES];
};

/** Append the "signed" part of a root. HF_E_INPUT: a role without enough keys, a key twice; HF_E_SPACE. */
HF_MUST enum hf_err hf_tufwrite_put_root(struct hf_buf *out, const struct hf_tufwrite_root *root);
/** Append the "signed" part of a timestamp. @param snapshot  the snapshot file as it will be served */
HF_MUST enum hf_err hf_tufwrite_put_timestamp(struct hf_buf *out, uint32_t version, int64_t expires,
                                              uint32_t snapshot_version, struct hf_bytes snapshot);
/** Append the "signed" part of a snapshot that lists targets.json. @param targets  the file as it will be served */
HF_MUST enum hf_err hf_tufwrite_put_snapshot(struct hf_buf *out, uint32_t version, int64_t expires,
                                             uint32_t targets_version, struct hf_bytes targets);

/** An entry to write: `value` is the JSON that hf_target_put or hf_target_order_put wrote. */
struct hf_tufwrite_entry {
  struct hf_bytes path;
  struct hf_bytes value; /**< empty: take the entry out (hf_tufwrite_edit_targets only) */
};

/** Append the "signed" part of a new image repository targets file. Entries in ascending order of path. */
HF_MUST enum hf_err hf_tufwrite_put_targets(struct hf_buf *out, uint32_t version, int64_t expires,
                                            const struct hf_tufwrite_entry *entries, size_t count);
/** What a director's targets file says. Borrows. */
struct hf_tufwrite_director {
  struct hf_bytes device;
  const struct hf_tufwrite_entry *entries; /**< ascending paths */
  size_t count;
  const struct hf_pubkey *time; /**< P-256, or NULL */
};

/** Append the "signed" part of a director targets file, bound to a device also when there are no entries. */
HF_MUST enum hf_err hf_tufwrite_put_director(struct hf_buf *out, uint32_t version, int64_t expires,
                                             struct hf_bytes device, const struct hf_tufwrite_entry *entries,
                                             size_t count);
/** The same, naming the key that signs the server's time: custom.holdfast.time (docs/spec/time.md). */
HF_MUST enum hf_err hf_tufwrite_put_director_timed(struct hf_buf *out, uint32_t version, int64_t expires,
                                                   const struct hf_tufwrite_director *director);
/**
 * Append the "signed" part of an existing targets file with some entries added, replaced or taken out, a new version
 * and a new expiry. Members Holdfast does not know are kept as they stand.
 * @param body     the existing "signed" part (hf_tuf_file.body)
 * @param edit     version and expires to write, entries in ascending order of path
 */
struct hf_tufwrite_edit {
  uint32_t version;
  int64_t expires;
  const struct hf_tufwrite_entry *entries;
  size_t count;
};
HF_MUST enum hf_err hf_tufwrite_edit_targets(struct hf_buf *out, struct hf_json body,
                                             const struct hf_tufwrite_edit *edit);

/** A delegation to write (TUF 1.0.34 section 4.5). Borrows. */
struct hf_tufwrite_delegation {
  struct hf_bytes name;
  const struct hf_bytes *paths; /**< patterns */
  size_t path_count;
  const struct hf_pubkey *keys; /**< each once, at most HF_TUF_KEYS_MAX */
  size_t key_count;
  uint16_t threshold;
  bool terminating;
};
/** Append the "signed" part of an existing targets file with one delegation added after the others, or replaced at its
 * place; version and expiry as `edit` says, whose entries are not looked at. HF_E_INPUT: a threshold it cannot reach, a
 * key twice, a file with hash bins; HF_E_SPACE. */
HF_MUST enum hf_err hf_tufwrite_edit_delegation(struct hf_buf *out, struct hf_json body,
                                                const struct hf_tufwrite_edit *edit,
                                                const struct hf_tufwrite_delegation *delegation);

/** A file a snapshot is to list. */
struct hf_tufwrite_listed {
  struct hf_bytes name; /**< "targets.json", "ROLE.json" */
  uint32_t version;
  struct hf_bytes file; /**< as it will be served */
};
/** What changes in a snapshot. */
struct hf_tufwrite_snapshot {
  uint32_t version;
  int64_t expires;
  const struct hf_tufwrite_listed *listed; /**< in any order; each name once */
  size_t count;
};
/** Append the "signed" part of an existing snapshot with some files added or replaced: what else it lists stays, for a
 * snapshot never loses a file (TUF 1.0.34 section 5.5.5). HF_E_INPUT: not a snapshot's body; HF_E_SPACE. */
HF_MUST enum hf_err hf_tufwrite_edit_snapshot(struct hf_buf *out, struct hf_json body,
                                              const struct hf_tufwrite_snapshot *edit);

/** Append the canonical form of a "signed" part: the bytes that are signed. */
HF_MUST enum hf_err hf_tufwrite_canonical(struct hf_buf *out, struct hf_bytes body);

/** One signature as it stands in the file. */
struct hf_tufwrite_sig {
  uint8_t keyid[HF_SHA256_LEN];
  uint8_t len;
  uint8_t sig[HF_SIG_MAX];
};

/** Something that signs a message (its canonical bytes): hf_key_sign behind a context, or the vault. */
struct hf_tufwrite_signer {
  struct hf_pubkey pub;
  enum hf_err (*sign)(void *ctx, struct hf_buf *sig, struct hf_bytes message);
  void *ctx;
};

/** Sign canonical bytes with one signer. */
HF_MUST enum hf_err hf_tufwrite_sign(struct hf_tufwrite_sig *sig, const struct hf_tufwrite_signer *signer,
                                     struct hf_bytes canonical);
/** Append the whole file: {"signatures":[...],"signed":body}. */
void hf_tufwrite_put_file(struct hf_buf *out, struct hf_bytes body, const struct hf_tufwrite_sig *sigs, size_t count);
/** Append the whole file, signed by each signer. @param scratch  room for the canonical bytes: body.len suffices */
HF_MUST enum hf_err hf_tufwrite_sign_file(struct hf_buf *out, struct hf_buf scratch, struct hf_bytes body,
                                          const struct hf_tufwrite_signer *signers, size_t count);

/**
 * Append a file again with one more signature: how the holders of several offline keys sign one after the other. The
 * signed part and the other signatures are copied as they stand; an earlier signature under the same key id is
 * replaced.
 * @param file  borrows: parsed with hf_tuf_parse; whose signatures are in it is not judged
 * @param sig   borrows: made by hf_tufwrite_sign over hf_tufwrite_canonical of `file->body.text`
 * @return HF_OK or HF_E_SPACE
 */
HF_MUST enum hf_err hf_tufwrite_put_cosigned(struct hf_buf *out, const struct hf_tuf_file *file,
                                             const struct hf_tufwrite_sig *sig);

#endif
