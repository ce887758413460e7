/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/https.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "hf/base/assert.h"

#define CONNECT_TIMEOUT_S 30L
/* A day: a server that asks for more is one to come back to tomorrow. */
#define RETRY_AFTER_MAX_S 86400u
/* What comes with a status that is not 200 or 206 is read, for the connection's sake, and dropped. */
#define ERROR_BODY_MAX 65536u
#define PACE_SLICE_MS 100u
/* TLS 1.2 for small servers and old proxies; 1.3 picks its own suites, all of them fine. */
#define CIPHERS "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"

/* ---- TLS ---- */

/* The alerts by which a peer says: it is your certificate (RFC 8446 section 6.2). */
static bool about_our_certificate(int alert)
{
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED: return true;
    default: return false;
  }
}

static void note_alert(const SSL *ssl, int where, int value)
{
  struct hf_https *https = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
  if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && https != NULL) {
    https->alert = value & 0xff;
  }
}

/* Until the server has told the time in this boot, dates are evidence only where the floor contradicts them. */
static int overlook_dates(int good, X509_STORE_CTX *store)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  struct hf_https *https = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
  const struct hf_clock *clock = https->spec.clock;
  int error = X509_STORE_CTX_get_error(store);
  if (good == 1 || clock == NULL || clock->told != 0) {
    return good;
  }
  bool early = error == X509_V_ERR_CERT_NOT_YET_VALID;
  bool late =
      error == X509_V_ERR_CERT_HAS_EXPIRED && hf_identity_ends(X509_STORE_CTX_get_current_cert(store)) >= clock->floor;
  if (!early && !late) {
    return 0;
  }
  https->bad_dates = true;
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

static CURLcode prepare_tls(CURL *curl, void *native, void *ctx)
{
  struct hf_https *https = ctx;
  SSL_CTX *tls = native;
  X509_STORE *store = SSL_CTX_get_cert_store(tls);
  const struct hf_clock *clock = https->spec.clock;
  (void)curl;
  for (int i = 0; i < sk_X509_num(https->spec.server_ca); i++) {
    if (X509_STORE_add_cert(store, sk_X509_value(https->spec.server_ca, i)) != 1) {
      return CURLE_SSL_CACERT_BADFILE;
    }
  }
  int64_t now = clock != NULL ? hf_clock_now(clock) : hf_port_time();
  X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(tls), (time_t)now);
  SSL_CTX_set_app_data(tls, https);
  SSL_CTX_set_info_callback(tls, note_alert);
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, overlook_dates);
  const struct hf_identity_pair *pair = https->pair;
  if (pair != NULL &&
      (SSL_CTX_use_certificate(tls, pair->cert) != 1 || SSL_CTX_use_PrivateKey(tls, hf_key_native(pair->key)) != 1 ||
       (pair->issuer != NULL && SSL_CTX_add1_chain_cert(tls, pair->issuer) != 1))) {
    return CURLE_SSL_CERTPROBLEM;
  }
  return CURLE_OK;
}

bool hf_https_refused(const struct hf_https *https) { return about_our_certificate(https->alert); }

/* ---- one request ---- */

enum hf_err hf_https_parse_range(uint64_t *from, struct hf_bytes value)
{
  struct hf_cursor cur = hf_cursor_init(value);
  uint64_t sum = 0;
  size_t digits = 0;
  if (!hf_bytes_is(hf_cursor_take(&cur, 6), "bytes ")) {
    return HF_E_INPUT;
  }
  for (; digits < 18 && cur.rest.len > 0 && cur.rest.at[0] >= '0' && cur.rest.at[0] <= '9'; digits++) {
    sum = sum * 10 + (uint64_t)(hf_cursor_u8(&cur) - '0');
  }
  if (digits == 0 || hf_cursor_u8(&cur) != '-' || cur.failed) {
    return HF_E_INPUT;
  }
  *from = sum;
  return HF_OK;
}

static struct hf_bytes trim(struct hf_bytes text)
{
  while (text.len > 0 && (text.at[text.len - 1] == '\r' || text.at[text.len - 1] == '\n')) {
    text.len--;
  }
  while (text.len > 0 && text.at[0] == ' ') {
    text.at++;
    text.len--;
  }
  return text;
}

