/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/client.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "hf/base/assert.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"
#include "hf/fleet/workspace.h"

#define LOGIN_MAX 16384
#define URL_MAX 512
#define TOKEN_MAX 512
#define PAGE_MAX 500
/** A page a request; a million devices are two thousand. */
#define PAGES_MAX 4000

struct hf_client {
  CURL *curl;
  char dir[HF_PATH_MAX];
  char url[URL_MAX];
  char token[TOKEN_MAX];
  char ca[HF_PATH_MAX];
  bool tls;
};

/** An answer being collected. */
struct answer {
  struct hf_blob body;
  size_t cap;
  size_t max;
  bool too_long;
};

static size_t collect(char *bytes, size_t size, size_t count, void *ctx)
{
  struct answer *answer = ctx;
  size_t len = size * count;
  if (len > answer->max - answer->body.len) {
    answer->too_long = true;
    return 0;
  }
  if (answer->body.len + len > answer->cap) {
    size_t cap = (answer->body.len + len) * 2 + 1024;
    uint8_t *at = realloc(answer->body.at, cap);
    if (at == NULL) {
      return 0;
    }
    answer->body.at = at;
    answer->cap = cap;
  }
  if (len > 0) {
    memcpy(answer->body.at + answer->body.len, bytes, len);
    answer->body.len += len;
  }
  return len;
}

/* ---- the login ---- */

static bool token_check(const char *token)
{
  size_t len = strlen(token);
  return len >= 8 && len < TOKEN_MAX &&
         strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~+/=") == len;
}

/* scheme://host:port, nothing behind it; plain http on loopback only. NULL, or what is wrong. */
static const char *url_check(struct hf_client *client, const char *url)
{
  struct hf_address address;
  client->tls = strncmp(url, "https://", 8) == 0;
  if (!client->tls && strncmp(url, "http://", 7) != 0) {
    return "its \"url\" is neither http:// nor https://";
  }
  const char *host = url + (client->tls ? 8 : 7);
  if (strlen(url) >= URL_MAX || hf_address_parse(&address, hf_bytes_text(host)) != HF_OK) {
    return "its \"url\" is not of the form https://HOST:PORT";
  }
  if (!client->tls && !address.loopback) {
    return "its \"url\" is plain http to another computer: the token would be readable on the way";
  }
  hf_format(client->url, sizeof client->url, "%s", url);
  return NULL;
}

static const char *login_check(struct hf_client *client, const json_t *login)
{
  const json_t *format = json_object_get(login, "format");
  const char *url = json_string_value(json_object_get(login, "url"));
  const char *token = json_string_value(json_object_get(login, "token"));
  if (json_is_integer(format) && json_integer_value(format) > HF_WORKSPACE_FORMAT) {
    return "it was written by a newer Holdfast";
  }
  if (!json_is_integer(format) || url == NULL || token == NULL) {
    return "it lacks \"format\", \"url\" or \"token\"";
  }
  if (!token_check(token)) {
    return "its \"token\" is no token";
  }
  hf_format(client->token, sizeof client->token, "%s", token);
  return url_check(client, url);
}

static int login_read(struct hf_client *client)
{
  char path[HF_PATH_MAX];
  struct hf_blob file;
  json_error_t error;
  enum hf_err err = hf_path_join(path, client->dir, "operator.json");
  if (err == HF_OK) {
    err = hf_disk_get(&file, path, LOGIN_MAX);
    if (err != HF_OK) {
      hf_disk_complain(err, "read", path);
    }
  }
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  json_t *login = json_loadb((const char *)file.at, file.len, JSON_REJECT_DUPLICATES, &error);
  const char *wrong = login == NULL ? "it is not JSON" : login_check(client, login);
  json_decref(login);
  hf_blob_free(&file);
  if (wrong != NULL) {
    hf_complain(path, "make it anew: {\"format\": 1, \"url\": \"https://HOST:PORT\", \"token\": \"hf_...\"}",
                "the login cannot be used: %s", wrong);
    return HF_EXIT_FAILED;
  }
  return hf_exit_of(hf_path_join(client->ca, client->dir, "server-ca.crt"));
}

