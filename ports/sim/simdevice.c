/* SPDX-License-Identifier: Apache-2.0
 * A device in memory, and the rules that hold at each of its boots.
 */
#include "ports/sim/simdevice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note_broken(struct simdevice *device, const char *rule)
{
  if (device->broken == NULL) {
    device->broken = rule;
  }
}

int simdevice_image_in(const struct simdevice *device, uint8_t slot)
{
  const uint8_t *at = device->flash.at + device->layout.slot[0][slot].start;
  for (int i = 0; i < device->repo->count; i++) {
    struct hf_bytes file = device->repo->images[i].plain;
    if (file.len <= (size_t)SIMDEVICE_SLOT && memcmp(at, file.at, file.len) == 0) {
      return i;
    }
  }
  return -1;
}

static int image_by_digest(const struct simdevice *device, const uint8_t digest[HF_SHA256_LEN])
{
  for (int i = 0; i < device->repo->count; i++) {
    if (memcmp(device->repo->images[i].info.digest, digest, HF_SHA256_LEN) == 0) {
      return i;
    }
  }
  return -1;
}

/* ---- the server ---- */

static void copy_text(char *out, size_t cap, struct hf_bytes text)
{
  snprintf(out, cap, "%.*s", (int)text.len, text.len == 0 ? "" : (const char *)text.at);
}

static void hear_events(struct simdevice_server *server, const struct hf_checkin *checkin)
{
  for (uint8_t i = 0; i < checkin->event_count; i++) {
    const struct hf_checkin_event *event = &checkin->event[i];
    uint32_t last = server->events == 0 ? 0 : server->event[server->events - 1].number;
    if (event->number > last && server->events < SIMDEVICE_EVENTS_KEPT) {
      struct simdevice_event *kept = &server->event[server->events++];
      *kept = (struct simdevice_event){.number = event->number, .kind = event->kind, .rule = event->rule};
      copy_text(kept->subject, sizeof kept->subject, event->subject);
    }
  }
  server->answer.has_events_to = !server->deaf && checkin->event_count > 0;
  server->answer.events_to = checkin->event_count > 0 ? checkin->event[checkin->event_count - 1].number : 0;
}

static void hear(struct simdevice_server *server, const struct hf_checkin *checkin)
{
  server->checkins++;
  server->boot = checkin->boot;
  server->reset = checkin->reset;
  server->state = checkin->update.state;
  server->rule = checkin->update.rule;
  server->percent = checkin->update.percent;
  server->counter = checkin->component[0].counter;
  copy_text(server->version, sizeof server->version, checkin->component[0].version);
  copy_text(server->wanted, sizeof server->wanted, checkin->update.version);
  memcpy(server->digest, checkin->component[0].digest, HF_SHA256_LEN);
  copy_text(server->second, sizeof server->second,
            checkin->component_count > 1 ? checkin->component[1].version : HF_LIT(""));
  if (checkin->report.len > 0) {
    memcpy(server->report, checkin->report.at, checkin->report.len);
    server->report_len = checkin->report.len;
    server->reports++;
  }
  if (checkin->nonces.len == sizeof server->nonce) {
    memcpy(server->nonce, checkin->nonces.at, sizeof server->nonce);
    server->nonces++;
  }
  hear_events(server, checkin);
  server->attributes[0] = 0;
  for (uint8_t i = 0; i < checkin->attribute_count; i++) {
    size_t used = strlen(server->attributes);
    snprintf(server->attributes + used, sizeof server->attributes - used, "%.*s=%.*s;",
             (int)checkin->attribute[i].name.len, (const char *)checkin->attribute[i].name.at,
             (int)checkin->attribute[i].value.len, (const char *)checkin->attribute[i].value.at);
  }
  server->answer.attributes_stored = !server->deaf && checkin->attribute_count > 0;
}

static int serve(void *ctx, const char *path, struct hf_bytes body, struct hf_buf *reply)
{
  struct simdevice *device = ctx;
  struct simdevice_server *server = &device->server;
  struct hf_checkin checkin;
  if (strcmp(path, "/v1/checkin") != 0) {
    return 404;
  }
  if (hf_checkin_parse(&checkin, body, NULL) != HF_OK) {
    note_broken(device, "a check-in that does not parse");
    return 400;
  }
  if (server->status != 0) {
    return server->status;
  }
  hear(server, &checkin);
  if (server->garbage) {
    hf_buf_put_text(reply, "<html>");
    return 200;
  }
  uint8_t room[HF_SIG_MAX], digest[HF_SHA256_LEN];
  struct hf_buf sig = hf_buf_init(room, sizeof room);
  server->answer.timesig = (struct hf_timesig){.time = server->signed_time};
  if (server->time_key != NULL && checkin.nonces.len > 0) {
    hf_timesig_digest(digest, server->signed_time, checkin.nonces);
    if (hf_key_sign_digest(&sig, server->time_key, digest) != HF_OK) {
      return 500;
    }
    server->answer.timesig.sig = hf_buf_bytes(&sig);
  }
  return hf_checkin_answer_encode(reply, &server->answer) == HF_OK ? 200 : 500;
}

