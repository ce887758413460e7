/* SPDX-License-Identifier: Apache-2.0
 * What a device's folder says about the device, for people and for programs. Only looks: takes no lock, changes
 * nothing, and may be asked while the device runs.
 */
#ifndef HF_POSIX_DEVICESTATUS_H
#define HF_POSIX_DEVICESTATUS_H

#include "ports/posix/deviceconf.h"

/** Print the status on standard output.
 * @param folder  borrows
 * @param json    one JSON object instead of lines for people
 * @return HF_OK; else as in `trouble` */
HF_MUST enum hf_err hf_devicestatus_print(int folder, bool json, struct hf_trouble *trouble);

#endif
