/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/flashfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ports/posix/diskfile.h"

/* A supervisor that was killed takes its application with it, but not in the same instant. */
#define LOCK_TRIES 40
#define LOCK_WAIT_NS 50000000L
/* A key set and the head of its record (hf/wire/keyset.h). */
#define KEYS_HALF_MIN 1024

static enum hf_err read_at(int fd, uint32_t at, void *out, uint32_t len)
{
  uint8_t *to = out;
  while (len > 0) {
    ssize_t got = pread(fd, to, len, (off_t)at);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return HF_E_IO;
    }
    to += got;
    at += (uint32_t)got;
    len -= (uint32_t)got;
  }
  return HF_OK;
}

static enum hf_err write_at(int fd, uint32_t at, const void *in, uint32_t len)
{
  const uint8_t *from = in;
  while (len > 0) {
    ssize_t put = pwrite(fd, from, len, (off_t)at);
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      return put < 0 ? hf_diskfile_err(errno) : HF_E_IO;
    }
    from += put;
    at += (uint32_t)put;
    len -= (uint32_t)put;
  }
  return HF_OK;
}

static bool inside(const struct hf_flashfile *flash, uint32_t at, uint32_t len, uint32_t unit)
{
  return at <= flash->size && len <= flash->size - at && at % unit == 0 && len % unit == 0;
}

static enum hf_err settle(const struct hf_flashfile *flash)
{
  return !flash->durable || fdatasync(flash->fd) == 0 ? HF_OK : hf_diskfile_err(errno);
}

static enum hf_err flash_read(void *ctx, uint32_t at, void *out, uint32_t len)
{
  const struct hf_flashfile *flash = ctx;
  return inside(flash, at, len, 1) ? read_at(flash->fd, at, out, len) : HF_E_INPUT;
}

/* Would programming `in` over what is there set a cleared bit? A real part would leave the AND of both. */
static enum hf_err clears_only(const struct hf_flashfile *flash, uint32_t at, const uint8_t *in, uint32_t len)
{
  while (len > 0) {
    uint8_t old[1024];
    uint32_t step = len < sizeof old ? len : (uint32_t)sizeof old;
    enum hf_err err = read_at(flash->fd, at, old, step);
    if (err != HF_OK) {
      return err;
    }
    for (uint32_t i = 0; i < step; i++) {
      if ((old[i] & in[i]) != in[i]) {
        return HF_E_INPUT;
      }
    }
    in += step;
    at += step;
    len -= step;
  }
  return HF_OK;
}

static enum hf_err flash_program(void *ctx, uint32_t at, const void *in, uint32_t len)
{
  const struct hf_flashfile *flash = ctx;
  if (!inside(flash, at, len, flash->align)) {
    return HF_E_INPUT;
  }
  enum hf_err err = clears_only(flash, at, in, len);
  if (err == HF_OK) {
    err = write_at(flash->fd, at, in, len);
  }
  return err != HF_OK ? err : settle(flash);
}

static enum hf_err fill_erased(int fd, uint32_t at, uint32_t len)
{
  uint8_t blank[4096];
  memset(blank, HF_FLASHFILE_ERASED, sizeof blank);
  enum hf_err err = HF_OK;
  while (len > 0 && err == HF_OK) {
    uint32_t step = len < sizeof blank ? len : (uint32_t)sizeof blank;
    err = write_at(fd, at, blank, step);
    at += step;
    len -= step;
  }
  return err;
}

static enum hf_err flash_erase(void *ctx, uint32_t at, uint32_t len)
{
  const struct hf_flashfile *flash = ctx;
  if (!inside(flash, at, len, flash->sector)) {
    return HF_E_INPUT;
  }
  enum hf_err err = fill_erased(flash->fd, at, len);
  return err != HF_OK ? err : settle(flash);
}

const struct hf_flash_ops hf_flashfile_ops = {
    .name = "flashfile", .version = 1, .read = flash_read, .program = flash_program, .erase = flash_erase};

