/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/deviceconf.h"

#include <stdio.h>
#include <string.h>

#include "hf/wire/names.h"
#include "ports/posix/diskfile.h"

enum kind { KIND_TEXT, KIND_SIZE, KIND_FLAG };

struct setting {
  const char *name;
  size_t offset;
  size_t cap; /* of a text */
  const char *help;
  enum kind kind;
  uint32_t fallback, min, max;
};

#define AT(name) offsetof(struct hf_deviceconf, name)
static const struct setting settings[] = {
#define HF_TEXT(name, cap, help) {#name, AT(name), (cap), (help), KIND_TEXT, 0, 0, 0},
#define HF_SIZE(name, fallback, min, max, help) {#name, AT(name), 0, (help), KIND_SIZE, (fallback), (min), (max)},
#define HF_FLAG(name, fallback, help) {#name, AT(name), 0, (help), KIND_FLAG, (fallback), 0, 1},
#include "ports/posix/deviceconf.def"
#undef HF_TEXT
#undef HF_SIZE
#undef HF_FLAG
};
#define SETTINGS (sizeof settings / sizeof settings[0])

static uint32_t size_of(const struct hf_deviceconf *conf, const struct setting *setting)
{
  uint32_t value;
  memcpy(&value, (const char *)conf + setting->offset, sizeof value);
  return value;
}

static bool flag_of(const struct hf_deviceconf *conf, const struct setting *setting)
{
  bool value;
  memcpy(&value, (const char *)conf + setting->offset, sizeof value);
  return value;
}

static void put_number(struct hf_deviceconf *conf, const struct setting *setting, uint32_t value)
{
  if (setting->kind == KIND_FLAG) {
    bool flag = value != 0;
    memcpy((char *)conf + setting->offset, &flag, sizeof flag);
  } else {
    memcpy((char *)conf + setting->offset, &value, sizeof value);
  }
}

void hf_deviceconf_init(struct hf_deviceconf *conf)
{
  memset(conf, 0, sizeof *conf);
  for (size_t i = 0; i < SETTINGS; i++) {
    if (settings[i].kind != KIND_TEXT) {
      put_number(conf, &settings[i], settings[i].fallback);
    }
  }
  memcpy(conf->component, "main", sizeof "main");
}

static bool parse_size(uint32_t *value, struct hf_bytes text)
{
  uint64_t sum = 0;
  size_t digits = 0;
  while (digits < text.len && digits < 10 && text.at[digits] >= '0' && text.at[digits] <= '9') {
    sum = sum * 10 + (uint64_t)(text.at[digits] - '0');
    digits++;
  }
  struct hf_bytes unit = {text.at + digits, text.len - digits};
  if (hf_bytes_is(unit, "K")) {
    sum <<= 10;
  } else if (hf_bytes_is(unit, "M")) {
    sum <<= 20;
  } else if (unit.len != 0) {
    return false;
  }
  *value = (uint32_t)sum;
  return digits > 0 && sum <= UINT32_MAX;
}

static bool parse_text(struct hf_deviceconf *conf, const struct setting *setting, struct hf_bytes text)
{
  char *to = (char *)conf + setting->offset;
  if (text.len == 0 || text.len >= setting->cap) {
    return false;
  }
  for (size_t i = 0; i < text.len; i++) {
    if (text.at[i] <= ' ' || text.at[i] > '~') {
      return false;
    }
  }
  memset(to, 0, setting->cap);
  memcpy(to, text.at, text.len);
  return true;
}

