/* SPDX-License-Identifier: Apache-2.0
 * A factory station with a real order, for tests of what comes of its records: below a founded workspace.
 */
#ifndef TESTS_API_FACTORYRIG_H
#define TESTS_API_FACTORYRIG_H

#include <stdio.h>
#include <string.h>

#include "apiworld.h"
#include "hf/cli/offline.h"
#include "hf/cli/pki.h"
#include "hf/cli/station.h"
#include "hf/codec/text.h"
#include "hf/wire/csr.h"
#include "hf/wire/pubkey.h"

struct factoryrig {
  char dir[128];
  char order_path[160];
  char record[160];
  char copy[160];
  char id[HF_ORDER_ID_MAX + 1];
  struct hf_station *station;
  struct hf_order order;
  uint8_t ca_room[HF_CERT_MAX];
  struct hf_key *station_key;
};

static inline enum hf_err factoryrig_sign(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

static inline struct hf_key *factoryrig_key(const char *path, struct hf_bytes passphrase)
{
  struct hf_blob pem;
  struct hf_key *key = NULL;
  assert_int_equal(hf_disk_get(&pem, path, HF_KEY_PEM_MAX), HF_OK);
  assert_int_equal(hf_key_parse(&key, hf_blob_bytes(&pem), passphrase), HF_OK);
  hf_blob_free(&pem);
  return key;
}

/* Order of 3 thermostats F-001 to F-009, signed by the workspace's factory CA. */
static inline void factoryrig_open(struct factoryrig *rig, const char *workspace, int64_t now)
{
  static unsigned turn;
  char path[200];
  uint8_t room[HF_COSE_MAX];
  struct hf_blob ca;
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_buf der = hf_buf_init(rig->ca_room, sizeof rig->ca_room);
  memset(rig, 0, sizeof *rig);
  (void)snprintf(rig->id, sizeof rig->id, "hfo-%u", ++turn);
  (void)snprintf(rig->dir, sizeof rig->dir, "%s/station%u", workspace, turn);
  (void)snprintf(rig->order_path, sizeof rig->order_path, "%s/order%u.hfo", workspace, turn);
  (void)snprintf(rig->record, sizeof rig->record, "%s/record%u.hfb", workspace, turn);
  (void)snprintf(path, sizeof path, "%s/server/tls/factory-ca.crt", workspace);
  assert_int_equal(hf_disk_get(&ca, path, HF_PKI_PEM_MAX), HF_OK);
  assert_int_equal(hf_station_init(rig->dir, "Line 3", path), HF_OK);
  (void)snprintf(path, sizeof path, "%s/offline/factory-ca.pem", workspace);
  struct hf_key *key = factoryrig_key(path, HF_LIT(WORLD_PASSPHRASE));
  (void)snprintf(path, sizeof path, "%s/station.pem", rig->dir);
  rig->station_key = factoryrig_key(path, hf_bytes_init(NULL, 0));
  struct hf_pki_factory factory = {.product = "thermostat", .hardware = "thermo-a"};
  struct hf_pki_issuer issuer = {key, hf_blob_bytes(&ca)};
  struct hf_order *order = &rig->order;
  *order = (struct hf_order){.id = hf_bytes_text(rig->id),
                             .product = HF_LIT("thermostat"),
                             .hardware = HF_LIT("thermo-a"),
                             .server = HF_LIT("https://127.0.0.1:8443"),
                             .quota = 3,
                             .not_before = now,
                             .not_after = now + 86400};
  assert_int_equal(hf_order_serials_parse(&order->serials, HF_LIT("F-{001-009}")), HF_OK);
  assert_int_equal(hf_key_public(&order->station, rig->station_key), HF_OK);
  assert_int_equal(hf_pki_put_station_ca(&der, &order->station, rig->id, &factory, &issuer,
                                         (struct hf_pki_validity){now, now + 86400}),
                   HF_OK);
  order->station_ca = hf_buf_bytes(&der);
  assert_int_equal(hf_order_sign(&out, order, hf_station_signer(key)), HF_OK);
  assert_int_equal(hf_disk_put(rig->order_path, hf_buf_bytes(&out), 0644), HF_OK);
  hf_key_free(key);
  hf_blob_free(&ca);
  struct hf_station_place place = {.dir = rig->dir, .order = rig->order_path, .operator= "anna" };
  assert_int_equal(hf_station_open(&rig->station, &place), HF_OK);
}

/* One request to the station that must say what it is expected to. */
static inline void factoryrig_ask(struct factoryrig *rig, const char *line, const char *says)
{
  static char room[HF_STATION_ANSWER_MAX + 1];
  struct hf_buf answer = hf_buf_init(room, HF_STATION_ANSWER_MAX);
  assert_int_equal(hf_station_answer(rig->station, &answer, hf_bytes_text(line)), HF_OK);
  room[answer.len] = '\0';
  if (strstr(room, says) == NULL) {
    fail_msg("%s\nsays\n%s\nnot %s", line, room, says);
  }
}

/* A request of a device with a key of its own; static. */
static inline const char *factoryrig_issue_line(const char *device)
{
  static char line[2048];
  uint8_t room[HF_CSR_MAX];
  uint8_t text_room[2 * HF_CSR_MAX];
  struct hf_buf der = hf_buf_init(room, sizeof room);
  struct hf_buf text = hf_buf_init(text_room, sizeof text_room);
  struct hf_key *key;
  struct hf_pubkey pub;
  struct hf_csr_subject subject = {hf_bytes_text(device), HF_LIT("thermostat"), HF_LIT("thermo-a")};
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&pub, key), HF_OK);
  assert_int_equal(hf_csr_encode(&der, &subject, &pub, (struct hf_csr_signer){factoryrig_sign, key}), HF_OK);
  hf_key_free(key);
  hf_base64_put(&text, hf_buf_bytes(&der));
  (void)snprintf(line, sizeof line, "{\"op\":\"issue\",\"device\":\"%s\",\"csr\":\"%.*s\",\"key_storage\":\"file\"}",
                 device, (int)text.len, (const char *)text_room);
  return line;
}

