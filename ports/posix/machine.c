/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/machine.h"

#include <time.h>
#include <unistd.h>

#include "hf/base/assert.h"
#include "hf/base/math.h"

/* A second between two bytes is enough for a watchdog of seconds; a download calls in far more often. */
#define FEED_EVERY_MS 500

static int watchdog_fd = -1;
static uint64_t watchdog_fed_ms;
static int64_t clock_offset_s;

void hf_machine_watchdog_open(int fd)
{
  watchdog_fd = fd;
  watchdog_fed_ms = 0;
}

void hf_machine_clock_put(int64_t offset_s) { clock_offset_s = offset_s; }

int64_t hf_port_time(void)
{
  struct timespec now;
  if (clock_offset_s == INT64_MIN || clock_gettime(CLOCK_REALTIME, &now) != 0) {
    return 0;
  }
  int64_t seconds = hf_add_sat_i64(now.tv_sec, clock_offset_s);
  return seconds > 0 ? seconds : 0;
}

uint64_t hf_port_uptime_ms(void)
{
  struct timespec now;
  HF_ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void hf_port_watchdog_feed(void)
{
  uint64_t now = hf_port_uptime_ms();
  if (watchdog_fd < 0 || (watchdog_fed_ms != 0 && now - watchdog_fed_ms < FEED_EVERY_MS)) {
    return;
  }
  watchdog_fed_ms = now;
  /* A full pipe is a supervisor that has not looked yet; a broken one is a supervisor that is gone, and the kernel has
   * been told to end us then. Neither is ours to repair here. */
  ssize_t put = write(watchdog_fd, "", 1);
  (void)put;
}