static size_t take_header(char *at, size_t size, size_t count, void *ctx)
{
  static const char range[] = "content-range:";
  struct hf_https *https = ctx;
  size_t len = size * count;
  struct hf_bytes line = hf_bytes_init(at, len);
  if (len >= 5 && strncmp(at, "HTTP/", 5) == 0) {
    https->range_from = UINT64_MAX; /* a new header block, after 100 Continue */
  } else if (len >= sizeof range && strncasecmp(at, range, sizeof range - 1) == 0) {
    struct hf_bytes value = trim((struct hf_bytes){line.at + sizeof range - 1, len - (sizeof range - 1)});
    uint64_t from;
    https->range_from = hf_https_parse_range(&from, value) == HF_OK ? from : UINT64_MAX;
  }
  return len;
}

static void put_detail(struct hf_https *https, const char *text)
{
  (void)snprintf(https->detail, sizeof https->detail, "%s", text);
}

static bool wanted(int status) { return status == 200 || status == 206; }

/* Status and range are known when the body begins; a partial body that does not start where it was asked to is a
 * server's mistake that would end up in the middle of an image. */
static enum hf_err begin_body(struct hf_https *https)
{
  long status = 0;
  https->begun = true;
  https->pace_ms = hf_port_uptime_ms();
  (void)curl_easy_getinfo(https->curl, CURLINFO_RESPONSE_CODE, &status);
  https->reply->status = (int)status;
  if (status != 206) {
    return HF_OK;
  }
  if (https->range_from == UINT64_MAX || https->range_from != https->request->range_from) {
    https->objection = "the server's partial reply does not start where it was asked to";
    return HF_E_AGAIN;
  }
  https->reply->range_from = https->range_from;
  return HF_OK;
}

static int wait_hook(void *ctx, curl_off_t total_down, curl_off_t down, curl_off_t total_up, curl_off_t up)
{
  struct hf_https *https = ctx;
  (void)total_down;
  (void)down;
  (void)total_up;
  (void)up;
  hf_port_watchdog_feed();
  return https->spec.wait == NULL || https->spec.wait(https->spec.ctx) ? 0 : 1;
}

/* libcurl's own limit looks away for up to a megabyte and a half at a time, which is a whole image here. Not reading is
 * what slows the other side down. */
static bool keep_pace(struct hf_https *https, size_t len)
{
  uint64_t due_ms = https->pace_ms + (uint64_t)len * 1000u / https->spec.rate_max;
  https->pace_ms = due_ms;
  for (;;) {
    uint64_t now = hf_port_uptime_ms();
    if (now >= due_ms) {
      return true;
    }
    uint64_t slice = due_ms - now < PACE_SLICE_MS ? due_ms - now : PACE_SLICE_MS;
    (void)nanosleep(&(struct timespec){.tv_nsec = (long)slice * 1000000L}, NULL);
    if (wait_hook(https, 0, 0, 0, 0) != 0) {
      return false;
    }
  }
}

static size_t take_body(char *at, size_t size, size_t count, void *ctx)
{
  struct hf_https *https = ctx;
  size_t len = size * count;
  if (!https->begun) {
    https->sink_err = begin_body(https);
  }
  bool good = wanted(https->reply->status);
  uint64_t max = good ? https->request->max_len : ERROR_BODY_MAX;
  if (https->sink_err == HF_OK && len > max - https->body_len) {
    https->objection = "the server sent more than was asked for";
    https->sink_err = HF_E_SPACE;
  }
  if (https->sink_err == HF_OK && good && https->spec.rate_max > 0 && !keep_pace(https, len)) {
    https->sink_err = HF_E_AGAIN;
  }
  if (https->sink_err == HF_OK && good && https->sink.put != NULL) {
    https->sink_err = https->sink.put(https->sink.ctx, hf_bytes_init(at, len));
  }
  if (https->sink_err != HF_OK) {
    return 0; /* libcurl: CURLE_WRITE_ERROR */
  }
  https->body_len += len;
  return len;
}