/* ---- the device ---- */

static enum hf_err health(void *ctx, bool reached)
{
  struct simdevice *device = ctx;
  int image = image_by_digest(device, device->choice.info.digest);
  (void)reached;
  if (image == device->sick) {
    return HF_E_STATE;
  }
  if (image >= 0) {
    device->confirmed[image] = true;
  }
  return HF_OK;
}

static void fill_slot(struct simdevice *device, uint8_t image, uint8_t slot, struct hf_bytes file)
{
  struct hf_slot_writer writer;
  uint8_t digest[HF_SHA256_LEN];
  if (hf_slot_open(&writer, &device->layout.slot[image][slot], (uint32_t)file.len, 0) != HF_OK ||
      hf_slot_put(&writer, file) != HF_OK || hf_slot_close(&writer, digest) != HF_OK) {
    fputs("simdevice: cannot fill a slot\n", stderr);
    exit(1);
  }
}

void simdevice_init(struct simdevice *device, struct simrepo *repo, int first, uint32_t align, uint8_t erased)
{
  memset(device, 0, sizeof *device);
  device->repo = repo;
  device->sick = -1;
  simflash_init(&device->flash, SIMDEVICE_FLASH, SIMDEVICE_SECTOR, align, erased);
  device->layout.boot = simflash_area(&device->flash, 0, SIMDEVICE_BOOT);
  device->layout.store = simflash_area(&device->flash, SIMDEVICE_BOOT, SIMDEVICE_STORE);
  uint32_t slots = SIMDEVICE_BOOT + SIMDEVICE_STORE;
  device->layout.images = 1;
  device->layout.slot[0][0] = simflash_area(&device->flash, slots, SIMDEVICE_SLOT);
  device->layout.slot[0][1] = simflash_area(&device->flash, slots + SIMDEVICE_SLOT, SIMDEVICE_SLOT);
  device->world.power = &device->flash;
  device->world.post = serve;
  device->world.post_ctx = device;
  device->server.answer = (struct hf_checkin_answer){.time = SIMDEVICE_NOW, .next_s = 60};
  device->config = (struct hf_agent_config){.setup = {.transport = {&simworld_ops, &device->world},
                                                      .layout = &device->layout,
                                                      .keys = &repo->image_keys,
                                                      .device = HF_LIT(SIMREPO_DEVICE),
                                                      .product = HF_LIT(SIMREPO_PRODUCT),
                                                      .component = HF_LIT(SIMREPO_COMPONENT),
                                                      .hardware = HF_LIT(SIMREPO_HARDWARE),
                                                      .work = device->work,
                                                      .work_cap = sizeof device->work,
                                                      .step = 2 * SIMDEVICE_SECTOR},
                                            .build_time = SIMDEVICE_NOW - 86400,
                                            .health = health,
                                            .health_ctx = device};
  fill_slot(device, 0, 0, repo->images[first].file);
  if (hf_agent_provision(&device->layout, repo->director_root, repo->image_root, NULL) != HF_OK) {
    fputs("simdevice: cannot provision\n", stderr);
    exit(1);
  }
  device->confirmed[first] = true;
  device->flash.ops = 0;
  simworld_set_time(0);
  simworld_set_uptime(0);
}

void simdevice_init_two(struct simdevice *device, struct simrepo *repo, int first, int radio, uint32_t align)
{
  simdevice_init(device, repo, first, align, 0xff);
  uint32_t slots = SIMDEVICE_BOOT + SIMDEVICE_STORE + 2 * SIMDEVICE_SLOT;
  device->layout.images = 2;
  device->layout.slot[1][0] = simflash_area(&device->flash, slots, SIMDEVICE_SLOT);
  device->layout.slot[1][1] = simflash_area(&device->flash, slots + SIMDEVICE_SLOT, SIMDEVICE_SLOT);
  device->part = (struct hf_update_part){HF_LIT(SIMREPO_RADIO), HF_LIT(SIMREPO_RADIO_HARDWARE)};
  device->config.setup.parts = &device->part;
  fill_slot(device, 1, 0, repo->images[radio].file);
  device->flash.ops = 0;
}

void simdevice_set_mode(struct simdevice *device, const struct hf_trailer_format *format, const struct hf_seal_box *box)
{
  device->format = *format;
  device->box = box;
  device->mcuboot = (struct hf_mcuboot){.layout = &device->layout, .format = *format};
  device->config.setup.box = box;
  if (format->mode != HF_BOOT_DIRECT) {
    device->config.setup.loader = (struct hf_boot_loader){&hf_mcuboot_ops, &device->mcuboot};
  }
}

void simdevice_free(struct simdevice *device) { simflash_free(&device->flash); }

/* Where images move the records know them by digest, not by slot. */
static void judge_trial(struct simdevice *device, enum hf_err had, const struct hf_bootstate *before, int image)
{
  bool tried = false;
  for (int i = 0; i < HF_SLOTS && had == HF_OK; i++) {
    const struct hf_bootslot *entry = &before->image[0].slot[i];
    tried = tried || (entry->status == HF_SLOT_TRYING &&
                      memcmp(entry->digest, device->repo->images[image].info.digest, HF_SHA256_LEN) == 0);
  }
  if (device->choice.trial && tried) {
    note_broken(device, "an unconfirmed image ran twice");
  }
  bool overwrite = device->format.mode == HF_BOOT_OVERWRITE;
  if (!device->choice.trial && !overwrite && !device->confirmed[image] && !tried) {
    note_broken(device, "ran an image for good that never passed its health check");
  }
}

