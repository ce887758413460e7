/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hf/device/slot.h"
#include "hf/wire/image.h"
#include "hf/wire/pubkey.h"
#include "ports/posix/diskfile.h"
#include "ports/posix/imagekeys.h"
#include "ports/posix/supervisor.h"

#define PAYLOAD_MAX (8u << 20)

void rig_sleep_ms(unsigned ms)
{
  (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L}, NULL);
}

void rig_conf(const struct rig *rig) { assert_int_equal(hf_deviceconf_put(rig->folder, &rig->conf, NULL), HF_OK); }

void rig_open(struct rig *rig)
{
  uint8_t pem[HF_PUBKEY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  struct hf_pubkey pub;
  memset(rig, 0, sizeof *rig);
  (void)snprintf(rig->path, sizeof rig->path, "/tmp/hf-rig-XXXXXX");
  assert_non_null(mkdtemp(rig->path));
  rig->folder = open(rig->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true(rig->folder >= 0);
  hf_deviceconf_init(&rig->conf);
  (void)snprintf(rig->conf.device, sizeof rig->conf.device, "rig-0001");
  (void)snprintf(rig->conf.product, sizeof rig->conf.product, "puppet");
  (void)snprintf(rig->conf.hardware, sizeof rig->conf.hardware, "bench-a");
  (void)snprintf(rig->conf.server, sizeof rig->conf.server, "https://127.0.0.1:1");
  rig->conf.watchdog_s = 1;
  rig->conf.backoff_s = 1;
  rig->conf.slot = 4u << 20;
  rig->conf.durable = false;
  rig_conf(rig);
  assert_int_equal(hf_key_new(&rig->key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&pub, rig->key), HF_OK);
  hf_pubkey_put_pem(&buf, &pub);
  assert_int_equal(hf_diskfile_put(rig->folder, HF_IMAGEKEYS_NAME, hf_buf_bytes(&buf), 0644), HF_OK);
}

void rig_close(struct rig *rig)
{
  DIR *list = fdopendir(dup(rig->folder));
  assert_non_null(list);
  rewinddir(list);
  for (struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list)) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
      (void)unlinkat(rig->folder, entry->d_name, 0);
    }
  }
  (void)closedir(list);
  (void)close(rig->folder);
  assert_int_equal(rmdir(rig->path), 0);
  hf_key_free(rig->key);
}

void rig_put(const struct rig *rig, const char *name, const char *text)
{
  assert_int_equal(hf_diskfile_put(rig->folder, name, hf_bytes_text(text), 0644), HF_OK);
}

const char *rig_get(const struct rig *rig, const char *name)
{
  static char text[65536];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  if (hf_diskfile_get(&buf, rig->folder, name) != HF_OK) {
    buf.len = 0;
  }
  assert_int_equal(hf_buf_terminate(&buf), HF_OK);
  return text;
}

unsigned rig_count(const struct rig *rig, const char *name, const char *text)
{
  unsigned count = 0;
  for (const char *at = strstr(rig_get(rig, name), text); at != NULL; at = strstr(at + 1, text)) {
    count++;
  }
  return count;
}

