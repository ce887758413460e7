/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/codec/json.h"
#include "hf/codec/text.h"
#include "hf/server/jsonschema.h"

/* JSON bodies nest 4 deep. */
#define BODY_DEPTH_MAX 16
#define PATH_PARTS_MAX 4

/* Percent-decode (RFC 3986 section 2.1) into the call's room; in a query '+' is a blank, as forms write it. The text
 * ends with NUL for the pattern checks, so it may not hold one. */
static enum hf_err decode(struct hf_call *call, struct hf_bytes *text, struct hf_bytes raw, bool query)
{
  size_t start = call->room.len;
  for (size_t i = 0; i < raw.len; i++) {
    uint8_t c = raw.at[i];
    if (c == '%') {
      if (i + 2 >= raw.len || hf_hex_parse(&c, 1, hf_bytes_init(raw.at + i + 1, 2)) != HF_OK) {
        return HF_E_INPUT;
      }
      i += 2;
    } else if (c == '+' && query) {
      c = ' ';
    }
    if (c == 0) {
      return HF_E_INPUT;
    }
    hf_buf_put_u8(&call->room, c);
  }
  *text = hf_bytes_init(call->room.at + start, call->room.len - start);
  hf_buf_put_u8(&call->room, 0);
  if (call->room.failed) {
    return HF_E_SPACE;
  }
  return hf_utf8_check(*text) ? HF_OK : HF_E_INPUT;
}

/* Take everything up to `mark`, and the mark. False when nothing is left. */
static bool take_part(struct hf_bytes *rest, struct hf_bytes *part, uint8_t mark)
{
  if (rest->at == NULL) {
    return false;
  }
  const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->at, mark, rest->len);
  part->at = rest->at;
  part->len = end == NULL ? rest->len : (size_t)(end - rest->at);
  if (end == NULL) {
    *rest = (struct hf_bytes){NULL, 0};
  } else {
    rest->len -= part->len + 1;
    rest->at = end + 1;
  }
  return true;
}

static enum hf_param find_param(enum hf_param_place place, struct hf_bytes name)
{
  for (size_t i = 0; i < HF_PARAM_COUNT; i++) {
    if (hf_params[i].place == place && hf_bytes_is(name, hf_params[i].name)) {
      return (enum hf_param)i;
    }
  }
  return HF_PARAM_COUNT;
}

/* A digit text as JSON integer, "true"/"false" as boolean, else a text: what its schema asks for. */
static json_t *arg_value(struct hf_call *call, enum hf_param param)
{
  struct hf_arg *arg = &call->args[param];
  const char *type = json_string_value(json_object_get(call->api->param_schema[param], "type"));
  const char *text = (const char *)arg->text.at;
  if (strcmp(type, "integer") == 0) {
    bool digits = arg->text.len >= 1 && arg->text.len <= 18 && strspn(text, "0123456789") == arg->text.len;
    arg->number = digits ? strtoll(text, NULL, 10) : 0;
    return digits ? json_integer(arg->number) : json_stringn(text, arg->text.len);
  }
  if (strcmp(type, "boolean") == 0 && (hf_bytes_is(arg->text, "true") || hf_bytes_is(arg->text, "false"))) {
    arg->number = hf_bytes_is(arg->text, "true");
    return json_boolean(arg->number);
  }
  return json_stringn(text, arg->text.len);
}

static enum hf_err check_arg(struct hf_call *call, enum hf_param param, struct hf_jsonschema_blame *blame)
{
  json_t *value = arg_value(call, param);
  if (value == NULL) {
    return HF_E_IO;
  }
  enum hf_err err = hf_jsonschema_check(blame, NULL, call->api->param_schema[param], value);
  json_decref(value);
  return err;
}