static enum hf_err explain(struct hf_https *https, CURLcode code)
{
  if (https->objection != NULL) {
    put_detail(https, https->objection); /* libcurl only knows that we did not take the body */
  } else if (https->detail[0] == '\0') {
    put_detail(https, curl_easy_strerror(code));
  }
  switch (code) {
    case CURLE_OK: https->detail[0] = '\0'; return HF_OK;
    case CURLE_WRITE_ERROR: return https->sink_err != HF_OK ? https->sink_err : HF_E_AGAIN;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return HF_E_DENIED;
    default: return about_our_certificate(https->alert) ? HF_E_DENIED : HF_E_AGAIN;
  }
}

/* Every option that differs from one request to the next, set in both directions: the handle remembers. */
static bool set_request(struct hf_https *https, const struct hf_http_request *request)
{
  CURL *curl = https->curl;
  char range[32];
  (void)snprintf(range, sizeof range, "%llu-", (unsigned long long)request->range_from);
  bool post = strcmp(request->method, "POST") == 0;
  HF_ASSERT(post || strcmp(request->method, "GET") == 0);
  bool good = curl_easy_setopt(curl, CURLOPT_URL, https->url) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_RANGE, request->range_from > 0 ? range : NULL) == CURLE_OK;
  if (post) {
    good = good && curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.len > 0 ? (const void *)request->body.at : "") ==
               CURLE_OK;
  } else {
    good = good && curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK;
  }
  return good && curl_easy_setopt(curl, CURLOPT_USERPWD, https->basic[0] != '\0' ? https->basic : NULL) == CURLE_OK;
}

static struct curl_slist *headers_of(const struct hf_http_request *request)
{
  char line[128];
  /* A POST of a few hundred bytes does not ask for permission first. */
  struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
  if (request->content_type != NULL && headers != NULL) {
    (void)snprintf(line, sizeof line, "Content-Type: %s", request->content_type);
    struct curl_slist *longer = curl_slist_append(headers, line);
    if (longer == NULL) {
      curl_slist_free_all(headers);
    }
    headers = longer;
  }
  return headers;
}

static void begin_request(struct hf_https *https, struct hf_http_reply *reply, const struct hf_http_request *request,
                          struct hf_sink body)
{
  *reply = (struct hf_http_reply){.status = 0};
  https->request = request;
  https->reply = reply;
  https->sink = body;
  https->sink_err = HF_OK;
  https->body_len = 0;
  https->range_from = UINT64_MAX;
  https->begun = false;
  https->objection = NULL;
  https->alert = -1;
  https->bad_dates = false;
  https->detail[0] = '\0';
}

static enum hf_err finish_request(struct hf_https *https, CURLcode code)
{
  curl_off_t retry = 0;
  if (code == CURLE_OK && !https->begun) {
    https->sink_err = begin_body(https); /* a reply without body */
  }
  if (code == CURLE_OK && https->sink_err != HF_OK) {
    code = CURLE_WRITE_ERROR;
  }
  (void)curl_easy_getinfo(https->curl, CURLINFO_RETRY_AFTER, &retry);
  if (retry > 0) {
    https->reply->retry_after_s = retry < RETRY_AFTER_MAX_S ? (uint32_t)retry : RETRY_AFTER_MAX_S;
  }
  enum hf_err err = explain(https, code);
  https->request = NULL;
  https->reply = NULL;
  ERR_clear_error();
  return err;
}

static enum hf_err do_request(void *ctx, struct hf_http_reply *reply, const struct hf_http_request *request,
                              struct hf_sink body)
{
  struct hf_https *https = ctx;
  begin_request(https, reply, request, body);
  int len = snprintf(https->url, sizeof https->url, "%s%s", https->spec.server, request->path);
  if (request->path[0] != '/' || len < 0 || (size_t)len >= sizeof https->url) {
    put_detail(https, "the path of the request is too long or does not start with a slash");
    return HF_E_INPUT;
  }
  struct curl_slist *headers = headers_of(request);
  if (headers == NULL || !set_request(https, request) ||
      curl_easy_setopt(https->curl, CURLOPT_HTTPHEADER, headers) != CURLE_OK) {
    curl_slist_free_all(headers);
    put_detail(https, "out of memory");
    return HF_E_AGAIN;
  }
  CURLcode code = curl_easy_perform(https->curl);
  enum hf_err err = finish_request(https, code);
  (void)curl_easy_setopt(https->curl, CURLOPT_HTTPHEADER, NULL);
  curl_slist_free_all(headers);
  return err;
}

