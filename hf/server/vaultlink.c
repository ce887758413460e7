/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/vaultlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "hf/server/vault.h"

/* A reply: HF_VAULT_REPLY_MAX and what goes around it. */
#define REPLY_ROOM (HF_VAULT_REPLY_MAX + 128)

struct hf_vault_link {
  struct hf_vault *own; /* in this process, or NULL */
  int socket;           /* or -1 */
  uint32_t next_id;
  uint8_t *out; /* grows to the largest request seen */
  size_t out_cap;
  uint8_t in[HF_MSG_HEAD + REPLY_ROOM];
};

static enum hf_err send_whole(int socket, struct hf_bytes bytes)
{
  while (bytes.len > 0) {
    ssize_t sent = send(socket, bytes.at, bytes.len, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) {
      continue;
    }
    if (sent <= 0) {
      return HF_E_IO;
    }
    bytes.at += sent;
    bytes.len -= (size_t)sent;
  }
  return HF_OK;
}

static enum hf_err receive_whole(int socket, uint8_t *at, size_t len)
{
  while (len > 0) {
    ssize_t got = recv(socket, at, len, MSG_WAITALL);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return HF_E_IO;
    }
    at += got;
    len -= (size_t)got;
  }
  return HF_OK;
}

static enum hf_err room_for(struct hf_vault_link *link, size_t len)
{
  if (link->out_cap >= len) {
    return HF_OK;
  }
  uint8_t *grown = realloc(link->out, len);
  if (grown == NULL) {
    return HF_E_SPACE;
  }
  link->out = grown;
  link->out_cap = len;
  return HF_OK;
}

static enum hf_err exchange(struct hf_vault_link *link, struct hf_msg *answer, const struct hf_msg *request)
{
  size_t payload = request->type == HF_MSG_VAULT_SIGN  ? request->sign.canonical.len
                   : request->type == HF_MSG_VAULT_CRL ? request->crl.entries.len
                                                       : 0;
  enum hf_err err = room_for(link, payload + 1024);
  if (err != HF_OK) {
    return err;
  }
  struct hf_buf out = hf_buf_init(link->out, link->out_cap);
  hf_msg_encode(&out, request);
  if (out.failed) {
    return HF_E_SPACE;
  }
  err = send_whole(link->socket, hf_buf_bytes(&out));
  if (err == HF_OK) {
    err = receive_whole(link->socket, link->in, HF_MSG_HEAD);
  }
  if (err != HF_OK) {
    return err;
  }
  struct hf_cursor head = hf_cursor_init(hf_bytes_init(link->in, HF_MSG_HEAD));
  size_t len = hf_cursor_be32(&head);
  if (len > REPLY_ROOM) {
    return HF_E_IO;
  }
  err = receive_whole(link->socket, link->in + HF_MSG_HEAD, len);
  if (err == HF_OK && hf_msg_parse(answer, hf_bytes_init(link->in + HF_MSG_HEAD, len)) != HF_OK) {
    err = HF_E_IO;
  }
  return err;
}

/* Ask and wait. After a failure the socket is gone: a late answer must never be taken for the next one's. */
static enum hf_err call(struct hf_vault_link *link, struct hf_msg *answer, struct hf_msg *request)
{
  request->id = ++link->next_id;
  if (link->own != NULL) {
    struct hf_buf room = hf_buf_init(link->in, HF_VAULT_REPLY_MAX);
    hf_vault_answer(link->own, answer, request, &room);
    return (enum hf_err)answer->answer.err;
  }
  if (link->socket < 0) {
    return HF_E_IO;
  }
  enum hf_err err = exchange(link, answer, request);
  if (err == HF_OK && (answer->type != HF_MSG_VAULT_REPLY || answer->id != request->id)) {
    err = HF_E_IO;
  }
  if (err == HF_E_IO) {
    (void)close(link->socket);
    link->socket = -1;
  }
  return err == HF_OK ? (enum hf_err)answer->answer.err : err;
}

