/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hf/server/link.h"

static const struct hf_msg checkin = {
    .type = HF_MSG_CHECKIN,
    .id = 7,
    .ask = {.peer = {.present = true,
                     .device = {(const uint8_t *)"sn-1", 4},
                     .certificate = {(const uint8_t *)"0123456789abcdef0123456789abcdef", 32},
                     .not_after = -5,
                     .address = {(const uint8_t *)"::1", 3}},
            .body = {(const uint8_t *)"body", 4}},
};

static struct hf_bytes frame_of(struct hf_buf *out, const struct hf_msg *msg)
{
  hf_msg_encode(out, msg);
  assert_false(out->failed);
  return hf_bytes_init(out->at + HF_MSG_HEAD, out->len - HF_MSG_HEAD);
}

static void comes_back_as_it_went(void **state)
{
  (void)state;
  uint8_t room[512];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_msg back;
  assert_int_equal(hf_msg_parse(&back, frame_of(&out, &checkin)), HF_OK);
  assert_int_equal(back.type, HF_MSG_CHECKIN);
  assert_int_equal(back.id, 7);
  assert_true(back.ask.peer.present);
  assert_true(hf_bytes_is(back.ask.peer.device, "sn-1"));
  assert_int_equal(back.ask.peer.certificate.len, 32);
  assert_int_equal(back.ask.peer.not_after, -5);
  assert_true(hf_bytes_is(back.ask.body, "body"));
}

/* Each type with empty members: the table's every row encodes, parses, and encodes to the same bytes. */
static void every_type_has_one_encoding(void **state)
{
  (void)state;
  static const enum hf_msg_type types[] = {
#define HF_MSG(name, number, from, to, member, what) HF_MSG_##name,
#include "hf/server/msg.def"
#undef HF_MSG
  };
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    uint8_t first[256];
    uint8_t second[256];
    struct hf_buf one = hf_buf_init(first, sizeof first);
    struct hf_buf two = hf_buf_init(second, sizeof second);
    struct hf_msg msg = {.type = types[i], .id = UINT32_MAX};
    struct hf_msg back;
    assert_int_equal(hf_msg_parse(&back, frame_of(&one, &msg)), HF_OK);
    hf_msg_encode(&two, &back);
    assert_true(hf_bytes_equal(hf_buf_bytes(&one), hf_buf_bytes(&two)));
  }
}

static void refuses_every_truncation_and_trailing_bytes(void **state)
{
  (void)state;
  uint8_t room[512];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_bytes body = frame_of(&out, &checkin);
  struct hf_msg back;
  for (size_t len = 0; len < body.len; len++) {
    uint8_t *exact = malloc(len + 1);
    assert_non_null(exact);
    memcpy(exact, body.at, len);
    assert_int_equal(hf_msg_parse(&back, hf_bytes_init(exact, len)), HF_E_INPUT);
    free(exact);
  }
  room[out.len] = 0;
  assert_int_equal(hf_msg_parse(&back, hf_bytes_init(body.at, body.len + 1)), HF_E_INPUT);
}

static void a_member_over_its_maximum_is_not_sent(void **state)
{
  (void)state;
  static uint8_t long_text[200];
  uint8_t room[1024];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_msg msg = {.type = HF_MSG_ENROL, .enrol = {.token = {long_text, 129}}};
  hf_msg_encode(&out, &msg);
  assert_true(out.failed);
}

static void only_the_listed_sender_may_send(void **state)
{
  (void)state;
  assert_true(hf_msg_allowed(HF_MSG_VAULT_SIGN, HF_ENGINE, HF_VAULT));
  assert_false(hf_msg_allowed(HF_MSG_VAULT_SIGN, HF_FRONT, HF_VAULT));
  assert_false(hf_msg_allowed(HF_MSG_VAULT_SIGN, HF_FRONT, HF_ENGINE));
  assert_true(hf_msg_allowed(HF_MSG_API, HF_FRONT, HF_READER));
  assert_false(hf_msg_allowed(HF_MSG_CHECKIN, HF_FRONT, HF_READER));
  assert_false(hf_msg_allowed((enum hf_msg_type)99, HF_FRONT, HF_ENGINE));
}

