/* SPDX-License-Identifier: Apache-2.0
 * What time it is, on a device whose clock may be missing, reset or lying.
 *
 * A floor that never falls (build time, and server time as far as offline-signed metadata vouches for it) and, within a
 * boot, the time the server told over TLS, moved on by the uptime counter. Server time beyond the ceiling, the expiry
 * of offline-signed metadata, is used until the next boot or the next word but never kept: a server whose clock says
 * 2100 cannot lock a device out (docs/spec/update.md).
 */
#ifndef HF_DEVICE_CLOCK_H
#define HF_DEVICE_CLOCK_H

#include "hf/device/store.h"

/** The stored floor trails by at most this much, to spare the flash. */
#define HF_CLOCK_STEP_S 21600

struct hf_clock {
  int64_t floor;    /**< seconds since 1970 */
  int64_t stored;   /**< the floor on flash, at most HF_CLOCK_STEP_S behind */
  int64_t ceiling;  /**< the floor follows no time beyond; stored */
  int64_t build;    /**< the lowest floor of all */
  int64_t told;     /**< last server time of this boot, 0: none */
  uint64_t told_ms; /**< uptime when it was told */
};

/** Begin with what was stored; nothing, or what cannot be read any more, begins with the build time.
 * @param clock       fills
 * @param store       borrows
 * @param build_time  of this software, seconds since 1970: the first floor and the first ceiling */
void hf_clock_open(struct hf_clock *clock, const struct hf_store *store, int64_t build_time);

/** Now, never below the floor: server time of this boot if there is one, else the port's clock, else the floor. */
int64_t hf_clock_now(const struct hf_clock *clock);

/** Has anything but the floor told the time since boot? */
bool hf_clock_known(const struct hf_clock *clock);

/** The server said what time it is. Below the floor it is not taken.
 * @return HF_OK; HF_E_INPUT: not taken; else what the store returned, and taken for this boot only */
HF_MUST enum hf_err hf_clock_put_server(struct hf_clock *clock, struct hf_store *store, int64_t seconds);

/** Metadata signed offline was verified and is good until `expires`: the floor may follow the time up to there. */
HF_MUST enum hf_err hf_clock_put_signed(struct hf_clock *clock, struct hf_store *store, int64_t expires);

/** The server's certificate was refused, perhaps by a wrong time of its own: a server time beyond the ceiling is
 * forgotten as at a boot, or a server that said 2100 once would not be believed when it takes it back. */
void hf_clock_doubt(struct hf_clock *clock);

/** The offline keys replaced the online ones: what those vouched for is void, the floor falls back to the build time
 * (Uptane 2.1.0 deployment: a future time once accepted must not lock the device for ever). */
HF_MUST enum hf_err hf_clock_reset(struct hf_clock *clock, struct hf_store *store);

#endif
