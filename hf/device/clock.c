/* SPDX-License-Identifier: Apache-2.0
 * Floor, ceiling, and the time of this boot.
 */
#include "hf/device/clock.h"

#include "hf/base/math.h"
#include "hf/base/time.h"

enum { RECORD_LEN = 16 };

static enum hf_err save(struct hf_clock *clock, struct hf_store *store)
{
  uint8_t record[RECORD_LEN];
  struct hf_buf out = hf_buf_init(record, sizeof record);
  hf_buf_put_be64(&out, (uint64_t)clock->floor);
  hf_buf_put_be64(&out, (uint64_t)clock->ceiling);
  enum hf_err err = hf_store_put(store, HF_STORE_CLOCK, hf_buf_bytes(&out));
  if (err == HF_OK) {
    clock->stored = clock->floor;
  }
  return err;
}

static int64_t plausible(uint64_t value) { return value <= (uint64_t)HF_TIME_MAX ? (int64_t)value : 0; }

void hf_clock_open(struct hf_clock *clock, const struct hf_store *store, int64_t build_time)
{
  *clock = (struct hf_clock){.floor = build_time, .ceiling = build_time, .build = build_time};
  uint8_t record[RECORD_LEN];
  struct hf_buf in = hf_buf_init(record, sizeof record);
  if (hf_store_get(&in, store, HF_STORE_CLOCK) != HF_OK) {
    return;
  }
  struct hf_cursor cur = hf_cursor_init(hf_buf_bytes(&in));
  clock->stored = plausible(hf_cursor_be64(&cur));
  int64_t ceiling = plausible(hf_cursor_be64(&cur));
  /* New software raises both: it cannot have been built before its build time. */
  clock->floor = clock->stored > build_time ? clock->stored : build_time;
  clock->ceiling = ceiling > build_time ? ceiling : build_time;
}

int64_t hf_clock_now(const struct hf_clock *clock)
{
  int64_t now = clock->told;
  if (now != 0) {
    uint64_t passed_ms = hf_port_uptime_ms() - clock->told_ms;
    now = hf_add_sat_i64(now, (int64_t)(passed_ms / 1000));
  } else {
    now = hf_port_time();
  }
  if (now > HF_TIME_MAX) {
    now = HF_TIME_MAX;
  }
  return now > clock->floor ? now : clock->floor;
}

bool hf_clock_known(const struct hf_clock *clock) { return clock->told != 0 || hf_port_time() >= clock->floor; }

/* Let the floor follow the time, unless it is beyond the ceiling: then somebody's clock is wrong and nothing is kept.
 */
static enum hf_err raise_floor(struct hf_clock *clock, struct hf_store *store, bool write)
{
  if (clock->told != 0) {
    int64_t now = hf_clock_now(clock);
    clock->floor = now > clock->floor && now <= clock->ceiling ? now : clock->floor;
  }
  return write || clock->floor - clock->stored >= HF_CLOCK_STEP_S ? save(clock, store) : HF_OK;
}

enum hf_err hf_clock_put_server(struct hf_clock *clock, struct hf_store *store, int64_t seconds)
{
  if (seconds < clock->floor || seconds > HF_TIME_MAX) {
    return HF_E_INPUT;
  }
  clock->told = seconds;
  clock->told_ms = hf_port_uptime_ms();
  return raise_floor(clock, store, false);
}

enum hf_err hf_clock_put_signed(struct hf_clock *clock, struct hf_store *store, int64_t expires)
{
  if (expires <= clock->ceiling) {
    return raise_floor(clock, store, false);
  }
  clock->ceiling = expires;
  return raise_floor(clock, store, true);
}

void hf_clock_doubt(struct hf_clock *clock)
{
  if (hf_clock_now(clock) > clock->ceiling) {
    clock->told = 0;
  }
}

enum hf_err hf_clock_reset(struct hf_clock *clock, struct hf_store *store)
{
  clock->floor = clock->build;
  clock->ceiling = clock->build;
  return save(clock, store);
}