enum hf_err hf_deviceconf_set(struct hf_deviceconf *conf, struct hf_bytes name, struct hf_bytes value,
                              struct hf_trouble *trouble)
{
  for (size_t i = 0; i < SETTINGS; i++) {
    const struct setting *setting = &settings[i];
    if (!hf_bytes_is(name, setting->name)) {
      continue;
    }
    uint32_t number = 0;
    bool good = false;
    switch (setting->kind) {
      case KIND_TEXT: good = parse_text(conf, setting, value); break;
      case KIND_SIZE: good = parse_size(&number, value) && number >= setting->min && number <= setting->max; break;
      case KIND_FLAG:
        number = hf_bytes_is(value, "yes");
        good = number != 0 || hf_bytes_is(value, "no");
        break;
    }
    if (!good) {
      hf_trouble_put(trouble, setting->name, setting->help, "\"%.*s\" is not a value for this setting",
                     (int)(value.len < 80 ? value.len : 80), (const char *)value.at);
      return HF_E_INPUT;
    }
    if (setting->kind != KIND_TEXT) {
      put_number(conf, setting, number);
    }
    return HF_OK;
  }
  hf_trouble_put(trouble, HF_DEVICECONF_NAME, "remove it, or see docs/spec/agent.md for the names",
                 "there is no setting \"%.*s\"", (int)(name.len < 80 ? name.len : 80), (const char *)name.at);
  return HF_E_NOT_FOUND;
}

enum hf_err hf_deviceconf_check(const struct hf_deviceconf *conf, struct hf_trouble *trouble)
{
  const struct {
    const char *name, *value;
    bool good;
  } texts[] = {{"device", conf->device, hf_names_check_device(hf_bytes_text(conf->device))},
               {"product", conf->product, hf_names_check_product(hf_bytes_text(conf->product))},
               {"hardware", conf->hardware, hf_names_check_hardware(hf_bytes_text(conf->hardware))},
               {"component", conf->component, hf_names_check_component(hf_bytes_text(conf->component))},
               {"server", conf->server,
                strncmp(conf->server, "https://", 8) == 0 && conf->server[8] != '\0' &&
                    strpbrk(conf->server + 8, "/?#@\\") == NULL}};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    if (texts[i].value[0] == '\0') {
      hf_trouble_put(trouble, texts[i].name, "add it", "this setting is missing");
      return HF_E_INPUT;
    }
    if (!texts[i].good) {
      hf_trouble_put(trouble, texts[i].name, "see docs/spec/agent.md", "\"%.100s\" is not a value for this setting",
                     texts[i].value);
      return HF_E_INPUT;
    }
  }
  struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(conf);
  return hf_flashfile_check(&geometry, trouble);
}

static struct hf_bytes trim(struct hf_bytes text)
{
  while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
    text.at++;
    text.len--;
  }
  while (text.len > 0 &&
         (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t' || text.at[text.len - 1] == '\r')) {
    text.len--;
  }
  return text;
}

/* The part before `mark`; `rest` is what follows it, or `found` is false and the whole is returned. */
static struct hf_bytes until(struct hf_bytes *rest, bool *found, struct hf_bytes text, uint8_t mark)
{
  const uint8_t *at = text.len == 0 ? NULL : memchr(text.at, mark, text.len);
  *found = at != NULL;
  if (at == NULL) {
    *rest = (struct hf_bytes){NULL, 0};
    return text;
  }
  size_t len = (size_t)(at - text.at);
  *rest = (struct hf_bytes){at + 1, text.len - len - 1};
  return (struct hf_bytes){text.at, len};
}

static enum hf_err parse_line(struct hf_deviceconf *conf, bool *seen, struct hf_bytes line, struct hf_trouble *trouble)
{
  struct hf_bytes value;
  bool equals;
  line = trim(line);
  if (line.len == 0 || line.at[0] == '#') {
    return HF_OK;
  }
  struct hf_bytes name = trim(until(&value, &equals, line, '='));
  if (!equals) {
    hf_trouble_put(trouble, HF_DEVICECONF_NAME, "write `name = value`", "a line has no equals sign");
    return HF_E_INPUT;
  }
  for (size_t i = 0; i < SETTINGS; i++) {
    if (hf_bytes_is(name, settings[i].name) && seen[i]) {
      hf_trouble_put(trouble, settings[i].name, "keep one of them", "this setting is given twice");
      return HF_E_INPUT;
    }
    seen[i] = seen[i] || hf_bytes_is(name, settings[i].name);
  }
  return hf_deviceconf_set(conf, name, trim(value), trouble);
}

