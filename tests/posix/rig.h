/* SPDX-License-Identifier: Apache-2.0
 * A device folder and processes for the tests of the POSIX port: real files below /tmp, real images, real programs.
 */
#ifndef HF_TESTS_RIG_H
#define HF_TESTS_RIG_H

#include <sys/types.h>

#include "hf/crypto/key.h"
#include "hf/device/bootstate.h"
#include "ports/posix/deviceconf.h"

struct rig {
  char path[128];
  int folder;
  struct hf_deviceconf conf;
  struct hf_key *key; /* signs images */
};

/** A folder with settings and image key, no flash yet. Fails the test when it cannot be made. */
void rig_open(struct rig *rig);
/** Remove the folder and everything in it. */
void rig_close(struct rig *rig);
/** Write device.conf again after a change of rig->conf. */
void rig_conf(const struct rig *rig);

/** Put a text file into the folder. */
void rig_put(const struct rig *rig, const char *name, const char *text);
/** The content of a file, NUL-terminated, in a static buffer; "" when it does not exist. */
const char *rig_get(const struct rig *rig, const char *name);

/** Sign a payload file as an image; freed by the caller. */
uint8_t *rig_image(size_t *len, const struct rig *rig, const char *payload, unsigned minor, unsigned counter);
/** An erased flash with this image confirmed in slot 0. */
void rig_flash(const struct rig *rig, const char *payload, unsigned minor, unsigned counter);
/** Write an image into a slot and stage it, as an update does. */
void rig_stage(const struct rig *rig, uint8_t slot, const char *payload, unsigned minor, unsigned counter);
/** Boot records as they are now. */
struct hf_bootstate rig_boot(const struct rig *rig);

/** Start `holdfast-agent run` on the folder, as a function in a process of its own. */
pid_t rig_run(const struct rig *rig);
/** Wait for a process; its wait status, or -1 when it had to be killed after `limit_ms`. */
int rig_wait(pid_t pid, unsigned limit_ms);
/** Until the text is in the file; false after `limit_ms`. */
bool rig_until(const struct rig *rig, const char *name, const char *text, unsigned limit_ms);
void rig_sleep_ms(unsigned ms);
/** How often the text is in the file. */
unsigned rig_count(const struct rig *rig, const char *name, const char *text);
/** Is no process left that has this folder open? */
bool rig_quiet(const struct rig *rig);

#endif
