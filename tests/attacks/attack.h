/* SPDX-License-Identifier: Apache-2.0
 * One attack, with the keys its attacker holds, against a whole device; and what is written about it when it was
 * carried out and came out as stated: a row of docs/attacks.md.
 *
 * The device is the real one (boot loader's choice, agent, update client) over a flash in memory. Its owner's
 * repositories need two signatures for root and for targets. The attacker has the network between them always, and of
 * keys what the row says: he signs a repository of his own with them, and what he does not hold he signs with keys
 * that nobody knows.
 */
#ifndef HF_TESTS_ATTACK_H
#define HF_TESTS_ATTACK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ports/sim/simdevice.h"

/** What may be stolen, by bits. */
enum attack_key {
  STOLEN_DIRECTOR = 1,  /**< signs the director's targets, snapshot and timestamp: one online key */
  STOLEN_TIMESTAMP = 2, /**< of the image repository */
  STOLEN_SNAPSHOT = 4,  /**< of the image repository */
  STOLEN_TARGETS = 8,   /**< one of the two offline keys that are needed */
  STOLEN_TARGETS2 = 16, /**< the other one */
  STOLEN_ROOT = 32,     /**< one of the two that are needed */
  STOLEN_ROOT2 = 64,    /**< the other one */
  STOLEN_IMAGE = 128,   /**< signs the images themselves */
  STOLEN_SERVER = STOLEN_DIRECTOR | STOLEN_TIMESTAMP | STOLEN_SNAPSHOT /**< all online keys */
};

enum attack_outcome {
  ATTACK_HOLDS,   /**< the attacker gets nothing he did not have */
  ATTACK_NOTICED, /**< he keeps the device from updating, and the device notices and says so */
  ATTACK_FALLS    /**< he gets what the attack is named for, within the limit that `why` states */
};

/** A row of the page; what is measured while it runs is added to it. */
struct attack {
  const char *name; /**< of the test: a sentence */
  const char *kind; /**< Uptane's name of the attack */
  const char *keys; /**< what the attacker holds, in words */
  enum attack_outcome outcome;
  const char *why; /**< one sentence without full stop */
  void (*run)(void **state);
};

/** Run a table of them as a cmocka group, with a fresh device for each. Writes the rows of those that passed to the
 * file that the first argument names, and only when all passed. @param source  path of the test's source in the tree */
int attack_main(int argc, char **argv, const char *source, const struct attack *attacks, size_t count);

#define ATTACK(run, kind, keys, outcome, why)                                                                          \
  {                                                                                                                    \
#run, kind, keys, outcome, why, run                                                                                \
  }

/* ---- the stage ---- */

/** Images of the owner, in the order of simrepo_add. */
enum attack_image {
  MAIN10,      /**< runs at first; counter 2 */
  MAIN11,      /**< counter 2 */
  MAIN12,      /**< counter 3; requires radio 1.1 */
  MAIN09,      /**< counter 1: below the device's */
  OTHER_BOARD, /**< for other hardware */
  RADIO10,     /**< runs at first; counter 5 */
  RADIO11,     /**< counter 6 */
  RADIO12      /**< counter 6 */
};

extern struct simrepo repo;       /**< the owner's */
extern struct simdevice device;   /**< the victim: runs MAIN10 and RADIO10, and nothing is ordered */
extern struct hf_key *device_key; /**< signs its reports */

/** The attacker's repository: a copy of the owner's with the stolen keys in it. Call it once in a test. */
struct simrepo *attack_steal(unsigned keys);
/** The attacker builds an image of his own, newer than everything, signed with the image key he has; `component` NULL:
 * main. Its index in his repository. */
int attack_image(struct simrepo *thief, const char *component);
/** Publish image metadata, order some images, and have the server announce the order. */
void attack_publish(struct simrepo *from);
void attack_order(struct simrepo *from, const int *images, size_t count);
/** A file as it is served now. */
struct hf_bytes attack_file(const char *path);
/** New online keys for both repositories, in new roots signed with the root keys he has. */
void attack_rotate(struct simrepo *thief);
/** Serve another image's bytes where an image is fetched. */
void attack_swap(int wanted, struct hf_bytes served);
/** What is served now, put aside; and put back: yesterday's files. */
void attack_record(void);
void attack_replay(void);

/** The owner updates the device to MAIN12 and RADIO11. */
void attack_update(void);
/** One wake-up, or several. */
void attack_step(int count);
/** Wake-ups of a device whose server tells this time. */
void attack_days(int days);

/* ---- what came of it; each adds to the row ---- */

/** The order was refused by this rule, the server was told, the device runs what it ran, MAIN10 and RADIO10 or what
 * attack_update brought, after a power cut as well. */
void attack_refused(uint16_t rule);
/** The same for a rule that a call returned, not the agent. */
void attack_note(uint16_t rule);
/** It runs these images, and after a power cut again. */
void attack_runs(int main_image, int radio_image);
/** Was an event with this rule told? */
bool attack_told(uint16_t kind, uint16_t rule);
/** The owner replaces the keys that were stolen, publishes, and the device updates to MAIN12 and RADIO11. */
void attack_recovers(void);

#endif
