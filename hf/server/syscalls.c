/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/syscalls.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define CALL(name) SCMP_SYS(name)
#define END INT32_MAX

/* Memory, time, the event loop, sockets that are open already. */
static const int always[] = {
    CALL(read),          CALL(write),         CALL(readv),          CALL(writev),       CALL(close),
    CALL(fstat),         CALL(lseek),         CALL(munmap),         CALL(mremap),       CALL(madvise),
    CALL(brk),           CALL(rt_sigaction),  CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(getuid),
    CALL(geteuid),       CALL(getgid),        CALL(getegid),        CALL(futex),        CALL(getpid),
    CALL(gettid),        CALL(clock_gettime), CALL(gettimeofday),   CALL(time),         CALL(clock_nanosleep),
    CALL(nanosleep),     CALL(getrandom),     CALL(exit),           CALL(exit_group),   CALL(restart_syscall),
    CALL(epoll_create1), CALL(epoll_ctl),     CALL(epoll_wait),     CALL(epoll_pwait),  CALL(poll),
    CALL(ppoll),         CALL(recvfrom),      CALL(recvmsg),        CALL(sendto),       CALL(sendmsg),
    CALL(shutdown),      CALL(fcntl),         CALL(getsockopt),     CALL(tgkill),       END};

/* Until hf_sandbox_seal. */
static const int at_start[] = {CALL(pipe2),
                               CALL(eventfd2),
                               CALL(socketpair),
                               CALL(openat),
                               CALL(open),
                               CALL(newfstatat),
                               CALL(stat),
                               CALL(statx),
                               CALL(pread64),
                               CALL(prctl),
                               CALL(seccomp),
                               CALL(landlock_create_ruleset),
                               CALL(landlock_add_rule),
                               CALL(landlock_restrict_self),
                               CALL(close_range),
                               CALL(prlimit64),
                               CALL(getdents64),
                               CALL(access),
                               CALL(faccessat),
                               CALL(faccessat2),
                               CALL(setsockopt),
                               CALL(fchmod),
                               CALL(ftruncate),
                               CALL(fdatasync),
                               CALL(fsync),
                               END};

static const int front[] = {CALL(accept4),
                            CALL(setsockopt),
                            CALL(getpeername),
                            CALL(getsockname),
                            CALL(openat),
                            CALL(openat2),
                            CALL(unlinkat),
                            CALL(unlink),
                            CALL(newfstatat),
                            CALL(statx),
                            CALL(pread64),
                            CALL(pwrite64),
                            CALL(fdatasync),
                            CALL(fsync),
                            CALL(ftruncate),
                            CALL(fallocate),
                            END};

/* SQLite, and the repository folder. */
static const int engine[] = {CALL(openat),
                             CALL(open),
                             CALL(openat2),
                             CALL(newfstatat),
                             CALL(stat),
                             CALL(lstat),
                             CALL(statx),
                             CALL(pread64),
                             CALL(pwrite64),
                             CALL(fdatasync),
                             CALL(fsync),
                             CALL(ftruncate),
                             CALL(fallocate),
                             CALL(unlink),
                             CALL(unlinkat),
                             CALL(rename),
                             CALL(renameat),
                             CALL(renameat2),
                             CALL(link),
                             CALL(linkat),
                             CALL(mkdir),
                             CALL(mkdirat),
                             CALL(rmdir),
                             CALL(fchmod),
                             CALL(chmod),
                             CALL(fchmodat),
                             CALL(fchown),
                             CALL(access),
                             CALL(faccessat),
                             CALL(faccessat2),
                             CALL(geteuid),
                             CALL(getuid),
                             CALL(getcwd),
                             CALL(readlink),
                             CALL(readlinkat),
                             CALL(getdents64),
                             CALL(flock),
                             CALL(fstatfs),
                             CALL(statfs),
                             CALL(utimensat),
                             CALL(umask),
                             CALL(copy_file_range),
                             CALL(sendfile),
                             CALL(setsockopt) /* patience with a new vault */,
                             END};

