/* SPDX-License-Identifier: Apache-2.0
 * The workspace file DIR/holdfast.json: what a workspace is and where its server listens (docs/spec/workspace.md).
 *
 * Only the text: opening files is for the server and the command line. It is the one file of a workspace that people
 * edit, so every refusal says which member and at what byte.
 */
#ifndef HF_FLEET_WORKSPACE_H
#define HF_FLEET_WORKSPACE_H

#include "hf/base/bytes.h"
#include "hf/base/why.h"

/** The format this version reads and writes. A higher number is refused, never guessed at. */
#define HF_WORKSPACE_FORMAT 1
/** A file of ours is 200 bytes; people add blanks. */
#define HF_WORKSPACE_FILE_MAX 16384
/** An organisation's name in bytes of UTF-8: the ceiling of X.520 organizationName. */
#define HF_WORKSPACE_ORG_MAX 64
/** `[IPv6]:port` or `host:port` with a DNS name of 253 characters. */
#define HF_WORKSPACE_ADDRESS_MAX 262

#define HF_WORKSPACE_DEVICES "0.0.0.0:8443"
#define HF_WORKSPACE_PEOPLE "127.0.0.1:8080"

/** A workspace file. Texts end with NUL, for the calls of the operating system. */
struct hf_workspace {
  char organisation[HF_WORKSPACE_ORG_MAX + 1];
  char devices[HF_WORKSPACE_ADDRESS_MAX + 1]; /**< address of the device listener, ADDR:PORT */
  char people[HF_WORKSPACE_ADDRESS_MAX + 1];  /**< address of the people listener, ADDR:PORT */
};

/** The two halves of ADDR:PORT. */
struct hf_address {
  char host[HF_WORKSPACE_ADDRESS_MAX + 1]; /**< without the brackets of an IPv6 address */
  uint16_t port;                           /**< 0: any free port (tests) */
  bool loopback;                           /**< 127.0.0.0/8, ::1 or `localhost` */
};

/** The defaults for an organisation; HF_E_INPUT when its name is empty, too long or not plain text. */
HF_MUST enum hf_err hf_workspace_init(struct hf_workspace *workspace, struct hf_bytes organisation);

/**
 * Read the file.
 * @param workspace  fills; defaults for members that are not there
 * @param text       borrows; the whole file
 * @param why        fills at failure; may be NULL
 * @return HF_OK; HF_E_INPUT; HF_E_VERSION: written by a newer Holdfast, nothing in it was believed
 */
HF_MUST enum hf_err hf_workspace_parse(struct hf_workspace *workspace, struct hf_bytes text, struct hf_why *why);

/** Append the file as people want to read it: one member a line. `parse(encode(x)) == x`. HF_E_SPACE. */
HF_MUST enum hf_err hf_workspace_encode(struct hf_buf *out, const struct hf_workspace *workspace);

/** Take ADDR:PORT apart. HF_E_INPUT: no port, a port above 65535, IPv6 without brackets, or characters no name has. */
HF_MUST enum hf_err hf_address_parse(struct hf_address *address, struct hf_bytes text);

#endif
