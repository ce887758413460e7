/* SPDX-License-Identifier: Apache-2.0
 * Landlock by its system calls: which files, TCP ports and other processes this process may still reach.
 *
 * The mechanism only; what each process of the server may reach is the table in hf/server/sandbox.c. Debian 12's kernel
 * header knows version 2 of the interface, so newer bits are spelled out here and asked of the running kernel.
 */
#ifndef HF_SERVER_LANDLOCK_H
#define HF_SERVER_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "hf/base/err.h"

/** What may be done with a folder (and everything below it) or with one file. */
enum hf_landlock_access {
  HF_LANDLOCK_READ = 1,   /**< open for reading, list */
  HF_LANDLOCK_WRITE = 2,  /**< open for writing, truncate: files that exist */
  HF_LANDLOCK_CREATE = 4, /**< make, rename and remove files and folders inside */
};

struct hf_landlock_rule {
  const char *path; /**< borrows */
  unsigned access;  /**< of `enum hf_landlock_access` */
  bool optional;    /**< may be missing: then there is nothing to allow */
};

/** TCP that stays allowed where the kernel can tell (version 4 and later). */
enum hf_landlock_net { HF_LANDLOCK_NO_TCP = 0, HF_LANDLOCK_CONNECT = 1, HF_LANDLOCK_ANY_TCP = 3 };

/** Version of the interface on this kernel; 0: none. */
int hf_landlock_version(void);

/**
 * Narrow this process and its children for good; may be called again to narrow further. Sets no_new_privs.
 * @return HF_OK; HF_E_STATE: the kernel has no Landlock; HF_E_NOT_FOUND: a path that is not optional is missing;
 *         HF_E_IO. After a message on standard error.
 */
HF_MUST enum hf_err hf_landlock_restrict(const struct hf_landlock_rule *rules, size_t count, enum hf_landlock_net net);

#endif
