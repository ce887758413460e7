/* SPDX-License-Identifier: Apache-2.0
 * holdfast factory */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "hf/base/assert.h"
#include "hf/cli/command.h"
#include "hf/cli/founding.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"

/** Requests of one run: a shift's work at a factory station. */
#define REQUESTS_MAX 100000
#define REQUEST_MAX 65536

/** One run at the station. */
struct station {
  const struct hf_call *call;
  char offline[HF_PATH_MAX];
  const char *out;
  struct hf_pki_factory factory;
  struct hf_blob ca;
  struct hf_key *key;
  int64_t now;
  size_t issued;
  size_t refused;
  enum hf_err first; /**< the first refusal, for the exit code */
};

static void refuse(struct station *station, enum hf_err err)
{
  station->refused++;
  station->first = station->first == HF_OK ? err : station->first;
}

static bool exists(const char *path)
{
  struct stat info;
  return lstat(path, &info) == 0;
}

/* The certificate into the record of the offline folder first: what is not on record was not issued. */
static enum hf_err put_certificate(struct station *station, struct hf_bytes pem)
{
  char record[HF_PATH_MAX];
  char out[HF_PATH_MAX];
  const char *name = hf_say("%s.crt", station->factory.device);
  bool replace = hf_args_has(station->call, "replace");
  enum hf_err err = hf_path_join(record, station->offline, hf_say("factory/%s", name));
  if (err == HF_OK) {
    err = hf_path_join(out, station->out, name);
  }
  if (err != HF_OK) {
    return err;
  }
  err = replace ? hf_disk_put(record, pem, 0644) : hf_disk_put_new(record, pem, 0644);
  if (err == HF_E_EXISTS) {
    hf_complain(record, "a device has one identity; --replace issues it again on purpose",
                "device %s has a certificate already", station->factory.device);
    return err;
  }
  if (err != HF_OK) {
    hf_disk_complain(err, "write", record);
    return err;
  }
  err = hf_disk_put(out, pem, 0644);
  if (err != HF_OK) {
    hf_disk_complain(err, "write", out);
    if (!replace) {
      (void)remove(record); /* the device never got it */
    }
  }
  return err;
}

