/* SPDX-License-Identifier: Apache-2.0
 * What people ask of a running device from outside its process: attributes and postponement. One line a request in
 * DIR/requests, taken by the application at its next step, now or after the next start; answers in DIR/answers.
 *
 *   <id> attribute <name> <value>        value may hold blanks, or be empty to remove the attribute
 *   <id> postpone <seconds since 1970>   0 takes a postponement back
 *
 * The answer line is `<id> <HF_OK or another code> <detail>`. Requests may be repeated after a power cut; both kinds
 * mean the same the second time.
 */
#ifndef HF_POSIX_REQUESTS_H
#define HF_POSIX_REQUESTS_H

#include "hf/base/bytes.h"

/** Bytes of requests that may wait, and of answers that are kept. */
#define HF_REQUESTS_MAX 8192
/** Characters of an id. */
#define HF_REQUESTS_ID_LEN 16

struct hf_requests_item {
  struct hf_bytes id;
  struct hf_bytes kind;  /**< "attribute" or "postpone" */
  struct hf_bytes name;  /**< first word after it */
  struct hf_bytes value; /**< the rest of the line */
};

/** Add a request. `id` is filled with HF_REQUESTS_ID_LEN characters and a NUL.
 * @return HF_OK: it waits on disk; HF_E_INPUT: line breaks or other control characters inside; HF_E_FULL: too many wait
 *         already; HF_E_IO, HF_E_CRYPTO */
HF_MUST enum hf_err hf_requests_put(char id[HF_REQUESTS_ID_LEN + 1], int folder, const struct hf_requests_item *item);

/** Take one line off a text. @return HF_OK; HF_E_NOT_FOUND: no line left; HF_E_INPUT: the line is no request, and was
 * passed over */
HF_MUST enum hf_err hf_requests_next(struct hf_requests_item *item, struct hf_bytes *text);

/** Hand every waiting request to `handle`, then note the answers and forget the requests. Cheap when nothing waits. */
void hf_requests_take(int folder,
                      enum hf_err (*handle)(void *ctx, struct hf_buf *detail, const struct hf_requests_item *),
                      void *ctx);

/** The answer to a request, if there is one yet. @return HF_OK; HF_E_NOT_FOUND; HF_E_IO.
 * @param line  appended to: code and detail */
HF_MUST enum hf_err hf_requests_get(struct hf_buf *line, int folder, const char *id);

#endif
