/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/stationclient.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hf/codec/json.h"
#include "hf/codec/text.h"
#include "hf/wire/version.h"
#include "ports/posix/diskfile.h"
#include "ports/posix/identity.h"

/** Longest answer of a station. */
#define ANSWER_MAX 32768
#define REQUEST_MAX 4096
#define PATH_CAP 1024
#define FILES 5

/** One conversation. */
struct talk {
  int fd;
  int folder;
  struct hf_deviceconf *conf;
  struct hf_trouble *trouble;
  struct hf_json root; /**< the last answer */
  uint8_t answer[ANSWER_MAX];
  char path[FILES][PATH_CAP];
};

static const char *const names[FILES] = {"server-ca.crt", "root.json", "director-root.json", "image.pub", "first.img"};

static enum hf_err nonsense(struct talk *talk, const char *what)
{
  hf_trouble_put(talk->trouble, "the station", "see that holdfast-agent and holdfast are of one version",
                 "its answer is not what it must be: %s", what);
  return HF_E_INPUT;
}

/* ---- a line out, a line in ---- */

static enum hf_err dial(struct talk *talk, const char *path)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  size_t len = strlen(path);
  talk->fd = len < sizeof name.sun_path ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
  if (talk->fd >= 0) {
    memcpy(name.sun_path, path, len);
  }
  if (talk->fd < 0 || connect(talk->fd, (const struct sockaddr *)&name, sizeof name) != 0) {
    hf_trouble_put(talk->trouble, path, "start `holdfast factory run --listen SOCKET`, and run this again",
                   "the station cannot be reached: %s", strerror(errno));
    return HF_E_AGAIN;
  }
  return HF_OK;
}

static enum hf_err lost(struct talk *talk)
{
  hf_trouble_put(talk->trouble, "the station", "start the station again, then run this again: it goes on",
                 "it went away in the middle");
  return HF_E_AGAIN;
}

static enum hf_err receive(struct talk *talk, size_t *len)
{
  *len = 0;
  while (*len < sizeof talk->answer) {
    ssize_t got = read(talk->fd, talk->answer + *len, sizeof talk->answer - *len);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return lost(talk);
    }
    *len += (size_t)got;
    if (talk->answer[*len - 1] == '\n') {
      (*len)--;
      return HF_OK;
    }
  }
  return nonsense(talk, "the line is too long");
}

static void take_text(char *out, size_t cap, struct hf_json object, const char *name)
{
  struct hf_json value;
  struct hf_buf text = hf_buf_init(out, cap - 1);
  bool good = hf_json_get(&value, object, name) == HF_OK && hf_json_get_text(&text, value) == HF_OK &&
              memchr(out, 0, text.len) == NULL;
  out[good ? text.len : 0] = '\0';
}

static enum hf_err ask(struct talk *talk, struct hf_buf *request)
{
  struct hf_json ok;
  bool yes = false;
  size_t len = 0;
  hf_buf_put_u8(request, '\n');
  for (size_t done = 0; done < request->len && !request->failed;) {
    ssize_t wrote = send(talk->fd, request->at + done, request->len - done, MSG_NOSIGNAL);
    if (wrote <= 0 && errno != EINTR) {
      return lost(talk);
    }
    done += wrote > 0 ? (size_t)wrote : 0;
  }
  enum hf_err err = request->failed ? HF_E_SPACE : receive(talk, &len);
  if (err != HF_OK) {
    return err;
  }
  if (hf_json_parse(&talk->root, hf_bytes_init(talk->answer, len), NULL) != HF_OK ||
      hf_json_get(&ok, talk->root, "ok") != HF_OK || hf_json_get_bool(&yes, ok) != HF_OK) {
    return nonsense(talk, "it is no JSON object with `ok`");
  }
  if (!yes) {
    char what[160];
    char todo[160];
    take_text(what, sizeof what, talk->root, "what");
    take_text(todo, sizeof todo, talk->root, "todo");
    hf_trouble_put(talk->trouble, "the station", todo, "%s", what);
    return HF_E_DENIED;
  }
  return HF_OK;
}

