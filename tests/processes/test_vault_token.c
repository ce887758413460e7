/* SPDX-License-Identifier: Apache-2.0
 * A server whose online roles and device CA live in a SoftHSM token, narrowed as always.
 */
#define _GNU_SOURCE
#include "tests/crypto/tokens.h"

#include "lampworld.h"

static struct softhsm hsm;
static char uris[5][256];
static const char *const roles[5] = {"timestamp", "snapshot", "director", "time", "device-ca"};

static void name_paths(void)
{
  char path[128];
  char text[128];
  (void)snprintf(path, sizeof path, "%s/server/vault/token.paths", world.dir);
  (void)snprintf(text, sizeof text, "# SoftHSM reads its tokens at each use\n%s\n", hsm.dir);
  tokens_put(path, text);
}

static int set_up(void **state)
{
  (void)state;
  const char *args[12] = {"--create-keys"};
  softhsm_open(&hsm, "Online");
  for (size_t i = 0; i < 5; i++) {
    (void)snprintf(uris[i], sizeof uris[i], "%s=pkcs11:token=Online;object=%s?pin-source=file:%s", roles[i], roles[i],
                   hsm.pin);
    args[1 + 2 * i] = "--key";
    args[2 + 2 * i] = uris[i];
  }
  world_open_with(&world, args);
  name_paths();
  world_start(&world, NULL);
  int status = world_api(&world, &response, "POST", "/api/v1/products",
                         "{\"name\":\"lamp\",\"title\":\"Lamp\",\"hardware\":[\"lamp-a\"]}");
  assert_int_equal(status, 201);
  device_open(&lamp, "lamp-1");
  return 0;
}

static int tear_down(void **state)
{
  int status = lamp_tear_down(state);
  softhsm_close(&hsm);
  return status;
}

static bool logged(const char *what)
{
  char command[256];
  (void)snprintf(command, sizeof command, "grep -q '%s' %s/server/vault/vault.log", what, world.dir);
  int status = system(command); // NOLINT(cert-env33-c)
  return status == 0;
}

static void no_key_of_the_vault_is_a_file(void **state)
{
  (void)state;
  char command[256];
  (void)snprintf(command, sizeof command, "! grep -rq 'PRIVATE KEY' %s/server/vault", world.dir);
  tokens_run(command);
}

static void devices_enrol_and_their_certificates_come_from_the_token(void **state)
{
  (void)state;
  device_enrol(&lamp, &world);
  assert_true(logged("certificate"));
}

static void devices_check_in_and_get_director_metadata_signed_in_the_token(void **state)
{
  (void)state;
  uint8_t room[1024];
  size_t len = checkin_body(room, sizeof room, 0, 0);
  assert_int_equal(ask_device(&lamp, "POST", "/v1/checkin", "", hf_bytes_init(room, len)), 200);
  assert_int_equal(ask_device(&lamp, "GET", "/director/timestamp.json", "", nothing), 200);
  assert_true(logged("director"));
}

static void a_token_that_went_away_is_said_and_its_return_is_noticed(void **state)
{
  (void)state;
  char command[256];
  char errors[16384];
  struct device other;
  (void)snprintf(command, sizeof command, "mv %s/tokens %s/away && mkdir %s/tokens", hsm.dir, hsm.dir, hsm.dir);
  tokens_run(command);
  pid_t before = world_child(&world, "hf-vault");
  device_open(&other, "lamp-2");
  char field[256];
  char csr[2048];
  device_request(&other, "lamp-2", csr, sizeof csr);
  device_token(&world, "lamp-2", field, sizeof field);
  int status = ask_device(NULL, "POST", "/.well-known/est/simpleenroll", field, hf_bytes_text(csr));
  assert_true(status >= 500);
  (void)snprintf(command, sizeof command, "rmdir %s/tokens && mv %s/away %s/tokens", hsm.dir, hsm.dir, hsm.dir);
  tokens_run(command);
  /* The vault ended; keeper starts one that opens the token anew. */
  for (int i = 0; i < 600; i++) {
    pid_t now = world_child(&world, "hf-vault");
    if (now != 0 && now != before) {
      break;
    }
    (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
  }
  for (int i = 0; i < 600 && status != 200; i++) {
    device_token(&world, "lamp-2", field, sizeof field);
    status = ask_device(NULL, "POST", "/.well-known/est/simpleenroll", field, hf_bytes_text(csr));
    (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
  }
  assert_int_equal(status, 200);
  world_errors(&world, errors, sizeof errors);
  assert_non_null(strstr(errors, "device-ca.pem: "));
  device_close(&other);
}

static void a_wrong_stored_pin_stops_the_start_and_does_not_lock_the_token(void **state)
{
  (void)state;
  char said[4096];
  assert_int_equal(world_stop(&world), 0);
  tokens_put(hsm.pin, "wrong-9999\n");
  assert_int_not_equal(world_try(world.dir, NULL, said, sizeof said), 0);
  assert_non_null(strstr(said, "wrong PIN"));
  for (int i = 0; i < 12; i++) {
    assert_int_not_equal(world_try(world.dir, NULL, said, sizeof said), 0);
    assert_non_null(strstr(said, "a stored PIN is not tried again"));
  }
  tokens_put(hsm.pin, SOFTHSM_PIN "\n");
  tokens_run("pkcs11-tool --module " SOFTHSM_MODULE " --login --pin " SOFTHSM_PIN " --list-objects >/dev/null 2>&1");
  world_start(&world, NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_key_of_the_vault_is_a_file),
      cmocka_unit_test(devices_enrol_and_their_certificates_come_from_the_token),
      cmocka_unit_test(devices_check_in_and_get_director_metadata_signed_in_the_token),
      cmocka_unit_test(a_token_that_went_away_is_said_and_its_return_is_noticed),
      cmocka_unit_test(a_wrong_stored_pin_stops_the_start_and_does_not_lock_the_token),
  };
  return cmocka_run_group_tests_name("vault in a token", tests, set_up, tear_down);
}
