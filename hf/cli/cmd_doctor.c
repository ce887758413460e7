/* SPDX-License-Identifier: Apache-2.0
 * holdfast doctor: looks at everything init made, and changes nothing. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "hf/base/assert.h"
#include "hf/cli/command.h"
#include "hf/cli/founding.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"
#include "hf/wire/tuf.h"

#define DAY INT64_C(86400)
#define METADATA_MAX (8u << 20)

enum health { HEALTHY, UNWELL, ILL };

/** The examination so far. */
struct visit {
  const char *dir;
  const char *offline;
  struct hf_workspace workspace;
  int64_t now;
  json_t *findings;
  enum health worst;
};

static void note(struct visit *visit, enum health health, const char *what, const char *detail)
{
  static const char *const words[] = {"ok", "look", "BAD"};
  HF_ASSERT(json_array_append_new(visit->findings, json_pack("{s:s, s:s, s:s}", "health", words[health], "what", what,
                                                             "detail", detail)) == 0);
  visit->worst = health > visit->worst ? health : visit->worst;
}

/* ---- files ---- */

struct expected {
  const char *name;
  mode_t mode;
};

static void check_file(struct visit *visit, const char *dir, const struct expected *file)
{
  char path[HF_PATH_MAX];
  struct stat info;
  if (hf_path_join(path, dir, file->name) != HF_OK) {
    return;
  }
  if (lstat(path, &info) != 0) {
    note(visit, ILL, file->name, "missing: restore it from a backup");
  } else if (S_ISLNK(info.st_mode)) {
    note(visit, UNWELL, file->name, "a symbolic link: init made a file");
  } else if ((info.st_mode & 077) != 0 && (file->mode & 077) == 0) {
    note(visit, ILL, file->name, hf_say("others may read it: chmod %o %s", (unsigned)file->mode, path));
  } else if ((info.st_mode & 022) != 0) {
    note(visit, ILL, file->name, hf_say("others may change it: chmod %o %s", (unsigned)file->mode, path));
  }
}

static void check_files(struct visit *visit)
{
  static const struct expected files[] = {{"server", 0700},
                                          {"server/vault", 0700},
                                          {"server/vault/timestamp.pem", 0600},
                                          {"server/vault/snapshot.pem", 0600},
                                          {"server/vault/director.pem", 0600},
                                          {"server/vault/device-ca.pem", 0600},
                                          {"server/tls/server.key", 0600},
                                          {"server/tls/server.crt", 0644},
                                          {"server/tls/server-ca.crt", 0644},
                                          {"server/tls/device-ca.crt", 0644},
                                          {"server/tls/factory-ca.crt", 0644},
                                          {"server/director/1.root.json", 0644},
                                          {"server/repo/metadata/1.root.json", 0644},
                                          {"server/db", 0700},
                                          {"server/spool", 0700}};
  static const struct expected offline[] = {
      {"root.pem", 0600},      {"targets.pem", 0600},        {"factory-ca.pem", 0600},
      {"server-ca.pem", 0600}, {"image.pem", 0600},          {"image.pub", 0644},
      {"root.json", 0644},     {"director-root.json", 0644}, {"factory-ca.crt", 0644}};
  size_t before = json_array_size(visit->findings);
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    check_file(visit, visit->dir, &files[i]);
  }
  if (json_array_size(visit->findings) == before) {
    note(visit, HEALTHY, "server files", "present, and private where they must be");
  }
  if (access(visit->offline, F_OK) != 0) {
    note(visit, HEALTHY, "offline keys",
         "not on this computer, as it should be; --offline examines them where they are");
    return;
  }
  before = json_array_size(visit->findings);
  for (size_t i = 0; i < sizeof offline / sizeof offline[0]; i++) {
    check_file(visit, visit->offline, &offline[i]);
  }
  if (json_array_size(visit->findings) == before) {
    note(visit, UNWELL, "offline keys", "present and private; on a server's own disk they are safe only while it is");
  }
}

/* ---- expiry ---- */

static const char *say_left(int64_t seconds)
{
  return seconds >= 2 * DAY ? hf_say("%lld days", (long long)(seconds / DAY))
                            : hf_say("%lld hours", (long long)(seconds / 3600));
}

/* What runs out, how long before it is told, and the command that helps. */
struct lead {
  int64_t warn_s;
  const char *todo;
};

static void check_expiry(struct visit *visit, const char *what, int64_t expires, const struct lead *lead)
{
  int64_t left = expires - visit->now;
  if (left <= 0) {
    note(visit, ILL, what, hf_say("expired %s: %s", hf_say_time(expires), lead->todo));
  } else if (left < lead->warn_s) {
    note(visit, UNWELL, what, hf_say("until %s, %s left: %s", hf_say_time(expires), say_left(left), lead->todo));
  } else {
    note(visit, HEALTHY, what,
         expires >= HF_PKI_NO_END ? "never ends" : hf_say("until %s, %s left", hf_say_time(expires), say_left(left)));
  }
}

