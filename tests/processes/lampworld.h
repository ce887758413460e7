/* SPDX-License-Identifier: Apache-2.0
 * A running server, one product and one enrolled lamp: what the tests that ask the listeners begin with. Holds their
 * state, so one test program includes it once. */
#ifndef LAMPWORLD_H
#define LAMPWORLD_H

#include <stdio.h>
#include <string.h>

#include "world.h"

static struct world world;
static struct device lamp;
static struct response response;

/* A server with one product and one enrolled lamp. */
static inline int lamp_set_up(void **state)
{
  (void)state;
  world_open(&world);
  world_start(&world, NULL);
  int status = world_api(&world, &response, "POST", "/api/v1/products",
                         "{\"name\":\"lamp\",\"title\":\"Lamp\",\"hardware\":[\"lamp-a\"]}");
  if (status != 201) {
    fail_msg("product: %d %.*s", status, (int)response.body_len, (const char *)response.body);
  }
  device_open(&lamp, "lamp-1");
  device_enrol(&lamp, &world);
  return 0;
}

/* Fails when the server did not end well or one of its processes was killed. */
static inline int lamp_tear_down(void **state)
{
  (void)state;
  device_close(&lamp);
  int status = world_stop(&world);
  char errors[16384];
  world_errors(&world, errors, sizeof errors);
  world_close(&world);
  if (status != 0 || strstr(errors, "was ended by") != NULL) {
    (void)fprintf(stderr, "%s\n", errors);
    return 1;
  }
  return 0;
}

/* One request on a connection of its own: status. */
static inline int ask_device(const struct device *device, const char *method, const char *path, const char *fields,
                      struct hf_bytes body)
{
  struct client client;
  client_open(&client, &world, device);
  int status = client_ask(&client, &response, method, path, fields, body);
  client_close(&client);
  return status;
}

static inline int ask_people(const char *method, const char *path, const char *fields, struct hf_bytes body)
{
  struct client client;
  client_people(&client, &world);
  int status = client_ask(&client, &response, method, path, fields, body);
  client_close(&client);
  return status;
}

static const struct hf_bytes nothing;

#endif