int hf_client_open(struct hf_client **client, const struct hf_call *call)
{
  struct hf_client *made = calloc(1, sizeof *made);
  HF_ASSERT(made != NULL);
  *client = NULL;
  enum hf_err err = hf_place_operator(made->dir, call);
  int code = err == HF_OK ? login_read(made) : hf_exit_of(err);
  if (code == HF_EXIT_DONE) {
    made->curl = curl_easy_init();
    HF_ASSERT(made->curl != NULL);
    *client = made;
    return code;
  }
  hf_client_close(made);
  return code;
}

void hf_client_close(struct hf_client *client)
{
  if (client == NULL) {
    return;
  }
  if (client->curl != NULL) {
    curl_easy_cleanup(client->curl);
  }
  hf_secret_wipe(client->token, sizeof client->token);
  free(client);
}

const char *hf_client_url(const struct hf_client *client) { return client->url; }

/* ---- paths ---- */

static void path_put(struct hf_client_path *path, const char *text, bool encode)
{
  static const char digits[] = "0123456789ABCDEF";
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  for (; *text != 0; text++) {
    if (path->len + 4 > sizeof path->at) {
      path->failed = true;
      return;
    }
    if (!encode || strchr(plain, *text) != NULL) {
      path->at[path->len++] = *text;
    } else {
      path->at[path->len++] = '%';
      path->at[path->len++] = digits[(unsigned char)*text >> 4];
      path->at[path->len++] = digits[*text & 15];
    }
  }
  path->at[path->len] = 0;
}

void hf_client_path_init(struct hf_client_path *path, const char *start)
{
  *path = (struct hf_client_path){.len = 0};
  path_put(path, start, false);
}

void hf_client_path_put(struct hf_client_path *path, const char *part)
{
  path_put(path, "/", false);
  path_put(path, part, true);
}

void hf_client_path_put_query(struct hf_client_path *path, const char *name, const char *value)
{
  if (value == NULL) {
    return;
  }
  path_put(path, path->query ? "&" : "?", false);
  path_put(path, name, false);
  path_put(path, "=", false);
  path_put(path, value, true);
  path->query = true;
}

/* ---- one request ---- */

struct request {
  const char *method;
  const char *url;
  const char *content_type; /**< NULL: no body */
  struct hf_bytes body;
  bool with_token;
  long timeout_s; /**< 0: none, only a least speed */
};

static void set_transport(struct hf_client *client, const struct request *request)
{
  CURL *curl = client->curl;
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, request->url);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, client->tls ? "https" : "http");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L); /* a redirect would carry the token elsewhere */
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, request->timeout_s);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "holdfast/" HF_VERSION);
  if (client->tls) {
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* this CA and no other */
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  } else {
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); /* plain http never leaves this computer */
  }
}

static struct curl_slist *headers_for(const struct hf_client *client, const struct request *request)
{
  char line[TOKEN_MAX + 32];
  struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json, application/problem+json");
  if (request->with_token) {
    hf_format(line, sizeof line, "Authorization: Bearer %s", client->token);
    headers = curl_slist_append(headers, line);
    hf_secret_wipe(line, sizeof line);
  }
  if (request->content_type != NULL) {
    hf_format(line, sizeof line, "Content-Type: %s", request->content_type);
    headers = curl_slist_append(headers, line);
  }
  return curl_slist_append(headers, "Expect:");
}

/* Do it. The status, or 0 after a message when the server was not reached; -1, silently, when the answer was too long.
 */