enum hf_err hf_deviceconf_parse(struct hf_deviceconf *conf, struct hf_bytes text, struct hf_trouble *trouble)
{
  bool seen[SETTINGS] = {false};
  bool more = text.len > 0;
  hf_deviceconf_init(conf);
  for (unsigned number = 1; more; number++) {
    struct hf_bytes rest;
    struct hf_bytes line = until(&rest, &more, text, '\n');
    struct hf_trouble found = {.what = ""};
    if (parse_line(conf, seen, line, &found) != HF_OK) {
      char where[sizeof found.where + 48];
      (void)snprintf(where, sizeof where, "%s line %u: %s", HF_DEVICECONF_NAME, number, found.where);
      hf_trouble_put(trouble, where, found.todo, "%s", found.what);
      return HF_E_INPUT;
    }
    text = rest;
  }
  return hf_deviceconf_check(conf, trouble);
}

void hf_deviceconf_encode(struct hf_buf *out, const struct hf_deviceconf *conf)
{
  hf_buf_put_text(out, "# A Holdfast device on a POSIX machine; docs/spec/agent.md\n");
  for (size_t i = 0; i < SETTINGS; i++) {
    const struct setting *setting = &settings[i];
    hf_buf_put_text(out, "\n# ");
    hf_buf_put_text(out, setting->help);
    hf_buf_put_text(out, "\n");
    hf_buf_put_text(out, setting->name);
    hf_buf_put_text(out, " = ");
    switch (setting->kind) {
      case KIND_TEXT: hf_buf_put_text(out, (const char *)conf + setting->offset); break;
      case KIND_SIZE: hf_buf_put_uint(out, size_of(conf, setting)); break;
      case KIND_FLAG: hf_buf_put_text(out, flag_of(conf, setting) ? "yes" : "no"); break;
    }
    hf_buf_put_text(out, "\n");
  }
}

enum hf_err hf_deviceconf_get(struct hf_deviceconf *conf, int folder, struct hf_trouble *trouble)
{
  uint8_t text[HF_DEVICECONF_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  enum hf_err err = hf_diskfile_get(&buf, folder, HF_DEVICECONF_NAME);
  if (err != HF_OK) {
    hf_trouble_put(trouble, HF_DEVICECONF_NAME, "name a device folder, or make one with `holdfast-agent provision`",
                   "cannot read the device's settings (%s)", hf_err_name(err));
    return err;
  }
  return hf_deviceconf_parse(conf, hf_buf_bytes(&buf), trouble);
}

enum hf_err hf_deviceconf_put(int folder, const struct hf_deviceconf *conf, struct hf_trouble *trouble)
{
  uint8_t text[HF_DEVICECONF_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  hf_deviceconf_encode(&buf, conf);
  enum hf_err err = buf.failed ? HF_E_SPACE : hf_diskfile_put(folder, HF_DEVICECONF_NAME, hf_buf_bytes(&buf), 0644);
  if (err != HF_OK) {
    hf_trouble_put(trouble, HF_DEVICECONF_NAME, "check the folder's permissions and the room on the disk",
                   "cannot write the device's settings (%s)", hf_err_name(err));
  }
  return err;
}

struct hf_flashfile_geometry hf_deviceconf_geometry(const struct hf_deviceconf *conf)
{
  return (struct hf_flashfile_geometry){.sector = conf->sector,
                                        .align = conf->align,
                                        .boot = conf->boot,
                                        .store = conf->store,
                                        .slot = conf->slot,
                                        .keys = conf->keys};
}

void hf_deviceconf_print_help(void)
{
  for (size_t i = 0; i < SETTINGS; i++) {
    (void)printf("  %-14s %s\n", settings[i].name, settings[i].help);
  }
}
