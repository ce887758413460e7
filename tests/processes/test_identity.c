/* SPDX-License-Identifier: Apache-2.0
 * Identities over a running server, sandbox and all: lists of what was revoked, a second device CA without a restart,
 * an ended certificate that may do one thing. Real TLS, real processes.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hf/wire/checkin.h"
#include "lampworld.h"

static void nap(void) { (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL); }

static int check_in(const struct device *device, uint32_t number)
{
  uint8_t room[HF_CHECKIN_MAX];
  size_t len = checkin_body(room, sizeof room, number, 0);
  return ask_device(device, "POST", "/v1/checkin", "", hf_bytes_init(room, len));
}

/* The list as it is served now, once it holds so many; the first must come within the tick of a second. */
static X509_CRL *list_of(const char *path, int count)
{
  for (int i = 0; i < 400; i++) {
    if (ask_people("GET", path, "", nothing) == 200) {
      const unsigned char *at = response.body;
      X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)response.body_len);
      assert_non_null(crl);
      int have = X509_CRL_get_REVOKED(crl) == NULL ? 0 : sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl));
      if (have == count) {
        return crl;
      }
      X509_CRL_free(crl);
    }
    nap();
  }
  fail_msg("%s never held %d", path, count);
  return NULL;
}

static X509 *certificate_file(const char *below)
{
  char path[160];
  (void)snprintf(path, sizeof path, "%s/server/%s", world.dir, below);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
  assert_int_equal(fclose(file), 0);
  assert_non_null(cert);
  return cert;
}

/* What `openssl verify -crl_check` does: X509_V_OK, or why not. */
static int verify(X509 *cert, X509 *ca, X509_CRL *crl)
{
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  assert_int_equal(X509_STORE_add_cert(store, ca), 1);
  assert_int_equal(X509_STORE_add_crl(store, crl), 1);
  assert_int_equal(X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK), 1);
  assert_int_equal(X509_STORE_CTX_init(ctx, store, cert, NULL), 1);
  (void)X509_verify_cert(ctx);
  int error = X509_STORE_CTX_get_error(ctx);
  X509_STORE_CTX_free(ctx);
  X509_STORE_free(store);
  return error;
}

static void a_revoked_certificate_fails_by_the_published_list_and_at_once_here(void **state)
{
  (void)state;
  struct device second;
  struct client client;
  uint8_t room[HF_CHECKIN_MAX];
  size_t len = checkin_body(room, sizeof room, 1, 0);
  X509 *ca = certificate_file("tls/device-ca.crt");
  X509_CRL *before = list_of("/crl/device-ca.crl", 0);
  device_open(&second, "lamp-2");
  device_enrol(&second, &world);
  assert_int_equal(verify(second.cert, ca, before), X509_V_OK);
  client_open(&client, &world, &second); /* one that stays open must not outlive the word */
  assert_int_equal(client_ask(&client, &response, "POST", "/v1/checkin", "", hf_bytes_init(room, len)), 200);
  assert_int_equal(world_api(&world, &response, "POST", "/api/v1/devices/lamp-2/revoke",
                             "{\"kind\":\"keyCompromise\",\"reason\":\"test\"}"),
                   200);
  assert_int_equal(client_ask(&client, &response, "POST", "/v1/checkin", "", hf_bytes_init(room, len)), 403);
  client_close(&client);
  X509_CRL *after = list_of("/crl/device-ca.crl", 1);
  assert_int_equal(verify(second.cert, ca, after), X509_V_ERR_CERT_REVOKED);
  assert_int_equal(verify(lamp.cert, ca, after), X509_V_OK);
  assert_int_equal(ask_device(NULL, "GET", "/crl/device-ca.crl", "", nothing), 200);
  assert_non_null(strstr(response.head, "application/pkix-crl"));
  X509_CRL_free(before);
  X509_CRL_free(after);
  X509_free(ca);
  device_close(&second);
}

static void run_holdfast(const char *words)
{
  char command[512];
  (void)snprintf(command, sizeof command,
                 "HOLDFAST_PASSPHRASE='correct horse battery' '%s' %s --workspace '%s' >/dev/null 2>&1",
                 HOLDFAST_PROGRAM, words, world.dir);
  assert_int_equal(system(command), 0);
}