/* ---- links ---- */

struct pair {
  struct hf_link front;
  struct hf_link engine;
};

static void pair_open(struct pair *pair)
{
  int fd[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
  hf_link_init(&pair->front, HF_FRONT, HF_ENGINE);
  hf_link_init(&pair->engine, HF_ENGINE, HF_FRONT);
  hf_link_open(&pair->front, fd[0]);
  hf_link_open(&pair->engine, fd[1]);
}

static void pair_close(struct pair *pair)
{
  hf_link_close(&pair->front);
  hf_link_close(&pair->engine);
}

static void messages_survive_any_cut_of_the_stream(void **state)
{
  (void)state;
  uint8_t room[1024];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_msg_encode(&out, &checkin);
  hf_msg_encode(&out, &checkin);
  for (size_t cut = 1; cut < out.len; cut++) {
    struct pair pair;
    struct hf_msg msg;
    size_t count = 0;
    pair_open(&pair);
    assert_int_equal(send(pair.front.socket, room, cut, 0), cut);
    hf_link_fill(&pair.engine);
    while (hf_link_next(&pair.engine, &msg)) {
      count++;
    }
    assert_int_equal(send(pair.front.socket, room + cut, out.len - cut, 0), out.len - cut);
    hf_link_fill(&pair.engine);
    while (hf_link_next(&pair.engine, &msg)) {
      assert_true(hf_bytes_is(msg.ask.body, "body"));
      count++;
    }
    assert_int_equal(count, 2);
    assert_false(pair.engine.broken);
    pair_close(&pair);
  }
}

static void a_slow_reader_makes_the_sender_stop_not_grow(void **state)
{
  (void)state;
  struct pair pair;
  static uint8_t big[60000];
  struct hf_msg msg = {.type = HF_MSG_CHECKIN, .ask = {.body = {big, sizeof big}}};
  pair_open(&pair);
  enum hf_err err = HF_OK;
  size_t sent = 0;
  while ((err = hf_link_put(&pair.front, &msg)) == HF_OK) {
    hf_link_flush(&pair.front);
    assert_true(++sent < 1000);
  }
  assert_int_equal(err, HF_E_FULL);
  assert_true(pair.front.out.cap <= 2 * HF_LINK_QUEUE_MAX);
  size_t received = 0;
  for (int turn = 0; turn < 10000 && received < sent; turn++) {
    struct hf_msg back;
    hf_link_flush(&pair.front);
    hf_link_fill(&pair.engine);
    while (hf_link_next(&pair.engine, &back)) {
      received++;
    }
  }
  assert_int_equal(received, sent); /* nothing that was taken is lost */
  assert_int_equal(hf_link_put(&pair.front, &msg), HF_OK);
  pair_close(&pair);
}

/* As the reader does it, whose every login costs a tenth of a second: much comes, and little is taken at a time. */
static void a_receiver_that_takes_one_at_a_time_loses_neither_link_nor_message(void **state)
{
  (void)state;
  struct pair pair;
  static uint8_t big[60000];
  struct hf_msg msg = {.type = HF_MSG_CHECKIN, .ask = {.body = {big, sizeof big}}};
  uint32_t received = 0;
  const uint32_t count = 250; /* 15 MB */
  pair_open(&pair);
  for (msg.id = 1; msg.id <= count; msg.id++) {
    assert_int_equal(hf_link_put(&pair.front, &msg), HF_OK);
  }
  for (uint32_t turn = 0; turn < 100 * count && received < count; turn++) {
    struct hf_msg back;
    for (int i = 0; i < 8; i++) {
      hf_link_flush(&pair.front);
      hf_link_fill(&pair.engine);
    }
    assert_false(pair.engine.broken);
    assert_true(pair.engine.in.cap <= 4 * HF_MSG_MAX);
    if (hf_link_next(&pair.engine, &back)) {
      assert_int_equal(back.id, ++received);
    }
  }
  assert_int_equal(received, count);
  pair_close(&pair);
}

static void a_message_the_peer_may_not_send_breaks_the_link(void **state)
{
  (void)state;
  struct pair pair;
  uint8_t room[128];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_msg msg = {.type = HF_MSG_VAULT_HEAD};
  pair_open(&pair);
  hf_msg_encode(&out, &msg);
  assert_int_equal(send(pair.front.socket, room, out.len, 0), out.len);
  hf_link_fill(&pair.engine);
  assert_false(hf_link_next(&pair.engine, &msg));
  assert_true(pair.engine.broken);
  pair_close(&pair);
}

static void a_length_beyond_the_maximum_breaks_the_link(void **state)
{
  (void)state;
  struct pair pair;
  struct hf_msg msg;
  static const uint8_t head[4] = {0xff, 0xff, 0xff, 0xff};
  pair_open(&pair);
  assert_int_equal(send(pair.front.socket, head, sizeof head, 0), sizeof head);
  hf_link_fill(&pair.engine);
  assert_false(hf_link_next(&pair.engine, &msg));
  assert_true(pair.engine.broken);
  pair_close(&pair);
}

static void what_came_before_the_end_of_file_still_counts(void **state)
{
  (void)state;
  struct pair pair;
  struct hf_msg msg;
  pair_open(&pair);
  assert_int_equal(hf_link_put(&pair.front, &checkin), HF_OK);
  hf_link_flush(&pair.front);
  hf_link_close(&pair.front);
  hf_link_fill(&pair.engine);
  hf_link_fill(&pair.engine);
  assert_true(pair.engine.broken);
  assert_true(hf_link_next(&pair.engine, &msg));
  pair_close(&pair);
}

static void a_descriptor_travels_with_a_control_message(void **state)
{
  (void)state;
  int control[2];
  int ends[2];
  int got = -1;
  char byte = 0;
  struct hf_msg msg = {.type = HF_MSG_LINK, .link = {HF_ENGINE, 3}};
  struct hf_msg back;
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), 0);
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(hf_control_put(control[0], &msg, ends[1]), HF_OK);
  assert_int_equal(hf_control_get(control[1], HF_FRONT, &back, &got), HF_OK);
  assert_int_equal(back.link.number, 3);
  assert_int_equal(write(got, "x", 1), 1);
  assert_int_equal(read(ends[0], &byte, 1), 1);
  assert_int_equal(byte, 'x');
  (void)close(got);
  (void)close(control[0]);
  assert_int_equal(hf_control_get(control[1], HF_FRONT, &back, &got), HF_E_IO); /* keeper is gone */
  (void)close(control[1]);
  (void)close(ends[0]);
  (void)close(ends[1]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(comes_back_as_it_went),
      cmocka_unit_test(every_type_has_one_encoding),
      cmocka_unit_test(refuses_every_truncation_and_trailing_bytes),
      cmocka_unit_test(a_member_over_its_maximum_is_not_sent),
      cmocka_unit_test(only_the_listed_sender_may_send),
      cmocka_unit_test(messages_survive_any_cut_of_the_stream),
      cmocka_unit_test(a_slow_reader_makes_the_sender_stop_not_grow),
      cmocka_unit_test(a_receiver_that_takes_one_at_a_time_loses_neither_link_nor_message),
      cmocka_unit_test(a_message_the_peer_may_not_send_breaks_the_link),
      cmocka_unit_test(a_length_beyond_the_maximum_breaks_the_link),
      cmocka_unit_test(what_came_before_the_end_of_file_still_counts),
      cmocka_unit_test(a_descriptor_travels_with_a_control_message),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
