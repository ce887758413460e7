/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include "hf/server/front_http.h"

#include <string.h>

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c; }

static bool equal_fold(struct hf_bytes a, const char *text)
{
  size_t len = strlen(text);
  if (a.len != len) {
    return false;
  }
  for (size_t i = 0; i < len; i++) {
    if (lower(a.at[i]) != lower((uint8_t)text[i])) {
      return false;
    }
  }
  return true;
}

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static bool is_alnum(uint8_t c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); }

/* tchar of RFC 9110 section 5.6.2. */
static bool is_token(uint8_t c) { return is_alnum(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL); }

static enum hf_err refuse(struct hf_http_request *request, int status, const char *reason)
{
  request->refuse = status;
  request->reason = reason;
  return HF_E_INPUT;
}

static bool parse_uint(uint64_t *value, struct hf_bytes text)
{
  uint64_t sum = 0;
  if (text.len == 0 || text.len > 18) { /* 18 digits fit 64 bits */
    return false;
  }
  for (size_t i = 0; i < text.len; i++) {
    if (!is_digit(text.at[i])) {
      return false;
    }
    sum = sum * 10 + (uint64_t)(text.at[i] - '0');
  }
  *value = sum;
  return true;
}

/* Split off what comes before `mark`; `rest` becomes what comes after it, or empty. */
static struct hf_bytes split(struct hf_bytes *rest, uint8_t mark)
{
  const uint8_t *found = rest->len == 0 ? NULL : memchr(rest->at, mark, rest->len);
  struct hf_bytes first = *rest;
  if (found == NULL) {
    *rest = (struct hf_bytes){rest->at + rest->len, 0};
    return first;
  }
  first.len = (size_t)(found - rest->at);
  rest->at += first.len + 1;
  rest->len -= first.len + 1;
  return first;
}

static struct hf_bytes trim(struct hf_bytes text)
{
  while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
    text.at++;
    text.len--;
  }
  while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t')) {
    text.len--;
  }
  return text;
}

/* ---- request line ---- */

static enum hf_http_method method_of(struct hf_bytes verb)
{
  static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (hf_bytes_is(verb, names[i])) {
      return (enum hf_http_method)i;
    }
  }
  return HF_HTTP_OTHER;
}

static enum hf_err parse_target(struct hf_http_request *request, struct hf_bytes target)
{
  if (target.len == 0 || target.at[0] != '/') {
    return refuse(request, 400, "the request target does not begin with /");
  }
  if (target.len > HF_HTTP_TARGET_MAX) {
    return refuse(request, 414, "the request target is longer than 4 KiB");
  }
  for (size_t i = 0; i < target.len; i++) {
    if (target.at[i] <= ' ' || target.at[i] >= 0x7f || target.at[i] == '#') {
      return refuse(request, 400, "the request target has a character that must be percent-encoded");
    }
  }
  request->query = target;
  request->path = split(&request->query, '?');
  return HF_OK;
}

static enum hf_err parse_line(struct hf_http_request *request, struct hf_bytes line)
{
  struct hf_bytes rest = line;
  request->verb = split(&rest, ' ');
  struct hf_bytes target = split(&rest, ' ');
  for (size_t i = 0; i < request->verb.len; i++) {
    if (!is_token(request->verb.at[i])) {
      return refuse(request, 400, "the method is not a word");
    }
  }
  if (request->verb.len == 0 || request->verb.len > 16) {
    return refuse(request, 400, "the request line is not METHOD TARGET HTTP/1.1");
  }
  if (hf_bytes_is(rest, "HTTP/1.1")) {
    request->keep_alive = true;
  } else if (!hf_bytes_is(rest, "HTTP/1.0")) {
    bool other = rest.len == 8 && memcmp(rest.at, "HTTP/", 5) == 0;
    return refuse(request, other ? 505 : 400, "the request line is not METHOD TARGET HTTP/1.1");
  }
  request->method = method_of(request->verb);
  return parse_target(request, target);
}

/* ---- fields ---- */

