/* SPDX-License-Identifier: Apache-2.0
 * Clock, watchdog and a server in memory for device tests.
 *
 * The server holds files by path and answers check-ins through a callback; faults are named per request. What
 * hf/device/port.h asks for once per device is answered here.
 */
#ifndef PORTS_SIM_SIMWORLD_H
#define PORTS_SIM_SIMWORLD_H

#include "hf/device/port.h"
#include "ports/sim/simflash.h"

#define SIMWORLD_FILES_MAX 128

/** What goes wrong with a reply. */
enum simworld_fault {
  SIMWORLD_GOOD,
  SIMWORLD_DROP,   /**< the connection breaks after `at` body bytes, of all replies together or, with `match`, of one */
  SIMWORLD_REFUSE, /**< certificate refused: HF_E_DENIED */
  SIMWORLD_STATUS, /**< `status` instead of the file */
  SIMWORLD_FLIP,   /**< body byte `at` of the matching reply has a bit turned */
  SIMWORLD_NO_RANGE,    /**< ranges are ignored: 200 and everything */
  SIMWORLD_WRONG_RANGE, /**< 206 with another offset than asked for */
  SIMWORLD_ENDLESS      /**< bytes without end */
};

struct simworld_file {
  char path[HF_HTTP_PATH_MAX];
  struct hf_bytes body; /**< borrowed */
};

struct simworld {
  struct simworld_file file[SIMWORLD_FILES_MAX];
  size_t count;
  uint32_t piece; /**< bytes a sink gets at once; 0: 512 */
  enum simworld_fault fault;
  const char *match; /**< part of the path a fault is for; NULL: any */
  uint64_t at;
  int status;
  uint32_t retry_after_s;
  struct simflash *power; /**< while it is dead no request succeeds; may be NULL */
  uint64_t bytes;         /**< body bytes handed out so far */
  uint32_t requests;
  uint64_t last_range; /**< asked for in the last ranged request */
  /** Answer to a POST; returns the HTTP status. NULL: 404. */
  int (*post)(void *ctx, const char *path, struct hf_bytes body, struct hf_buf *reply);
  void *post_ctx;
};

extern const struct hf_transport_ops simworld_ops;

/** Add a file, or replace one; borrows the body. */
void simworld_put(struct simworld *world, const char *path, struct hf_bytes body);
/** Take a file away. */
void simworld_remove(struct simworld *world, const char *path);

/** What the device's own clock says (0: it has none), and its uptime. */
void simworld_set_time(int64_t seconds);
void simworld_set_uptime(uint64_t ms);
uint64_t simworld_watchdog_feeds(void);

#endif
