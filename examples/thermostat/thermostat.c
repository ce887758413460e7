/* SPDX-License-Identifier: Apache-2.0
 * A room thermostat: measures, switches a radiator, tells its setpoint and its room. The room is simulated; everything
 * between the sensor's raw counts and the server is real.
 */
#include <stdio.h>

#include "ports/posix/app.h"
#include "room.h"
#include "sensor.h"

/* First idea of the time: 2026-01-01. A product takes its release's date here. */
#define BUILD_TIME INT64_C(1767225600)
#define SETPOINT 21.0
#define HYSTERESIS 0.3
/* A minute passes in the room for each second of ours, so that somebody who watches sees it get warm. */
#define ROOM_SPEED 60.0
/* Healthy after this many good readings in a row. */
#define GOOD_READINGS 2u
#define LOG_EVERY 300u

struct thermostat {
  struct room room;
  bool heating;
  unsigned good;  /* readings in a row */
  unsigned steps; /* since start */
  double celsius;
};

static struct hf_app app;
static struct thermostat thermostat;

static void control(void *ctx)
{
  struct thermostat *self = ctx;
  double celsius;
  room_step(&self->room, ROOM_SPEED, self->heating);
  if (!sensor_get(&celsius, room_raw(&self->room))) {
    self->good = 0;
    self->heating = false; /* blind: cold feet are better than a fire */
    return;
  }
  self->celsius = celsius;
  self->good++;
  if (celsius < SETPOINT - HYSTERESIS) {
    self->heating = true;
  } else if (celsius > SETPOINT + HYSTERESIS) {
    self->heating = false;
  }
  if (self->steps++ % LOG_EVERY == 0) {
    hf_app_log(&app, "thermostat %s: %.1f C, radiator %s", THERMOSTAT_VERSION, celsius, self->heating ? "on" : "off");
  }
}

/* It measures, and it can still be repaired: both, or the release before was better. */
static enum hf_err check_health(void *ctx, bool reached)
{
  const struct thermostat *self = ctx;
  return self->good >= GOOD_READINGS && reached ? HF_OK : HF_E_AGAIN;
}

static void tell_attributes(void)
{
  static const char *const rooms[] = {"kitchen", "bedroom", "hall", "office", "bath"};
  char setpoint[16];
  unsigned sum = 0;
  for (const char *at = app.conf.device; *at != '\0'; at++) {
    sum = sum * 31u + (unsigned char)*at;
  }
  room_init(&thermostat.room, sum);
  (void)snprintf(setpoint, sizeof setpoint, "%.1f", SETPOINT);
  if (hf_app_put_attribute(&app, "setpoint", setpoint) != HF_OK ||
      hf_app_put_attribute(&app, "room", rooms[sum % (sizeof rooms / sizeof rooms[0])]) != HF_OK) {
    hf_app_log(&app, "an attribute was not taken");
  }
}

int main(void)
{
  static const struct hf_app_spec spec = {
      .build_time = BUILD_TIME, .health = check_health, .work = control, .work_every_ms = 1000, .ctx = &thermostat};
  if (hf_app_init(&app, &spec) != HF_OK) {
    return HF_APP_EXIT_FAILED;
  }
  sensor_init();
  tell_attributes();
  while (hf_app_step(&app)) {
  }
  return hf_app_close(&app);
}