static enum hf_err sign_digest(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

uint8_t *rig_image(size_t *len, const struct rig *rig, const char *payload, unsigned minor, unsigned counter)
{
  static uint8_t bytes[PAYLOAD_MAX];
  FILE *file = fopen(payload, "rb");
  assert_non_null(file);
  size_t payload_len = fread(bytes, 1, sizeof bytes, file);
  assert_true(feof(file) != 0);
  (void)fclose(file);
  size_t cap = payload_len + HF_IMAGE_OVERHEAD_MAX;
  uint8_t *image = malloc(cap);
  assert_non_null(image);
  struct hf_buf out = hf_buf_init(image, cap);
  struct hf_image_build build = {.version = {.major = 1, .minor = (uint8_t)minor},
                                 .has_counter = true,
                                 .counter = counter,
                                 .product = HF_LIT("puppet"),
                                 .component = HF_LIT("main"),
                                 .hardware = {hf_bytes_text(rig->conf.hardware)},
                                 .hardware_count = 1};
  struct hf_image_signer signer = {.sign = sign_digest, .ctx = rig->key};
  assert_int_equal(hf_key_public(&signer.pub, rig->key), HF_OK);
  assert_int_equal(hf_image_sign(&out, &build, hf_bytes_init(bytes, payload_len), &signer), HF_OK);
  *len = out.len;
  return image;
}

static void own_flash(struct hf_flashfile *flash, struct hf_layout *layout, const struct rig *rig)
{
  const struct hf_flashfile_place place = {.folder = rig->folder, .name = "flash.bin"};
  const struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(&rig->conf);
  assert_int_equal(hf_flashfile_open(flash, &place, &geometry, HF_FLASHFILE_OWN, NULL), HF_OK);
  hf_flashfile_layout(layout, flash, &geometry);
}

static struct hf_bootslot fill_slot(const struct hf_layout *layout, uint8_t slot, const uint8_t *image, size_t len)
{
  struct hf_slot_writer writer;
  struct hf_image_info info;
  uint8_t digest[HF_SHA256_LEN];
  struct hf_bytes view = hf_bytes_init(image, len);
  struct hf_image_source source = hf_image_source_init(&view);
  assert_int_equal(hf_image_parse(&info, &source, NULL), HF_OK);
  assert_int_equal(hf_slot_open(&writer, &layout->slot[0][slot], (uint32_t)len, 0), HF_OK);
  assert_int_equal(hf_slot_put(&writer, view), HF_OK);
  assert_int_equal(hf_slot_close(&writer, digest), HF_OK);
  struct hf_bootslot out = {.version = info.version, .counter = info.counter};
  memcpy(out.digest, info.digest, sizeof out.digest);
  return out;
}

static void put_image(const struct rig *rig, uint8_t slot, enum hf_slot_status status, const uint8_t *image, size_t len)
{
  struct hf_flashfile flash;
  struct hf_layout layout;
  struct hf_bootstate state;
  own_flash(&flash, &layout, rig);
  enum hf_err err = hf_bootstate_get(&state, &layout.boot);
  assert_true(err == HF_OK || err == HF_E_NOT_FOUND);
  state.images = 1;
  state.image[0].slot[slot] = fill_slot(&layout, slot, image, len);
  state.image[0].slot[slot].status = status;
  if (status == HF_SLOT_CONFIRMED) {
    state.image[0].counter = state.image[0].slot[slot].counter;
    state.image[0].active = slot;
  }
  assert_int_equal(hf_bootstate_put(&state, &layout.boot), HF_OK);
  hf_flashfile_close(&flash);
}

void rig_flash(const struct rig *rig, const char *payload, unsigned minor, unsigned counter)
{
  const struct hf_flashfile_place place = {.folder = rig->folder, .name = "flash.bin"};
  const struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(&rig->conf);
  size_t len;
  uint8_t *image = rig_image(&len, rig, payload, minor, counter);
  assert_int_equal(hf_flashfile_create(&place, &geometry, NULL), HF_OK);
  put_image(rig, 0, HF_SLOT_CONFIRMED, image, len);
  free(image);
}

void rig_stage(const struct rig *rig, uint8_t slot, const char *payload, unsigned minor, unsigned counter)
{
  size_t len;
  uint8_t *image = rig_image(&len, rig, payload, minor, counter);
  put_image(rig, slot, HF_SLOT_STAGED, image, len);
  free(image);
}

struct hf_bootstate rig_boot(const struct rig *rig)
{
  const struct hf_flashfile_place place = {.folder = rig->folder, .name = "flash.bin"};
  const struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(&rig->conf);
  struct hf_flashfile flash;
  struct hf_layout layout;
  struct hf_bootstate state;
  assert_int_equal(hf_flashfile_open(&flash, &place, &geometry, HF_FLASHFILE_LOOK, NULL), HF_OK);
  hf_flashfile_layout(&layout, &flash, &geometry);
  assert_int_equal(hf_bootstate_get(&state, &layout.boot), HF_OK);
  hf_flashfile_close(&flash);
  return state;
}

/* ---- processes ---- */

pid_t rig_run(const struct rig *rig)
{
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    struct hf_trouble trouble = {.what = ""};
    int log = openat(rig->folder, "log", O_WRONLY | O_CREAT | O_APPEND, 0644);
    (void)dup2(log, STDERR_FILENO);
    (void)dup2(log, STDOUT_FILENO);
    enum hf_supervisor_end end = hf_supervisor_run(rig->folder, &trouble);
    if (end != HF_SUPERVISOR_STOPPED) {
      hf_trouble_print("rig", &trouble);
    }
    _exit((int)end);
  }
  return pid;
}

int rig_wait(pid_t pid, unsigned limit_ms)
{
  int status = 0;
  for (unsigned waited = 0; waited < limit_ms; waited += 5) {
    if (waitpid(pid, &status, WNOHANG) == pid) {
      return status;
    }
    rig_sleep_ms(5);
  }
  (void)kill(pid, SIGKILL);
  (void)waitpid(pid, &status, 0);
  return -1;
}

bool rig_until(const struct rig *rig, const char *name, const char *text, unsigned limit_ms)
{
  for (unsigned waited = 0; waited < limit_ms; waited += 5) {
    if (strstr(rig_get(rig, name), text) != NULL) {
      return true;
    }
    rig_sleep_ms(5);
  }
  return false;
}

bool rig_quiet(const struct rig *rig)
{
  const struct hf_flashfile_place place = {.folder = rig->folder, .name = "flash.bin"};
  for (unsigned waited = 0; waited < 2000; waited += 5) {
    if (!hf_flashfile_owned(&place)) {
      return true;
    }
    rig_sleep_ms(5);
  }
  return false;
}
