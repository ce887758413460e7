/* SPDX-License-Identifier: Apache-2.0
 * Assertions about our own mistakes. Always compiled in; never on input.
 */
#ifndef HF_BASE_ASSERT_H
#define HF_BASE_ASSERT_H

/** Stops the program when our own reasoning was wrong. Not for outside bytes: those get an error. */
#define HF_ASSERT(cond) ((cond) ? (void)0 : hf_assert_failed(__FILE__, __LINE__, #cond))

/** Never returns. One implementation is linked: abort on hosts (assert_host.c), reset on microcontrollers. */
_Noreturn void hf_assert_failed(const char *file, int line, const char *cond);

#endif