static void check_certificates(struct visit *visit)
{
  static const struct {
    const char *name;
    struct lead lead;
  } files[] = {{"server/tls/server.crt", {60 * DAY, "holdfast certificate renew, then restart the server"}},
               {"server/tls/server-ca.crt",
                {730 * DAY, "holdfast ca rotate server: devices learn the new one while the old one holds"}},
               {"server/tls/device-ca.crt",
                {730 * DAY,
                 "holdfast ca rotate device: the new one issues, the old one is believed until nobody is left on it"}},
               {"server/tls/factory-ca.crt", {730 * DAY, "plan a new factory CA"}}};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    char path[HF_PATH_MAX];
    struct hf_blob pem;
    int64_t end;
    if (hf_path_join(path, visit->dir, files[i].name) != HF_OK || hf_disk_get(&pem, path, HF_PKI_PEM_MAX) != HF_OK) {
      continue; /* told by check_files */
    }
    if (hf_pki_not_after(&end, hf_blob_bytes(&pem)) == HF_OK) {
      check_expiry(visit, files[i].name, end, &files[i].lead);
    } else {
      note(visit, ILL, files[i].name, "no certificate: restore it from a backup");
    }
    hf_blob_free(&pem);
  }
}

/* The highest N of the files N.ROLE.json; 0 when there is none. */
static unsigned long newest(const char *dir, const char *suffix)
{
  unsigned long highest = 0;
  DIR *folder = opendir(dir);
  if (folder == NULL) {
    return 0;
  }
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    char *end = NULL;
    unsigned long number = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? strtoul(entry->d_name, &end, 10) : 0;
    if (end != NULL && strcmp(end, suffix) == 0 && number > highest) {
      highest = number;
    }
  }
  closedir(folder);
  return highest;
}

static void check_metadata_file(struct visit *visit, const char *name, enum hf_tuf_role role, const struct lead *lead)
{
  char path[HF_PATH_MAX];
  struct hf_blob text;
  struct hf_tuf_file file;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  if (hf_path_join(path, visit->dir, name) != HF_OK || hf_disk_get(&text, path, METADATA_MAX) != HF_OK) {
    note(visit, ILL, name, "missing or unreadable: restore it from a backup");
    return;
  }
  if (hf_tuf_parse(&file, hf_blob_bytes(&text), role, &limits, NULL) == HF_OK) {
    check_expiry(visit, name, file.expires, lead);
  } else {
    note(visit, ILL, name, "no TUF metadata: restore it from a backup");
  }
  hf_blob_free(&text);
}

/* The files of delegated roles: every N.NAME.json that is not of a top-level role, by its newest version. */
static void check_roles(struct visit *visit, const char *dir)
{
  static const char *const others[] = {".root.json", ".targets.json", ".snapshot.json"};
  const struct lead lead = {60 * DAY,
                            "holdfast targets renew --role NAME, let its holders sign, holdfast targets publish"};
  DIR *folder = opendir(dir);
  if (folder == NULL) {
    return;
  }
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    char *end = NULL;
    unsigned long number = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? strtoul(entry->d_name, &end, 10) : 0;
    size_t len = strlen(entry->d_name);
    bool role = number > 0 && end[0] == '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
      role = role && strcmp(end, others[i]) != 0;
    }
    if (role && number == newest(dir, end)) {
      check_metadata_file(visit, hf_say("server/repo/metadata/%s", entry->d_name), HF_TUF_TARGETS, &lead);
    }
  }
  closedir(folder);
}

static void check_metadata(struct visit *visit)
{
  static const char signs[] = "the server signs this itself: look at its clock, and whether it runs";
  static const struct {
    const char *suffix;
    enum hf_tuf_role role;
    struct lead lead;
  } roles[] = {
      {".root.json", HF_TUF_ROOT, {365 * DAY, "holdfast root renew, let the holders sign, holdfast root publish"}},
      {".targets.json",
       HF_TUF_TARGETS,
       {60 * DAY, "holdfast targets renew, let the holders sign, holdfast targets publish"}},
      {".snapshot.json", HF_TUF_SNAPSHOT, {0, signs}}};
  const struct lead online = {0, signs};
  const struct lead director = {365 * DAY,
                                "holdfast root renew --director, let the holders sign, holdfast root publish"};
  char dir[HF_PATH_MAX];
  if (hf_path_join(dir, visit->dir, "server/repo/metadata") != HF_OK) {
    return;
  }
  for (size_t i = 0; i < 3; i++) {
    check_metadata_file(visit, hf_say("server/repo/metadata/%lu%s", newest(dir, roles[i].suffix), roles[i].suffix),
                        roles[i].role, &roles[i].lead);
  }
  check_metadata_file(visit, "server/repo/metadata/timestamp.json", HF_TUF_TIMESTAMP, &online);
  check_roles(visit, dir);
  if (hf_path_join(dir, visit->dir, "server/director") == HF_OK) {
    check_metadata_file(visit, hf_say("server/director/%lu.root.json", newest(dir, ".root.json")), HF_TUF_ROOT,
                        &director);
  }
}

