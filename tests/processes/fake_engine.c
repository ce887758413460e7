/* SPDX-License-Identifier: Apache-2.0
 * An engine that remembers nothing but a line for each check-in, so that the processes around it can be tested alone.
 * Never part of the product: it stands in for hf/server/engine.c in tests/processes only. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hf/server/engine.h"
#include "hf/wire/checkin.h"

struct hf_engine {
  int log;
  struct hf_vault_link *vault;
  uint64_t change;
  char pending[1 << 20];
  size_t pending_len;
  uint8_t login_key[32];
};

enum hf_err hf_engine_open(struct hf_engine **engine, const struct hf_engine_config *config, int64_t now)
{
  char path[4096];
  struct hf_engine *made = calloc(1, sizeof *made);
  (void)now;
  if (made == NULL) {
    return HF_E_SPACE;
  }
  (void)snprintf(path, sizeof path, "%s/db/fake.log", config->server_dir);
  made->log = open(path, config->read_only ? O_RDONLY : O_RDWR | O_CREAT | O_APPEND, 0600);
  made->vault = config->vault;
  made->change = 1;
  memcpy(made->login_key, config->login_key, sizeof made->login_key);
  struct hf_pubkey key;
  if (made->log < 0 || (!config->read_only && hf_vault_public(config->vault, &key, HF_VAULT_DIRECTOR) != HF_OK)) {
    free(made);
    return HF_E_IO;
  }
  *engine = made;
  return HF_OK;
}

void hf_engine_close(struct hf_engine *engine)
{
  close(engine->log);
  free(engine);
}

enum hf_err hf_engine_begin(struct hf_engine *engine)
{
  engine->pending_len = 0;
  return HF_OK;
}

enum hf_err hf_engine_commit(struct hf_engine *engine)
{
  if (engine->pending_len == 0) {
    return HF_OK;
  }
  ssize_t done = write(engine->log, engine->pending, engine->pending_len);
  return done == (ssize_t)engine->pending_len && fdatasync(engine->log) == 0 ? HF_OK : HF_E_IO;
}

enum hf_err hf_engine_checkin(struct hf_engine *engine, struct hf_buf *answer, const struct hf_peer *peer,
                              struct hf_bytes body, int64_t now, struct hf_why *why)
{
  struct hf_checkin checkin;
  enum hf_err err = hf_checkin_parse(&checkin, body, why);
  if (err != HF_OK) {
    return err;
  }
  if (hf_bytes_is(peer->device, "blocked")) {
    return HF_E_DENIED;
  }
  int n = snprintf(engine->pending + engine->pending_len, sizeof engine->pending - engine->pending_len, "%.*s %u %u\n",
                   (int)peer->device.len, (const char *)peer->device.at, checkin.boot, checkin.number);
  if (n < 0 || (size_t)n >= sizeof engine->pending - engine->pending_len) {
    return HF_E_AGAIN;
  }
  engine->pending_len += (size_t)n;
  struct hf_checkin_answer out = {.time = now, .next_s = 60};
  return hf_checkin_answer_encode(answer, &out);
}

enum hf_err hf_engine_director(struct hf_engine *engine, struct hf_buf *file, const struct hf_peer *peer,
                               struct hf_bytes name, int64_t now)
{
  (void)engine;
  (void)peer;
  (void)now;
  if (!hf_bytes_is(name, "timestamp.json")) {
    return HF_E_NOT_FOUND;
  }
  hf_buf_put_text(file, "{}");
  return HF_OK;
}

enum hf_err hf_engine_enrol(struct hf_engine *engine, struct hf_buf *certificate, const struct hf_enrol *enrol,
                            int64_t now, struct hf_why *why)
{
  (void)why;
  if (enrol->peer == NULL && !hf_bytes_is(enrol->token, "good-token")) {
    return HF_E_DENIED;
  }
  if (enrol->peer != NULL && !hf_bytes_equal(enrol->peer->device, enrol->device)) {
    return HF_E_DENIED;
  }
  struct hf_vault_issue issue = {enrol->device, enrol->key, now - 60, now + 86400};
  return hf_vault_issue(engine->vault, certificate, &issue);
}

/* GET /session answers 200 to the bearer "good"; GET /events tells the number of the last change; POST /change makes one;
 * POST /session is passed on by the reader; PUT /uploads says what arrived. */
void hf_engine_api(struct hf_engine *engine, struct hf_api_reply *reply, const struct hf_api_request *request)
{
  char text[512];
  bool reader = engine->vault == NULL;
  reply->status = hf_bytes_is(request->bearer, "good") ? 200 : 401;
  if (hf_bytes_is(request->path, "/health")) {
    reply->status = 200;
  }
  if (reader && request->method == HF_POST) {
    reply->pass_on = true;
    hf_buf_put(&reply->body, hf_bytes_init(engine->login_key, 8));
    return;
  }
  if (!reader && hf_bytes_is(request->path, "/session") && request->method == HF_POST) {
    bool same = request->ticket.len == 8 && memcmp(request->ticket.at, engine->login_key, 8) == 0;
    reply->status = same ? 201 : 500;
    (void)snprintf(reply->set_session, sizeof reply->set_session, "hf_session=x; HttpOnly; SameSite=Strict; Path=/");
  }
  if (hf_bytes_is(request->path, "/change") && request->method == HF_POST && reply->status == 200) {
    engine->change++;
  }
  (void)snprintf(text, sizeof text, "{\"change\":%llu,\"reader\":%s,\"upload\":%llu,\"body\":%zu}",
                 (unsigned long long)engine->change, reader ? "true" : "false",
                 (unsigned long long)request->upload_len, request->body.len);
  hf_buf_put_text(&reply->body, text);
}

bool hf_api_reads(enum hf_method method, struct hf_bytes path)
{
  return method == HF_GET || (method == HF_POST && hf_bytes_is(path, "/session"));
}

enum hf_err hf_engine_tick(struct hf_engine *engine, int64_t now)
{
  (void)engine;
  (void)now;
  return HF_OK;
}

uint64_t hf_engine_change(const struct hf_engine *engine) { return engine->change; }

enum hf_err hf_engine_outbox_get(struct hf_engine *engine, struct hf_buf *message, int64_t now)
{
  (void)engine;
  (void)message;
  (void)now;
  return HF_E_NOT_FOUND;
}

enum hf_err hf_engine_outbox_done(struct hf_engine *engine, uint64_t id, bool delivered, int64_t now)
{
  (void)engine;
  (void)id;
  (void)delivered;
  (void)now;
  return HF_OK;
}