static long perform(struct hf_client *client, struct answer *answer, const struct request *request)
{
  char error[CURL_ERROR_SIZE] = "";
  long status = 0;
  CURL *curl = client->curl;
  set_transport(client, request);
  struct curl_slist *headers = headers_for(client, request);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
  if (request->content_type != NULL) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.len == 0 ? "" : (const char *)request->body.at);
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  CURLcode result = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
  curl_slist_free_all(headers);
  if (answer->too_long) {
    return -1;
  }
  if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE) {
    hf_complain(client->url, hf_say("check that %s is this server's CA certificate", client->ca),
                "the server could not prove who it is: %s", error[0] ? error : curl_easy_strerror(result));
    return 0;
  }
  if (result != CURLE_OK) {
    hf_complain(client->url, "start it with `holdfast serve DIR`, or mend the address in operator.json",
                "the server does not answer: %s", error[0] ? error : curl_easy_strerror(result));
    return 0;
  }
  return status;
}

static int exit_of_status(long status)
{
  switch (status) {
    case 401:
    case 403: return HF_EXIT_DENIED;
    case 404: return HF_EXIT_NOT_FOUND;
    case 409:
    case 412: return HF_EXIT_CONFLICT;
    case 502:
    case 503:
    case 504: return HF_EXIT_UNREACHABLE;
    default: return HF_EXIT_FAILED;
  }
}

/* The place a problem document blames: "?name" of the query, a pointer into the body, or the path itself. */
static const char *say_where(const char *where, const char *path)
{
  if (where == NULL || where[0] == 0 || strcmp(where, "path") == 0 || strncmp(where, "/api/", 5) == 0 ||
      strncmp(where, path, strlen(where)) == 0) {
    return path;
  }
  return hf_say("%s of %s", where, path);
}

/* A refusal in the server's words (RFC 9457 with what, where, todo). */
static int tell_problem(const struct hf_client *client, const char *path, long status, const struct answer *answer)
{
  json_t *problem = json_loadb((const char *)answer->body.at, answer->body.len, JSON_REJECT_DUPLICATES, NULL);
  const char *what = json_string_value(json_object_get(problem, "what"));
  const char *where = json_string_value(json_object_get(problem, "where"));
  const char *todo = json_string_value(json_object_get(problem, "todo"));
  if (what != NULL) {
    hf_complain(say_where(where, path), todo, "%s", what);
  } else if (status == 401) {
    hf_complain(client->url, "the token in operator.json is unknown or has expired; make another one", "not signed in");
  } else {
    hf_complain(hf_say("%s%s", client->url, path), "look at the server's messages",
                "the server refused with HTTP status %ld", status);
  }
  json_decref(problem);
  return exit_of_status(status);
}

static int take_reply(json_t **reply, const struct hf_client *client, const struct answer *answer)
{
  json_error_t error;
  if (reply == NULL || answer->body.len == 0) {
    return HF_EXIT_DONE;
  }
  *reply = json_loadb((const char *)answer->body.at, answer->body.len, JSON_REJECT_DUPLICATES, &error);
  if (*reply == NULL) {
    hf_complain(client->url, "check that the address in operator.json is a Holdfast server",
                "the answer is not what a Holdfast server says: %s", error.text);
    return HF_EXIT_FAILED;
  }
  return HF_EXIT_DONE;
}

/* Send and judge; `path` is for messages. */
static int converse(struct hf_client *client, json_t **reply, const struct request *request, const char *path)
{
  struct answer answer = {.max = HF_CLIENT_ANSWER_MAX};
  if (reply != NULL) {
    *reply = NULL;
  }
  long status = perform(client, &answer, request);
  int code = HF_EXIT_UNREACHABLE;
  if (status == -1) {
    hf_complain(path, "ask for less, with --limit", "the answer is longer than 64 MB");
    code = HF_EXIT_FAILED;
  } else if (status >= 200 && status < 300) {
    code = take_reply(reply, client, &answer);
  } else if (status != 0) {
    code = tell_problem(client, path, status, &answer);
  }
  hf_blob_free(&answer.body);
  return code;
}

