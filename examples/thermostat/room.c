/* SPDX-License-Identifier: Apache-2.0 */
#include "room.h"

/* A small room behind an old wall: half of a difference is gone in an hour; the radiator can hold it 35 K above. */
#define LOSS_PER_S (0.69 / 3600.0)
#define HEAT_PER_S (35.0 * LOSS_PER_S)

static unsigned next_random(struct room *room)
{
  room->seed = room->seed * 1103515245u + 12345u; /* noise, not a secret */
  return room->seed >> 16;
}

void room_init(struct room *room, unsigned seed)
{
  *room = (struct room){.celsius = 16.0, .outside = 4.0, .seed = seed};
  room->celsius += (double)(next_random(room) % 50) / 10.0;
}

void room_step(struct room *room, double seconds, bool heating)
{
  room->celsius += (room->outside - room->celsius) * LOSS_PER_S * seconds;
  if (heating) {
    room->celsius += HEAT_PER_S * seconds;
  }
}

unsigned room_raw(struct room *room)
{
  double counts = (room->celsius + 40.0) * 64.0 + (double)(next_random(room) % 9) - 4.0;
  return counts < 1.0 ? 1u : counts > 8190.0 ? 8190u : (unsigned)counts;
}
