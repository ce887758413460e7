/* SPDX-License-Identifier: Apache-2.0
 * A simulated room: what the thermostat's converter would read, given how long the radiator was on.
 */
#ifndef THERMOSTAT_ROOM_H
#define THERMOSTAT_ROOM_H

#include <stdbool.h>

struct room {
  double celsius;
  double outside;
  unsigned seed; /**< of the sensor's noise */
};

/** A room that is cold; `seed` makes rooms differ. */
void room_init(struct room *room, unsigned seed);
/** Let `seconds` pass. */
void room_step(struct room *room, double seconds, bool heating);
/** Raw counts the converter reads now, noise included. */
unsigned room_raw(struct room *room);

#endif
