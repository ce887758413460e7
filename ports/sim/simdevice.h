/* SPDX-License-Identifier: Apache-2.0
 * A whole device in memory: flash, boot loader, agent, and a server that answers its check-ins. For tests.
 *
 * One simdevice_boot is one power-on: it runs the boot loader's choice, holds it against the rules that must hold at
 * every boot, and starts the agent of the chosen image.
 */
#ifndef PORTS_SIM_SIMDEVICE_H
#define PORTS_SIM_SIMDEVICE_H

#include "hf/device/agent.h"
#include "hf/device/bootmode.h"
#include "hf/device/mcuboot.h"
#include "hf/device/slot.h"
#include "ports/sim/simrepo.h"

#define SIMDEVICE_NOW INT64_C(1795000000) /* 2026-11-18 */
#define SIMDEVICE_SECTOR 1024
#define SIMDEVICE_WORK 12288
#define SIMDEVICE_SLOT (12 * SIMDEVICE_SECTOR)
#define SIMDEVICE_STORE (6 * SIMDEVICE_SECTOR)
#define SIMDEVICE_BOOT (2 * SIMDEVICE_SECTOR)
#define SIMDEVICE_FLASH (SIMDEVICE_BOOT + SIMDEVICE_STORE + 4 * SIMDEVICE_SLOT)
#define SIMDEVICE_EVENTS_KEPT 64

/** What the server remembers of an event. */
struct simdevice_event {
  uint32_t number;
  uint16_t kind, rule;
  char subject[HF_CHECKIN_SUBJECT_MAX + 1];
};

/** The server's side: what it answers, and what it heard. */
struct simdevice_server {
  struct hf_checkin_answer answer;
  int status;   /**< 0: 200 */
  bool deaf;    /**< never acknowledges */
  bool garbage; /**< answers with bytes that are no answer */
  uint32_t checkins;
  uint32_t boot, reset, counter;
  enum hf_update_state state;
  uint16_t rule;
  uint8_t percent;
  char version[HF_VERSION_TEXT_MAX + 1], wanted[HF_VERSION_TEXT_MAX + 1];
  uint8_t digest[HF_SHA256_LEN];
  char second[HF_VERSION_TEXT_MAX + 1]; /**< version of the second component */
  uint8_t report[HF_REPORT_MAX];        /**< the last signed version report */
  size_t report_len;
  uint32_t reports;
  uint8_t nonce[HF_TIMESIG_NONCE_LEN]; /**< of the last check-in that asked for the time */
  uint32_t nonces;
  struct hf_key *time_key; /**< signs the answer's time; NULL: does not */
  int64_t signed_time;
  struct simdevice_event event[SIMDEVICE_EVENTS_KEPT];
  uint32_t events; /**< distinct ones heard */
  char attributes[512];
};

struct simdevice {
  struct simflash flash;
  struct hf_layout layout;
  struct simworld world;
  struct simdevice_server server;
  struct simrepo *repo;
  uint8_t work[SIMDEVICE_WORK];
  struct hf_update_part part; /**< the second component */
  struct hf_agent_config config;
  struct hf_agent agent;
  struct hf_boot_choice choice;
  struct hf_trailer_format format; /**< of the boot loader; mode DIRECT unless simdevice_set_mode */
  const struct hf_seal_box *box;   /**< the same for opening encrypted images */
  struct hf_mcuboot mcuboot;
  int sick;                           /**< index of an image that is never healthy; -1: none */
  bool confirmed[SIMREPO_IMAGES_MAX]; /**< its health check passed once */
  uint32_t counter;                   /**< highest security counter floor seen on flash */
  uint32_t boots, trials, reverts;
  const char *broken; /**< the first rule that did not hold; NULL: all did */
};

/** A device as it leaves the factory: image `first` in slot 0, trust provisioned. */
void simdevice_init(struct simdevice *device, struct simrepo *repo, int first, uint32_t align, uint8_t erased);
/** Another boot loader, before the first boot; and how encrypted images are opened (NULL: they are not). Both borrowed.
 */
void simdevice_set_mode(struct simdevice *device, const struct hf_trailer_format *format,
                        const struct hf_seal_box *box);
void simdevice_free(struct simdevice *device);

/** The same with a second component, SIMREPO_RADIO on SIMREPO_RADIO_HARDWARE, that runs image `radio`. */
void simdevice_init_two(struct simdevice *device, struct simrepo *repo, int first, int radio, uint32_t align);

/** Power-on. False when it did not get as far as running an agent: power was cut again, or nothing boots. */
bool simdevice_boot(struct simdevice *device, enum hf_reset reset);

/** One wake-up; follows it with the reboot it asks for. False when power is off. */
bool simdevice_step(struct simdevice *device, struct hf_agent_next *next);

/** Boot and step, with power restored when it was cut, until image `wanted` runs confirmed (or, for `sick`, until its
 * trial is over and something else runs), at most `steps` wake-ups. */
bool simdevice_settle(struct simdevice *device, int wanted, int steps);

/** Index of the image that is whole in a slot; -1: none. */
int simdevice_image_in(const struct simdevice *device, uint8_t slot);

#endif
