/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/words.h"

#include <stddef.h>

#include "hf/device/bootstate.h"
#include "hf/wire/checkin.h"

static const char *word(const char *const *words, size_t count, unsigned number)
{
  return number < count && words[number] != NULL ? words[number] : "unknown";
}

const char *hf_words_reset(unsigned reset)
{
  static const char *const words[] = {
      [HF_RESET_UNKNOWN] = "unknown", [HF_RESET_POWER] = "power",       [HF_RESET_REQUEST] = "request",
      [HF_RESET_UPDATE] = "update",   [HF_RESET_WATCHDOG] = "watchdog", [HF_RESET_CRASH] = "crash",
      [HF_RESET_REVERT] = "revert"};
  return word(words, sizeof words / sizeof words[0], reset);
}

const char *hf_words_slot(unsigned status)
{
  static const char *const words[] = {[HF_SLOT_EMPTY] = "empty",
                                      [HF_SLOT_STAGED] = "staged",
                                      [HF_SLOT_TRYING] = "trying",
                                      [HF_SLOT_CONFIRMED] = "confirmed",
                                      [HF_SLOT_BAD] = "bad"};
  return word(words, sizeof words / sizeof words[0], status);
}

const char *hf_words_update(unsigned state)
{
  static const char *const words[HF_UPDATE_STATES] = {
      [HF_UPDATE_IDLE] = "idle",          [HF_UPDATE_OFFERED] = "offered", [HF_UPDATE_DOWNLOADING] = "downloading",
      [HF_UPDATE_STAGED] = "staged",      [HF_UPDATE_TRYING] = "trying",   [HF_UPDATE_CONFIRMED] = "confirmed",
      [HF_UPDATE_REVERTED] = "reverted",  [HF_UPDATE_FAILED] = "failed",   [HF_UPDATE_REFUSED] = "refused",
      [HF_UPDATE_POSTPONED] = "postponed"};
  return word(words, HF_UPDATE_STATES, state);
}