static enum hf_err parse_path_part(struct hf_call *call, struct hf_bytes template, struct hf_bytes part)
{
  struct hf_jsonschema_blame blame;
  if (template.len < 2 || template.at[0] != '{') {
    return hf_bytes_equal(template, part) ? HF_OK : HF_E_NOT_FOUND;
  }
  enum hf_param param = find_param(HF_PARAM_PATH, hf_bytes_init(template.at + 1, template.len - 2));
  HF_ASSERT(param != HF_PARAM_COUNT); /* every {name} of api.def is in api_param.def */
  struct hf_arg *arg = &call->args[param];
  enum hf_err err = decode(call, &arg->text, part, false);
  if (err == HF_OK) {
    arg->given = true;
    err = check_arg(call, param, &blame);
  }
  return err == HF_E_INPUT ? HF_E_NOT_FOUND : err;
}

enum hf_err hf_call_parse_path(struct hf_call *call, const struct hf_route *route)
{
  struct hf_bytes template = hf_bytes_text(route->path);
  struct hf_bytes path = call->request->path;
  struct hf_bytes template_part;
  struct hf_bytes part;
  call->room = hf_buf_init(call->room_bytes, sizeof call->room_bytes);
  memset(call->args, 0, sizeof call->args);
  for (size_t i = 0; i <= PATH_PARTS_MAX + 1; i++) {
    bool more_template = take_part(&template, &template_part, '/');
    bool more = take_part(&path, &part, '/');
    if (more != more_template) {
      return HF_E_NOT_FOUND;
    }
    if (!more) {
      return HF_OK;
    }
    enum hf_err err = parse_path_part(call, template_part, part);
    if (err != HF_OK) {
      return err;
    }
  }
  return HF_E_NOT_FOUND;
}

static enum hf_err refuse_query(struct hf_call *call, struct hf_bytes name, const char *what, const char *todo)
{
  char where[80] = "?";
  struct hf_buf text = hf_buf_init(where + 1, sizeof where - 2);
  if (name.len < sizeof where - 2 && hf_utf8_check(name)) {
    hf_buf_put(&text, name);
  }
  hf_call_refuse(call, HF_PROBLEM_INPUT, what, where, todo);
  return HF_E_INPUT;
}

static enum hf_err parse_query_part(struct hf_call *call, struct hf_bytes part)
{
  struct hf_bytes raw_value = {NULL, 0};
  struct hf_bytes raw_name;
  struct hf_bytes name;
  struct hf_jsonschema_blame blame;
  char todo[200];
  (void)take_part(&part, &raw_name, '=');
  raw_value = part.at == NULL ? hf_bytes_init("", 0) : part;
  if (decode(call, &name, raw_name, true) != HF_OK) {
    return refuse_query(call, raw_name, "the name is not percent-encoded UTF-8", NULL);
  }
  enum hf_param param = find_param(HF_PARAM_QUERY, name);
  if (param == HF_PARAM_COUNT || !hf_words_have(call->route->query, hf_params[param].name)) {
    (void)snprintf(todo, sizeof todo, "leave it out; there are: %s",
                   call->route->query[0] == 0 ? "none" : call->route->query);
    return refuse_query(call, name, "this list has no parameter of this name", todo);
  }
  if (call->args[param].given) {
    return refuse_query(call, name, "the parameter is there twice", "give it once");
  }
  if (decode(call, &call->args[param].text, raw_value, true) != HF_OK) {
    return refuse_query(call, name, "the value is too long or not percent-encoded UTF-8", NULL);
  }
  call->args[param].given = true;
  enum hf_err err = check_arg(call, param, &blame);
  return err == HF_OK ? HF_OK : refuse_query(call, name, blame.what, blame.todo);
}

enum hf_err hf_call_parse_query(struct hf_call *call)
{
  struct hf_bytes rest = call->request->query;
  struct hf_bytes part;
  if (rest.len > HF_CALL_ROOM) {
    hf_call_refuse(call, HF_PROBLEM_INPUT, "the query is too long", "?", "narrow it");
    return HF_E_INPUT;
  }
  while (rest.len > 0 && take_part(&rest, &part, '&')) {
    enum hf_err err = part.len == 0 ? HF_OK : parse_query_part(call, part);
    if (err != HF_OK) {
      return HF_E_INPUT;
    }
  }
  return HF_OK;
}

