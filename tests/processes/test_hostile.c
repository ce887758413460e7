/* SPDX-License-Identifier: Apache-2.0
 * Clients that mean no good, or never finish: refused or dropped, while the service goes on.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "hf/wire/checkin.h"
#include "lampworld.h"

static int set_up(void **state)
{
  struct rlimit files;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
  /* The default of 1,024 is less than this test holds. */
  files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
  return lamp_set_up(state);
}

/* ---- hostile clients ---- */

static void malformed_http_is_answered_and_the_server_goes_on(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int status;
  } rows[] = {
      {"\r\n\r\n", 400},
      {"GARBAGE\r\n\r\n", 400},
      {"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411},
      {"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", 413},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: localhost\n\n\r\n\r\n", 400},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
      {"PUT /api/v1/uploads/00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 411},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct client client;
    client_people(&client, &world);
    assert_true(client_send(&client, rows[i].text, strlen(rows[i].text)));
    if (!client_receive(&client, &response, false) || response.status != rows[i].status) {
      fail_msg("row %zu: %d", i, response.status);
    }
    client_close(&client);
  }
  assert_int_equal(ask_people("GET", "/api/v1/health", "", nothing), 200);
}

static void a_huge_head_is_refused_before_it_is_read(void **state)
{
  (void)state;
  struct client client;
  static char line[1024];
  memset(line, 'a', sizeof line);
  client_people(&client, &world);
  assert_true(client_send(&client, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ", 36));
  for (int i = 0; i < 1000 && client_send(&client, line, sizeof line); i++) {
  }
  assert_true(client_receive(&client, &response, false));
  assert_int_equal(response.status, 431);
  client_close(&client);
}

/* An answer given before the body has arrived must not be lost to a reset when the rest of the body comes. */
static void an_early_refusal_reaches_a_client_that_is_still_sending(void **state)
{
  (void)state;
  static char block[1 << 16];
  for (int round = 0; round < 5; round++) {
    struct client client;
    client_people(&client, &world);
    static const char head[] = "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000\r\n\r\n";
    assert_true(client_send(&client, head, sizeof head - 1));
    for (int i = 0; i < 16 && client_send(&client, block, sizeof block); i++) {
    }
    assert_true(client_receive(&client, &response, false));
    assert_int_equal(response.status, 413);
    client_close(&client);
  }
}

/* Rubbish on the TLS port, in many shapes: the server drops it and serves the next. */
static void rubbish_instead_of_tls_is_dropped(void **state)
{
  (void)state;
  for (unsigned seed = 1; seed <= 64; seed++) {
    uint8_t bytes[256];
    unsigned x = seed * 2654435761u;
    for (size_t i = 0; i < sizeof bytes; i++) {
      x = x * 1664525u + 1013904223u;
      bytes[i] = (uint8_t)(x >> 24);
    }
    if (seed % 2 == 0) {
      memcpy(bytes, "\x16\x03\x01\x00\xfa\x01\x00\x00\xf6\x03\x03", 11); /* begins like a hello */
    }
    int fd = connect_to(world.devices);
    (void)send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, bytes, sizeof bytes, 0) > 0) {
    }
    (void)close(fd);
  }
  assert_int_equal(ask_device(&lamp, "GET", "/director/1.root.json", "", nothing), 200);
}

/* ---- clients that never finish; run together, because each waits for the server's patience to end ---- */

enum { UNFINISHED = 1200 };

static void unfinished_handshakes_and_slow_senders_do_not_stop_the_service(void **state)
{
  (void)state;
  static int silent[UNFINISHED];
  for (size_t i = 0; i < UNFINISHED; i++) {
    silent[i] = connect_to(world.devices);
    if (i % 3 == 0) {
      (void)send(silent[i], "\x16\x03\x01", 3, MSG_NOSIGNAL); /* the beginning of a hello */
    }
  }
  struct client slow_head;
  struct client slow_body;
  struct client drip;
  client_people(&slow_head, &world);
  assert_true(client_send(&slow_head, "GET / HTTP/1.1\r\nHost: lo", 24));
  client_people(&drip, &world);
  client_open(&slow_body, &world, &lamp);
  assert_true(client_send(&slow_body, "POST /v1/checkin HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n\xa1", 60));
  uint8_t room[HF_CHECKIN_MAX];
  struct timespec begun;
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &begun);
  size_t dripped = 0;
  bool drip_open = true;
  int served = 0;
  do { /* all the while devices and people are served */
    size_t len = checkin_body(room, sizeof room, 100 + (uint32_t)served, 0);
    assert_int_equal(ask_device(&lamp, "POST", "/v1/checkin", "", hf_bytes_init(room, len)), 200);
    assert_int_equal(ask_people("GET", "/api/v1/health", "", nothing), 200);
    served++;
    /* One byte each turn: progress alone must not keep a connection for ever. */
    drip_open =
        drip_open &&
        client_send(&drip,
                    "GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + dripped, 1);
    dripped = dripped < 60 ? dripped + 1 : 40;
    struct timespec pause = {.tv_nsec = 250000000};
    (void)nanosleep(&pause, NULL);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec - begun.tv_sec < 17);
  assert_true(served > 20);
  assert_true(client_receive(&slow_head, &response, false));
  assert_int_equal(response.status, 408);
  assert_true(client_receive(&drip, &response, false));
  assert_int_equal(response.status, 408);
  size_t closed = 0;
  for (size_t i = 0; i < UNFINISHED; i++) {
    char byte;
    struct timeval brief = {.tv_sec = 1};
    (void)setsockopt(silent[i], SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief);
    while (recv(silent[i], &byte, 1, 0) > 0) {
    }
    struct pollfd watch = {.fd = silent[i], .events = POLLIN};
    closed += poll(&watch, 1, 0) == 1;
    (void)close(silent[i]);
  }
  assert_int_equal(closed, UNFINISHED); /* none of them is still held */
  client_close(&slow_head);
  client_close(&drip);
  client_close(&slow_body);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(malformed_http_is_answered_and_the_server_goes_on),
      cmocka_unit_test(a_huge_head_is_refused_before_it_is_read),
      cmocka_unit_test(an_early_refusal_reaches_a_client_that_is_still_sending),
      cmocka_unit_test(rubbish_instead_of_tls_is_dropped),
      cmocka_unit_test(unfinished_handshakes_and_slow_senders_do_not_stop_the_service),
  };
  return cmocka_run_group_tests(tests, set_up, lamp_tear_down);
}
