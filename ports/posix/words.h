/* SPDX-License-Identifier: Apache-2.0
 * Words for the numbers of hf/device and hf/wire, for logs and for status. Borrowed, static, never NULL.
 */
#ifndef HF_POSIX_WORDS_H
#define HF_POSIX_WORDS_H

/** "power", "watchdog" ... of an `enum hf_reset`. */
const char *hf_words_reset(unsigned reset);
/** "empty", "staged" ... of an `enum hf_slot_status`. */
const char *hf_words_slot(unsigned status);
/** "idle", "offered" ... of an `enum hf_update_state`. */
const char *hf_words_update(unsigned state);

#endif