static void reload(void)
{
  pid_t vault = world_child(&world, "hf-vault");
  pid_t front = world_child(&world, "hf-front0");
  assert_int_equal(kill(world.server, SIGHUP), 0);
  for (int i = 0; i < 400 && (world_child(&world, "hf-vault") == vault || world_child(&world, "hf-vault") == 0 ||
                              world_child(&world, "hf-front0") == front);
       i++) {
    nap();
  }
  assert_int_not_equal(world_child(&world, "hf-vault"), vault);
}

static void a_new_device_ca_issues_without_a_restart_and_the_old_one_stays_good(void **state)
{
  (void)state;
  struct device third;
  pid_t engine = world_child(&world, "hf-engine");
  run_holdfast("ca rotate device");
  reload();
  X509_CRL *list = list_of("/crl/device-ca-2.crl", 0);
  assert_int_equal(world_child(&world, "hf-engine"), engine);
  X509 *ca = certificate_file("tls/device-ca-2.crt");
  device_open(&third, "lamp-3");
  device_enrol(&third, &world);
  assert_int_equal(X509_check_issued(ca, third.cert), X509_V_OK);
  assert_int_equal(verify(third.cert, ca, list), X509_V_OK);
  assert_int_equal(check_in(&third, 1), 200);
  assert_int_equal(check_in(&lamp, 300), 200);
  assert_int_equal(world_api(&world, &response, "GET", "/api/v1/identity/devices?kind=old-ca", NULL), 200);
  response.body[response.body_len] = 0;
  assert_non_null(strstr((const char *)response.body, "lamp-1"));
  assert_null(strstr((const char *)response.body, "lamp-3"));
  X509_CRL_free(list);
  X509_free(ca);
  device_close(&third);
}

static void files_that_cannot_be_used_leave_everything_as_it_was(void **state)
{
  (void)state;
  char path[160];
  (void)snprintf(path, sizeof path, "%s/server/tls/device-ca-3.crt", world.dir);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs("half a certifi", file) >= 0);
  assert_int_equal(fclose(file), 0);
  pid_t vault = world_child(&world, "hf-vault");
  assert_int_equal(kill(world.server, SIGHUP), 0);
  char errors[16384] = "";
  for (int i = 0; i < 400 && strstr(errors, "what was read before stays in force") == NULL; i++) {
    nap();
    world_errors(&world, errors, sizeof errors);
  }
  assert_non_null(strstr(errors, "what was read before stays in force"));
  assert_int_equal(world_child(&world, "hf-vault"), vault);
  assert_int_equal(check_in(&lamp, 301), 200);
  assert_int_equal(unlink(path), 0);
}

/* The clients here trust the first server CA and nothing else, as a device that slept through the rotation. */
static void a_new_server_ca_is_vouched_for_by_the_old_one_in_every_handshake(void **state)
{
  (void)state;
  run_holdfast("ca rotate server");
  reload();
  assert_int_equal(check_in(&lamp, 310), 200);
  run_holdfast("certificate renew");
  reload();
  assert_int_equal(check_in(&lamp, 311), 200);
  X509 *next = certificate_file("tls/server-ca-2.crt");
  X509 *present = certificate_file("tls/server.crt");
  assert_int_equal(X509_verify(present, X509_get0_pubkey(next)), 1);
  X509_free(next);
  X509_free(present);
  assert_int_equal(ask_device(NULL, "GET", "/.well-known/est/server/cacerts", "", nothing), 200);
  assert_true(response.body_len > 1500); /* two CAs, and what vouches for the second */
}

static void the_servers_own_cas_are_there_for_devices_to_learn(void **state)
{
  (void)state;
  assert_int_equal(ask_device(NULL, "GET", "/.well-known/est/server/cacerts", "", nothing), 200);
  X509 *told = certificate_of(&response);
  X509 *ours = certificate_file("tls/server-ca.crt");
  assert_int_equal(X509_cmp(told, ours), 0);
  X509_free(told);
  X509_free(ours);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_revoked_certificate_fails_by_the_published_list_and_at_once_here),
      cmocka_unit_test(a_new_device_ca_issues_without_a_restart_and_the_old_one_stays_good),
      cmocka_unit_test(files_that_cannot_be_used_leave_everything_as_it_was),
      cmocka_unit_test(the_servers_own_cas_are_there_for_devices_to_learn),
      cmocka_unit_test(a_new_server_ca_is_vouched_for_by_the_old_one_in_every_handshake),
  };
  return cmocka_run_group_tests(tests, lamp_set_up, lamp_tear_down);
}
