/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/tuffetch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "hf/cli/term.h"

#define CONNECT_MS 30000L
#define SLOW_S 30L

struct hf_tuffetch {
  CURL *curl;
  const struct hf_tuffetch_options *options;
  int64_t end_ms; /* of the monotonic clock */
  char error[CURL_ERROR_SIZE];
  char why[CURL_ERROR_SIZE + 64];
};

/** One transfer. */
struct transfer {
  struct hf_tuffetch *fetch;
  struct hf_tuffetch_sink sink;
  enum hf_err err;
};

static int64_t now_ms(void)
{
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct hf_tuffetch *hf_tuffetch_open(const struct hf_tuffetch_options *options)
{
  struct hf_tuffetch *fetch = calloc(1, sizeof *fetch);
  if (fetch == NULL) {
    return NULL;
  }
  fetch->options = options;
  fetch->end_ms = now_ms() + (int64_t)options->deadline_s * 1000;
  fetch->curl = curl_easy_init();
  if (fetch->curl == NULL) {
    free(fetch);
    return NULL;
  }
  return fetch;
}

void hf_tuffetch_close(struct hf_tuffetch *fetch)
{
  if (fetch != NULL) {
    curl_easy_cleanup(fetch->curl);
    free(fetch);
  }
}

/* Only what came with status 200 is handed on. */
static size_t take(char *bytes, size_t size, size_t count, void *ctx)
{
  struct transfer *transfer = ctx;
  long status = 0;
  (void)curl_easy_getinfo(transfer->fetch->curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    return size * count;
  }
  transfer->err = transfer->sink.put(transfer->sink.ctx, hf_bytes_init(bytes, size * count));
  return transfer->err == HF_OK ? size * count : 0;
}

static bool set_up(struct transfer *transfer, const char *url, bool redirects, long left_ms)
{
  struct hf_tuffetch *fetch = transfer->fetch;
  CURL *curl = fetch->curl;
  bool tls = strncmp(url, "https://", 8) == 0;
  curl_easy_reset(curl);
  fetch->error[0] = '\0';
  bool good = curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https") == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, redirects ? 1L : 0L) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)HF_TUFFETCH_REDIRECTS_MAX) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_USERAGENT, "holdfast/" HF_VERSION) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, fetch->error) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left_ms) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)fetch->options->rate_min) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SLOW_S) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer) == CURLE_OK;
  const char *ca = fetch->options->ca;
  return good && (ca == NULL || (curl_easy_setopt(curl, CURLOPT_CAINFO, ca) == CURLE_OK &&
                                 curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK));
}

enum hf_tufclient_got hf_tuffetch_get(struct hf_tuffetch *fetch, const char *url, bool redirects,
                                      struct hf_tuffetch_sink sink)
{
  struct transfer transfer = {.fetch = fetch, .sink = sink};
  int64_t left_ms = fetch->end_ms - now_ms();
  long status = 0;
  if (left_ms <= 0) {
    hf_format(fetch->why, sizeof fetch->why, "the deadline has passed");
    return HF_TUFCLIENT_FAILED;
  }
  if (!set_up(&transfer, url, redirects, (long)left_ms)) {
    hf_format(fetch->why, sizeof fetch->why, "the HTTP library refuses to start");
    return HF_TUFCLIENT_FAILED;
  }
  CURLcode code = curl_easy_perform(fetch->curl);
  (void)curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &status);
  if (status == 404 || (status == 403 && fetch->options->absent_on_forbidden)) {
    hf_format(fetch->why, sizeof fetch->why, "the server says %ld", status);
    return HF_TUFCLIENT_NOT_FOUND;
  }
  if (transfer.err == HF_E_SPACE) {
    hf_format(fetch->why, sizeof fetch->why, "it is longer than allowed");
    return HF_TUFCLIENT_TOO_LONG;
  }
  if (code == CURLE_OK && status == 200) {
    return HF_TUFCLIENT_BYTES;
  }
  if (code == CURLE_OK || code == CURLE_HTTP_RETURNED_ERROR) {
    hf_format(fetch->why, sizeof fetch->why, "the server says %ld", status);
  } else if (transfer.err != HF_OK) {
    hf_format(fetch->why, sizeof fetch->why, "it could not be written");
  } else {
    hf_format(fetch->why, sizeof fetch->why, "%s", fetch->error[0] != '\0' ? fetch->error : curl_easy_strerror(code));
  }
  return HF_TUFCLIENT_FAILED;
}

/** A body being collected. */
struct body {
  struct hf_blob *blob;
  size_t cap;
  size_t max;
};

static enum hf_err body_put(void *ctx, struct hf_bytes bytes)
{
  struct body *body = ctx;
  struct hf_blob *blob = body->blob;
  if (bytes.len > body->max - blob->len) {
    return HF_E_SPACE;
  }
  if (blob->len + bytes.len > body->cap) {
    size_t cap = (blob->len + bytes.len) * 2 + 1024;
    uint8_t *at = realloc(blob->at, cap);
    if (at == NULL) {
      return HF_E_IO;
    }
    blob->at = at;
    body->cap = cap;
  }
  if (bytes.len > 0) {
    memcpy(blob->at + blob->len, bytes.at, bytes.len);
    blob->len += bytes.len;
  }
  return HF_OK;
}

enum hf_tufclient_got hf_tuffetch_get_blob(struct hf_tuffetch *fetch, struct hf_blob *blob, const char *url, size_t max)
{
  struct body body = {.blob = blob, .max = max};
  *blob = (struct hf_blob){NULL, 0};
  enum hf_tufclient_got got = hf_tuffetch_get(fetch, url, false, (struct hf_tuffetch_sink){body_put, &body});
  if (got != HF_TUFCLIENT_BYTES) {
    hf_blob_free(blob);
  }
  return got;
}

const char *hf_tuffetch_why(const struct hf_tuffetch *fetch) { return fetch->why; }