/* ---- begin: who we are, what we get ---- */

/* The file must be the one that the order names, whatever lies at that path now. */
static enum hf_err file_check(struct talk *talk, size_t i, struct hf_json file)
{
  uint8_t wanted[HF_SHA256_LEN];
  uint8_t got[HF_SHA256_LEN];
  uint8_t piece[4096];
  struct hf_sha256 hash;
  struct hf_json value;
  size_t len;
  take_text(talk->path[i], PATH_CAP, file, "path");
  if (hf_json_get(&value, file, "sha256") != HF_OK || hf_json_get_hex(wanted, sizeof wanted, value) != HF_OK) {
    return nonsense(talk, names[i]);
  }
  FILE *in = fopen(talk->path[i], "rbe");
  hf_sha256_init(&hash);
  while (in != NULL && (len = fread(piece, 1, sizeof piece, in)) > 0) {
    hf_sha256_put(&hash, hf_bytes_init(piece, len));
  }
  hf_sha256_get(&hash, got);
  if (in != NULL) {
    (void)fclose(in);
  }
  if (in == NULL || memcmp(got, wanted, sizeof got) != 0) {
    hf_trouble_put(talk->trouble, talk->path[i], "copy the folder that lies beside the order again",
                   "the file is missing, or not the one that the order names");
    return HF_E_INPUT;
  }
  return HF_OK;
}

static enum hf_err begin(struct talk *talk)
{
  uint8_t room[REQUEST_MAX];
  struct hf_buf request = hf_buf_init(room, sizeof room);
  struct hf_json files;
  struct hf_json file;
  struct hf_deviceconf *conf = talk->conf;
  hf_buf_put_text(&request, "{\"op\":\"begin\"");
  if (conf->device[0] != '\0') {
    hf_json_put_name(&request, "device");
    hf_json_put_text(&request, hf_bytes_text(conf->device));
  }
  hf_buf_put_text(&request, "}");
  enum hf_err err = ask(talk, &request);
  if (err != HF_OK) {
    return err;
  }
  take_text(conf->device, sizeof conf->device, talk->root, "device");
  take_text(conf->product, sizeof conf->product, talk->root, "product");
  take_text(conf->hardware, sizeof conf->hardware, talk->root, "hardware");
  take_text(conf->server, sizeof conf->server, talk->root, "server");
  err = hf_json_get(&files, talk->root, "files") == HF_OK ? HF_OK : nonsense(talk, "it names no files");
  for (size_t i = 0; i < FILES && err == HF_OK; i++) {
    if (hf_json_get(&file, files, names[i]) == HF_OK) {
      err = file_check(talk, i, file);
    }
  }
  return err;
}

/* ---- the device itself ---- */

static enum hf_err make(struct talk *talk)
{
  struct hf_provision_files files = {.server_ca = talk->path[0],
                                     .root = talk->path[1],
                                     .director_root = talk->path[2],
                                     .image_keys = {talk->path[3]},
                                     .image_key_count = 1,
                                     .image = talk->path[4]};
  for (size_t i = 0; i < FILES; i++) {
    if (talk->path[i][0] == '\0') {
      return nonsense(talk, "a file that a device needs is not in the order");
    }
  }
  return hf_provision_new(talk->folder, talk->conf, &files, talk->trouble);
}

