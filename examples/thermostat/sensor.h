/* SPDX-License-Identifier: Apache-2.0
 * The thermostat's temperature sensor: raw counts of a converter become degrees. One driver is linked.
 */
#ifndef THERMOSTAT_SENSOR_H
#define THERMOSTAT_SENSOR_H

#include <stdbool.h>

/** Prepare the sensor; called once at start. */
void sensor_init(void);

/** Degrees Celsius from a raw reading.
 * @return false: the reading is not to be believed */
bool sensor_get(double *celsius, unsigned raw);

#endif