static const int reader[] = {CALL(openat),
                             CALL(open),
                             CALL(newfstatat),
                             CALL(stat),
                             CALL(lstat),
                             CALL(statx),
                             CALL(pread64),
                             CALL(pwrite64),
                             CALL(ftruncate),
                             CALL(fallocate),
                             CALL(access),
                             CALL(faccessat),
                             CALL(faccessat2),
                             CALL(geteuid),
                             CALL(getuid),
                             CALL(getcwd),
                             CALL(readlink),
                             CALL(readlinkat),
                             CALL(fchown),
                             CALL(fchmod),
                             CALL(fstatfs),
                             CALL(statfs),
                             END};

static const int vault[] = {CALL(fdatasync), CALL(fsync), END};

/* What a token's module does on top: SoftHSM reads and locks its files at each use, the smart card ones talk to pcscd
 * over a Unix socket. Only when the operator named paths for it. */
static const int token[] = {CALL(openat),    CALL(open),       CALL(newfstatat), CALL(stat),        CALL(lstat),
                            CALL(statx),     CALL(pread64),    CALL(pwrite64),   CALL(getdents64),  CALL(access),
                            CALL(faccessat), CALL(faccessat2), CALL(flock),      CALL(ftruncate),   CALL(rename),
                            CALL(renameat),  CALL(unlink),     CALL(unlinkat),   CALL(connect),     CALL(getcwd),
                            CALL(readlink),  CALL(getppid),    CALL(uname),      CALL(sysinfo),     CALL(ioctl),
                            CALL(umask),     CALL(select),     CALL(pselect6),   CALL(getsockname), END};

/* The resolver of the C library starts a thread, reads its files and talks to name servers. */
static const int courier[] = {CALL(socket),          CALL(connect),     CALL(bind),       CALL(setsockopt),
                              CALL(getpeername),     CALL(getsockname), CALL(sendmmsg),   CALL(recvmmsg),
                              CALL(openat),          CALL(open),        CALL(newfstatat), CALL(stat),
                              CALL(lstat),           CALL(statx),       CALL(pread64),    CALL(access),
                              CALL(faccessat2),      CALL(getdents64),  CALL(clone),      CALL(clone3),
                              CALL(set_robust_list), CALL(rseq),        CALL(pipe2),      CALL(eventfd2),
                              CALL(socketpair),      CALL(ioctl),       CALL(uname),      CALL(sched_getaffinity),
                              CALL(geteuid),         CALL(getuid),      CALL(pselect6),   CALL(readlink),
                              CALL(sysinfo),         CALL(getppid),     CALL(prctl),      END};

/* Asked by libraries out of habit; they live with a refusal. */
static const int probes[] = {
    CALL(ioctl), CALL(uname),  CALL(sysinfo), CALL(readlink), CALL(access), CALL(getrlimit), CALL(sched_getaffinity),
    CALL(prctl), CALL(openat), CALL(open),    CALL(getcpu),   END};

/* Keeper's children inherit this: nothing of the server starts programs, traces, mounts or loads code into the kernel.
 */
static const int never[] = {CALL(execve),
                            CALL(execveat),
                            CALL(process_vm_readv),
                            CALL(process_vm_writev),
                            CALL(mount),
                            CALL(umount2),
                            CALL(pivot_root),
                            CALL(chroot),
                            CALL(unshare),
                            CALL(setns),
                            CALL(bpf),
                            CALL(perf_event_open),
                            CALL(userfaultfd),
                            CALL(keyctl),
                            CALL(add_key),
                            CALL(request_key),
                            CALL(init_module),
                            CALL(finit_module),
                            CALL(delete_module),
                            CALL(kexec_load),
                            CALL(reboot),
                            CALL(swapon),
                            CALL(swapoff),
                            CALL(personality),
                            CALL(io_uring_setup),
                            END};

