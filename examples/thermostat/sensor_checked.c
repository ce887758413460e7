/* SPDX-License-Identifier: Apache-2.0
 * Driver of release 1.3: calibrated where the unit has a calibration, the data sheet's line where it has none.
 */
#include "sensor.h"

#include <stddef.h>

#include "calibration.h"

static const struct calibration *unit;

void sensor_init(void) { unit = calibration_find(); }

bool sensor_get(double *celsius, unsigned raw)
{
  double plain = (double)raw / 64.0 - 40.0;
  *celsius = unit != NULL ? plain * unit->gain + unit->offset : plain;
  return raw > 0 && raw < 8191;
}
