/* SPDX-License-Identifier: Apache-2.0
 * holdfast ca: a new device CA or server CA beside the old one, and the old one's end (docs/spec/identity.md). */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hf/cli/ask.h"
#include "hf/cli/cafolder.h"
#include "hf/cli/client.h"
#include "hf/cli/command.h"
#include "hf/cli/founding.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"

#define DAY INT64_C(86400)
#define YEAR (365 * DAY)

/** A CA about to be made. */
struct rotation {
  const struct hf_call *call;
  struct hf_workspace workspace;
  char dir[HF_PATH_MAX];
  char offline[HF_PATH_MAX];
  unsigned number;
  struct hf_key *key;
  int64_t now;
};

static enum hf_err put(const char *dir, const char *stem, unsigned number, const char *suffix, struct hf_bytes bytes,
                       mode_t mode)
{
  char path[HF_PATH_MAX];
  enum hf_err err = hf_cafolder_path(path, dir, stem, number, suffix);
  err = err == HF_OK ? hf_disk_put(path, bytes, mode) : err;
  if (err != HF_OK) {
    hf_disk_complain(err, "write", path);
  }
  return err;
}

static enum hf_err put_key(const struct rotation *rotation, const char *dir, const char *stem,
                           struct hf_bytes passphrase)
{
  uint8_t room[HF_KEY_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  enum hf_err err = hf_key_encode(&pem, rotation->key, passphrase);
  err = err == HF_OK ? put(dir, stem, rotation->number, ".pem", hf_buf_bytes(&pem), 0600) : err;
  hf_secret_wipe(room, sizeof room);
  return err;
}

static enum hf_err begin(struct rotation *rotation, const char *dir, const char *stem)
{
  unsigned last = hf_cafolder_newest(dir, stem);
  const char *clock = hf_clock_check(rotation->now);
  if (clock != NULL) {
    hf_complain(hf_say_time(rotation->now), "set the clock; certificates carry its time", "%s", clock);
    return HF_E_STATE;
  }
  if (last == 0 || last >= HF_CAFILE_MAX) {
    hf_complain(dir, "see docs/spec/identity.md",
                last == 0 ? "there is no CA here that could be rotated" : "nine CAs is the most there can be");
    return last == 0 ? HF_E_NOT_FOUND : HF_E_FULL;
  }
  rotation->number = last + 1;
  return hf_key_new(&rotation->key, HF_KEY_P256);
}

/* The key first: the certificate's appearance is the rotation, and a power cut before it leaves a key nobody uses. */
static enum hf_err rotate_device(struct rotation *rotation)
{
  char name[32];
  uint8_t room[HF_PKI_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  struct hf_pki_validity validity = {rotation->now - DAY, rotation->now + 30 * YEAR};
  enum hf_err err = begin(rotation, rotation->dir, "server/tls/device-ca");
  hf_format(name, sizeof name, "Device CA %u", rotation->number);
  err = err == HF_OK ? put_key(rotation, rotation->dir, "server/vault/device-ca", (struct hf_bytes){NULL, 0}) : err;
  err = err == HF_OK ? hf_pki_put_ca(&pem, rotation->key, rotation->workspace.organisation, name, validity) : err;
  return err == HF_OK ? put(rotation->dir, "server/tls/device-ca", rotation->number, ".crt", hf_buf_bytes(&pem), 0644)
                      : err;
}

static enum hf_err old_ca(struct hf_blob *pem, struct hf_key **key, struct rotation *rotation,
                          const struct hf_passphrase_source *source)
{
  char path[HF_PATH_MAX];
  unsigned old = rotation->number - 1;
  enum hf_err err = hf_cafolder_path(path, rotation->offline, "server-ca", old, ".crt");
  err = err == HF_OK ? hf_disk_get(pem, path, HF_PKI_PEM_MAX) : err;
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  err = hf_cafolder_path(path, rotation->offline, "server-ca", old, ".pem");
  return err == HF_OK ? hf_key_file_open(key, path, source) : err;
}

/* NewWithNew and NewWithOld, offline and where the server publishes them; the cross certificate first, or devices
 * would be told of a CA that nobody vouches for. */
static enum hf_err put_server_ca(const struct rotation *rotation, struct hf_bytes root, struct hf_bytes cross)
{
  char tls[HF_PATH_MAX];
  const char *dirs[2] = {rotation->offline, tls};
  enum hf_err err = hf_path_join(tls, rotation->dir, "server/tls");
  for (size_t i = 0; i < 2 && err == HF_OK; i++) {
    if (access(dirs[i], F_OK) != 0) {
      hf_note("%s is not on this computer: copy server-ca-%u.crt and server-ca-%u.cross.crt there from %s.", dirs[i],
              rotation->number, rotation->number, rotation->offline);
      continue;
    }
    err = put(dirs[i], "server-ca", rotation->number, ".cross.crt", cross, 0644);
    err = err == HF_OK ? put(dirs[i], "server-ca", rotation->number, ".crt", root, 0644) : err;
  }
  return err;
}

static enum hf_err rotate_server(struct rotation *rotation)
{
  struct hf_passphrase_source source = {.file = hf_args_get(rotation->call, "passphrase-file"),
                                        .prompt = "Passphrase of the offline keys"};
  struct hf_passphrase passphrase = {.len = 0};
  struct hf_blob old = {0};
  struct hf_key *old_key = NULL;
  uint8_t rooms[2][HF_PKI_PEM_MAX];
  struct hf_buf root = hf_buf_init(rooms[0], HF_PKI_PEM_MAX);
  struct hf_buf cross = hf_buf_init(rooms[1], HF_PKI_PEM_MAX);
  struct hf_pki_validity validity = {rotation->now - DAY, rotation->now + 30 * YEAR};
  enum hf_err err = hf_place_offline(rotation->offline, rotation->call);
  err = err == HF_OK ? begin(rotation, rotation->offline, "server-ca") : err;
  err = err == HF_OK ? old_ca(&old, &old_key, rotation, &source) : err;
  err = err == HF_OK ? hf_passphrase_get(&passphrase, &source) : err;
  if (err == HF_OK) {
    struct hf_pki_issuer issuer = {old_key, hf_blob_bytes(&old)};
    err = hf_pki_put_server_ca(&root, &cross, rotation->key, &issuer, validity);
  }
  err = err == HF_OK ? put_key(rotation, rotation->offline, "server-ca", hf_bytes_init(passphrase.at, passphrase.len))
                     : err;
  err = err == HF_OK ? put_server_ca(rotation, hf_buf_bytes(&root), hf_buf_bytes(&cross)) : err;
  hf_passphrase_clear(&passphrase);
  hf_blob_free(&old);
  hf_key_free(old_key);
  return err;
}

int hf_cmd_ca_rotate(const struct hf_call *call)
{
  struct rotation rotation = {.call = call, .now = (int64_t)time(NULL)};
  bool device = strcmp(call->operands[0], "device") == 0;
  if (!device && strcmp(call->operands[0], "server") != 0) {
    hf_complain(call->operands[0], "holdfast ca rotate device, or holdfast ca rotate server", "not a CA that rotates");
    return HF_EXIT_USAGE;
  }
  enum hf_err err = hf_place_workspace(rotation.dir, call, false);
  err = err == HF_OK ? hf_place_read(&rotation.workspace, rotation.dir) : err;
  err = err == HF_OK ? (device ? rotate_device(&rotation) : rotate_server(&rotation)) : err;
  hf_key_free(rotation.key);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  hf_note("%s CA %u is made. Tell the running server: kill -HUP of its first process (systemctl reload).",
          device ? "Device" : "Server", rotation.number);
  hf_note(device
              ? "From then on it issues; certificates of the others stay good until they are renewed or retired."
              : "Devices learn it at their next check-in; holdfast identity report says when all have (old anchor).");
  return HF_EXIT_DONE;
}

/* ---- retiring ---- */

/* How many devices still depend on it, as the server counts; a negative number: it is not there. */
static int ask_devices(long long *devices, bool *newest, const struct hf_call *call, unsigned number)
{
  struct hf_client *client;
  struct hf_client_path path;
  json_t *report = NULL;
  json_t *ca;
  size_t i;
  *devices = -1;
  int code = hf_client_open(&client, call);
  if (code != HF_EXIT_DONE) {
    return code;
  }
  hf_client_path_init(&path, "/identity");
  code = hf_client_ask(client, &report, "GET", &path, NULL);
  json_array_foreach(json_object_get(report, "cas"), i, ca)
  {
    if (json_integer_value(json_object_get(ca, "number")) == (json_int_t)number) {
      *devices = (long long)json_integer_value(json_object_get(ca, "devices"));
      *newest = json_is_true(json_object_get(ca, "newest"));
    }
  }
  json_decref(report);
  hf_client_close(client);
  return code;
}

static int refuse(const char *number, const char *todo, const char *what)
{
  hf_complain(number, todo, "%s", what);
  return HF_EXIT_CONFLICT;
}

/* The certificate first: without it neither front nor vault looks at the key. */
static int remove_ca(const struct hf_call *call, unsigned number)
{
  char dir[HF_PATH_MAX];
  char certificate[HF_PATH_MAX];
  char key[HF_PATH_MAX];
  enum hf_err err = hf_place_workspace(dir, call, false);
  err = err == HF_OK ? hf_cafolder_path(certificate, dir, "server/tls/device-ca", number, ".crt") : err;
  err = err == HF_OK ? hf_cafolder_path(key, dir, "server/vault/device-ca", number, ".pem") : err;
  if (err == HF_OK && (unlink(certificate) != 0 || unlink(key) != 0)) {
    err = HF_E_IO;
    hf_disk_complain(err, "remove", certificate);
  }
  if (err == HF_OK) {
    hf_note("Device CA %u is retired. Tell the running server: kill -HUP of its first process.", number);
  }
  return hf_exit_of(err);
}

int hf_cmd_ca_retire(const struct hf_call *call)
{
  long long devices = 0;
  bool newest = false;
  const char *text = call->operands[1];
  unsigned number = text[0] >= '1' && text[0] <= '9' && text[1] == 0 ? (unsigned)(text[0] - '0') : 0;
  if (strcmp(call->operands[0], "device") != 0 || number == 0) {
    hf_complain(text, "holdfast ca retire device NUMBER", "not a device CA");
    return HF_EXIT_USAGE;
  }
  int code = ask_devices(&devices, &newest, call, number);
  if (code != HF_EXIT_DONE) {
    return code;
  }
  if (devices < 0) {
    hf_complain(text, "holdfast identity report lists those there are", "the server knows no device CA of this number");
    return HF_EXIT_NOT_FOUND;
  }
  if (newest) {
    return refuse(text, "make a new one first: holdfast ca rotate device", "this CA issues the certificates");
  }
  if (devices > 0 && !hf_args_has(call, "force")) {
    return refuse(text, "wait until they have renewed (holdfast identity list old-ca), or --force and lose them",
                  hf_say("%lld devices have their certificate from it", devices));
  }
  return remove_ca(call, number);
}
