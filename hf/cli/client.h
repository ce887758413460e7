/* SPDX-License-Identifier: Apache-2.0
 * The REST client: one server, one token, one question at a time.
 *
 * Every refusal is told here, in the server's own words; callers pass the exit code on. Plain http is spoken with a
 * loopback address only; with https the server's CA is the one in the operator folder and no other.
 */
#ifndef HF_CLI_CLIENT_H
#define HF_CLI_CLIENT_H

#include <jansson.h>

#include "hf/cli/args.h"
#include "hf/cli/disk.h"

/** Longest path with its query. */
#define HF_CLIENT_PATH_MAX 2048
/** Longest answer taken into memory. */
#define HF_CLIENT_ANSWER_MAX (64u << 20)

struct hf_client;

/** Read the login and get ready; connects to nothing yet. Gives `*client`. An exit code; not 0 after a message. */
HF_MUST int hf_client_open(struct hf_client **client, const struct hf_call *call);
void hf_client_close(struct hf_client *client);

/** A path being put together: "/devices?product=x", every part percent-encoded. */
struct hf_client_path {
  char at[HF_CLIENT_PATH_MAX];
  size_t len;
  bool query;  /**< a '?' was put */
  bool failed; /**< it became too long */
};
/** Start with a fixed text, "/devices". */
void hf_client_path_init(struct hf_client_path *path, const char *start);
/** Append "/part". */
void hf_client_path_put(struct hf_client_path *path, const char *part);
/** Append "name=value" to the query; nothing when `value` is NULL. */
void hf_client_path_put_query(struct hf_client_path *path, const char *name, const char *value);

/**
 * Ask `METHOD /api/v1PATH`.
 * @param reply   gives the JSON answer, or NULL for an empty one; json_decref it. May be NULL: not wanted
 * @param method  "GET", "POST" ...
 * @param body    borrows; NULL: no body
 * @return an exit code; not 0 after a message
 */
HF_MUST int hf_client_ask(struct hf_client *client, json_t **reply, const char *method,
                          const struct hf_client_path *path, const json_t *body);
/**
 * Ask for a list, page by page.
 * @param items  gives an array
 * @param total  fills with how many there are in all; may be NULL
 * @param limit  how many to bring at most
 */
HF_MUST int hf_client_list(struct hf_client *client, json_t **items, long long *total,
                           const struct hf_client_path *path, size_t limit);
/** PUT /uploads/{sha256}. */
HF_MUST int hf_client_upload(struct hf_client *client, const char *sha256, struct hf_bytes bytes);

/** How a static file came. */
enum hf_client_got { HF_CLIENT_GOT, HF_CLIENT_ABSENT, HF_CLIENT_TOO_LONG, HF_CLIENT_FAILED };
/** GET a static file below the server's address, "/repo/metadata/timestamp.json", without the token. Gives `file`;
 * a message only for HF_CLIENT_FAILED. */
HF_MUST enum hf_client_got hf_client_get(struct hf_client *client, struct hf_blob *file, const char *path, size_t max);
/** Address of the server, for messages. Borrowed. */
const char *hf_client_url(const struct hf_client *client);

#endif
