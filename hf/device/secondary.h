/* SPDX-License-Identifier: Apache-2.0
 * Secondaries: other processors of this device, behind the one with the network (Uptane 2.1: ECUs behind a primary).
 *
 * The port says how to talk to each, in a table. Their images are streamed to them as they are downloaded; when all
 * components of a set are verified and handed over, they are activated in the stated order, tried together with our own
 * images, and confirmed or sent back together. What decides is one record: our boot record when the set holds an image
 * of ours, else ours below. A device without secondaries links none of this. docs/spec/update.md.
 */
#ifndef HF_DEVICE_SECONDARY_H
#define HF_DEVICE_SECONDARY_H

#include "hf/device/bootops.h"
#include "hf/wire/report.h"
#include "hf/wire/uptane.h"

struct hf_update;

/** What a secondary says of itself. */
struct hf_secondary_seen {
  struct hf_version version;
  uint8_t digest[HF_SHA256_LEN]; /**< of the image it runs, as MCUboot counts it */
  uint32_t counter;              /**< its security counter: it takes nothing below */
  uint32_t root;                 /**< director root it knows, for partial verification; 0: it wants no metadata */
  bool trying;                   /**< runs on trial: goes back unless it is confirmed */
};

/** How to talk to one secondary. Each call may block for a while and feeds the watchdog. Everywhere: HF_E_AGAIN: no
 * answer now; HF_E_DENIED: it refuses. All calls may come twice: a power cut repeats them. */
struct hf_secondary_ops {
  const char *name;
  uint32_t version; /**< of this table: 1 */

  /** What it runs. No answer while it restarts: from HF_OK of `activate` or `revert` on until it runs what that led to.
   * @param seen           fills
   * @param signed_report  appended: its signed version report (hf/wire/report.h), HF_REPORT_SECONDARY_MAX bytes at
   *                       most; nothing when it has no key of its own; NULL: not asked for */
  enum hf_err (*report)(void *ctx, struct hf_secondary_seen *seen, struct hf_buf *signed_report);

  /** Director metadata for partial verification (hf/wire/partial.h): roots one by one from seen.root + 1, then the
   * targets. NULL when `seen.root` is always 0.
   * @param text  borrows: the file as it came */
  enum hf_err (*metadata)(void *ctx, enum hf_tuf_role role, struct hf_bytes text);

  /** Its question for the signed time. NULL: never asks.
   * @param nonce  fills, when HF_OK; HF_E_NOT_FOUND: it does not ask now */
  enum hf_err (*ask_time)(void *ctx, uint8_t nonce[HF_TIMESIG_NONCE_LEN]);
  /** The answer; it verifies it (hf/wire/timesig.h). What it makes of it is its own affair.
   * @param nonces  borrows: all, as they were sent */
  void (*put_time)(void *ctx, const struct hf_timesig *timesig, struct hf_bytes nonces);

  /** Begin, or go on with, an image; what was begun before and is another one is forgotten. HF_E_SPACE: no room.
   * @param item  borrows: length, sha256, counter are used
   * @param at    changes: 0 start over, else the most; becomes the offset it goes on from, `length` when it has all */
  enum hf_err (*begin)(void *ctx, const struct hf_uptane_item *item, uint32_t *at);
  enum hf_err (*put)(void *ctx, struct hf_bytes bytes);
  /** All bytes were put: it verifies length, hash and the image's own signature, and keeps it through power cuts, until
   * another `begin` or a `confirm`. */
  enum hf_err (*end)(void *ctx);

  /** Run what `end` took, on trial: until `confirm`, whatever ends the trial leads back to what ran before. */
  enum hf_err (*activate)(void *ctx);
  /** What runs stays, and its counter rises. HF_OK also when nothing is on trial. */
  enum hf_err (*confirm)(void *ctx);
  /** Back to what ran before. HF_OK also when nothing is on trial. */
  enum hf_err (*revert)(void *ctx);
};

/** One secondary. The port fills the first part, borrowed for the agent's life. */
struct hf_secondary {
  struct hf_bytes component;
  struct hf_bytes hardware;
  const struct hf_secondary_ops *ops;
  void *ctx;
  /* filled by the group */
  bool answers;                  /**< when asked last */
  struct hf_secondary_seen seen; /**< then */
  uint8_t nonce[HF_TIMESIG_NONCE_LEN];
  bool asked; /**< `nonce` is in the check-in under way */
  uint16_t report_len;
  uint8_t report[HF_REPORT_SECONDARY_MAX];
};

