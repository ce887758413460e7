/* SPDX-License-Identifier: Apache-2.0
 * Real tokens for tests: a SoftHSM token and a TPM emulated by swtpm, each in a fresh folder under /tmp and told to
 * this process and its children by environment. Nothing here is a mock; both are packages that tools/install-deps
 * brings.
 */
#ifndef TESTS_CRYPTO_TOKENS_H
#define TESTS_CRYPTO_TOKENS_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SOFTHSM_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define SOFTHSM_PIN "correct-1234"

struct softhsm {
  char dir[64];
  char conf[96];
  char pin[96]; /* file with the PIN, mode 0600 */
};

static inline void tokens_run(const char *command)
{
  int status = system(command); // NOLINT(cert-env33-c) a test's own command
  if (status != 0) {
    fail_msg("%s: status %d", command, status);
  }
}

static inline void tokens_put(const char *path, const char *text)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
  assert_int_equal(chmod(path, 0600), 0);
}

static inline void softhsm_token(const char *label)
{
  char command[512];
  (void)snprintf(command, sizeof command,
                 "softhsm2-util --init-token --free --label '%s' --so-pin so-12345678 --pin %s >/dev/null", label,
                 SOFTHSM_PIN);
  tokens_run(command);
}

/* A folder with one token; sets SOFTHSM2_CONF and HOLDFAST_PKCS11_MODULE. */
static inline void softhsm_open(struct softhsm *hsm, const char *label)
{
  char text[256];
  (void)snprintf(hsm->dir, sizeof hsm->dir, "/tmp/hf-softhsm-XXXXXX");
  assert_non_null(mkdtemp(hsm->dir));
  (void)snprintf(hsm->conf, sizeof hsm->conf, "%s/softhsm2.conf", hsm->dir);
  (void)snprintf(hsm->pin, sizeof hsm->pin, "%s/pin", hsm->dir);
  (void)snprintf(text, sizeof text, "%s/tokens", hsm->dir);
  assert_int_equal(mkdir(text, 0700), 0);
  (void)snprintf(text, sizeof text, "directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n",
                 hsm->dir);
  tokens_put(hsm->conf, text);
  tokens_put(hsm->pin, SOFTHSM_PIN "\n");
  assert_int_equal(setenv("SOFTHSM2_CONF", hsm->conf, 1), 0);
  assert_int_equal(setenv("HOLDFAST_PKCS11_MODULE", SOFTHSM_MODULE, 1), 0);
  softhsm_token(label);
}

static inline void softhsm_close(const struct softhsm *hsm)
{
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", hsm->dir);
  tokens_run(command);
}

struct swtpm {
  char dir[64];
  pid_t pid;
};

static inline int swtpm_exec(const char *state, const char *server, const char *control)
{
  (void)execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server, "--ctrl", control,
               "--flags", "not-need-init,startup-clear", (char *)NULL);
  return 127;
}

/* A TPM on a Unix socket; sets TPM2OPENSSL_TCTI. The state survives swtpm_stop and swtpm_start. */
static inline void swtpm_start(struct swtpm *tpm)
{
  char state[96];
  char server[128];
  char control[128];
  char path[96];
  struct stat about;
  (void)snprintf(state, sizeof state, "dir=%s", tpm->dir);
  (void)snprintf(path, sizeof path, "%s/tpm", tpm->dir);
  (void)unlink(path);
  (void)snprintf(server, sizeof server, "type=unixio,path=%s/tpm", tpm->dir);
  (void)snprintf(control, sizeof control, "type=unixio,path=%s/tpm.ctrl", tpm->dir);
  tpm->pid = fork();
  assert_true(tpm->pid >= 0);
  if (tpm->pid == 0) {
    _exit(freopen("/dev/null", "w", stderr) == NULL ? 126 : swtpm_exec(state, server, control));
  }
  for (int i = 0; stat(path, &about) != 0; i++) {
    assert_true(i < 1000 && waitpid(tpm->pid, NULL, WNOHANG) == 0);
    (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
}

static inline void swtpm_stop(struct swtpm *tpm)
{
  (void)kill(tpm->pid, SIGTERM);
  (void)waitpid(tpm->pid, NULL, 0);
}

static inline void swtpm_open(struct swtpm *tpm)
{
  char tcti[128];
  (void)snprintf(tpm->dir, sizeof tpm->dir, "/tmp/hf-swtpm-XXXXXX");
  assert_non_null(mkdtemp(tpm->dir));
  swtpm_start(tpm);
  (void)snprintf(tcti, sizeof tcti, "swtpm:path=%s/tpm", tpm->dir);
  assert_int_equal(setenv("TPM2OPENSSL_TCTI", tcti, 1), 0);
}

static inline void swtpm_close(struct swtpm *tpm)
{
  char command[128];
  swtpm_stop(tpm);
  (void)snprintf(command, sizeof command, "rm -rf '%s'", tpm->dir);
  tokens_run(command);
}

#endif
