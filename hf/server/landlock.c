/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* O_PATH */
#include "hf/server/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights newer than the header, with the version that brought them. */
#define FS_REFER (UINT64_C(1) << 13)     /* 2 */
#define FS_TRUNCATE (UINT64_C(1) << 14)  /* 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */
#define NET_BIND_TCP UINT64_C(1)         /* 4 */
#define NET_CONNECT_TCP UINT64_C(2)      /* 4 */
#define SCOPE_ALL UINT64_C(3)            /* 6: abstract Unix sockets, signals */

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)
#define FS_CREATE                                                                                                      \
  (LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                        \
   LANDLOCK_ACCESS_FS_REMOVE_DIR | FS_REFER)
/* Rights that make sense on a file that is no folder. */
#define FS_OF_A_FILE                                                                                                   \
  (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE |           \
   FS_IOCTL_DEV)

/* The kernel's struct of today; an older kernel is given a shorter one. */
struct ruleset {
  uint64_t fs;
  uint64_t net;
  uint64_t scoped;
};

int hf_landlock_version(void)
{
  long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : (int)version;
}

static uint64_t known_fs(int version)
{
  uint64_t known = (UINT64_C(1) << 13) - 1;
  known |= version >= 2 ? FS_REFER : 0;
  known |= version >= 3 ? FS_TRUNCATE : 0;
  known |= version >= 5 ? FS_IOCTL_DEV : 0;
  return known;
}

static enum hf_err add_rule(int ruleset, const struct hf_landlock_rule *rule, uint64_t known)
{
  int fd = open(rule->path, O_PATH | O_CLOEXEC);
  if (fd < 0) {
    if (rule->optional && errno == ENOENT) {
      return HF_OK;
    }
    fprintf(stderr, "sandbox: %s: %s; the workspace is not whole (holdfast init makes it)\n", rule->path,
            strerror(errno));
    return HF_E_NOT_FOUND;
  }
  uint64_t allowed = (rule->access & HF_LANDLOCK_READ) != 0 ? FS_READ : 0;
  allowed |= (rule->access & HF_LANDLOCK_WRITE) != 0 ? FS_WRITE : 0;
  allowed |= (rule->access & HF_LANDLOCK_CREATE) != 0 ? FS_CREATE : 0;
  struct stat about;
  if (fstat(fd, &about) == 0 && !S_ISDIR(about.st_mode)) {
    allowed &= FS_OF_A_FILE;
  }
  struct landlock_path_beneath_attr beneath = {.allowed_access = allowed & known, .parent_fd = fd};
  long rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
  if (rc != 0) {
    fprintf(stderr, "sandbox: Landlock rule for %s: %s\n", rule->path, strerror(errno));
  }
  (void)close(fd);
  return rc == 0 ? HF_OK : HF_E_IO;
}

static int ruleset_open(int version, enum hf_landlock_net net)
{
  struct ruleset attr = {.fs = known_fs(version)};
  size_t size = sizeof attr.fs;
  if (version >= 4) {
    attr.net = (NET_BIND_TCP | NET_CONNECT_TCP) & ~((net & 1 ? NET_CONNECT_TCP : 0) | (net & 2 ? NET_BIND_TCP : 0));
    size += sizeof attr.net;
  }
  if (version >= 6) {
    attr.scoped = SCOPE_ALL;
    size += sizeof attr.scoped;
  }
  return (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
}

enum hf_err hf_landlock_restrict(const struct hf_landlock_rule *rules, size_t count, enum hf_landlock_net net)
{
  int version = hf_landlock_version();
  if (version == 0) {
    fprintf(stderr,
            "sandbox: this kernel has no Landlock, or it is not switched on (5.13 or later, \"landlock\" in the "
            "lsm= boot parameter); use such a kernel, or --no-sandbox if you accept the risk\n");
    return HF_E_STATE;
  }
  int ruleset = ruleset_open(version, net);
  if (ruleset < 0) {
    fprintf(stderr, "sandbox: Landlock ruleset: %s\n", strerror(errno));
    return HF_E_IO;
  }
  enum hf_err err = HF_OK;
  for (size_t i = 0; err == HF_OK && i < count; i++) {
    err = add_rule(ruleset, &rules[i], known_fs(version));
  }
  if (err == HF_OK &&
      (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)) {
    fprintf(stderr, "sandbox: Landlock: %s\n", strerror(errno));
    err = HF_E_IO;
  }
  (void)close(ruleset);
  return err;
}