/* Fields whose value is kept as it is; a second one of the same name could be read in two ways. */
static struct hf_bytes *slot_of(struct hf_http_request *request, struct hf_bytes name)
{
  const struct {
    const char *name;
    struct hf_bytes *slot;
  } kept[] = {
      {"host", &request->host},
      {"authorization", &request->authorization},
      {"cookie", &request->cookie},
      {"x-csrf-token", &request->csrf},
      {"content-type", &request->content_type},
      {"if-none-match", &request->if_none_match},
      {"if-range", &request->if_range},
      {"range", &request->range},
  };
  for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
    if (equal_fold(name, kept[i].name)) {
      return kept[i].slot;
    }
  }
  return NULL;
}

static void take_connection(struct hf_http_request *request, struct hf_bytes value)
{
  while (value.len > 0) {
    struct hf_bytes option = trim(split(&value, ','));
    if (equal_fold(option, "close")) {
      request->keep_alive = false;
    } else if (equal_fold(option, "keep-alive")) {
      request->keep_alive = true;
    }
  }
}

static enum hf_err take_field(struct hf_http_request *request, struct hf_bytes name, struct hf_bytes value)
{
  struct hf_bytes *slot = slot_of(request, name);
  if (slot != NULL) {
    if (slot->at != NULL) {
      return refuse(request, 400, "a header field that may come once came twice");
    }
    *slot = value;
    return HF_OK;
  }
  if (equal_fold(name, "content-length")) {
    if (request->has_length || !parse_uint(&request->content_length, value)) {
      return refuse(request, 400, "Content-Length is not one number");
    }
    request->has_length = true;
  } else if (equal_fold(name, "transfer-encoding")) {
    return refuse(request, 411, "chunked requests are not taken: send Content-Length");
  } else if (equal_fold(name, "connection")) {
    take_connection(request, value);
  } else if (equal_fold(name, "expect")) {
    if (!equal_fold(value, "100-continue")) {
      return refuse(request, 417, "this expectation is not known");
    }
    request->expect_continue = true;
  }
  return HF_OK;
}

static enum hf_err parse_field(struct hf_http_request *request, struct hf_bytes line)
{
  struct hf_bytes rest = line;
  struct hf_bytes name = split(&rest, ':');
  if (name.len == 0 || name.len == line.len) {
    return refuse(request, 400, "a header line is not NAME: VALUE");
  }
  for (size_t i = 0; i < name.len; i++) {
    if (!is_token(name.at[i])) {
      return refuse(request, 400, "a header field name has a character that no name has");
    }
  }
  struct hf_bytes value = trim(rest);
  for (size_t i = 0; i < value.len; i++) {
    if ((value.at[i] < ' ' && value.at[i] != '\t') || value.at[i] == 0x7f) {
      return refuse(request, 400, "a header field value has a control character");
    }
  }
  return take_field(request, name, value);
}

/* The next line; false when it does not end in CR LF, or has a stray CR or LF in it. */
static bool take_line(struct hf_bytes *line, struct hf_bytes *rest)
{
  const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->at, '\n', rest->len);
  if (end == NULL || end == rest->at || end[-1] != '\r') {
    return false;
  }
  *line = hf_bytes_init(rest->at, (size_t)(end - rest->at) - 1);
  rest->len -= line->len + 2;
  rest->at += line->len + 2;
  return line->len == 0 || memchr(line->at, '\r', line->len) == NULL;
}

static enum hf_err parse_head(struct hf_http_request *request, struct hf_bytes head)
{
  struct hf_bytes line;
  if (!take_line(&line, &head)) {
    return refuse(request, 400, "a line of the request does not end in CR LF");
  }
  enum hf_err err = parse_line(request, line);
  for (size_t fields = 0; err == HF_OK && head.len > 0; fields++) {
    if (fields >= HF_HTTP_FIELDS_MAX) {
      return refuse(request, 431, "more than 64 header fields");
    }
    if (!take_line(&line, &head)) {
      return refuse(request, 400, "a line of the request does not end in CR LF");
    }
    err = parse_field(request, line);
  }
  if (err == HF_OK && request->host.len == 0) {
    return refuse(request, 400, "there is no Host");
  }
  return err;
}