static enum hf_err issue(struct talk *talk)
{
  uint8_t der_room[HF_CSR_MAX];
  uint8_t room[REQUEST_MAX];
  uint8_t text_room[2 * HF_CSR_MAX];
  uint8_t pem_room[HF_IDENTITY_PEM_MAX];
  struct hf_buf der = hf_buf_init(der_room, sizeof der_room);
  struct hf_buf text = hf_buf_init(text_room, sizeof text_room);
  struct hf_buf request = hf_buf_init(room, sizeof room);
  struct hf_buf pem = hf_buf_init(pem_room, sizeof pem_room);
  struct hf_key *key = NULL;
  struct hf_json value;
  const struct hf_csr_subject subject = {.device = hf_bytes_text(talk->conf->device),
                                         .product = hf_bytes_text(talk->conf->product),
                                         .hardware = hf_bytes_text(talk->conf->hardware)};
  enum hf_err err = hf_identity_factory_key(&key, talk->folder);
  err = err == HF_OK ? hf_identity_put_csr(&der, key, &subject) : err;
  hf_key_free(key);
  if (err != HF_OK) {
    hf_trouble_put(talk->trouble, "factory.key", "provision the device again in an empty folder",
                   "cannot make the certification request (%s)", hf_err_name(err));
    return err;
  }
  hf_base64_put(&text, hf_buf_bytes(&der));
  hf_buf_put_text(&request, "{\"op\":\"issue\"");
  hf_json_put_name(&request, "device");
  hf_json_put_text(&request, hf_bytes_text(talk->conf->device));
  hf_json_put_name(&request, "csr");
  hf_json_put_text(&request, hf_buf_bytes(&text));
  hf_json_put_name(&request, "key_storage");
  hf_json_put_text(&request, HF_LIT("file"));
  hf_buf_put_text(&request, "}");
  err = ask(talk, &request);
  if (err == HF_OK &&
      (hf_json_get(&value, talk->root, "certificate") != HF_OK || hf_json_get_text(&pem, value) != HF_OK)) {
    err = nonsense(talk, "there is no certificate in it");
  }
  return err == HF_OK ? hf_provision_put_factory(talk->folder, hf_buf_bytes(&pem), talk->trouble) : err;
}

static enum hf_err pass(struct talk *talk)
{
  uint8_t room[REQUEST_MAX];
  uint8_t digest[HF_SHA256_LEN];
  uint8_t version_room[HF_VERSION_TEXT_MAX];
  struct hf_buf version = hf_buf_init(version_room, sizeof version_room);
  struct hf_buf request = hf_buf_init(room, sizeof room);
  enum hf_err err = hf_provision_first(&version, digest, talk->folder, talk->conf, talk->trouble);
  if (err != HF_OK) {
    return err;
  }
  hf_buf_put_text(&request, "{\"op\":\"result\",\"result\":\"pass\",\"debug\":\"absent\",\"readout\":\"absent\"");
  hf_json_put_name(&request, "device");
  hf_json_put_text(&request, hf_bytes_text(talk->conf->device));
  hf_json_put_name(&request, "version");
  hf_json_put_text(&request, hf_buf_bytes(&version));
  hf_json_put_name(&request, "image");
  hf_json_put_hex(&request, hf_bytes_init(digest, sizeof digest));
  hf_buf_put_text(&request, "}");
  return ask(talk, &request);
}

enum hf_err hf_stationclient_run(int folder, struct hf_deviceconf *conf, const char *socket, struct hf_trouble *trouble)
{
  static struct talk talk;
  bool made = faccessat(folder, HF_DEVICECONF_NAME, F_OK, 0) == 0;
  talk = (struct talk){.fd = -1, .folder = folder, .conf = conf, .trouble = trouble};
  enum hf_err err = made ? hf_deviceconf_get(conf, folder, trouble) : HF_OK;
  err = err == HF_OK ? dial(&talk, socket) : err;
  err = err == HF_OK ? begin(&talk) : err;
  if (err == HF_OK && !made) {
    err = make(&talk);
  }
  err = err == HF_OK ? issue(&talk) : err;
  err = err == HF_OK ? pass(&talk) : err;
  if (talk.fd >= 0) {
    (void)close(talk.fd);
  }
  if (err == HF_OK) {
    (void)printf("%s\n", conf->device);
  }
  return err;
}
