/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/apimsg.h"

#include <string.h>

void hf_apimsg_put_request(struct hf_msg *msg, const struct hf_api_request *request, uint32_t id)
{
  *msg = (struct hf_msg){.type = HF_MSG_API, .id = id};
  msg->api.method = (uint32_t)request->method;
  msg->api.path = request->path;
  msg->api.query = request->query;
  msg->api.body = request->body;
  msg->api.bearer = request->bearer;
  msg->api.session = request->session;
  msg->api.csrf = request->csrf;
  msg->api.if_none = request->if_none;
  msg->api.address = request->address;
  msg->api.content_type = request->content_type;
  msg->api.ticket = request->ticket;
  msg->api.tls = request->tls;
  msg->api.upload = request->upload;
  msg->api.upload_len = request->upload_len;
  if (request->upload.len > 0) {
    msg->api.upload_sha256 = hf_bytes_init(request->upload_sha256, sizeof request->upload_sha256);
  }
}

void hf_apimsg_get_request(struct hf_api_request *request, const struct hf_msg *msg, int64_t now)
{
  *request = (struct hf_api_request){.method = (enum hf_method)msg->api.method,
                                     .path = msg->api.path,
                                     .query = msg->api.query,
                                     .body = msg->api.body,
                                     .bearer = msg->api.bearer,
                                     .session = msg->api.session,
                                     .csrf = msg->api.csrf,
                                     .if_none = msg->api.if_none,
                                     .address = msg->api.address,
                                     .content_type = msg->api.content_type,
                                     .ticket = msg->api.ticket,
                                     .tls = msg->api.tls,
                                     .upload = msg->api.upload,
                                     .upload_len = msg->api.upload_len,
                                     .now = now};
  if (msg->api.upload_sha256.len == sizeof request->upload_sha256) {
    memcpy(request->upload_sha256, msg->api.upload_sha256.at, sizeof request->upload_sha256);
  }
}

void hf_apimsg_reply_init(struct hf_api_reply *reply, void *room, size_t cap)
{
  *reply = (struct hf_api_reply){.status = 500, .body = hf_buf_init(room, cap)};
}

void hf_apimsg_put_reply(struct hf_msg *msg, const struct hf_api_reply *reply, uint32_t id)
{
  *msg = (struct hf_msg){.type = HF_MSG_API_REPLY, .id = id};
  if (reply->body.failed) {
    hf_apimsg_put_failure(msg, HF_E_SPACE, id);
    return;
  }
  msg->reply.status = (uint32_t)reply->status;
  msg->reply.content_type = hf_bytes_text(reply->content_type);
  msg->reply.body = hf_buf_bytes(&reply->body);
  msg->reply.set_session = hf_bytes_text(reply->set_session);
  msg->reply.etag = hf_bytes_text(reply->etag);
  msg->reply.location = hf_bytes_text(reply->location);
  msg->reply.allow = hf_bytes_text(reply->allow);
  msg->reply.retry_after_s = reply->retry_after_s;
  msg->reply.pass_on = reply->pass_on;
}

void hf_apimsg_put_failure(struct hf_msg *msg, enum hf_err err, uint32_t id)
{
  static const char full[] = "{\"status\":507,\"title\":\"Insufficient Storage\",\"todo\":\"make room on the server's "
                             "disk, then try again\",\"type\":\"about:blank\",\"what\":\"the disk of the server is "
                             "full; nothing was changed\",\"where\":\"server\"}";
  static const char failed[] = "{\"status\":503,\"title\":\"Service Unavailable\",\"todo\":\"try again; if it stays, "
                               "read the server's log\",\"type\":\"about:blank\",\"what\":\"the change could not be "
                               "stored; nothing was changed\",\"where\":\"server\"}";
  bool is_full = err == HF_E_FULL;
  *msg = (struct hf_msg){.type = HF_MSG_API_REPLY, .id = id};
  msg->reply.status = is_full ? 507 : 503;
  msg->reply.content_type = HF_LIT("application/problem+json");
  msg->reply.body = hf_bytes_text(is_full ? full : failed);
  msg->reply.retry_after_s = is_full ? 60 : 2;
}
