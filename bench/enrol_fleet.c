/* SPDX-License-Identifier: Apache-2.0
 * Enrols many devices into a fresh workspace whose server is not running, by the engine's and the vault's own code:
 * one-time token, certificate, row, audit entries. What `holdfast serve` finds afterwards is what real enrolments
 * leave.
 *
 *   enrol_fleet WORKSPACE COUNT >devices.pem
 *
 * Prints certificate and private key of each device, PEM, in turn: input of checkin_load.
 */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hf/crypto/key.h"
#include "hf/server/core.h"
#include "hf/server/enrol.h"
#include "hf/server/registry.h"
#include "hf/server/vaultcall.h"

#define COUNT_MAX 1000000ul
/* Devices in one transaction. */
#define GROUP 256ul
#define CERTIFICATE_MAX 4096

static void need(bool good, const char *what)
{
  if (!good) {
    fprintf(stderr, "enrol_fleet: cannot %s\n", what);
    exit(1);
  }
}

static void print_device(struct hf_bytes der, const struct hf_key *key)
{
  uint8_t room[HF_KEY_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  const unsigned char *at = der.at;
  X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
  need(certificate != NULL && PEM_write_X509(stdout, certificate) == 1, "write a certificate");
  X509_free(certificate);
  need(hf_key_encode(&pem, key, (struct hf_bytes){NULL, 0}) == HF_OK && fwrite(room, 1, pem.len, stdout) == pem.len,
       "write a key");
}

static void enrol(struct hf_engine *engine, const struct hf_act *act, unsigned long number)
{
  char id[32];
  uint8_t token_room[HF_ENROL_TOKEN_MAX];
  uint8_t certificate_room[CERTIFICATE_MAX];
  struct hf_buf token = hf_buf_init(token_room, sizeof token_room);
  struct hf_buf certificate = hf_buf_init(certificate_room, sizeof certificate_room);
  struct hf_key *key = NULL;
  struct hf_why why = {0};
  (void)snprintf(id, sizeof id, "lamp-%06lu", number);
  need(hf_key_new(&key, HF_KEY_P256) == HF_OK, "make a key");
  need(hf_enrol_token_new(engine, &token, act, hf_bytes_text(id), HF_LIT("lamp"), act->now + 3600) == HF_OK,
       "make an enrolment token");
  struct hf_enrol ask = {.token = hf_buf_bytes(&token), .device = hf_bytes_text(id)};
  need(hf_key_public(&ask.key, key) == HF_OK, "read the public key");
  need(hf_engine_enrol(engine, &certificate, &ask, act->now, &why) == HF_OK, "enrol");
  print_device(hf_buf_bytes(&certificate), key);
  hf_key_free(key);
}

static void enrol_all(struct hf_engine *engine, unsigned long count)
{
  struct hf_act act = {.who = HF_LIT("operator:bench"), .now = (int64_t)time(NULL)};
  const struct hf_product lamp = {.name = HF_LIT("lamp"), .title = HF_LIT("Lamp"), .hardware = HF_LIT("lamp-a")};
  struct hf_why why = {0};
  need(hf_engine_begin(engine) == HF_OK && hf_product_new(engine, &act, &lamp, &why) == HF_OK &&
           hf_engine_commit(engine) == HF_OK,
       "add the product lamp: is the workspace fresh?");
  for (unsigned long from = 0; from < count; from += GROUP) {
    act.now = (int64_t)time(NULL);
    need(hf_engine_begin(engine) == HF_OK, "begin");
    for (unsigned long number = from; number < count && number < from + GROUP; number++) {
      enrol(engine, &act, number);
    }
    need(hf_engine_commit(engine) == HF_OK, "commit");
  }
}

int main(int argc, char **argv)
{
  char server[512];
  char sealed[520];
  struct hf_engine *engine = NULL;
  struct hf_engine_config config = {.server_dir = server};
  unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
  if (count == 0 || count > COUNT_MAX) {
    fprintf(stderr, "usage: enrol_fleet WORKSPACE COUNT >devices.pem\n");
    return 2;
  }
  need(snprintf(server, sizeof server, "%s/server", argv[1]) < (int)sizeof server, "use so long a path");
  (void)snprintf(sealed, sizeof sealed, "%s/vault", server);
  need(hf_vault_link_open(&config.vault, sealed) == HF_OK, "open the vault's folder");
  need(hf_engine_open(&engine, &config, (int64_t)time(NULL)) == HF_OK, "open the database");
  enrol_all(engine, count);
  hf_engine_close(engine);
  hf_vault_link_close(config.vault);
  need(fflush(stdout) == 0, "write the devices");
  return 0;
}
