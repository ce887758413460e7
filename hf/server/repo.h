/* SPDX-License-Identifier: Apache-2.0
 * The image repository on disk: DIR/server/repo, static files that any web server could carry.
 *
 * The database decides, files follow: a new targets and snapshot file lie under names nobody asks for yet (consistent
 * snapshots) before the group is committed; after it, renaming timestamp.json makes them visible at once. A kill at any
 * moment leaves either state whole: opening finishes what was committed and removes what was not.
 *
 * `holdfast init` makes repo/metadata/{1.root,1.targets,1.snapshot,timestamp}.json and director/1.root.json; opening an
 * engine over a new database takes them over, after the whole client workflow has accepted them.
 */
#ifndef HF_SERVER_REPO_H
#define HF_SERVER_REPO_H

#include "hf/server/core.h"
#include "hf/wire/tufclient.h"

/** Lives of what the server signs itself, and how long before its end it signs anew. Seconds. */
#define HF_REPO_SNAPSHOT_LIFE_S (INT64_C(7) * 86400)
#define HF_REPO_TIMESTAMP_LIFE_S 86400
/** A timestamp is signed anew when less than half its life is left. */
#define HF_REPO_RENEW_PART 2

/** What the repository shows now. */
struct hf_repo_state {
  int64_t root;
  int64_t root_expires;
  int64_t targets;
  int64_t targets_expires;
  int64_t snapshot;
  int64_t snapshot_expires;
  int64_t timestamp;
  int64_t timestamp_expires;
};

/** Read the row of table `repo`. HF_E_NOT_FOUND before the first start. */
HF_MUST enum hf_err hf_repo_get(struct hf_repo_state *state, struct hf_db *db);

/** Open the repository of `engine->config.server_dir`: take over, finish or undo. Gives engine->repo. */
HF_MUST enum hf_err hf_repo_open(struct hf_engine *engine, int64_t now);
void hf_repo_close(struct hf_engine *engine);

/** A targets file to publish: the top-level one or a delegated role's. Borrows. */
struct hf_repo_file {
  struct hf_bytes name; /**< "targets", or the role's name */
  struct hf_bytes text; /**< the signed file, byte for byte */
};
/** Longest name of a delegated role that this server publishes. */
#define HF_REPO_NAME_MAX 32
/** May a role that this server publishes have this name? 1-32 of a-z 0-9 - _, beginning with a letter or digit, not
 * that of another top-level role: as a file name and in a URL it stands for itself on every system. */
bool hf_repo_name_check(struct hf_bytes name);
/** Files one publication may bring: targets and the roles a snapshot may list. */
#define HF_REPO_FILES_MAX (1 + HF_TUF_LISTED_MAX)

/** What is published together. Borrows. */
struct hf_repo_set {
  struct hf_bytes root; /**< the next root, judged by hf_roots_publish already; empty: it stays */
  uint32_t root_version;
  bool restart; /**< the root takes an online key away, so devices forget their floors: versions that were
                     fast-forwarded begin again */
  const struct hf_repo_file *files;
  size_t count;
};
/** The same as hf_repo_publish for several files, or for a new root with them. */
HF_MUST enum hf_err hf_repo_publish_set(struct hf_engine *engine, const struct hf_repo_set *set, int64_t now,
                                        struct hf_why *why);

/**
 * Prepare the publication of a new targets file in the open group: sign snapshot and timestamp, verify all with the
 * client workflow as a device would that knows the present state, write the files under names nobody asks for yet.
 * @param targets  the signed file; borrows
 * @return HF_OK; HF_E_DENIED with why: a client would refuse it; HF_E_FULL; HF_E_IO; HF_E_CRYPTO
 */
HF_MUST enum hf_err hf_repo_publish(struct hf_engine *engine, struct hf_bytes targets, int64_t now, struct hf_why *why);
/** The version of a targets file ("targets" or a delegated role's name) that the present snapshot lists.
 * HF_E_NOT_FOUND. Engine and reader. */
HF_MUST enum hf_err hf_repo_listed(int64_t *version, const struct hf_engine *engine, struct hf_bytes name);
/** The present text of such a file. Gives heap bytes to free(). HF_E_NOT_FOUND. Engine and reader. */
HF_MUST enum hf_err hf_repo_load(struct hf_engine *engine, struct hf_bytes *text, struct hf_bytes name);
/** The present targets file, gives heap bytes to free(). */
HF_MUST enum hf_err hf_repo_targets(struct hf_engine *engine, struct hf_bytes *targets);
/** Copy an uploaded file to where the repository serves it, under its consistent-snapshot name, checking length and
 * hash.
 * @param from  path of the upload. HF_E_INPUT: another content */
HF_MUST enum hf_err hf_repo_put_target(struct hf_engine *engine, const struct hf_target_file *file, const char *from);
/** After a commit: make visible what was published (a rename that fails is tried again at each tick). After a rollback:
 * forget it. */
void hf_repo_settle(struct hf_engine *engine, bool committed);
/** Once a second: sign snapshot and timestamp anew long before they expire. Inside a group. */
HF_MUST enum hf_err hf_repo_tick(struct hf_engine *engine, int64_t now);

#endif
