/* SPDX-License-Identifier: Apache-2.0
 * All that the device library asks of the world. A port answers it: ports/posix, ports/sim, later ports/mps2-an505.
 *
 * What exists once per device is a plain function (a missing one is a link error); what exists several times, or is
 * swapped by a test, is a const table with its context as first argument.
 */
#ifndef HF_DEVICE_PORT_H
#define HF_DEVICE_PORT_H

#include "hf/base/bytes.h"
#include "hf/crypto/crypto.h"

/* ---- flash ---- */

/** Largest write alignment. */
#define HF_ALIGN_MAX 16
/** Smallest sector: a record's head and a short payload must fit. How much the boot records need:
 * hf/device/bootstate.h.
 */
#define HF_SECTOR_MIN 256

/** A flash driver. NOR rules: erase sets whole sectors to `erased`; program only moves bits away from it, on addresses
 * and lengths that are multiples of `align`, in units not programmed since their erase. A call that returns HF_OK is on
 * the medium. Power may fail at any byte. A flash with error correction hands back something not erased for a unit that
 * a torn write left unreadable, and HF_OK: the check sums above decide. HF_E_IO is for a medium that does not answer.
 */
struct hf_flash_ops {
  const char *name;
  uint32_t version; /**< of this table: 1 */
  enum hf_err (*read)(void *ctx, uint32_t at, void *out, uint32_t len);
  enum hf_err (*program)(void *ctx, uint32_t at, const void *in, uint32_t len);
  enum hf_err (*erase)(void *ctx, uint32_t at, uint32_t len);
};

/** A part of a flash: what boot, store and slots are given. Offsets inside are from its own start. */
struct hf_area {
  const struct hf_flash_ops *ops;
  void *ctx;
  uint32_t start;  /**< bytes, multiple of `sector` */
  uint32_t size;   /**< bytes, multiple of `sector` */
  uint32_t sector; /**< smallest erase, bytes */
  uint32_t align;  /**< smallest program, bytes: 1, 4, 8 or 16 */
  uint8_t erased;  /**< value of an erased byte: 0xff or 0x00 */
};

/** Images that boot as one set: the components of a device with slots of their own (HF_UPTANE_ITEMS_MAX). */
#define HF_IMAGES_MAX 4
/** Slots of each image. */
#define HF_SLOTS 2

/** The parts of a device's flash. */
struct hf_layout {
  struct hf_area boot;                          /**< boot records (hf/device/bootstate.h) */
  struct hf_area store;                         /**< the application's records (hf/device/store.h) */
  uint8_t images;                               /**< 1 to HF_IMAGES_MAX; image 0 is the one that is handed control */
  struct hf_area slot[HF_IMAGES_MAX][HF_SLOTS]; /**< of each image */
};

/** Is the geometry possible, with at least so many sectors? HF_OK or HF_E_INPUT. */
HF_MUST enum hf_err hf_area_check(const struct hf_area *area, uint32_t sectors);
/** Bounds-checked access; HF_E_INPUT when the range leaves the area or is not aligned. Length 0 does nothing. */
HF_MUST enum hf_err hf_area_read(const struct hf_area *area, uint32_t at, void *out, uint32_t len);
HF_MUST enum hf_err hf_area_program(const struct hf_area *area, uint32_t at, const void *in, uint32_t len);
HF_MUST enum hf_err hf_area_erase(const struct hf_area *area, uint32_t at, uint32_t len);

/* ---- transport ---- */

/** Where a reply's body goes, piece by piece; anything but HF_OK stops the transfer. */
struct hf_sink {
  enum hf_err (*put)(void *ctx, struct hf_bytes piece);
  void *ctx;
};

struct hf_http_request {
  const char *method;       /**< "GET" or "POST" */
  const char *path;         /**< from the server's root, percent-encoded, NUL-terminated */
  const char *content_type; /**< of the body; NULL when there is none */
  struct hf_bytes body;
  uint64_t range_from; /**< ask for bytes from here on (RFC 9110 section 14); 0: everything */
  uint64_t max_len;    /**< stop with HF_E_SPACE when the body gets longer (endless data, TUF section 5.6) */
};

struct hf_http_reply {
  int status;             /**< HTTP status; 0 when none came */
  uint64_t range_from;    /**< where the body starts: 0 for 200, the confirmed offset for 206 */
  uint32_t retry_after_s; /**< 0 when absent */
};

/** Room for a request path: the longest is a target's URL. */
#define HF_HTTP_PATH_MAX 256

/** One request at a time, blocking; the port keeps the watchdog fed while it waits, enforces an overall deadline and a
 * lowest rate (slow retrieval), never follows redirects, and authenticates both ends with TLS. */
struct hf_transport_ops {
  const char *name;
  uint32_t version;
  /** The sink gets the body of a 200 or 206 reply only, and `reply` is filled before its first piece.
   * HF_OK: a complete reply came, whatever its status; HF_E_AGAIN: network trouble; HF_E_DENIED: the peer's or our
   * certificate was refused; HF_E_SPACE: longer than max_len; else what the sink returned. */
  enum hf_err (*request)(void *ctx, struct hf_http_reply *reply, const struct hf_http_request *request,
                         struct hf_sink body);
};

struct hf_transport {
  const struct hf_transport_ops *ops;
  void *ctx;
};

/* ---- once per device ---- */

/** Seconds since 1970, or 0 when the device has no idea. Never trusted alone: hf/device/clock.h adds the floor. */
int64_t hf_port_time(void);
/** Milliseconds since power-on; never goes back. */
uint64_t hf_port_uptime_ms(void);
/** Feed the watchdog. */
void hf_port_watchdog_feed(void);

/** Why the device started. Numbers travel in check-ins. */
enum hf_reset {
  HF_RESET_UNKNOWN = 0,
  HF_RESET_POWER = 1,
  HF_RESET_REQUEST = 2,  /**< asked for by software, not for an update */
  HF_RESET_UPDATE = 3,   /**< to try a staged image */
  HF_RESET_WATCHDOG = 4, /**< hung */
  HF_RESET_CRASH = 5,    /**< fault, abort or unexpected exit */
  HF_RESET_REVERT = 6    /**< trial not confirmed in time */
};

#endif