const struct hf_transport_ops hf_https_ops = {.name = "https", .version = 1, .request = do_request};

/* ---- life ---- */

#define SET(option, value) (good = good && curl_easy_setopt(curl, (option), (value)) == CURLE_OK)

static bool set_rules(CURL *curl, struct hf_https *https)
{
  const struct hf_https_spec *spec = &https->spec;
  bool good = true;
  SET(CURLOPT_PROTOCOLS_STR, "https");
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_PROXY, "");
  SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  SET(CURLOPT_SSL_CIPHER_LIST, CIPHERS);
  SET(CURLOPT_SSL_VERIFYPEER, 1L);
  SET(CURLOPT_SSL_VERIFYHOST, 2L);
  SET(CURLOPT_CAINFO, NULL);
  SET(CURLOPT_CAPATH, NULL);
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
  SET(CURLOPT_TIMEOUT, (long)spec->deadline_s);
  SET(CURLOPT_LOW_SPEED_LIMIT, (long)spec->rate_min);
  SET(CURLOPT_LOW_SPEED_TIME, (long)spec->rate_window_s);
  SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
  return good;
}

static bool set_hooks(CURL *curl, struct hf_https *https)
{
  bool good = true;
  SET(CURLOPT_ERRORBUFFER, https->detail);
  SET(CURLOPT_SSL_CTX_FUNCTION, prepare_tls);
  SET(CURLOPT_SSL_CTX_DATA, https);
  SET(CURLOPT_HEADERFUNCTION, take_header);
  SET(CURLOPT_HEADERDATA, https);
  SET(CURLOPT_WRITEFUNCTION, take_body);
  SET(CURLOPT_WRITEDATA, https);
  SET(CURLOPT_NOPROGRESS, 0L);
  SET(CURLOPT_XFERINFOFUNCTION, wait_hook);
  SET(CURLOPT_XFERINFODATA, https);
  return good;
}

static enum hf_err renew_handle(struct hf_https *https)
{
  curl_easy_cleanup(https->curl);
  https->curl = curl_easy_init();
  if (https->curl == NULL || !set_rules(https->curl, https) || !set_hooks(https->curl, https)) {
    curl_easy_cleanup(https->curl);
    https->curl = NULL;
    return HF_E_IO;
  }
  return HF_OK;
}

enum hf_err hf_https_open(struct hf_https *https, const struct hf_https_spec *spec)
{
  memset(https, 0, sizeof *https);
  https->spec = *spec;
  if (strncmp(spec->server, "https://", 8) != 0 || sk_X509_num(spec->server_ca) < 1) {
    return HF_E_INPUT;
  }
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return HF_E_IO;
  }
  enum hf_err err = renew_handle(https);
  if (err != HF_OK) {
    curl_global_cleanup();
  }
  return err;
}

void hf_https_close(struct hf_https *https)
{
  if (https->curl != NULL) {
    curl_easy_cleanup(https->curl);
    https->curl = NULL;
    curl_global_cleanup();
  }
  hf_secret_wipe(https->basic, sizeof https->basic);
}

enum hf_err hf_https_login(struct hf_https *https, const struct hf_https_login *login)
{
  https->pair = login->pair;
  hf_secret_wipe(https->basic, sizeof https->basic);
  if (login->name != NULL) {
    int len = snprintf(https->basic, sizeof https->basic, "%s:%s", login->name, login->password);
    if (len < 0 || (size_t)len >= sizeof https->basic) {
      hf_secret_wipe(https->basic, sizeof https->basic);
      return HF_E_SPACE;
    }
  }
  return renew_handle(https);
}

enum hf_err hf_https_trust(struct hf_https *https, STACK_OF(X509) * server_ca)
{
  https->spec.server_ca = server_ca;
  return renew_handle(https);
}
