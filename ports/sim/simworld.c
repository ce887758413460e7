/* SPDX-License-Identifier: Apache-2.0
 * Clock, watchdog and a server in memory.
 */
#include "ports/sim/simworld.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t device_time;
static uint64_t device_uptime_ms;
static uint64_t feeds;

int64_t hf_port_time(void) { return device_time; }

uint64_t hf_port_uptime_ms(void) { return device_uptime_ms; }

void hf_port_watchdog_feed(void) { feeds++; }

void simworld_set_time(int64_t seconds) { device_time = seconds; }

void simworld_set_uptime(uint64_t ms) { device_uptime_ms = ms; }

uint64_t simworld_watchdog_feeds(void) { return feeds; }

static struct simworld_file *find(struct simworld *world, const char *path)
{
  for (size_t i = 0; i < world->count; i++) {
    if (strcmp(world->file[i].path, path) == 0) {
      return &world->file[i];
    }
  }
  return NULL;
}

void simworld_put(struct simworld *world, const char *path, struct hf_bytes body)
{
  struct simworld_file *file = find(world, path);
  if (file == NULL) {
    if (world->count == SIMWORLD_FILES_MAX) {
      fputs("simworld: too many files\n", stderr);
      exit(1);
    }
    file = &world->file[world->count++];
    snprintf(file->path, sizeof file->path, "%s", path);
  }
  file->body = body;
}

void simworld_remove(struct simworld *world, const char *path)
{
  struct simworld_file *file = find(world, path);
  if (file != NULL) {
    *file = world->file[--world->count];
  }
}

/* One body on its way. */
struct sending {
  struct simworld *world;
  const struct hf_http_request *request;
  struct hf_sink sink;
  struct hf_bytes body;
  enum simworld_fault fault;
  uint64_t sent;
};

/* Hand out one piece; a copy, so that a turned bit does not stay. */
static enum hf_err send_piece(struct sending *sending, struct hf_bytes piece)
{
  static uint8_t copy[4096];
  struct simworld *world = sending->world;
  uint64_t before = world->match != NULL ? sending->sent : world->bytes;
  if (sending->fault == SIMWORLD_DROP && before + piece.len > world->at) {
    piece.len = world->at > before ? (size_t)(world->at - before) : 0;
  }
  if (piece.len > 0) {
    memcpy(copy, piece.at, piece.len);
  }
  if (sending->fault == SIMWORLD_FLIP && world->at >= sending->sent && world->at - sending->sent < piece.len) {
    copy[world->at - sending->sent] ^= 0x10;
  }
  sending->sent += piece.len;
  world->bytes += piece.len;
  if (sending->sent > sending->request->max_len) {
    return HF_E_SPACE;
  }
  enum hf_err err = piece.len > 0 ? sending->sink.put(sending->sink.ctx, hf_bytes_init(copy, piece.len)) : HF_OK;
  if (err == HF_OK && world->power != NULL && world->power->dead) {
    err = HF_E_AGAIN;
  }
  if (err == HF_OK && sending->fault == SIMWORLD_DROP && before + piece.len >= world->at) {
    err = HF_E_AGAIN;
  }
  return err;
}

static enum hf_err send_body(struct sending *sending)
{
  static const uint8_t junk[512];
  size_t step = sending->world->piece == 0 ? 512 : sending->world->piece;
  enum hf_err err = HF_OK;
  for (size_t at = 0; err == HF_OK && at < sending->body.len; at += step) {
    size_t len = sending->body.len - at < step ? sending->body.len - at : step;
    err = send_piece(sending, hf_bytes_init(sending->body.at + at, len));
  }
  while (err == HF_OK && sending->fault == SIMWORLD_ENDLESS) {
    err = send_piece(sending, hf_bytes_init(junk, sizeof junk));
  }
  return err;
}

/* Status and body of a request that reached the server. */
static struct hf_bytes answer(struct simworld *world, struct hf_http_reply *reply,
                              const struct hf_http_request *request)
{
  static uint8_t posted[4096];
  reply->retry_after_s = world->retry_after_s;
  if (strcmp(request->method, "POST") == 0) {
    struct hf_buf out = hf_buf_init(posted, sizeof posted);
    reply->status = world->post == NULL ? 404 : world->post(world->post_ctx, request->path, request->body, &out);
    return hf_buf_bytes(&out);
  }
  const struct simworld_file *file = find(world, request->path);
  reply->status = file == NULL ? 404 : 200;
  return file == NULL ? (struct hf_bytes){0} : file->body;
}

static struct hf_bytes cut_range(struct sending *sending, struct hf_http_reply *reply)
{
  struct hf_bytes body = sending->body;
  uint64_t from = sending->request->range_from;
  if (from == 0) {
    return body;
  }
  sending->world->last_range = from;
  if (sending->fault == SIMWORLD_NO_RANGE) {
    return body;
  }
  if (from >= body.len) {
    reply->status = 416;
    return (struct hf_bytes){0};
  }
  reply->status = 206;
  reply->range_from = sending->fault == SIMWORLD_WRONG_RANGE ? from - 1 : from;
  return hf_bytes_init(body.at + from, body.len - from);
}

static enum hf_err sim_request(void *ctx, struct hf_http_reply *reply, const struct hf_http_request *request,
                               struct hf_sink sink)
{
  struct simworld *world = ctx;
  *reply = (struct hf_http_reply){0};
  world->requests++;
  if (world->power != NULL && world->power->dead) {
    return HF_E_AGAIN;
  }
  bool hit = world->match == NULL || strstr(request->path, world->match) != NULL;
  struct sending sending = {
      .world = world, .request = request, .sink = sink, .fault = hit ? world->fault : SIMWORLD_GOOD};
  if (sending.fault == SIMWORLD_REFUSE) {
    return HF_E_DENIED;
  }
  if (sending.fault == SIMWORLD_DROP && world->match == NULL && world->bytes >= world->at) {
    return HF_E_AGAIN;
  }
  sending.body = answer(world, reply, request);
  if (sending.fault == SIMWORLD_STATUS) {
    reply->status = world->status;
  }
  if (reply->status == 200) {
    sending.body = cut_range(&sending, reply);
  }
  return reply->status == 200 || reply->status == 206 ? send_body(&sending) : HF_OK;
}

const struct hf_transport_ops simworld_ops = {"sim", 1, sim_request};
