/* SPDX-License-Identifier: Apache-2.0
 * A link: frames (hf/server/msg.h) over a connected Unix stream socket between two processes of the server.
 *
 * Non-blocking, with a bounded queue each way: whoever asks finds out that the other side is behind (HF_E_FULL) instead
 * of growing without end. It knows no event loop; the loop calls fill and flush when the socket is ready.
 */
#ifndef HF_SERVER_LINK_H
#define HF_SERVER_LINK_H

#include "hf/server/msg.h"

/** Bytes that may wait to be sent before hf_link_put refuses; one message of the largest size always fits an idle link.
 */
#define HF_LINK_QUEUE_MAX (16u << 20)

/** A queue of bytes on the heap: `at[from .. to)` is in use. */
struct hf_link_queue {
  uint8_t *at;
  size_t from;
  size_t to;
  size_t cap;
};

struct hf_link {
  int socket; /**< -1: no peer at the moment */
  enum hf_process self;
  enum hf_process peer;
  struct hf_link_queue in;
  struct hf_link_queue out;
  bool broken; /**< the peer closed, or broke the protocol: hf_link_close, then wait for a new socket */
};

/** A link without a peer. */
void hf_link_init(struct hf_link *link, enum hf_process self, enum hf_process peer);
/** Take a connected socket (owned from now on), made non-blocking; forgets what was queued for the peer before. */
void hf_link_open(struct hf_link *link, int socket);
/** Close the socket and free the queues; the link may be opened again. */
void hf_link_close(struct hf_link *link);

/** Read what has arrived, at most about 1 MiB. Sets `broken` at end of file or error. */
void hf_link_fill(struct hf_link *link);
/**
 * Next message that has arrived whole.
 * @param msg  fills; borrows the link's queue until the next hf_link_fill
 * @return false when there is none, or the peer sent what it may not (then `broken` is set)
 */
HF_MUST bool hf_link_next(struct hf_link *link, struct hf_msg *msg);

/** Queue a message. HF_E_FULL: the peer is behind; HF_E_IO: no peer; HF_E_SPACE: longer than HF_MSG_MAX or no memory.
 */
HF_MUST enum hf_err hf_link_put(struct hf_link *link, const struct hf_msg *msg);
/** Send what is queued as far as the socket takes it. Sets `broken` on error. */
void hf_link_flush(struct hf_link *link);
/** Is something still queued? Then wait until the socket is writable and flush again. */
bool hf_link_pending(const struct hf_link *link);

/** Send one message with a descriptor on a control socket (blocking, SOCK_SEQPACKET); `fd` -1: none. */
HF_MUST enum hf_err hf_control_put(int control, const struct hf_msg *msg, int fd);
/**
 * Receive one message from a control socket.
 * @param fd  fills with the descriptor that came along (owned by the caller), or -1
 * @return HF_OK; HF_E_AGAIN: nothing there; HF_E_IO: the other end is gone; HF_E_INPUT: not a message of ours
 */
HF_MUST enum hf_err hf_control_get(int control, enum hf_process self, struct hf_msg *msg, int *fd);

#endif
