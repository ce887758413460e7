/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/provision.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hf/codec/text.h"
#include "hf/device/agent.h"
#include "hf/device/slot.h"
#include "ports/posix/diskfile.h"
#include "ports/posix/estclient.h"
#include "ports/posix/identity.h"
#include "ports/posix/imagekeys.h"
#include "ports/posix/imageopen.h"
#include "ports/posix/keychest.h"

/* ---- files from anywhere on the machine ---- */

static enum hf_err read_file(struct hf_buf *out, const char *path, struct hf_trouble *trouble)
{
  FILE *file = fopen(path, "rb");
  int code = errno;
  enum hf_err err = file == NULL ? hf_diskfile_err(code) : HF_OK;
  while (err == HF_OK) {
    uint8_t piece[4096];
    size_t got = fread(piece, 1, sizeof piece, file);
    if (got == 0) {
      code = errno;
      err = ferror(file) != 0 ? HF_E_IO : HF_OK;
      break;
    }
    hf_buf_put(out, hf_bytes_init(piece, got));
    err = out->failed ? HF_E_SPACE : HF_OK;
  }
  if (err != HF_OK) {
    hf_trouble_put(trouble, path, "name a readable file of the right kind", "cannot read the file: %s",
                   err == HF_E_SPACE ? "it is too large for what it should be" : strerror(code));
  }
  if (file != NULL) {
    (void)fclose(file);
  }
  return err;
}

static enum hf_err put(int folder, const char *name, struct hf_bytes bytes, mode_t mode, struct hf_trouble *trouble)
{
  enum hf_err err = hf_diskfile_put(folder, name, bytes, mode);
  if (err != HF_OK) {
    hf_trouble_put(trouble, name, "check the folder's permissions and the room on the disk",
                   "cannot write into the device's folder (%s)", hf_err_name(err));
  }
  return err;
}

/* ---- what may also be given later ---- */

static enum hf_err put_pem(int folder, const char *name, struct hf_bytes pem, struct hf_trouble *trouble)
{
  STACK_OF(X509) *chain = hf_identity_parse_pem(pem);
  if (chain == NULL) {
    hf_trouble_put(trouble, name, "name a file of PEM certificates", "this file does not hold certificates");
    return HF_E_INPUT;
  }
  sk_X509_pop_free(chain, X509_free);
  return put(folder, name, pem, 0644, trouble);
}