static enum hf_err issue(struct station *station, struct hf_bytes request, const char *path)
{
  uint8_t room[HF_PKI_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  struct hf_pki_issuer issuer = {station->key, hf_blob_bytes(&station->ca)};
  struct hf_pki_validity validity = {station->now - 86400, HF_PKI_NO_END};
  const char *what = NULL;
  enum hf_err err = hf_pki_request_check(&station->factory, request, &what);
  if (err != HF_OK) {
    hf_complain(path, "make the request again on the device", "no certificate for this request: %s", what);
    return err == HF_E_DENIED ? HF_E_INPUT : err;
  }
  err = hf_pki_put_factory(&pem, &station->factory, request, &issuer, validity);
  if (err != HF_OK) {
    hf_complain(path, "check factory-ca.crt and its key", "the certificate could not be made (%s)", hf_err_name(err));
    return err;
  }
  return put_certificate(station, hf_buf_bytes(&pem));
}

static void issue_file(struct station *station, const char *path)
{
  struct hf_blob request;
  enum hf_err err = hf_disk_get(&request, path, REQUEST_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    refuse(station, err);
    return;
  }
  err = issue(station, hf_blob_bytes(&request), path);
  hf_blob_free(&request);
  if (err != HF_OK) {
    refuse(station, err);
    return;
  }
  station->issued++;
  if (!hf_args_has(station->call, "json")) {
    printf("%s\n", station->factory.device);
  }
}

static int no_dots(const struct dirent *entry) { return entry->d_name[0] != '.'; }

/* In the order of their names, so that two runs over one folder say the same. */
static void issue_folder(struct station *station, const char *dir)
{
  struct dirent **names = NULL;
  int count = scandir(dir, &names, no_dots, alphasort);
  if (count < 0) {
    hf_disk_complain(HF_E_DENIED, "read", dir);
    refuse(station, HF_E_DENIED);
    return;
  }
  if (count > REQUESTS_MAX || count == 0) {
    hf_complain(dir, "put the requests there, at most 100,000 in one folder",
                count == 0 ? "there is no request in it" : "too many files");
    refuse(station, HF_E_INPUT);
  }
  for (int i = 0; i < count; i++) {
    char path[HF_PATH_MAX];
    if (count <= REQUESTS_MAX && hf_path_join(path, dir, names[i]->d_name) == HF_OK) {
      issue_file(station, path);
    }
    free(names[i]);
  }
  free(names);
}

static enum hf_err required(const struct hf_call *call)
{
  static const char *const names[] = {"csr", "out", "product", "hardware"};
  for (size_t i = 0; i < 4; i++) {
    if (hf_args_get(call, names[i]) == NULL) {
      hf_complain(NULL, "holdfast factory issue --csr FILE --out DIR --product NAME --hardware ID", "--%s is missing",
                  names[i]);
      return HF_E_INPUT;
    }
  }
  if (!hf_names_check_product(hf_bytes_text(hf_args_get(call, "product"))) ||
      !hf_names_check_hardware(hf_bytes_text(hf_args_get(call, "hardware")))) {
    hf_complain(hf_say("--product %s --hardware %s", hf_args_get(call, "product"), hf_args_get(call, "hardware")),
                "product: 1 to 32 of a-z 0-9 -; hardware: 1 to 64 of A-Z a-z 0-9 . _ -", "not names that can be used");
    return HF_E_INPUT;
  }
  return HF_OK;
}

static enum hf_err station_open(struct station *station)
{
  char path[HF_PATH_MAX];
  struct hf_passphrase_source source = {.file = hf_args_get(station->call, "passphrase-file"),
                                        .prompt = "Passphrase of the factory CA"};
  enum hf_err err = hf_place_offline(station->offline, station->call);
  if (err == HF_OK) {
    err = hf_path_join(path, station->offline, "factory-ca.crt");
  }
  if (err == HF_OK) {
    err = hf_disk_get(&station->ca, path, HF_PKI_PEM_MAX);
    if (err != HF_OK) {
      hf_disk_complain(err, "read", path);
    }
  }
  if (err == HF_OK && !exists(station->out)) {
    err = hf_disk_mkdir(station->out, 0755);
    if (err != HF_OK) {
      hf_disk_complain(err, "make", station->out);
    }
  }
  if (err == HF_OK) {
    err = hf_path_join(path, station->offline, "factory");
    if (err == HF_OK && !exists(path)) {
      err = hf_disk_mkdir(path, 0700);
    }
  }
  return err == HF_OK ? hf_offline_key_open(&station->key, station->offline, HF_OFFLINE_FACTORY_CA, &source) : err;
}

static int report(const struct station *station)
{
  if (hf_args_has(station->call, "json")) {
    hf_output_json(
        json_pack("{s:I, s:I}", "issued", (json_int_t)station->issued, "refused", (json_int_t)station->refused));
  } else {
    hf_note("%zu issued, %zu refused", station->issued, station->refused);
  }
  return hf_exit_of(station->first);
}

int hf_cmd_factory_issue(const struct hf_call *call)
{
  struct station station = {.call = call, .now = (int64_t)time(NULL)};
  struct stat info;
  const char *clock = hf_clock_check(station.now);
  if (required(call) != HF_OK) {
    return HF_EXIT_USAGE;
  }
  if (clock != NULL) {
    hf_complain(hf_say_time(station.now), "set the clock; certificates carry its time", "%s", clock);
    return HF_EXIT_FAILED;
  }
  const char *csr = hf_args_get(call, "csr");
  station.out = hf_args_get(call, "out");
  station.factory.product = hf_args_get(call, "product");
  station.factory.hardware = hf_args_get(call, "hardware");
  enum hf_err err = station_open(&station);
  int code = hf_exit_of(err);
  if (err == HF_OK) {
    if (stat(csr, &info) == 0 && S_ISDIR(info.st_mode)) {
      issue_folder(&station, csr);
    } else {
      issue_file(&station, csr);
    }
    code = report(&station);
  }
  hf_blob_free(&station.ca);
  hf_key_free(station.key);
  return code;
}