enum hf_err hf_vault_public(struct hf_vault_link *link, struct hf_pubkey *key, enum hf_vault_role role)
{
  struct hf_msg answer;
  struct hf_msg request = {.type = HF_MSG_VAULT_PUBLIC, .sign = {.role = (uint32_t)role}};
  enum hf_err err = call(link, &answer, &request);
  if (err == HF_OK && answer.answer.body.len != HF_P256_PUBLIC_LEN) {
    err = HF_E_IO;
  }
  if (err == HF_OK) {
    *key = (struct hf_pubkey){.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
    memcpy(key->at, answer.answer.body.at, HF_P256_PUBLIC_LEN);
  }
  return err;
}

static enum hf_err append(struct hf_buf *out, struct hf_bytes body)
{
  hf_buf_put(out, body);
  return out->failed ? HF_E_SPACE : HF_OK;
}

enum hf_err hf_vault_sign(struct hf_vault_link *link, struct hf_buf *sig, enum hf_vault_role role,
                          struct hf_bytes canonical, struct hf_bytes subject)
{
  struct hf_msg answer;
  struct hf_msg request = {.type = HF_MSG_VAULT_SIGN,
                           .sign = {.role = (uint32_t)role, .canonical = canonical, .subject = subject}};
  enum hf_err err = call(link, &answer, &request);
  return err == HF_OK ? append(sig, answer.answer.body) : err;
}

enum hf_err hf_vault_time(struct hf_vault_link *link, struct hf_timesig *timesig, struct hf_buf *room,
                          struct hf_bytes nonces)
{
  struct hf_msg answer;
  struct hf_msg request = {.type = HF_MSG_VAULT_TIME, .sign = {.role = HF_VAULT_TIME, .canonical = nonces}};
  enum hf_err err = call(link, &answer, &request);
  if (err == HF_OK) {
    err = append(room, answer.answer.body);
    *timesig = (struct hf_timesig){.time = (int64_t)answer.answer.number, .sig = hf_buf_bytes(room)};
  }
  return err;
}

enum hf_err hf_vault_issue(struct hf_vault_link *link, struct hf_buf *certificate, const struct hf_vault_issue *issue)
{
  struct hf_msg answer;
  struct hf_msg request = {.type = HF_MSG_VAULT_ISSUE,
                           .issue = {.device = issue->device,
                                     .key = hf_bytes_init(issue->key.at, issue->key.len),
                                     .not_before = issue->not_before,
                                     .not_after = issue->not_after,
                                     .ca = issue->ca,
                                     .crl_url = issue->crl_url}};
  enum hf_err err = call(link, &answer, &request);
  return err == HF_OK ? append(certificate, answer.answer.body) : err;
}

enum hf_err hf_vault_crl(struct hf_vault_link *link, struct hf_buf *sig, uint32_t ca, const struct hf_crl *crl)
{
  struct hf_msg answer;
  struct hf_msg request = {.type = HF_MSG_VAULT_CRL,
                           .crl = {.ca = ca,
                                   .number = crl->number,
                                   .this_update = crl->this_update,
                                   .next_update = crl->next_update,
                                   .entries = crl->entries}};
  enum hf_err err = call(link, &answer, &request);
  return err == HF_OK ? append(sig, answer.answer.body) : err;
}

static bool take_part(uint8_t *to, size_t *len, size_t cap, struct hf_cursor *cur)
{
  *len = hf_cursor_be16(cur);
  struct hf_bytes part = hf_cursor_take(cur, *len);
  if (cur->failed || part.len > cap) {
    return false;
  }
  memcpy(to, part.at, part.len);
  return true;
}

enum hf_err hf_vault_ca(struct hf_vault_link *link, struct hf_vault_ca *ca, uint32_t number)
{
  struct hf_msg answer;
  struct hf_msg request = {.type = HF_MSG_VAULT_CA, .change = {number}};
  enum hf_err err = call(link, &answer, &request);
  if (err != HF_OK) {
    return err;
  }
  struct hf_cursor cur = hf_cursor_init(answer.answer.body);
  *ca = (struct hf_vault_ca){.number = number, .not_after = (int64_t)answer.answer.number};
  struct hf_bytes sha256 = hf_cursor_take(&cur, HF_SHA256_LEN);
  if (cur.failed) {
    return HF_E_IO;
  }
  memcpy(ca->sha256, sha256.at, HF_SHA256_LEN);
  return take_part(ca->name, &ca->name_len, sizeof ca->name, &cur) &&
                 take_part(ca->key_id, &ca->key_id_len, sizeof ca->key_id, &cur) && cur.rest.len == 0
             ? HF_OK
             : HF_E_IO;
}

enum hf_err hf_vault_head(struct hf_vault_link *link, uint64_t *number, uint8_t hash[HF_SHA256_LEN])
{
  struct hf_msg answer;
  struct hf_msg request = {.type = HF_MSG_VAULT_HEAD};
  enum hf_err err = call(link, &answer, &request);
  if (err == HF_OK && answer.answer.body.len != HF_SHA256_LEN) {
    err = HF_E_IO;
  }
  if (err == HF_OK) {
    *number = answer.answer.number;
    memcpy(hash, answer.answer.body.at, HF_SHA256_LEN);
  }
  return err;
}

enum hf_err hf_vault_link_open(struct hf_vault_link **link, const char *vault_dir)
{
  struct hf_vault_link *made = calloc(1, sizeof *made);
  if (made == NULL) {
    return HF_E_SPACE;
  }
  made->socket = -1;
  enum hf_err err = hf_vault_open(&made->own, vault_dir);
  if (err != HF_OK) {
    free(made);
    return err;
  }
  *link = made;
  return HF_OK;
}

void hf_vault_link_replace(struct hf_vault_link *link, int socket)
{
  if (link->socket >= 0) {
    (void)close(link->socket);
  }
  link->socket = socket;
  struct timeval patience = {.tv_sec = HF_VAULT_CALL_TIMEOUT_S};
  (void)setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  (void)setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

enum hf_err hf_vault_link_init(struct hf_vault_link **link, int socket)
{
  struct hf_vault_link *made = calloc(1, sizeof *made);
  if (made == NULL) {
    (void)close(socket);
    return HF_E_SPACE;
  }
  made->socket = -1;
  hf_vault_link_replace(made, socket);
  *link = made;
  return HF_OK;
}

void hf_vault_link_close(struct hf_vault_link *link)
{
  if (link == NULL) {
    return;
  }
  if (link->socket >= 0) {
    (void)close(link->socket);
  }
  hf_vault_close(link->own);
  free(link->out);
  free(link);
}
