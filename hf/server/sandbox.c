/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* close_range */
#include "hf/server/sandbox.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hf/server/landlock.h"
#include "hf/server/syscalls.h"
#include "hf/server/vault.h"

#define R HF_LANDLOCK_READ
#define RW (HF_LANDLOCK_READ | HF_LANDLOCK_WRITE)
#define RWC (HF_LANDLOCK_READ | HF_LANDLOCK_WRITE | HF_LANDLOCK_CREATE)

/* When a path may be reached: until the process serves, or for its whole life. */
enum phase { START = 1, ALWAYS = 2 };

/* Which process may reach what. A relative path is below DIR/server; neither offline/ nor operator/ is in here. */
static const struct reach {
  enum hf_process process;
  enum phase phase;
  const char *path;
  unsigned access;
  bool optional;
} reaches[] = {
    /* Keeper reads nothing itself; its children can never get more than it has. */
    {HF_KEEPER, ALWAYS, "", RWC, false},
    {HF_KEEPER, ALWAYS, "/etc", R, true},
    {HF_KEEPER, ALWAYS, "/usr", R, true},
    {HF_KEEPER, ALWAYS, "/run/systemd/resolve", R, true},

    {HF_FRONT, START, "tls", R, false},
    {HF_FRONT, ALWAYS, "repo", R, false},
    {HF_FRONT, ALWAYS, "spool", RWC, false},

    {HF_ENGINE, START, "bootstrap.json", R, true},
    {HF_ENGINE, START, "tls/server.crt", R, true}, /* when do they end? */
    {HF_ENGINE, START, "tls/server-ca.crt", R, true},
    {HF_ENGINE, START, "tls/device-ca.crt", R, true},
    {HF_ENGINE, START, "tls/factory-ca.crt", R, true},
    {HF_ENGINE, ALWAYS, "db", RWC, false},
    {HF_ENGINE, ALWAYS, "repo", RWC, false},
    {HF_ENGINE, ALWAYS, "spool", RWC, false},
    {HF_ENGINE, ALWAYS, "director", RWC, true},

    /* The reader writes no row; SQLite's shared memory for WAL is a file that every reader writes. */
    {HF_READER, START, "db", RW, false},
    {HF_READER, ALWAYS, "db", R, false},
    {HF_READER, ALWAYS, "repo", R, false},
    {HF_READER, ALWAYS, "director", R, true},

    {HF_VAULT, START, "vault", RWC, false},
    /* By name: the folder has the server's TLS key too. hf/fleet/cafile.h; HF_VAULT_CAS_MAX of them. */
    {HF_VAULT, START, "tls/device-ca.crt", R, true},
    {HF_VAULT, START, "tls/device-ca-2.crt", R, true},
    {HF_VAULT, START, "tls/device-ca-3.crt", R, true},
    {HF_VAULT, START, "tls/device-ca-4.crt", R, true},
    {HF_VAULT, START, "tls/device-ca-5.crt", R, true},
    {HF_VAULT, START, "tls/device-ca-6.crt", R, true},
    {HF_VAULT, START, "tls/device-ca-7.crt", R, true},
    {HF_VAULT, START, "tls/device-ca-8.crt", R, true},
    {HF_VAULT, START, "tls/device-ca-9.crt", R, true},

    {HF_COURIER, ALWAYS, "/etc/ssl", R, true},
    {HF_COURIER, ALWAYS, "/usr/share/ca-certificates", R, true},
    {HF_COURIER, ALWAYS, "/usr/local/share/ca-certificates", R, true},
    {HF_COURIER, ALWAYS, "/etc/resolv.conf", R, true},
    {HF_COURIER, ALWAYS, "/etc/hosts", R, true},
    {HF_COURIER, ALWAYS, "/etc/host.conf", R, true},
    {HF_COURIER, ALWAYS, "/etc/gai.conf", R, true},
    {HF_COURIER, ALWAYS, "/etc/nsswitch.conf", R, true},
    {HF_COURIER, ALWAYS, "/etc/services", R, true},
    {HF_COURIER, ALWAYS, "/etc/ld.so.cache", R, true}, /* name service modules are loaded at the first look-up */
    {HF_COURIER, ALWAYS, "/usr/lib", R, true},
    {HF_COURIER, ALWAYS, "/run/systemd/resolve", R, true},
};

/* For every process: sources of randomness and of nothing. The sanitizers' run time reads its own memory map. */
static const struct hf_landlock_rule shared_rules[] = {
    {"/dev/urandom", R, true},
    {"/dev/null", RW, true},
    {HF_SANITIZED ? "/proc" : "/dev/null", R, true},
};

#define SHARED_COUNT (sizeof shared_rules / sizeof shared_rules[0])
#define REACH_COUNT (sizeof reaches / sizeof reaches[0])

/* ---- tokens ---- */

/** Paths of a token's module; SoftHSM needs two, a pcscd one. */
#define TOKEN_PATHS_MAX 8

struct token_paths {
  bool there; /* the file is: the vault may load a module */
  size_t count;
  char path[TOKEN_PATHS_MAX][PATH_MAX];
};

static bool take_path(struct token_paths *paths, char *line)
{
  line[strcspn(line, "\r\n")] = '\0';
  if (line[0] == '\0' || line[0] == '#') {
    return true;
  }
  if (line[0] != '/' || paths->count == TOKEN_PATHS_MAX) {
    return false;
  }
  (void)snprintf(paths->path[paths->count++], PATH_MAX, "%s", line);
  return true;
}

