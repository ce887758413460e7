/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/courier.h"

#include <curl/curl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Together under HF_KEEPER_STOP_MS: a delivery in hand never holds up stopping. */
#define CONNECT_TIMEOUT_MS 4000L
#define TOTAL_TIMEOUT_MS 7000L

struct courier {
  struct hf_child *child;
  struct hf_child_link engine;
  CURL *curl;
};

/* A webhook's reply body is of no interest. */
static size_t ignore(char *at, size_t size, size_t count, void *ctx)
{
  (void)at;
  (void)ctx;
  return size * count;
}

/* keeper's word counts more than a slow receiver: give the delivery up when something waits on the control socket. */
static int on_progress(void *ctx, curl_off_t dtotal, curl_off_t dnow, curl_off_t utotal, curl_off_t unow)
{
  const struct courier *courier = ctx;
  struct pollfd watch = {.fd = courier->child->control, .events = POLLIN};
  (void)dtotal;
  (void)dnow;
  (void)utotal;
  (void)unow;
  return poll(&watch, 1, 0) > 0 ? 1 : 0;
}

static bool set_up(struct courier *courier, const char *url, const char *body, struct curl_slist *headers)
{
  CURL *curl = courier->curl;
  curl_easy_reset(curl);
  return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TOTAL_TIMEOUT_MS) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_USERAGENT, "holdfast/" HF_VERSION) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_XFERINFODATA, courier) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK;
}

/* Delivered means: the receiver said 2xx. */
static bool deliver(struct courier *courier, const char *url, const char *body)
{
  struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
  long status = 0;
  CURLcode rc = CURLE_OUT_OF_MEMORY;
  if (headers != NULL && set_up(courier, url, body, headers)) {
    rc = curl_easy_perform(courier->curl);
    (void)curl_easy_getinfo(courier->curl, CURLINFO_RESPONSE_CODE, &status);
  }
  curl_slist_free_all(headers);
  bool good = rc == CURLE_OK && status >= 200 && status < 300;
  if (!good) {
    /* Not the whole URL: webhook URLs carry secrets in their path. */
    fprintf(stderr, "courier: webhook: %s (status %ld); it will be tried again\n", curl_easy_strerror(rc), status);
  }
  return good;
}

static void serve(struct courier *courier, const struct hf_msg *msg)
{
  struct hf_msg answer = {.type = HF_MSG_POSTED, .id = msg->id};
  json_t *root = json_loadb((const char *)msg->post.json.at, msg->post.json.len, JSON_REJECT_DUPLICATES, NULL);
  json_int_t number = 0;
  const char *url = NULL;
  json_t *body = NULL; /* a value, sent as it is */
  char *text = NULL;
  if (root != NULL && json_unpack(root, "{s:I, s:s, s:o}", "id", &number, "url", &url, "body", &body) == 0) {
    text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
    answer.posted.number = (uint64_t)number;
    answer.posted.delivered = text != NULL && deliver(courier, url, text);
  } else {
    fprintf(stderr, "courier: a message of the engine has another form than {id,url,body}\n");
  }
  free(text);
  json_decref(root);
  (void)(hf_link_put(&courier->engine.link, &answer) ==
         HF_OK); /* a lost word means one more delivery, never a lost one */
  hf_child_link_flush(&courier->engine);
}

static void on_input(struct hf_child_link *wire)
{
  struct hf_msg msg;
  while (hf_link_next(&wire->link, &msg)) {
    serve(wire->ctx, &msg);
  }
}

static void on_link(struct hf_child *child, enum hf_process peer, unsigned number, int socket)
{
  struct courier *courier = child->ctx;
  (void)number;
  if (peer != HF_ENGINE || hf_child_link_open(&courier->engine, socket) != HF_OK) {
    (void)close(socket);
  }
}

int hf_courier_run(struct hf_child *child)
{
  struct courier courier = {.child = child};
  child->ctx = &courier;
  child->on_link = on_link;
  if (hf_child_open(child) != HF_OK || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return 1;
  }
  hf_child_link_init(&courier.engine, child, HF_ENGINE);
  courier.engine.on_input = on_input;
  courier.engine.ctx = &courier;
  courier.curl = curl_easy_init();
  int status = courier.curl != NULL && hf_child_ready(child) == HF_OK ? 0 : 1;
  if (status == 0) {
    (void)event_base_dispatch(child->base);
  }
  hf_child_link_close(&courier.engine);
  curl_easy_cleanup(courier.curl);
  curl_global_cleanup();
  hf_child_close(child);
  return status;
}