uint32_t hf_flashfile_size(const struct hf_flashfile_geometry *geometry)
{
  return geometry->boot + geometry->store + 2 * geometry->slot + geometry->keys;
}

enum hf_err hf_flashfile_check(const struct hf_flashfile_geometry *geometry, struct hf_trouble *trouble)
{
  const char *todo = "give sizes as in docs/spec/agent.md";
  uint32_t sector = geometry->sector;
  uint32_t align = geometry->align;
  if (sector < HF_FLASHFILE_SECTOR_MIN || (sector & (sector - 1)) != 0 || sector > HF_FLASHFILE_SIZE_MAX) {
    hf_trouble_put(trouble, "sector", todo, "%u bytes is no sector size: a power of two, at least %d", sector,
                   HF_FLASHFILE_SECTOR_MIN);
    return HF_E_INPUT;
  }
  if (align != 1 && align != 4 && align != 8 && align != 16) {
    hf_trouble_put(trouble, "align", todo, "%u is no program size: 1, 4, 8 or 16", align);
    return HF_E_INPUT;
  }
  const uint32_t parts[] = {geometry->boot, geometry->store, geometry->slot, geometry->slot};
  static const char *const names[] = {"boot", "store", "slot", "slot"};
  uint32_t sum = 0;
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    if (parts[i] < 2 * sector || parts[i] % sector != 0) {
      hf_trouble_put(trouble, names[i], todo, "%u bytes is not two or more whole sectors of %u", parts[i], sector);
      return HF_E_INPUT;
    }
    if (parts[i] > HF_FLASHFILE_SIZE_MAX - sum) {
      hf_trouble_put(trouble, names[i], todo, "the flash would be larger than %u bytes", HF_FLASHFILE_SIZE_MAX);
      return HF_E_INPUT;
    }
    sum += parts[i];
  }
  uint32_t keys = geometry->keys;
  if (keys != 0 && (keys < 2 * sector || keys % sector != 0 || keys / 2 / sector * sector < KEYS_HALF_MIN)) {
    hf_trouble_put(trouble, "keys", todo, "%u bytes is not two halves of whole sectors with %d bytes each", keys,
                   KEYS_HALF_MIN);
    return HF_E_INPUT;
  }
  if (keys > HF_FLASHFILE_SIZE_MAX - sum) {
    hf_trouble_put(trouble, "keys", todo, "the flash would be larger than %u bytes", HF_FLASHFILE_SIZE_MAX);
    return HF_E_INPUT;
  }
  return HF_OK;
}

enum hf_err hf_flashfile_create(const struct hf_flashfile_place *place, const struct hf_flashfile_geometry *geometry,
                                struct hf_trouble *trouble)
{
  enum hf_err err = hf_flashfile_check(geometry, trouble);
  if (err != HF_OK) {
    return err;
  }
  int fd = openat(place->folder, place->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    hf_trouble_put(trouble, place->name, "use another folder, or remove the old device first",
                   "cannot make the flash file: %s", strerror(errno));
    return hf_diskfile_err(errno);
  }
  err = fill_erased(fd, 0, hf_flashfile_size(geometry));
  if (err == HF_OK && place->durable && (fsync(fd) != 0 || fsync(place->folder) != 0)) {
    err = hf_diskfile_err(errno);
  }
  (void)close(fd);
  if (err != HF_OK) {
    hf_trouble_put(trouble, place->name, "make room on the disk, then try again", "cannot write the flash file: %s",
                   err == HF_E_FULL ? "no space left" : "input or output error");
    (void)unlinkat(place->folder, place->name, 0);
  }
  return err;
}

static enum hf_err lock_it(int fd)
{
  for (int i = 0; i < LOCK_TRIES; i++) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
      return HF_OK;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return hf_diskfile_err(errno);
    }
    (void)nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT_NS}, NULL);
  }
  return HF_E_STATE;
}

