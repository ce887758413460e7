/* SPDX-License-Identifier: Apache-2.0
 * A device at a factory station: what `holdfast-agent provision --station SOCKET` says and hears
 * (docs/spec/factory.md). The device makes its own key; only its request leaves the folder.
 */
#ifndef HF_POSIX_STATIONCLIENT_H
#define HF_POSIX_STATIONCLIENT_H

#include "ports/posix/provision.h"

/**
 * Make a device as the station says, or go on with one whose certificate is still to come.
 * @param folder  borrows: empty, or of a device without factory certificate
 * @param conf    settings that the station does not give (slot size ...); device, product, hardware and server are
 * filled
 * @param socket  borrows: path of the station's socket
 * @return HF_OK: the device is made and the station has recorded that it passed; HF_E_DENIED: the station refused, in
 *         its own words; HF_E_INPUT: it answered nonsense, or a file is not the one it named; else from socket and disk
 */
HF_MUST enum hf_err hf_stationclient_run(int folder, struct hf_deviceconf *conf, const char *socket,
                                         struct hf_trouble *trouble);

#endif