/* What the sanitizers' run time needs on top, and no release build has: the leak checker stops the world. */
static const int sanitizers[] = {CALL(ptrace),
                                 CALL(clone),
                                 CALL(wait4),
                                 CALL(sigaltstack),
                                 CALL(prctl),
                                 CALL(readlink),
                                 CALL(open),
                                 CALL(openat),
                                 CALL(getdents64),
                                 CALL(getdents),
                                 CALL(sched_yield),
                                 CALL(getppid),
                                 CALL(pipe2),
                                 CALL(pipe),
                                 CALL(process_vm_readv),
                                 CALL(set_robust_list),
                                 CALL(kill),
                                 CALL(fork),
                                 CALL(sched_getaffinity),
                                 CALL(getrlimit),
                                 CALL(setrlimit),
                                 CALL(prlimit64),
                                 CALL(newfstatat),
                                 CALL(stat),
                                 CALL(getrusage),
                                 END};

static const int *list_of(enum hf_process process)
{
  switch (process) {
    case HF_FRONT: return front;
    case HF_ENGINE: return engine;
    case HF_READER: return reader;
    case HF_VAULT: return vault;
    case HF_COURIER: return courier;
    default: return NULL;
  }
}

static int add_list(scmp_filter_ctx filter, uint32_t action, const int *list)
{
  int rc = 0;
  for (size_t i = 0; rc == 0 && list[i] != END; i++) {
    rc = seccomp_rule_add(filter, action, list[i], 0);
    if (rc == -EEXIST || rc == -EDOM) {
      rc = 0; /* listed twice, or a call this architecture does not have */
    }
  }
  return rc;
}

static bool listed(const int *list, int call)
{
  for (size_t i = 0; list[i] != END; i++) {
    if (list[i] == call) {
      return true;
    }
  }
  return false;
}

static int add_probes(scmp_filter_ctx filter, enum hf_process process, bool starting, bool tokens)
{
  int rc = 0;
  for (size_t i = 0; rc == 0 && probes[i] != END; i++) {
    if (listed(list_of(process), probes[i]) || (tokens && listed(token, probes[i])) ||
        (starting && listed(at_start, probes[i])) || (HF_SANITIZED && listed(sanitizers, probes[i]))) {
      continue;
    }
    rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), probes[i], 0);
  }
  return rc;
}

/* Memory that becomes code: only while libraries are loaded; the resolver of courier loads some at its first look-up.
 */
static int add_memory(scmp_filter_ctx filter, enum hf_process process, bool starting)
{
  static const int calls[] = {CALL(mmap), CALL(mprotect)};
  bool any = starting || process == HF_COURIER || HF_SANITIZED;
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < 2; i++) {
    rc = any ? seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0)
             : seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  }
  return rc;
}

static enum hf_err load(scmp_filter_ctx filter, int rc)
{
  if (rc == 0) {
    rc = seccomp_load(filter);
  }
  seccomp_release(filter);
  if (rc != 0) {
    fprintf(stderr, "sandbox: seccomp: %s; use a kernel with seccomp filters, or --no-sandbox if you accept the risk\n",
            strerror(-rc));
    return HF_E_STATE;
  }
  return HF_OK;
}

enum hf_err hf_syscalls_restrict(enum hf_process process, bool starting, bool tokens)
{
  bool keeper = process == HF_KEEPER;
  scmp_filter_ctx filter = seccomp_init(keeper ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS);
  if (filter == NULL) {
    return HF_E_STATE;
  }
  int rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a search tree: fewer steps a call */
  if (keeper) {
    rc = rc == 0 ? add_list(filter, SCMP_ACT_ERRNO(EPERM), never) : rc;
    return load(filter, rc);
  }
  rc = rc == 0 ? add_list(filter, SCMP_ACT_ALLOW, always) : rc;
  rc = rc == 0 ? add_list(filter, SCMP_ACT_ALLOW, list_of(process)) : rc;
  if (tokens && rc == 0) {
    rc = add_list(filter, SCMP_ACT_ALLOW, token);
    rc = rc == 0 ? seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX)) : rc;
  }
  rc = rc == 0 ? add_memory(filter, process, starting) : rc;
  if (starting && rc == 0) {
    rc = add_list(filter, SCMP_ACT_ALLOW, at_start);
  }
  if (HF_SANITIZED && rc == 0) {
    rc = add_list(filter, SCMP_ACT_ALLOW, sanitizers);
  }
  rc = rc == 0 ? add_probes(filter, process, starting, tokens) : rc;
  return load(filter, rc);
}
