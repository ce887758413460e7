/* SPDX-License-Identifier: Apache-2.0 */
#include "calibration.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "ports/posix/contract.h"

const struct calibration *calibration_find(void)
{
  static struct calibration found;
  int fd = openat(HF_APP_FD_FOLDER, "calibration.bin", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    return NULL;
  }
  ssize_t got = read(fd, &found, sizeof found);
  (void)close(fd);
  return got == (ssize_t)sizeof found ? &found : NULL;
}