/* What must hold between the boot records before, the choice, and the records after. */
static void judge_boot(struct simdevice *device, enum hf_err had, const struct hf_bootstate *before)
{
  const struct hf_boot_choice *choice = &device->choice;
  struct hf_bootstate after;
  if (hf_bootstate_get(&after, &device->layout.boot) != HF_OK) {
    note_broken(device, "boot records unreadable after a boot");
    return;
  }
  int image = simdevice_image_in(device, choice->slot[0]);
  if (image < 0 || image != image_by_digest(device, choice->info.digest)) {
    note_broken(device, "booted something that is not one of the images, whole");
    return;
  }
  if (device->repo->images[image].counter < after.image[0].counter) {
    note_broken(device, "booted an image below the security counter");
  }
  if (after.image[0].counter < device->counter) {
    note_broken(device, "the security counter fell");
  }
  device->counter = after.image[0].counter;
  if (device->format.mode != HF_BOOT_DIRECT) {
    judge_trial(device, had, before, image);
    return;
  }
  if (had == HF_OK && before->image[0].slot[choice->slot[0]].status == HF_SLOT_TRYING) {
    note_broken(device, "an unconfirmed image ran twice");
  }
  if (device->layout.images > 1) { /* of a set, perhaps another image is on trial */
    if (choice->trial && !hf_bootstate_on_trial(&after, choice->slot)) {
      note_broken(device, "a trial without its record");
    }
  } else if (choice->trial && (before->image[0].slot[choice->slot[0]].status != HF_SLOT_STAGED ||
                               after.image[0].slot[choice->slot[0]].status != HF_SLOT_TRYING)) {
    note_broken(device, "a trial without its record");
  }
  if (!choice->trial && !device->confirmed[image]) {
    note_broken(device, "ran an image for good that never passed its health check");
  }
  if (!choice->trial && after.image[0].counter > device->repo->images[image].counter) {
    note_broken(device, "the counter is above the confirmed image");
  }
}

bool simdevice_boot(struct simdevice *device, enum hf_reset reset)
{
  struct hf_bootstate before;
  enum hf_err had = hf_bootstate_get(&before, &device->layout.boot);
  const struct hf_swapboot_config config = {.boot = {.layout = &device->layout,
                                                     .keys = &device->repo->image_keys,
                                                     .hardware = HF_LIT(SIMREPO_HARDWARE),
                                                     .reset = reset},
                                            .format = device->format,
                                            .box = device->box};
  enum hf_err err = hf_bootmode_choose(&device->choice, &config);
  if (device->flash.dead) {
    return false;
  }
  if (err != HF_OK || device->choice.verdict != HF_ALLOW) {
    note_broken(device, "nothing boots");
    return false;
  }
  device->boots++;
  device->trials += device->choice.trial;
  device->reverts += device->choice.reset == HF_RESET_REVERT;
  judge_boot(device, had, &before);
  memcpy(device->config.slot, device->choice.slot, sizeof device->config.slot);
  device->config.reset = device->choice.reset;
  simworld_set_uptime(0);
  err = hf_agent_init(&device->agent, &device->config);
  if (err != HF_OK && !device->flash.dead) {
    note_broken(device, "the agent does not start");
  }
  return err == HF_OK && !device->flash.dead;
}

bool simdevice_step(struct simdevice *device, struct hf_agent_next *next)
{
  hf_agent_step(&device->agent, next);
  if (device->flash.dead) {
    return false;
  }
  if (next->reboot) {
    return simdevice_boot(device, HF_RESET_REQUEST);
  }
  simworld_set_uptime(hf_port_uptime_ms() + (uint64_t)next->sleep_s * 1000);
  return true;
}

static bool settled(const struct simdevice *device, int wanted)
{
  int running = image_by_digest(device, device->choice.info.digest);
  if (hf_agent_on_trial(&device->agent)) {
    return false;
  }
  if (wanted != device->sick) {
    return running == wanted;
  }
  bool over = device->server.state == HF_UPDATE_REVERTED || device->server.state == HF_UPDATE_REFUSED;
  return running != wanted && over && strcmp(device->server.wanted, device->repo->images[wanted].version) == 0;
}

bool simdevice_settle(struct simdevice *device, int wanted, int steps)
{
  struct hf_agent_next next;
  bool on = !device->flash.dead && device->boots > 0;
  for (int i = 0; i < steps; i++) {
    if (!on) {
      if (device->flash.dead) {
        simflash_power_on(&device->flash);
      }
      on = simdevice_boot(device, HF_RESET_POWER);
      continue;
    }
    on = simdevice_step(device, &next);
    if (on && settled(device, wanted)) {
      return true;
    }
  }
  return false;
}