/* Read before this process is narrowed, by keeper first: what keeper did not see, no child can reach. */
static enum hf_err read_token_paths(struct token_paths *paths, enum hf_process process, const char *dir)
{
  char line[PATH_MAX];
  *paths = (struct token_paths){.there = false};
  if (process != HF_KEEPER && process != HF_VAULT) {
    return HF_OK;
  }
  if (snprintf(line, sizeof line, "%s/server/vault/" HF_VAULT_TOKEN_PATHS, dir) >= (int)sizeof line) {
    return HF_E_SPACE;
  }
  FILE *file = fopen(line, "re");
  if (file == NULL) {
    return errno == ENOENT ? HF_OK : HF_E_IO;
  }
  bool good = true;
  while (good && fgets(line, sizeof line, file) != NULL) {
    good = take_path(paths, line);
  }
  good = ferror(file) == 0 && good;
  (void)fclose(file);
  paths->there = true;
  if (!good) {
    fprintf(stderr, "sandbox: server/vault/" HF_VAULT_TOKEN_PATHS ": not up to %d absolute paths, one a line\n",
            TOKEN_PATHS_MAX);
  }
  return good ? HF_OK : HF_E_INPUT;
}

static size_t add_token_rules(struct hf_landlock_rule *rules, const struct token_paths *tokens, enum hf_process process,
                              enum phase phase)
{
  size_t count = 0;
  if (tokens->there && process == HF_VAULT && phase == START) { /* the module, its libraries and settings, the PIN */
    rules[count++] = (struct hf_landlock_rule){"/usr", R, false};
    rules[count++] = (struct hf_landlock_rule){"/etc", R, false};
  }
  for (size_t i = 0; i < tokens->count; i++) {
    rules[count++] = (struct hf_landlock_rule){tokens->path[i], RWC, true};
  }
  return count;
}

static enum hf_err restrict_files(enum hf_process process, const char *dir, enum phase phase,
                                  const struct token_paths *tokens)
{
  char paths[REACH_COUNT][PATH_MAX];
  struct hf_landlock_rule rules[REACH_COUNT + SHARED_COUNT + 2 + TOKEN_PATHS_MAX];
  size_t count = 0;
  for (; count < SHARED_COUNT; count++) {
    rules[count] = shared_rules[count];
  }
  for (size_t i = 0; i < REACH_COUNT; i++) {
    const struct reach *reach = &reaches[i];
    if (reach->process != process || (phase == ALWAYS && reach->phase == START)) {
      continue;
    }
    int len = reach->path[0] == '/' ? snprintf(paths[i], PATH_MAX, "%s", reach->path)
                                    : snprintf(paths[i], PATH_MAX, "%s/server/%s", dir, reach->path);
    if (len < 0 || len >= PATH_MAX) {
      fprintf(stderr, "sandbox: the path of the workspace is too long\n");
      return HF_E_SPACE;
    }
    rules[count++] = (struct hf_landlock_rule){paths[i], reach->access, reach->optional};
  }
  count += add_token_rules(rules + count, tokens, process, phase);
  enum hf_landlock_net net = HF_LANDLOCK_NO_TCP;
  if (process == HF_KEEPER) {
    net = HF_LANDLOCK_ANY_TCP;
  } else if (process == HF_COURIER) {
    net = HF_LANDLOCK_CONNECT;
  }
  return hf_landlock_restrict(rules, count, net);
}

static enum hf_err limit(int resource, rlim_t value)
{
  struct rlimit now;
  if (getrlimit((__rlimit_resource_t)resource, &now) != 0) {
    return HF_E_IO;
  }
  struct rlimit wanted = {value < now.rlim_max ? value : now.rlim_max, value < now.rlim_max ? value : now.rlim_max};
  return setrlimit((__rlimit_resource_t)resource, &wanted) == 0 ? HF_OK : HF_E_IO;
}

/* No core files (they would hold keys), no child processes but the resolver's thread, no debugger. */
static enum hf_err restrict_rest(enum hf_process process)
{
  enum hf_err err = limit(RLIMIT_CORE, 0);
  if (err == HF_OK && process != HF_KEEPER && process != HF_COURIER && !HF_SANITIZED) {
    err = limit(RLIMIT_NPROC, 0);
  }
  if (err == HF_OK && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    err = HF_E_IO;
  }
  if (err != HF_OK) {
    fprintf(stderr, "sandbox: limits: %s\n", strerror(errno));
  }
  return err;
}

enum hf_err hf_sandbox_enter(enum hf_process process, const char *dir)
{
  struct token_paths tokens;
  enum hf_err err = read_token_paths(&tokens, process, dir);
  if (err == HF_OK) {
    err = restrict_rest(process);
  }
  if (err == HF_OK) {
    err = restrict_files(process, dir, START, &tokens);
  }
  if (err == HF_OK) {
    err = hf_syscalls_restrict(process, true, tokens.there && process == HF_VAULT);
  }
  return err;
}

enum hf_err hf_sandbox_seal(enum hf_process process, const char *dir)
{
  struct token_paths tokens;
  enum hf_err err = read_token_paths(&tokens, process, dir);
  if (err == HF_OK) {
    err = restrict_files(process, dir, ALWAYS, &tokens);
  }
  return err == HF_OK ? hf_syscalls_restrict(process, false, tokens.there && process == HF_VAULT) : err;
}

void hf_sandbox_close_others(const int *keep, size_t count)
{
  unsigned from = STDERR_FILENO + 1;
  while (from < UINT_MAX) {
    unsigned next = UINT_MAX; /* the lowest kept descriptor at or above `from` */
    for (size_t i = 0; i < count; i++) {
      if (keep[i] >= 0 && (unsigned)keep[i] >= from && (unsigned)keep[i] < next) {
        next = (unsigned)keep[i];
      }
    }
    if (next > from) {
      (void)close_range(from, next - 1, 0);
    }
    from = next == UINT_MAX ? UINT_MAX : next + 1;
  }
}