/* Make and pass so many devices. */
static inline void factoryrig_make(struct factoryrig *rig, unsigned count)
{
  char line[160];
  char device[16];
  for (unsigned i = 1; i <= count; i++) {
    (void)snprintf(device, sizeof device, "F-%03u", i);
    factoryrig_ask(rig, "{\"op\":\"begin\"}", device);
    factoryrig_ask(rig, factoryrig_issue_line(device), "BEGIN CERTIFICATE");
    (void)snprintf(line, sizeof line, "{\"op\":\"result\",\"device\":\"%s\",\"result\":\"pass\",\"debug\":\"locked\"}",
                   device);
    factoryrig_ask(rig, line, "\"pass\"");
  }
}

/* The record as it stands, under another name, into rig->copy. */
static inline void factoryrig_copy(struct factoryrig *rig, const char *name)
{
  char path[200];
  struct hf_blob blob;
  (void)snprintf(path, sizeof path, "%s/%s.hfb", rig->dir, rig->id);
  (void)snprintf(rig->copy, sizeof rig->copy, "%.100s/%s", rig->dir, name);
  assert_int_equal(hf_disk_get(&blob, path, 1 << 20), HF_OK);
  assert_int_equal(hf_disk_put(rig->copy, hf_blob_bytes(&blob), 0644), HF_OK);
  hf_blob_free(&blob);
}

static inline void factoryrig_close(struct factoryrig *rig)
{
  assert_int_equal(hf_station_close(rig->station, rig->record), HF_OK);
}

/* Another record of the same order, empty, signed by the station's key: what somebody who has it can make. */
static inline void factoryrig_forge(struct factoryrig *rig)
{
  uint8_t room[HF_COSE_MAX + 2048];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_batch batch = {.order = rig->order};
  struct hf_blob order;
  assert_int_equal(hf_disk_get(&order, rig->order_path, HF_COSE_MAX), HF_OK);
  assert_int_equal(hf_batch_begin(&out, &batch, hf_blob_bytes(&order), HF_LIT("Line 3"), rig->order.not_before), HF_OK);
  assert_int_equal(hf_batch_end(&out, &batch, rig->order.not_before, hf_station_signer(rig->station_key)), HF_OK);
  (void)snprintf(rig->copy, sizeof rig->copy, "%.100s/forged.hfb", rig->dir);
  assert_int_equal(hf_disk_put(rig->copy, hf_buf_bytes(&out), 0644), HF_OK);
  hf_blob_free(&order);
}

static inline void factoryrig_free(struct factoryrig *rig)
{
  hf_station_free(rig->station);
  hf_key_free(rig->station_key);
}

#endif