int hf_client_ask(struct hf_client *client, json_t **reply, const char *method, const struct hf_client_path *path,
                  const json_t *body)
{
  char url[URL_MAX + HF_CLIENT_PATH_MAX];
  if (path->failed) {
    hf_complain(NULL, "shorten the names or the query", "the question is too long");
    return HF_EXIT_USAGE;
  }
  hf_format(url, sizeof url, "%s/api/v1%s", client->url, path->at);
  char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
  HF_ASSERT(body == NULL || text != NULL);
  struct request request = {.method = method,
                            .url = url,
                            .with_token = true,
                            .timeout_s = 120,
                            .content_type = text == NULL ? NULL : "application/json",
                            .body = hf_bytes_text(text)};
  int code = converse(client, reply, &request, path->at);
  free(text);
  return code;
}

int hf_client_upload(struct hf_client *client, const char *sha256, struct hf_bytes bytes)
{
  char url[URL_MAX + 128];
  hf_format(url, sizeof url, "%s/api/v1/uploads/%s", client->url, sha256);
  struct request request = {
      .method = "PUT", .url = url, .with_token = true, .body = bytes, .content_type = "application/octet-stream"};
  return converse(client, NULL, &request, "/uploads");
}

/* One page behind `after`; appends its items, gives the next cursor (free it) or NULL. */
static int take_page(struct hf_client *client, json_t *items, char **after, long long *total,
                     const struct hf_client_path *path)
{
  json_t *page = NULL;
  int code = hf_client_ask(client, &page, "GET", path, NULL);
  if (code == HF_EXIT_DONE) {
    const json_t *list = json_object_get(page, "items");
    const char *next = json_string_value(json_object_get(page, "next"));
    for (size_t i = 0; i < json_array_size(list); i++) {
      HF_ASSERT(json_array_append(items, json_array_get(list, i)) == 0);
    }
    free(*after);
    *after = next == NULL ? NULL : strdup(next);
    *total = json_integer_value(json_object_get(page, "total"));
  }
  json_decref(page);
  return code;
}

int hf_client_list(struct hf_client *client, json_t **items, long long *total, const struct hf_client_path *path,
                   size_t limit)
{
  char *after = NULL;
  long long count = 0;
  int code = HF_EXIT_DONE;
  *items = json_array();
  for (size_t page = 0; page < PAGES_MAX && code == HF_EXIT_DONE; page++) {
    size_t left = limit - json_array_size(*items);
    struct hf_client_path asked = *path;
    hf_client_path_put_query(&asked, "limit", hf_say("%zu", left > PAGE_MAX ? (size_t)PAGE_MAX : left));
    hf_client_path_put_query(&asked, "after", after);
    code = take_page(client, *items, &after, &count, &asked);
    if (after == NULL || json_array_size(*items) >= limit) {
      break;
    }
  }
  free(after);
  if (total != NULL) {
    *total = count;
  }
  if (code != HF_EXIT_DONE) {
    json_decref(*items);
    *items = NULL;
  }
  return code;
}

enum hf_client_got hf_client_get(struct hf_client *client, struct hf_blob *file, const char *path, size_t max)
{
  char url[URL_MAX + HF_CLIENT_PATH_MAX];
  struct answer answer = {.max = max};
  hf_format(url, sizeof url, "%s%s", client->url, path);
  struct request request = {.method = "GET", .url = url, .timeout_s = 120};
  long status = perform(client, &answer, &request);
  *file = (struct hf_blob){NULL, 0};
  if (status == 200) {
    *file = answer.body;
    return HF_CLIENT_GOT;
  }
  hf_blob_free(&answer.body);
  if (status > 0 && status != 404) {
    hf_complain(hf_say("%s%s", client->url, path), "look at the server's messages", "HTTP status %ld", status);
  }
  return status == -1 ? HF_CLIENT_TOO_LONG : status == 404 ? HF_CLIENT_ABSENT : HF_CLIENT_FAILED;
}