enum hf_err hf_http_parse(struct hf_http_request *request, struct hf_bytes bytes)
{
  *request = (struct hf_http_request){0};
  size_t look = bytes.len < HF_HTTP_HEAD_MAX ? bytes.len : HF_HTTP_HEAD_MAX;
  const uint8_t *end = look == 0 ? NULL : memmem(bytes.at, look, "\r\n\r\n", 4);
  if (end == NULL) {
    if (bytes.len >= HF_HTTP_HEAD_MAX) {
      return refuse(request, 431, "the request head is longer than 8 KiB");
    }
    /* A TLS hello or another protocol is told apart at once, not after 8 KiB of it. */
    if (bytes.len > 0 && !is_token(bytes.at[0])) {
      return refuse(request, 400, "this is not HTTP");
    }
    return HF_E_AGAIN;
  }
  request->head_len = (size_t)(end - bytes.at) + 4;
  return parse_head(request, hf_bytes_init(bytes.at, request->head_len - 2));
}

/* ---- values ---- */

bool hf_http_path_check(struct hf_bytes path)
{
  bool part_begins = true;
  for (size_t i = 0; i < path.len; i++) {
    uint8_t c = path.at[i];
    if (c == '/') {
      if (part_begins) {
        return false;
      }
      part_begins = true;
      continue;
    }
    bool plain = is_alnum(c) || c == '_' || c == '+' || c == '-';
    if (!plain && (c != '.' || part_begins)) {
      return false;
    }
    part_begins = false;
  }
  return !part_begins && path.len <= 512;
}

enum hf_err hf_http_range_parse(struct hf_http_range *range, struct hf_bytes field, uint64_t size)
{
  static const char unit[] = "bytes=";
  if (field.len < sizeof unit - 1 || memcmp(field.at, unit, sizeof unit - 1) != 0) {
    return HF_E_NOT_FOUND;
  }
  struct hf_bytes last = {field.at + sizeof unit - 1, field.len - (sizeof unit - 1)};
  if (last.len == 0 || memchr(last.at, '-', last.len) == NULL) {
    return HF_E_NOT_FOUND;
  }
  struct hf_bytes first = split(&last, '-');
  uint64_t from = 0;
  uint64_t to = 0;
  if ((first.len > 0 && !parse_uint(&from, first)) || (last.len > 0 && !parse_uint(&to, last)) ||
      (first.len == 0 && last.len == 0)) {
    return HF_E_NOT_FOUND; /* several ranges, or no range at all: RFC 9110 lets the server ignore the field */
  }
  if (first.len == 0) {
    range->len = to < size ? to : size;
    range->from = size - range->len;
    return range->len == 0 ? HF_E_INPUT : HF_OK;
  }
  if (last.len > 0 && to < from) {
    return HF_E_NOT_FOUND;
  }
  if (from >= size) {
    return HF_E_INPUT;
  }
  range->from = from;
  range->len = last.len > 0 && to < size - 1 ? to - from + 1 : size - from;
  return HF_OK;
}

struct hf_bytes hf_http_cookie(struct hf_bytes cookies, const char *name)
{
  while (cookies.len > 0) {
    struct hf_bytes value = trim(split(&cookies, ';'));
    struct hf_bytes key = split(&value, '=');
    if (hf_bytes_is(key, name)) {
      return value;
    }
  }
  return (struct hf_bytes){NULL, 0};
}

struct hf_bytes hf_http_credentials(struct hf_bytes authorization, const char *scheme)
{
  struct hf_bytes value = authorization;
  struct hf_bytes given = split(&value, ' ');
  return equal_fold(given, scheme) ? trim(value) : (struct hf_bytes){NULL, 0};
}

bool hf_http_query_uint(uint64_t *value, struct hf_bytes query, const char *name)
{
  while (query.len > 0) {
    struct hf_bytes text = split(&query, '&');
    struct hf_bytes key = split(&text, '=');
    if (hf_bytes_is(key, name)) {
      return parse_uint(value, text);
    }
  }
  return false;
}

bool hf_http_etag_listed(struct hf_bytes list, struct hf_bytes etag)
{
  if (hf_bytes_is(trim(list), "*")) {
    return true;
  }
  while (list.len > 0) {
    struct hf_bytes one = trim(split(&list, ','));
    if (one.len > 2 && one.at[0] == 'W' && one.at[1] == '/') {
      one.at += 2;
      one.len -= 2;
    }
    if (etag.len > 0 && hf_bytes_equal(one, etag)) {
      return true;
    }
  }
  return false;
}

const char *hf_http_status_name(int status)
{
  static const struct {
    int status;
    const char *name;
  } names[] = {
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {206, "Partial Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {416, "Range Not Satisfiable"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (names[i].status == status) {
      return names[i].name;
    }
  }
  return "Status";
}