/* The reader recurses with each bracket; counting them first keeps its stack small whatever comes. */
static bool depth_fits(struct hf_bytes text)
{
  size_t depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.at[i];
    if (quoted) {
      i += c == '\\';
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      depth++;
    } else if ((c == '}' || c == ']') && depth > 0) {
      depth--;
    }
    if (depth > BODY_DEPTH_MAX) {
      return false;
    }
  }
  return true;
}

static enum hf_err load_body(struct hf_call *call)
{
  struct hf_bytes body = call->request->body;
  json_error_t error;
  char what[240];
  char where[80];
  if (body.len == 0) {
    hf_call_refuse(call, HF_PROBLEM_INPUT, "the request has no body", "", "send a JSON object");
    return HF_E_INPUT;
  }
  if (!hf_utf8_check(body)) {
    hf_call_refuse(call, HF_PROBLEM_INPUT, "the body is not UTF-8", "", "send JSON in UTF-8");
    return HF_E_INPUT;
  }
  if (!depth_fits(body)) {
    hf_call_refuse(call, HF_PROBLEM_INPUT, "the body nests too deep", "", "no body here nests deeper than 16");
    return HF_E_INPUT;
  }
  call->body = json_loadb((const char *)body.at, body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
  if (call->body == NULL) {
    (void)snprintf(what, sizeof what, "the body is not JSON: %s", error.text);
    (void)snprintf(where, sizeof where, "line %d, column %d", error.line, error.column);
    hf_call_refuse(call, HF_PROBLEM_INPUT, hf_utf8_check(hf_bytes_text(what)) ? what : "the body is not JSON", where,
                   NULL);
    return HF_E_INPUT;
  }
  return HF_OK;
}

enum hf_err hf_call_parse_body(struct hf_call *call)
{
  struct hf_jsonschema_blame blame;
  const char *name = call->route->request;
  if (name[0] == 0 || strcmp(name, "*") == 0) {
    return HF_OK;
  }
  enum hf_err err = load_body(call);
  if (err != HF_OK) {
    return err;
  }
  json_t *schemas = hf_openapi_schemas(call->api->document);
  err = hf_jsonschema_check(&blame, schemas, json_object_get(schemas, name), call->body);
  if (err != HF_OK) {
    hf_call_refuse(call, HF_PROBLEM_INPUT, blame.what, blame.where, blame.todo);
  }
  return err;
}

struct hf_bytes hf_call_arg(const struct hf_call *call, enum hf_param param) { return call->args[param].text; }

struct hf_bytes hf_call_text(const struct hf_call *call, const char *name)
{
  const json_t *value = json_object_get(call->body, name);
  return hf_bytes_init(json_string_value(value), json_string_length(value));
}

int64_t hf_call_int(const struct hf_call *call, const char *name, int64_t otherwise)
{
  const json_t *value = json_object_get(call->body, name);
  return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

struct hf_act hf_call_act(const struct hf_call *call)
{
  return (struct hf_act){.who = hf_bytes_text(call->who.who),
                         .address = call->request->address,
                         .reason = hf_call_text(call, "reason"),
                         .now = call->request->now};
}

void hf_call_refuse(struct hf_call *call, enum hf_problem kind, const char *what, const char *where, const char *todo)
{
  struct hf_problem_words words = {.what = what, .where = where, .todo = todo};
  hf_problem_put(call->reply, kind, &words);
}

void hf_call_fail(struct hf_call *call, enum hf_err err, const char *what, const struct hf_why *why)
{
  char where[40] = "";
  struct hf_problem_words words = {.what = what, .where = where};
  if (why != NULL && why->rule != HF_RULE_NONE) {
    words.rule = why->rule;
    (void)snprintf(where, sizeof where, "byte %u", (unsigned)why->at);
  }
  hf_problem_put(call->reply, hf_problem_of(err), &words);
}

void hf_reply_put_text(struct hf_buf *out, const char *name, struct hf_bytes text)
{
  hf_json_put_name(out, name);
  hf_json_put_text(out, text);
}

void hf_reply_put_null(struct hf_buf *out, const char *name)
{
  hf_json_put_name(out, name);
  hf_buf_put_text(out, "null");
}

void hf_reply_put_text_or_null(struct hf_buf *out, const char *name, struct hf_bytes text)
{
  if (text.len == 0) {
    hf_reply_put_null(out, name);
  } else {
    hf_reply_put_text(out, name, text);
  }
}

void hf_reply_put_int(struct hf_buf *out, const char *name, int64_t number)
{
  hf_json_put_name(out, name);
  hf_json_put_int(out, number);
}

void hf_reply_put_bool(struct hf_buf *out, const char *name, bool flag)
{
  hf_json_put_name(out, name);
  hf_buf_put_text(out, flag ? "true" : "false");
}

void hf_reply_put_time(struct hf_buf *out, const char *name, int64_t seconds)
{
  hf_json_put_name(out, name);
  hf_json_put_time(out, seconds);
}

void hf_reply_put_time_or_null(struct hf_buf *out, const char *name, int64_t seconds)
{
  if (seconds == 0) {
    hf_reply_put_null(out, name);
  } else {
    hf_reply_put_time(out, name, seconds);
  }
}

void hf_reply_put_hash(struct hf_buf *out, const char *name, struct hf_bytes hash)
{
  if (hash.len == 0) {
    hf_reply_put_null(out, name);
    return;
  }
  hf_json_put_name(out, name);
  hf_json_put_hex(out, hash);
}

void hf_reply_put_id(struct hf_buf *out, const char *name, int64_t id)
{
  hf_json_put_name(out, name);
  hf_buf_put_text(out, "\"");
  hf_json_put_int(out, id);
  hf_buf_put_text(out, "\"");
}

void hf_reply_put_rule(struct hf_buf *out, const char *name, int64_t rule)
{
  hf_json_put_name(out, name);
  hf_problem_put_rule(out, rule > 0 && rule <= UINT16_MAX ? (uint16_t)rule : 0);
}

void hf_reply_put_counts(struct hf_buf *out, const int64_t count[HF_MEMBER_STATES])
{
  hf_buf_put_text(out, "{");
  for (unsigned state = 0; state < HF_MEMBER_STATES; state++) {
    hf_reply_put_int(out, hf_member_name(state), count[state]);
  }
  hf_buf_put_text(out, "}");
}

void hf_reply_put_words(struct hf_buf *out, const char *name, struct hf_bytes words)
{
  struct hf_bytes word;
  hf_json_put_name(out, name);
  hf_buf_put_text(out, "[");
  while (words.len > 0 && take_part(&words, &word, ' ')) {
    if (word.len > 0) {
      hf_json_put_comma(out);
      hf_json_put_text(out, word);
    }
  }
  hf_buf_put_text(out, "]");
}

struct hf_rows hf_rows_open(struct hf_buf *out, const char *name, struct hf_stmt *stmt)
{
  hf_json_put_name(out, name);
  hf_buf_put_text(out, "[");
  return (struct hf_rows){.out = out, .stmt = stmt, .err = HF_OK};
}

bool hf_rows_next(struct hf_rows *rows)
{
  if (rows->begun) {
    hf_buf_put_text(rows->out, "}");
    rows->begun = false;
  }
  if (rows->err == HF_OK) {
    rows->err = hf_stmt_next(rows->stmt);
  }
  if (rows->err != HF_OK) {
    return false;
  }
  hf_json_put_comma(rows->out);
  hf_buf_put_text(rows->out, "{");
  rows->begun = true;
  return true;
}

enum hf_err hf_rows_close(struct hf_rows *rows)
{
  hf_stmt_close(rows->stmt);
  hf_buf_put_text(rows->out, "]");
  return rows->err == HF_E_NOT_FOUND ? HF_OK : rows->err;
}

/* A cursor is the route's name, a zero byte and the key of the last thing shown, in hex: it means nothing to callers,
 * and one of another list is refused. */
static enum hf_err cursor_parse(struct hf_buf *from, struct hf_call *call)
{
  uint8_t raw[HF_CURSOR_MAX];
  struct hf_bytes text = hf_call_arg(call, HF_PARAM_QUERY_after);
  size_t head = strlen(call->route->name) + 1;
  size_t len = text.len / 2;
  bool fits = text.len % 2 == 0 && len >= head && len <= sizeof raw && hf_hex_parse(raw, len, text) == HF_OK;
  if (!fits || memcmp(raw, call->route->name, head) != 0) {
    hf_call_refuse(call, HF_PROBLEM_INPUT, "this is no cursor of this list", "?after",
                   "give `next` of the page before, unchanged, or leave it out");
    return HF_E_INPUT;
  }
  hf_buf_put(from, hf_bytes_init(raw + head, len - head));
  return HF_OK;
}

enum hf_err hf_page_open(struct hf_page *page, struct hf_buf *from, struct hf_call *call)
{
  *page = (struct hf_page){.call = call, .limit = HF_PAGE_DEFAULT};
  if (call->args[HF_PARAM_QUERY_limit].given) {
    page->limit = (uint32_t)call->args[HF_PARAM_QUERY_limit].number;
  }
  if (call->args[HF_PARAM_QUERY_after].given) {
    enum hf_err err = cursor_parse(from, call);
    if (err != HF_OK) {
      return err;
    }
  }
  hf_buf_put_text(call->out, "{\"items\":[");
  return HF_OK;
}

bool hf_page_next(struct hf_page *page, struct hf_bytes key)
{
  struct hf_buf *out = page->call->out;
  if (page->count >= page->limit || out->cap - out->len < HF_PAGE_RESERVE) {
    page->more = true;
    return false;
  }
  HF_ASSERT(key.len <= sizeof page->key - 32); /* 32: the longest route name */
  memcpy(page->key, key.at, key.len);
  page->key_len = key.len;
  page->count++;
  hf_json_put_comma(out);
  return true;
}

bool hf_page_next_number(struct hf_page *page, int64_t key)
{
  uint8_t room[20];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_buf_put_uint(&text, (uint64_t)key);
  return hf_page_next(page, hf_buf_bytes(&text));
}

void hf_page_close(struct hf_page *page, enum hf_err err, uint64_t total)
{
  struct hf_buf *out = page->call->out;
  if (err != HF_OK && err != HF_E_NOT_FOUND) {
    hf_call_fail(page->call, err, "the list could not be read", NULL);
    return;
  }
  hf_buf_put_text(out, "],\"next\":");
  if (page->more) {
    hf_buf_put_text(out, "\"");
    hf_hex_put(out, hf_bytes_init(page->call->route->name, strlen(page->call->route->name) + 1));
    hf_hex_put(out, hf_bytes_init(page->key, page->key_len));
    hf_buf_put_text(out, "\"");
  } else {
    hf_buf_put_text(out, "null");
  }
  hf_reply_put_int(out, "total", (int64_t)total);
  hf_buf_put_text(out, "}");
}

enum hf_err hf_page_number(int64_t *number, struct hf_call *call, struct hf_bytes key, int64_t otherwise)
{
  *number = key.len == 0 ? otherwise : 0;
  for (size_t i = 0; i < key.len; i++) {
    if (key.at[i] < '0' || key.at[i] > '9' || i >= 18) {
      hf_call_refuse(call, HF_PROBLEM_INPUT, "this is no cursor of this list", "?after",
                     "give `next` of the page before, unchanged, or leave it out");
      return HF_E_INPUT;
    }
    *number = *number * 10 + (key.at[i] - '0');
  }
  return HF_OK;
}

enum hf_err hf_page_open_number(struct hf_page *page, int64_t *from, struct hf_call *call, int64_t otherwise)
{
  uint8_t room[HF_CURSOR_MAX];
  struct hf_buf key = hf_buf_init(room, sizeof room);
  enum hf_err err = hf_page_open(page, &key, call);
  return err != HF_OK ? err : hf_page_number(from, call, hf_buf_bytes(&key), otherwise);
}