/** Where a set with secondaries stands. Numbers are flash format. */
enum hf_secondaries_phase {
  HF_SECONDARIES_IDLE = 0,
  HF_SECONDARIES_TRYING = 1,    /**< being activated, or all on trial */
  HF_SECONDARIES_KEEPING = 2,   /**< decided: each is to be confirmed */
  HF_SECONDARIES_RETURNING = 3, /**< decided: each is to go back */
};

/** One component of the set under way. */
struct hf_secondaries_item {
  uint8_t which;                 /**< image of ours; HF_SECONDARIES_FIRST + i: secondary i */
  uint8_t digest[HF_SHA256_LEN]; /**< what it is to run */
  bool tried;                    /**< activated since this boot */
};
#define HF_SECONDARIES_FIRST 0x80

/** All secondaries of a device; about 0.5 KiB, and 0.5 KiB each. Images and secondaries together are at most
 * HF_UPTANE_ITEMS_MAX. The caller fills the first part. */
struct hf_secondaries {
  const struct hf_secondaries_ops *ops; /**< &hf_secondaries_ops */
  struct hf_secondary *at;
  uint8_t count;
  uint32_t limit_s; /**< pause after which a secondary that does not answer at the end of a set is given up; 0: 300 */
  /* private */
  enum hf_secondaries_phase phase;
  uint8_t item_count;
  struct hf_secondaries_item item[HF_UPTANE_ITEMS_MAX]; /**< in the order of installation */
  bool held;                                            /**< `slot` is what our images of the set are staged with */
  struct hf_bootslot slot[HF_IMAGES_MAX];
  bool reboot;       /**< our images are staged: now reboot */
  bool changed;      /**< one runs something else than when asked before */
  uint64_t since_ms; /**< uptime when the phase began */
  uint8_t nonces[HF_TIMESIG_NONCES_MAX * HF_TIMESIG_NONCE_LEN];
  uint8_t nonces_len;
};

/** What update and agent ask of the group: a table, so that a device without secondaries has none of it. */
struct hf_secondaries_ops {
  const char *name;
  uint32_t version; /**< of this table: 1 */
  /** At start: what is under way. @return HF_OK; HF_E_INPUT: too many */
  enum hf_err (*open)(struct hf_secondaries *group, const struct hf_update *update);
  /** Ask each what it runs; `answers`, `seen` and `changed` say. One on trial without a set is sent back. */
  void (*look)(struct hf_secondaries *group);
  /** New roots of the director to those that verify partially. @return HF_OK; HF_E_AGAIN; HF_E_DENIED: one refuses */
  enum hf_err (*put_roots)(struct hf_secondaries *group, const struct hf_update *update, const char *path);
  /** The director's targets to them. @param text  borrows. @return the same */
  enum hf_err (*put_targets)(struct hf_secondaries *group, struct hf_bytes text);
  /** Download one image into secondary `i`. RAM: one piece of the transport's.
   * @return HF_OK: it has it whole and verified; HF_E_AGAIN; HF_E_DENIED: it refuses; HF_E_SPACE: more bytes than
   * announced, or no room */
  enum hf_err (*stream)(struct hf_secondaries *group, struct hf_update *update, uint8_t i,
                        const struct hf_uptane_item *item, const char *path, uint32_t base);
  /** All is verified and handed over: the set begins.
   * @param slots  borrows: for our own images
   * @return HF_OK; HF_E_FULL, HF_E_IO: from the store */
  enum hf_err (*start)(struct hf_secondaries *group, struct hf_update *update, const struct hf_uptane_plan *plan,
                       uint8_t todo, const struct hf_bootslot *slots, uint8_t images);
  /** Go on with the set.
   * @return HF_OK: every component runs what it should, or no set is under way; HF_E_AGAIN: not yet; HF_E_DENIED: one
   * does not run it */
  enum hf_err (*settle)(struct hf_secondaries *group, struct hf_update *update, const struct hf_boot_view *boot);
  /** Decide: keep it (rule 0), or all go back and the state says why. */
  void (*decide)(struct hf_secondaries *group, struct hf_update *update, uint16_t rule);
  /** Their signed reports, fresh; views borrow the group. */
  void (*reports)(struct hf_secondaries *group, struct hf_report *report);
  /** All questions for the time, ours first. @param own  borrows; may be empty. @return view; borrows the group */
  struct hf_bytes (*ask_time)(struct hf_secondaries *group, struct hf_bytes own);
  void (*put_time)(struct hf_secondaries *group, const struct hf_timesig *timesig);
};

/** In hf/device/secondary.c. */
extern const struct hf_secondaries_ops hf_secondaries_ops;

#endif
