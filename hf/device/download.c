/* SPDX-License-Identifier: Apache-2.0
 * Image bytes from the transport into the slot writer.
 */
#include "hf/device/download.h"

static enum hf_err save_at(struct hf_download *download, uint32_t at)
{
  enum hf_err err = download->save(download->save_ctx, at);
  if (err == HF_OK) {
    download->at = at;
  }
  return err;
}

/* The first byte of a reply: does it continue where we stopped, or start over? */
static enum hf_err begin(struct hf_download *download)
{
  download->begun = true;
  if (download->reply.range_from == download->writer.at) {
    return HF_OK;
  }
  /* Forget the progress before the first sector is erased. */
  enum hf_err err = save_at(download, 0);
  if (err != HF_OK) {
    return err;
  }
  return download->reply.range_from == 0 ? hf_slot_open(&download->writer, download->area, download->len, 0)
                                         : HF_E_INPUT;
}

static enum hf_err image_put(void *ctx, struct hf_bytes piece)
{
  struct hf_download *download = ctx;
  enum hf_err err = download->begun ? HF_OK : begin(download);
  if (err == HF_OK) {
    err = hf_slot_put(&download->writer, piece);
  }
  if (err != HF_OK) {
    return err;
  }
  hf_port_watchdog_feed();
  uint32_t safe = hf_slot_safe(&download->writer);
  return safe >= download->at && safe - download->at >= download->step ? save_at(download, safe) : HF_OK;
}

/* Ask for what is missing. HF_OK: the slot has every byte. */
static enum hf_err fetch_rest(struct hf_download *download)
{
  const struct hf_http_request request = {
      .method = "GET", .path = download->path, .range_from = download->at, .max_len = download->len};
  const struct hf_transport *transport = download->transport;
  enum hf_err err =
      transport->ops->request(transport->ctx, &download->reply, &request, (struct hf_sink){image_put, download});
  if (err == HF_OK && download->reply.status == 416) {
    /* The server's file ends before our range begins: start over next time. */
    err = save_at(download, 0);
    return err == HF_OK ? HF_E_AGAIN : err;
  }
  if (err == HF_OK && download->writer.at == download->len) {
    return HF_OK;
  }
  uint32_t safe = hf_slot_safe(&download->writer);
  if ((err == HF_OK || err == HF_E_AGAIN || err == HF_E_DENIED) && safe > download->at) {
    enum hf_err saved = save_at(download, safe);
    return saved == HF_OK ? HF_E_AGAIN : saved;
  }
  return err == HF_OK || err == HF_E_DENIED || err == HF_E_INPUT ? HF_E_AGAIN : err;
}

enum hf_err hf_download_get(struct hf_download *download, uint8_t digest[HF_SHA256_LEN])
{
  download->begun = false;
  download->reply = (struct hf_http_reply){0};
  enum hf_err err = hf_slot_open(&download->writer, download->area, download->len, download->at);
  if (err == HF_E_INPUT) {
    /* Progress that does not fit this slot's geometry is worth nothing. */
    err = save_at(download, 0);
    err = err == HF_OK ? hf_slot_open(&download->writer, download->area, download->len, 0) : err;
  }
  if (err == HF_OK && download->writer.at < download->len) {
    err = fetch_rest(download);
  }
  if (err == HF_OK) {
    err = hf_slot_close(&download->writer, digest);
  }
  return err == HF_OK ? save_at(download, download->len) : err;
}
