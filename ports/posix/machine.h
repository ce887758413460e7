/* SPDX-License-Identifier: Apache-2.0
 * The plain functions of hf/device/port.h on a POSIX machine: clock, uptime, watchdog. The watchdog is a pipe to the
 * supervisor: a byte is a sign of life.
 */
#ifndef HF_POSIX_MACHINE_H
#define HF_POSIX_MACHINE_H

#include "hf/device/port.h"

/** Where signs of life go: a non-blocking descriptor, borrowed; -1 (as at start) for nowhere. */
void hf_machine_watchdog_open(int fd);

/** A clock to use instead of the system's, in seconds since 1970: a device with a wrong clock, in tests and in the
 * settings of a demo device. The offset is added to the system's time; INT64_MIN: no idea of the time at all. */
void hf_machine_clock_put(int64_t offset_s);

#endif