static enum hf_err check_size(int fd, const struct hf_flashfile_place *place, uint32_t want, struct hf_trouble *trouble)
{
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    hf_trouble_put(trouble, place->name, "put the device's flash file there", "this is not a regular file");
    return HF_E_INPUT;
  }
  if (info.st_size != (off_t)want) {
    hf_trouble_put(trouble, place->name,
                   "restore the file from a copy, correct the geometry in device.conf, or provision the device anew",
                   "the flash file has %lld bytes, the geometry says %u: it was cut, or belongs to another device",
                   (long long)info.st_size, want);
    return HF_E_INPUT;
  }
  return HF_OK;
}

enum hf_err hf_flashfile_open(struct hf_flashfile *flash, const struct hf_flashfile_place *place,
                              const struct hf_flashfile_geometry *geometry, enum hf_flashfile_mode mode,
                              struct hf_trouble *trouble)
{
  enum hf_err err = hf_flashfile_check(geometry, trouble);
  if (err != HF_OK) {
    return err;
  }
  int access = mode == HF_FLASHFILE_OWN ? O_RDWR : O_RDONLY;
  int fd = openat(place->folder, place->name, access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    hf_trouble_put(trouble, place->name, "provision the device first (holdfast-agent provision)",
                   "cannot open the flash file: %s", strerror(errno));
    return hf_diskfile_err(errno);
  }
  err = check_size(fd, place, hf_flashfile_size(geometry), trouble);
  if (err == HF_OK && mode == HF_FLASHFILE_OWN) {
    err = lock_it(fd);
    if (err != HF_OK) {
      hf_trouble_put(trouble, place->name, "stop the other one, or use `holdfast-agent status`, which only looks",
                     "another process owns this device's flash");
    }
  }
  if (err == HF_OK) {
    err = hf_flashfile_adopt(flash, fd, geometry);
  }
  if (err != HF_OK) {
    (void)close(fd);
    return err;
  }
  flash->durable = place->durable;
  return HF_OK;
}

bool hf_flashfile_owned(const struct hf_flashfile_place *place)
{
  int fd = openat(place->folder, place->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  bool owned = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (fd >= 0) {
    (void)close(fd);
  }
  return owned;
}

enum hf_err hf_flashfile_adopt(struct hf_flashfile *flash, int fd, const struct hf_flashfile_geometry *geometry)
{
  struct stat info;
  uint32_t size = hf_flashfile_size(geometry);
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size != (off_t)size) {
    return HF_E_INPUT;
  }
  *flash = (struct hf_flashfile){
      .fd = fd, .size = size, .sector = geometry->sector, .align = geometry->align, .durable = true};
  return HF_OK;
}

void hf_flashfile_close(struct hf_flashfile *flash)
{
  if (flash->fd >= 0) {
    (void)close(flash->fd);
    flash->fd = -1;
  }
}

void hf_flashfile_layout(struct hf_layout *layout, struct hf_flashfile *flash,
                         const struct hf_flashfile_geometry *geometry)
{
  struct hf_area *const areas[] = {&layout->boot, &layout->store, &layout->slot[0][0], &layout->slot[0][1]};
  const uint32_t sizes[] = {geometry->boot, geometry->store, geometry->slot, geometry->slot};
  uint32_t start = 0;
  layout->images = 1;
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    *areas[i] = (struct hf_area){.ops = &hf_flashfile_ops,
                                 .ctx = flash,
                                 .start = start,
                                 .size = sizes[i],
                                 .sector = geometry->sector,
                                 .align = geometry->align,
                                 .erased = HF_FLASHFILE_ERASED};
    start += sizes[i];
  }
}

struct hf_area hf_flashfile_keys(struct hf_flashfile *flash, const struct hf_flashfile_geometry *geometry)
{
  return (struct hf_area){.ops = &hf_flashfile_ops,
                          .ctx = flash,
                          .start = hf_flashfile_size(geometry) - geometry->keys,
                          .size = geometry->keys,
                          .sector = geometry->sector,
                          .align = geometry->align,
                          .erased = HF_FLASHFILE_ERASED};
}