static enum hf_err put_certs(int folder, const char *name, const char *path, struct hf_trouble *trouble)
{
  uint8_t pem[HF_IDENTITY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  enum hf_err err = read_file(&buf, path, trouble);
  return err == HF_OK ? put_pem(folder, name, hf_buf_bytes(&buf), trouble) : err;
}

/* Public keys, each file for itself, so that one without a key is told, and all together, so that they are not too
 * many.
 */
static enum hf_err put_keys(int folder, const char *name, const char *const *files, size_t count,
                            struct hf_trouble *trouble)
{
  uint8_t pem[HF_IMAGEKEYS_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  struct hf_imagekeys keys;
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < count && err == HF_OK; i++) {
    size_t from = buf.len;
    err = read_file(&buf, files[i], trouble);
    if (err != HF_OK) {
      return err;
    }
    hf_buf_put_text(&buf, "\n");
    if (hf_imagekeys_parse(&keys, hf_bytes_init(pem + from, buf.len - from)) != HF_OK ||
        hf_imagekeys_parse(&keys, hf_buf_bytes(&buf)) != HF_OK) {
      hf_trouble_put(trouble, files[i], "name a PEM file of one public key, P-256 or Ed25519",
                     "this is not a public key that images can be verified with");
      err = HF_E_INPUT;
    }
  }
  return err == HF_OK && count > 0 ? put(folder, name, hf_buf_bytes(&buf), 0644, trouble) : err;
}

static enum hf_err put_image_keys(int folder, const struct hf_provision_files *files, struct hf_trouble *trouble)
{
  return put_keys(folder, HF_IMAGEKEYS_NAME, files->image_keys, files->image_key_count, trouble);
}

static enum hf_err put_open_key(int folder, const char *path, struct hf_trouble *trouble)
{
  uint8_t pem[HF_KEY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  enum hf_err err = path == NULL ? HF_E_NOT_FOUND : read_file(&buf, path, trouble);
  if (err == HF_OK && hf_imageopen_check(hf_buf_bytes(&buf)) != HF_OK) {
    hf_trouble_put(trouble, path, "name a PEM file of one private P-256 key, without a passphrase",
                   "this is not a key that encrypted images can be opened with");
    err = HF_E_INPUT;
  } else if (err == HF_OK) {
    err = put(folder, HF_IMAGEOPEN_NAME, hf_buf_bytes(&buf), 0600, trouble);
  }
  hf_secret_wipe(pem, sizeof pem);
  return path == NULL ? HF_OK : err;
}

static enum hf_err put_token(int folder, const char *path, struct hf_trouble *trouble)
{
  uint8_t text[HF_ESTCLIENT_TOKEN_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  enum hf_err err = read_file(&buf, path, trouble);
  if (err == HF_OK) {
    err = put(folder, HF_ESTCLIENT_TOKEN, hf_buf_bytes(&buf), 0600, trouble);
  }
  hf_secret_wipe(text, sizeof text);
  return err;
}

/* The certificate has to fit: it is put in place, tried, and taken away again when it does not. */
enum hf_err hf_provision_put_factory(int folder, struct hf_bytes pem, struct hf_trouble *trouble)
{
  struct hf_deviceconf conf;
  struct hf_identity identity;
  enum hf_err err = hf_deviceconf_get(&conf, folder, trouble);
  if (err == HF_OK) {
    err = put_pem(folder, "factory.crt", pem, trouble);
  }
  if (err != HF_OK) {
    return err;
  }
  err = hf_identity_open(&identity, folder, conf.device, trouble);
  if (err == HF_OK) {
    hf_identity_close(&identity);
    return HF_OK;
  }
  if (hf_diskfile_remove(folder, "factory.crt") != HF_OK) {
    hf_trouble_put(trouble, "factory.crt", "remove it", "a certificate that does not fit was left behind");
  }
  return err;
}

static enum hf_err put_factory_cert(int folder, const char *path, struct hf_trouble *trouble)
{
  uint8_t pem[HF_IDENTITY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  enum hf_err err = read_file(&buf, path, trouble);
  return err == HF_OK ? hf_provision_put_factory(folder, hf_buf_bytes(&buf), trouble) : err;
}

static enum hf_err write_request(int folder, const char *path, struct hf_trouble *trouble)
{
  static const char head[] = "-----BEGIN CERTIFICATE REQUEST-----\n";
  static const char tail[] = "-----END CERTIFICATE REQUEST-----\n";
  uint8_t der[HF_CSR_MAX];
  uint8_t text[2 * HF_CSR_MAX];
  struct hf_buf der_buf = hf_buf_init(der, sizeof der);
  struct hf_buf text_buf = hf_buf_init(text, sizeof text);
  struct hf_deviceconf conf;
  struct hf_key *key = NULL;
  enum hf_err err = hf_deviceconf_get(&conf, folder, trouble);
  if (err == HF_OK) {
    err = hf_identity_factory_key(&key, folder);
  }
  if (err == HF_OK) {
    const struct hf_csr_subject subject = {.device = hf_bytes_text(conf.device),
                                           .product = hf_bytes_text(conf.product),
                                           .hardware = hf_bytes_text(conf.hardware)};
    err = hf_identity_put_csr(&der_buf, key, &subject);
  }
  hf_key_free(key);
  if (err != HF_OK) {
    hf_trouble_put(trouble, "factory.key", "provision the device again", "cannot make the certification request (%s)",
                   hf_err_name(err));
    return err;
  }
  hf_base64_put(&text_buf, hf_buf_bytes(&der_buf));
  FILE *file = fopen(path, "w");
  bool good = file != NULL && !text_buf.failed && fputs(head, file) >= 0;
  for (size_t at = 0; good && at < text_buf.len; at += 64) {
    size_t len = text_buf.len - at < 64 ? text_buf.len - at : 64;
    good = fprintf(file, "%.*s\n", (int)len, (const char *)text + at) > 0;
  }
  good = good && fputs(tail, file) >= 0;
  good = file != NULL && fclose(file) == 0 && good;
  if (!good) {
    hf_trouble_put(
        trouble, path,
        "the device is made; ask again with `holdfast-agent provision DIR --csr FILE`, in a folder that exists",
        "cannot write the certification request: %s", strerror(errno));
    return HF_E_IO;
  }
  return HF_OK;
}

enum hf_err hf_provision_put(int folder, const struct hf_provision_files *files, struct hf_trouble *trouble)
{
  enum hf_err err = HF_OK;
  if (files->owner_key_count > 0) {
    hf_trouble_put(trouble, "--owner-key", "make a new device in another folder",
                   "owners are part of the boot loader; they are given once, when the device is made");
    return HF_E_STATE;
  }
  if (files->root != NULL || files->director_root != NULL || files->image != NULL) {
    hf_trouble_put(trouble, "", "make a new device in another folder; a device in the field follows its signed roots",
                   "trust roots and the first image are given once, when the device is made");
    return HF_E_STATE;
  }
  if (files->key != NULL) {
    hf_trouble_put(trouble, "--key", "make a new device in another folder",
                   "where the keys live is decided when the device is made");
    return HF_E_STATE;
  }
  if (files->server_ca != NULL) {
    err = put_certs(folder, "server-ca.crt", files->server_ca, trouble);
  }
  if (err == HF_OK && files->image_key_count > 0) {
    err = put_image_keys(folder, files, trouble);
  }
  if (err == HF_OK) {
    err = put_open_key(folder, files->open_key, trouble);
  }
  if (err == HF_OK && files->token != NULL) {
    err = put_token(folder, files->token, trouble);
  }
  if (err == HF_OK && files->factory_cert != NULL) {
    err = put_factory_cert(folder, files->factory_cert, trouble);
  }
  if (err == HF_OK && files->csr != NULL) {
    err = write_request(folder, files->csr, trouble);
  }
  return err;
}

/* ---- a new device ---- */

static enum hf_err refuse_image(const char *path, const struct hf_why *why, struct hf_trouble *trouble)
{
  const struct hf_rule_words *words = hf_rule_words(why->rule);
  char where[200];
  (void)snprintf(where, sizeof where, "%s, byte %u", path, why->at);
  hf_trouble_put(trouble, where, words->todo, "the device would refuse this image: %s", words->what);
  return HF_E_DENIED;
}

static enum hf_err write_slot(const struct hf_area *slot, struct hf_bytes image)
{
  struct hf_slot_writer writer;
  uint8_t digest[HF_SHA256_LEN];
  enum hf_err err = hf_slot_open(&writer, slot, (uint32_t)image.len, 0);
  if (err == HF_OK) {
    err = hf_slot_put(&writer, image);
  }
  return err == HF_OK ? hf_slot_close(&writer, digest) : err;
}

/* What leaves the factory was tested there: the first image is confirmed, and its counter is the floor. */
static enum hf_err put_first_image(const struct hf_layout *layout, int folder, const char *path,
                                   const struct hf_deviceconf *conf, struct hf_trouble *trouble)
{
  static uint8_t room[HF_PROVISION_IMAGE_MAX];
  struct hf_buf buf = hf_buf_init(room, sizeof room);
  struct hf_imagekeys keys;
  struct hf_image_info info;
  struct hf_why why = {.rule = 0};
  enum hf_err err = hf_imagekeys_get(&keys, folder, trouble);
  if (err == HF_OK) {
    err = read_file(&buf, path, trouble);
  }
  if (err != HF_OK) {
    return err;
  }
  const struct hf_bytes image = hf_buf_bytes(&buf);
  const struct hf_image_source source = hf_image_source_init(&image);
  const struct hf_image_policy policy = {.hardware = hf_bytes_text(conf->hardware),
                                         .component = hf_bytes_text(conf->component)};
  if (hf_image_verify(&info, &source, &keys.keys, &policy, &why) != HF_ALLOW) {
    return refuse_image(path, &why, trouble);
  }
  err = write_slot(&layout->slot[0][0], image);
  if (err == HF_OK) {
    struct hf_bootstate state = {.images = 1, .image = {{.counter = info.counter}}};
    hf_bootstate_bind(&state.image[0].slot[0], &info, HF_SLOT_CONFIRMED);
    err = hf_bootstate_put(&state, &layout->boot);
  }
  if (err != HF_OK) {
    hf_trouble_put(trouble, path, "choose a larger --slot-size, or make the image smaller",
                   "cannot write the first image into slot 0 (%s)", hf_err_name(err));
  }
  return err;
}

static enum hf_err put_roots(const struct hf_layout *layout, const struct hf_provision_files *files,
                             struct hf_trouble *trouble)
{
  static uint8_t director[HF_PROVISION_ROOT_MAX];
  static uint8_t image[HF_PROVISION_ROOT_MAX];
  struct hf_buf director_buf = hf_buf_init(director, sizeof director);
  struct hf_buf image_buf = hf_buf_init(image, sizeof image);
  struct hf_why why = {.rule = 0};
  enum hf_err err = read_file(&director_buf, files->director_root, trouble);
  if (err == HF_OK) {
    err = read_file(&image_buf, files->root, trouble);
  }
  if (err == HF_OK) {
    err = hf_agent_provision(layout, hf_buf_bytes(&director_buf), hf_buf_bytes(&image_buf), &why);
  }
  if (err != HF_OK) {
    hf_trouble_put(trouble, "root.json",
                   why.rule != 0 ? hf_rule_words(why.rule)->todo
                                 : "give the roots that "
                                   "`holdfast init` made",
                   "the device does not accept these trust roots: %s (%s)", hf_rule_words(why.rule)->what,
                   hf_err_name(err));
  }
  return err;
}

static enum hf_err fill_flash(int folder, const struct hf_deviceconf *conf, const struct hf_provision_files *files,
                              struct hf_trouble *trouble)
{
  /* Durable at the end, not at every write: nothing counts before the settings are in place. */
  const struct hf_flashfile_place place = {.folder = folder, .name = "flash.bin", .durable = false};
  const struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(conf);
  struct hf_flashfile flash;
  struct hf_layout layout;
  enum hf_err err = hf_flashfile_create(&place, &geometry, trouble);
  if (err == HF_OK) {
    err = hf_flashfile_open(&flash, &place, &geometry, HF_FLASHFILE_OWN, trouble);
  }
  if (err != HF_OK) {
    return err;
  }
  hf_flashfile_layout(&layout, &flash, &geometry);
  err = put_first_image(&layout, folder, files->image, conf, trouble);
  if (err == HF_OK) {
    err = put_roots(&layout, files, trouble);
  }
  if (err == HF_OK && conf->durable && fsync(flash.fd) != 0) {
    err = HF_E_IO;
  }
  hf_flashfile_close(&flash);
  if (err != HF_OK) {
    (void)unlinkat(folder, place.name, 0);
  }
  return err;
}

static enum hf_err check_given(const struct hf_provision_files *files, struct hf_trouble *trouble)
{
  const struct {
    const char *value, *option;
  } needed[] = {{files->server_ca, "--server-ca"},
                {files->root, "--root"},
                {files->director_root, "--director-root"},
                {files->image_key_count > 0 ? files->image_keys[0] : NULL, "--image-key"},
                {files->image, "--image"}};
  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
    if (needed[i].value == NULL) {
      hf_trouble_put(trouble, needed[i].option, "see `holdfast-agent provision --help`",
                     "a new device needs this option");
      return HF_E_INPUT;
    }
  }
  return HF_OK;
}

enum hf_err hf_provision_new(int folder, const struct hf_deviceconf *conf, const struct hf_provision_files *files,
                             struct hf_trouble *trouble)
{
  enum hf_err err = check_given(files, trouble);
  if (err == HF_OK) {
    err = hf_deviceconf_check(conf, trouble);
  }
  if (err == HF_OK) {
    err = put_certs(folder, "server-ca.crt", files->server_ca, trouble);
  }
  if (err == HF_OK) {
    err = put_image_keys(folder, files, trouble);
  }
  if (err == HF_OK) {
    err = put_open_key(folder, files->open_key, trouble);
  }
  if (err == HF_OK) {
    err = put_keys(folder, HF_KEYCHEST_OWNERS, files->owner_keys, files->owner_key_count, trouble);
  }
  if (err == HF_OK) {
    err = fill_flash(folder, conf, files, trouble);
  }
  if (err == HF_OK) {
    err = hf_identity_new(folder, files->key == NULL ? "file" : files->key, trouble);
  }
  if (err == HF_OK) {
    err = hf_deviceconf_put(folder, conf, trouble);
  }
  if (err != HF_OK) {
    return err;
  }
  struct hf_provision_files rest = {.csr = files->csr, .factory_cert = files->factory_cert, .token = files->token};
  return hf_provision_put(folder, &rest, trouble);
}

enum hf_err hf_provision_first(struct hf_buf *version, uint8_t digest[HF_SHA256_LEN], int folder,
                               const struct hf_deviceconf *conf, struct hf_trouble *trouble)
{
  const struct hf_flashfile_place place = {.folder = folder, .name = "flash.bin"};
  const struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(conf);
  struct hf_flashfile flash;
  struct hf_layout layout;
  struct hf_bootstate state;
  enum hf_err err = hf_flashfile_open(&flash, &place, &geometry, HF_FLASHFILE_OWN, trouble);
  if (err != HF_OK) {
    return err;
  }
  hf_flashfile_layout(&layout, &flash, &geometry);
  err = hf_bootstate_get(&state, &layout.boot);
  hf_flashfile_close(&flash);
  if (err != HF_OK) {
    hf_trouble_put(trouble, "flash.bin", "make the device again in an empty folder",
                   "the boot record cannot be read back (%s)", hf_err_name(err));
    return err;
  }
  const struct hf_bootslot *slot = &state.image[0].slot[state.image[0].active];
  hf_version_put(version, &slot->version);
  memcpy(digest, slot->digest, HF_SHA256_LEN);
  return HF_OK;
}
