/* SPDX-License-Identifier: Apache-2.0
 * Each unit's own calibration, measured at the end of the production line and kept in the device's folder. Units made
 * before the line could measure it do not have one.
 */
#ifndef THERMOSTAT_CALIBRATION_H
#define THERMOSTAT_CALIBRATION_H

struct calibration {
  double gain;
  double offset;
};

/** The unit's calibration: borrowed, for the life of the program; NULL when the unit has none. */
const struct calibration *calibration_find(void);

#endif
