/* SPDX-License-Identifier: Apache-2.0
 * Driver of release 1.1: the straight line, and a running mean against the converter's noise.
 */
#include "sensor.h"

static double mean;
static bool begun;

void sensor_init(void) { begun = false; }

bool sensor_get(double *celsius, unsigned raw)
{
  double now = (double)raw / 64.0 - 40.0;
  if (raw == 0 || raw >= 8191) {
    return false;
  }
  mean = begun ? mean + (now - mean) / 8.0 : now;
  begun = true;
  *celsius = mean;
  return true;
}
