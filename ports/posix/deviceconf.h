/* SPDX-License-Identifier: Apache-2.0
 * device.conf: who a POSIX device is, where its server is, and the geometry of its flash file. `name = value` lines;
 * `#` starts a comment line. An unknown name, a name given twice and a missing one without default are errors.
 */
#ifndef HF_POSIX_DEVICECONF_H
#define HF_POSIX_DEVICECONF_H

#include <stdint.h>

#include "hf/base/bytes.h"
#include "ports/posix/flashfile.h"

#define HF_DEVICECONF_NAME "device.conf"
/** Longest file taken; ours is under 1 KiB, comments are welcome. */
#define HF_DEVICECONF_MAX 16384

/** The settings; text is NUL-terminated. See deviceconf.def for the meaning of each. */
struct hf_deviceconf {
#define HF_TEXT(name, cap, help) char name[cap];
#define HF_SIZE(name, fallback, min, max, help) uint32_t name;
#define HF_FLAG(name, fallback, help) bool name;
#include "ports/posix/deviceconf.def"
#undef HF_TEXT
#undef HF_SIZE
#undef HF_FLAG
};

/** Defaults; texts empty. */
void hf_deviceconf_init(struct hf_deviceconf *conf);

/**
 * Set one setting from text: a line of the file or an option of the command line.
 * @return HF_OK; HF_E_NOT_FOUND: no such setting; HF_E_INPUT: the value breaks its rule
 */
HF_MUST enum hf_err hf_deviceconf_set(struct hf_deviceconf *conf, struct hf_bytes name, struct hf_bytes value,
                                      struct hf_trouble *trouble);

/** Are all settings there, and do they fit together? HF_E_INPUT when not. */
HF_MUST enum hf_err hf_deviceconf_check(const struct hf_deviceconf *conf, struct hf_trouble *trouble);

/** Parse the text of the file, then check. `conf` is filled from the defaults first. HF_E_INPUT with the line. */
HF_MUST enum hf_err hf_deviceconf_parse(struct hf_deviceconf *conf, struct hf_bytes text, struct hf_trouble *trouble);

/** Append the text form, with the help as comments. */
void hf_deviceconf_encode(struct hf_buf *out, const struct hf_deviceconf *conf);

/** Read DIR/device.conf. HF_E_NOT_FOUND when the folder is not a device's. */
HF_MUST enum hf_err hf_deviceconf_get(struct hf_deviceconf *conf, int folder, struct hf_trouble *trouble);

/** Write DIR/device.conf, replacing it whole. */
HF_MUST enum hf_err hf_deviceconf_put(int folder, const struct hf_deviceconf *conf, struct hf_trouble *trouble);

/** The flash part of the settings. */
struct hf_flashfile_geometry hf_deviceconf_geometry(const struct hf_deviceconf *conf);

/** One line a setting, for --help. */
void hf_deviceconf_print_help(void);

#endif
