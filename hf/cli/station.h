/* SPDX-License-Identifier: Apache-2.0
 * A factory station at work on one order: gives out device ids, signs factory certificates up to the quota, writes the
 * batch record (docs/spec/factory.md).
 *
 * The record is on disk before a certificate leaves the station; the counter before the record. After a power cut the
 * station goes on from the record, and gives a device that asks again with the same key the certificate it has.
 */
#ifndef HF_CLI_STATION_H
#define HF_CLI_STATION_H

#include "hf/cli/args.h"
#include "hf/cli/disk.h"
#include "hf/crypto/key.h"
#include "hf/fleet/batch.h"
#include "hf/fleet/stationline.h"

/** Longest answer, without newline: two certificates in PEM, names and paths. */
#define HF_STATION_ANSWER_MAX 32768

struct hf_station;

/** Where everything is; all borrowed. */
struct hf_station_place {
  const char *dir;      /**< of `holdfast factory station init` */
  const char *order;    /**< the order file */
  const char *files;    /**< folder of the files to put on devices; NULL: none are needed (close, status) */
  const char *counter;  /**< folder of the counter; NULL: `dir` */
  const char *operator; /**< or "" */
  const char *passphrase_file;
};

/** Make a station in a folder that does not exist: its key, the factory CA it obeys. A message at failure. */
HF_MUST enum hf_err hf_station_init(const char *dir, const char *name, const char *factory_ca);
/** Take up an order, or go on with it. Gives `*station`; a message at failure. */
HF_MUST enum hf_err hf_station_open(struct hf_station **station, const struct hf_station_place *place);
void hf_station_free(struct hf_station *station);
/** Answer one line with one line of JSON, without newline. HF_E_IO, HF_E_FULL: the record could not be written, and the
 * answer says so; the station must not go on after HF_E_STATE. */
HF_MUST enum hf_err hf_station_answer(struct hf_station *station, struct hf_buf *answer, struct hf_bytes line);
/** Sign the end of the record, and write a copy of it whole. A message at failure. */
HF_MUST enum hf_err hf_station_close(struct hf_station *station, const char *out);

/** How far it is. */
struct hf_station_count {
  uint64_t quota;
  uint64_t reserved;
  uint64_t issued;
  uint64_t passed;
  uint64_t failed;
  bool closed;
};
struct hf_station_count hf_station_count(const struct hf_station *station);
const struct hf_order *hf_station_order(const struct hf_station *station);

/** Public key of the factory CA: --factory-ca, or factory-ca.crt of the offline folder. After a message at failure. */
HF_MUST enum hf_err hf_factory_ca_public(struct hf_pubkey *pub, const struct hf_call *call);

/** hf_key_sign as a COSE signer; borrows the key. */
struct hf_cose_signer hf_station_signer(const struct hf_key *key);

#endif