/* ---- the computer ---- */

static int bind_error(const struct hf_address *address)
{
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(address->port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
  const char *host = strcmp(address->host, "localhost") == 0 ? "127.0.0.1" : address->host;
  bool is_four = inet_pton(AF_INET, host, &four.sin_addr) == 1;
  if (!is_four && inet_pton(AF_INET6, host, &six.sin6_addr) != 1) {
    return 0; /* a name: the server will resolve it */
  }
  int on = 1;
  int fd = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return errno;
  }
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int failed = is_four ? bind(fd, (const struct sockaddr *)&four, sizeof four)
                       : bind(fd, (const struct sockaddr *)&six, sizeof six);
  if (failed == 0) {
    failed = listen(fd, 1); /* SO_REUSEADDR lets bind pass beside a listener; listen does not */
  }
  int number = failed != 0 ? errno : 0;
  close(fd);
  return number;
}

static void check_port(struct visit *visit, const char *what, const char *text)
{
  struct hf_address address;
  if (hf_address_parse(&address, hf_bytes_text(text)) != HF_OK) {
    return; /* holdfast.json was checked */
  }
  int number = bind_error(&address);
  const char *name = hf_say("%s %s", what, text);
  if (number == 0) {
    note(visit, HEALTHY, name, "free: the server is not running");
  } else if (number == EADDRINUSE) {
    note(visit, HEALTHY, name, "in use: by this server, if it runs; else choose another port in holdfast.json");
  } else {
    note(visit, ILL, name, hf_say("cannot be used: %s", strerror(number)));
  }
}

static void check_disk(struct visit *visit)
{
  char dir[HF_PATH_MAX];
  struct statvfs info;
  if (hf_path_join(dir, visit->dir, "server") != HF_OK || statvfs(dir, &info) != 0) {
    return;
  }
  unsigned long long room = (unsigned long long)info.f_bavail * info.f_frsize;
  note(visit,
       room < 100000000    ? ILL
       : room < 1000000000 ? UNWELL
                           : HEALTHY,
       "disk", hf_say("%s free", hf_say_size(room)));
}

static void check_clock(struct visit *visit)
{
  const char *wrong = hf_clock_check(visit->now);
  note(visit, wrong == NULL ? HEALTHY : ILL, "clock", wrong == NULL ? hf_say_time(visit->now) : wrong);
}

/* ---- the whole ---- */

static int report(const struct visit *visit, const struct hf_call *call)
{
  static const enum hf_tone tones[] = {HF_TONE_GOOD, HF_TONE_WARN, HF_TONE_BAD};
  static const char *const headings[] = {"", "WHAT", "FOUND"};
  if (hf_args_has(call, "json")) {
    hf_output_json(json_incref(visit->findings));
    return visit->worst == ILL ? HF_EXIT_FAILED : HF_EXIT_DONE;
  }
  struct hf_table *table = hf_table_new(headings, 3);
  for (size_t i = 0; i < json_array_size(visit->findings); i++) {
    const json_t *finding = json_array_get(visit->findings, i);
    const char *health = hf_member(finding, "health");
    hf_table_put_tone(table, health, tones[health[0] == 'o' ? HEALTHY : health[0] == 'l' ? UNWELL : ILL]);
    hf_table_put(table, hf_member(finding, "what"));
    hf_table_put(table, hf_member(finding, "detail"));
  }
  hf_table_print(table, stdout);
  hf_table_free(table);
  return visit->worst == ILL ? HF_EXIT_FAILED : HF_EXIT_DONE;
}

int hf_cmd_doctor(const struct hf_call *call)
{
  char dir[HF_PATH_MAX];
  char offline[HF_PATH_MAX];
  struct visit visit = {.dir = dir, .offline = offline, .now = (int64_t)time(NULL)};
  enum hf_err err = HF_OK;
  if (call->operand_count > 0) {
    hf_format(dir, sizeof dir, "%s", call->operands[0]);
  } else {
    err = hf_place_workspace(dir, call, false);
  }
  if (err == HF_OK) {
    err = hf_place_read(&visit.workspace, dir);
  }
  if (err == HF_OK && hf_args_get(call, "offline") != NULL) {
    hf_format(offline, sizeof offline, "%s", hf_args_get(call, "offline"));
  } else if (err == HF_OK) {
    err = hf_path_join(offline, dir, "offline");
  }
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  visit.findings = json_array();
  check_clock(&visit);
  check_files(&visit);
  check_certificates(&visit);
  check_metadata(&visit);
  check_port(&visit, "devices", visit.workspace.devices);
  check_port(&visit, "people", visit.workspace.people);
  check_disk(&visit);
  int code = report(&visit, call);
  json_decref(visit.findings);
  return code;
}
