/* SPDX-License-Identifier: Apache-2.0
 * Starting, stopping, dying: what keeper promises.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hf/wire/checkin.h"
#include "world.h"

static struct world world;
static struct response response;

static int set_up(void **state)
{
  (void)state;
  world_open(&world);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  if (world.server > 0) {
    (void)world_stop(&world);
  }
  if (world.errors != NULL) {
    (void)fclose(world.errors);
  }
  world_close(&world);
  return 0;
}

static void nap(long ms)
{
  struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  (void)nanosleep(&pause, NULL);
}

static int health(void)
{
  struct client client;
  client_people(&client, &world);
  int status = client_ask(&client, &response, "GET", "/api/v1/health", "", (struct hf_bytes){NULL, 0});
  client_close(&client);
  return status;
}

/* ---- starting and stopping ---- */

static void is_ready_within_a_second_and_stops_when_asked(void **state)
{
  (void)state;
  struct client idle;
  struct timespec begun;
  struct timespec ended;
  world_start(&world, NULL);
  assert_true(world.ready_s < (HF_SANITIZED ? 3.0 : 1.0));
  assert_int_equal(health(), 200);
  client_people(&idle, &world); /* an open connection does not hold it up */
  (void)clock_gettime(CLOCK_MONOTONIC, &begun);
  assert_int_equal(world_stop(&world), 0);
  (void)clock_gettime(CLOCK_MONOTONIC, &ended);
  assert_true(ended.tv_sec - begun.tv_sec < 7);
  client_close(&idle);
  world_start(&world, NULL); /* and the workspace is as it was */
  assert_int_equal(health(), 200);
}

static void tells_the_service_manager(void **state)
{
  (void)state;
  char path[128];
  char text[64] = "";
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(path, sizeof path, "%s/notify", world.dir);
  memcpy(address.sun_path, path, strlen(path) + 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
  world_start(&world, NULL);
  assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
  assert_int_equal(recv(fd, text, sizeof text - 1, 0), 7);
  assert_string_equal(text, "READY=1");
  assert_int_equal(world_stop(&world), 0);
  memset(text, 0, sizeof text);
  assert_int_equal(recv(fd, text, sizeof text - 1, 0), 10);
  assert_string_equal(text, "STOPPING=1");
  (void)close(fd);
}

static void an_unnarrowed_server_says_so(void **state)
{
  (void)state;
  const char *const extra[4] = {"--no-sandbox", "--workers", "1", NULL};
  world_start(&world, extra);
  assert_int_equal(health(), 200);
  response.body[response.body_len] = 0;
  assert_non_null(strstr((const char *)response.body, "\"sandboxed\":false"));
}

static void people_from_outside_get_tls_and_only_our_own_names(void **state)
{
  (void)state;
  static const struct {
    const char *host;
    int status;
  } rows[] = {{"localhost", 200},
              {"127.0.0.1:8443", 200},
              {"[::1]", 200},
              {"evil.example", 421},
              {"localhost.evil.example", 421}};
  const char *const extra[4] = {"--people", "0.0.0.0:0", NULL};
  world_start(&world, extra);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct client client;
    char text[256];
    client_people_tls(&client, &world);
    int n = snprintf(text, sizeof text, "GET /api/v1/health HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i].host);
    assert_true(client_send(&client, text, (size_t)n));
    assert_true(client_receive(&client, &response, false));
    if (response.status != rows[i].status) {
      fail_msg("%s: %d", rows[i].host, response.status);
    }
    client_close(&client);
  }
  struct client plain;
  client_people(&plain, &world); /* no plain HTTP from outside */
  assert_int_equal(client_ask(&plain, &response, "GET", "/", "", (struct hf_bytes){NULL, 0}), 0);
  client_close(&plain);
}

/* A device that checks in all the time, one new event each time, and remembers what the server said was on its disk. */
struct walker {
  struct device device;
  struct client client;
  bool connected;
  uint32_t sent;
  uint32_t acknowledged;
  unsigned failures;
};

static bool walk_once(struct walker *walker, uint32_t event)
{
  uint8_t room[HF_CHECKIN_MAX];
  struct hf_checkin_answer answer;
  if (!walker->connected) {
    if (!client_try(&walker->client, &world, &walker->device)) {
      client_close(&walker->client);
      return false;
    }
    walker->connected = true;
  }
  size_t len = checkin_body(room, sizeof room, walker->sent + 1, event);
  int status = client_ask(&walker->client, &response, "POST", "/v1/checkin", "", hf_bytes_init(room, len));
  if (status == 0) {
    client_close(&walker->client);
    walker->connected = false;
  }
  if (status != 200) {
    return false;
  }
  assert_int_equal(hf_checkin_answer_parse(&answer, hf_bytes_init(response.body, response.body_len), NULL), HF_OK);
  assert_true(answer.has_events_to);
  assert_true(answer.events_to >= walker->acknowledged);
  walker->acknowledged = answer.events_to;
  return true;
}

static void walk(struct walker *walker)
{
  if (walk_once(walker, walker->sent + 1)) {
    walker->sent++;
  } else {
    walker->failures++;
    nap(20);
  }
}

static void walk_until_it_works(struct walker *walker)
{
  uint32_t before = walker->sent;
  for (int turn = 0; turn < 500 && walker->sent == before; turn++) {
    walk(walker);
  }
  assert_true(walker->sent > before);
}

static void walker_open(struct walker *walker)
{
  memset(walker, 0, sizeof *walker);
  assert_int_equal(world_api(&world, &response, "POST", "/api/v1/products",
                             "{\"name\":\"lamp\",\"title\":\"Lamp\",\"hardware\":[\"lamp-a\"]}"),
                   201);
  device_open(&walker->device, "walker");
  device_enrol(&walker->device, &world);
}

static void walker_close(struct walker *walker)
{
  if (walker->connected) {
    client_close(&walker->client);
  }
  device_close(&walker->device);
}

/* ---- webhooks ---- */

/* Take one request on a listening socket, answer it, and give back what it said. */
static bool receive_hook(int listener, const char *answer, char *said, size_t cap)
{
  struct pollfd watch = {.fd = listener, .events = POLLIN};
  if (poll(&watch, 1, 10000) != 1) {
    return false;
  }
  int fd = accept(listener, NULL, NULL);
  size_t len = 0;
  struct timeval patience = {.tv_sec = 2};
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  while (len + 1 < cap) {
    ssize_t n = recv(fd, said + len, cap - 1 - len, 0);
    len += n > 0 ? (size_t)n : 0;
    said[len] = '\0';
    const char *body = strstr(said, "\r\n\r\n");
    if (n <= 0 || (body != NULL && strchr(body, '}') != NULL)) {
      break;
    }
  }
  (void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
  (void)close(fd);
  return true;
}

static void webhooks_are_delivered_by_courier_and_redirects_are_not_followed(void **state)
{
  (void)state;
  char json[512];
  char said[8192];
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(listener, (const struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(listener, 8), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
  struct walker walker;
  world_start(&world, NULL);
  walker_open(&walker);
  walk_until_it_works(&walker);
  (void)snprintf(
      json, sizeof json,
      "{\"checkin_interval_s\":1800,\"rollout_interval_s\":300,\"silent_after_s\":0,\"postpone_max_s\":604800,"
      "\"security_deadline_s\":259200,\"certificate_life_s\":7776000,\"webhook\":\"http://localhost:%u/hook\"}",
      ntohs(at.sin_port));
  int status = world_api(&world, &response, "PUT", "/api/v1/settings", json);
  if (status != 200) {
    fail_msg("settings: %d %.*s", status, (int)response.body_len, (const char *)response.body);
  }
  assert_int_equal(world_api(&world, &response, "POST", "/api/v1/devices/walker/block", "{\"reason\":\"lost\"}"), 200);
  /* A redirect to somewhere else is no delivery: the message comes again, to the address it was meant for. */
  assert_true(receive_hook(listener, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
                           said, sizeof said));
  assert_non_null(strstr(said, "POST /hook HTTP/1.1"));
  assert_non_null(strstr(said, "application/json"));
  const char *body = strstr(said, "\r\n\r\n{");
  assert_non_null(body);
  assert_non_null(strstr(body, "device.blocked"));
  assert_non_null(strstr(body, "walker"));
  (void)close(listener);
  walker_close(&walker);
}

/* ---- a full disk ---- */

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void a_full_disk_is_an_answer_not_an_end(void **state)
{
  (void)state;
  enum { SIZE = 2 << 20 };
  char fields[512];
  struct client client;
  world.file_limit = 1 << 20;
  world_start(&world, NULL);
  uint8_t *bytes = calloc(1, SIZE);
  assert_non_null(bytes);
  (void)snprintf(fields, sizeof fields, "Authorization: Bearer %s\r\n", world.token);
  client_people(&client, &world);
  (void)client_ask(&client, &response, "PUT", "/api/v1/uploads/" ZEROS, fields, hf_bytes_init(bytes, SIZE));
  if (response.status == 0) {
    (void)client_receive(&client, &response, false); /* it answered before all was sent */
  }
  assert_int_equal(response.status, 507);
  client_close(&client);
  free(bytes);
  assert_int_equal(health(), 200);
  world.file_limit = 0;
  char errors[8192];
  world_errors(&world, errors, sizeof errors);
  assert_null(strstr(errors, "was ended by"));
}

/* ---- what cannot start says what, where and what to do ---- */

static void a_port_in_use_is_named(void **state)
{
  (void)state;
  struct world second;
  char taken[32];
  char said[2048];
  world_start(&world, NULL);
  memset(&second, 0, sizeof second);
  world_open(&second);
  (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", world.devices);
  const char *const devices[4] = {"--devices", taken, NULL};
  assert_int_equal(world_try(second.dir, devices, said, sizeof said), 1);
  assert_non_null(strstr(said, taken));
  assert_non_null(strstr(said, "in use"));
  assert_non_null(strstr(said, "--devices"));
  (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", world.people);
  const char *const people[4] = {"--people", taken, NULL};
  assert_int_equal(world_try(second.dir, people, said, sizeof said), 1);
  assert_non_null(strstr(said, "--people"));
  world_close(&second);
  assert_int_equal(health(), 200);
}

static void two_servers_never_share_a_workspace(void **state)
{
  (void)state;
  char said[2048];
  world_start(&world, NULL);
  assert_int_equal(world_try(world.dir, NULL, said, sizeof said), 1);
  assert_non_null(strstr(said, "already"));
  assert_int_equal(health(), 200);
}

static void write_text(const char *name, const char *text)
{
  char path[128];
  (void)snprintf(path, sizeof path, "%s/%s", world.dir, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void a_workspace_that_is_none_or_newer_or_damaged_is_refused(void **state)
{
  (void)state;
  char said[4096];
  char path[128];
  assert_int_equal(world_try("/tmp/no-such-workspace", NULL, said, sizeof said), 1);
  assert_non_null(strstr(said, "holdfast init"));
  const char *const bad[4] = {"--devices", "nonsense", NULL};
  assert_int_equal(world_try(world.dir, bad, said, sizeof said), 1);
  assert_non_null(strstr(said, "ADDR:PORT"));
  const char *const usage[4] = {"--frobnicate", NULL};
  assert_int_equal(world_try(world.dir, usage, said, sizeof said), 2);
  (void)snprintf(path, sizeof path, "%s/server/vault/director.pem", world.dir);
  char aside[160];
  (void)snprintf(aside, sizeof aside, "%s.aside", path);
  assert_int_equal(rename(path, aside), 0);
  assert_int_equal(world_try(world.dir, NULL, said, sizeof said), 1);
  assert_non_null(strstr(said, "director.pem"));
  assert_int_equal(rename(aside, path), 0);
  (void)snprintf(path, sizeof path, "%s/server/tls/server.key", world.dir);
  (void)snprintf(aside, sizeof aside, "%s.aside", path);
  assert_int_equal(rename(path, aside), 0);
  assert_int_equal(world_try(world.dir, NULL, said, sizeof said), 1);
  assert_non_null(strstr(said, "server.key"));
  assert_int_equal(rename(aside, path), 0);
  write_text("holdfast.json", "{\"format\": 2, \"organisation\": \"x\"}");
  assert_int_equal(world_try(world.dir, NULL, said, sizeof said), 1);
  assert_non_null(strstr(said, "newer"));
  write_text("holdfast.json", "{\"format\": 1, ");
  assert_int_equal(world_try(world.dir, NULL, said, sizeof said), 1);
  assert_non_null(strstr(said, "byte"));
}

/* ---- dying ---- */

static void when_keeper_dies_nobody_is_left(void **state)
{
  (void)state;
  static const char *const names[] = {"hf-vault", "hf-engine", "hf-reader", "hf-courier", "hf-front0"};
  pid_t pids[5];
  world_start(&world, NULL);
  for (size_t i = 0; i < 5; i++) {
    pids[i] = world_child(&world, names[i]);
    assert_true(pids[i] > 0);
  }
  assert_int_equal(kill(world.server, SIGKILL), 0);
  assert_int_equal(waitpid(world.server, NULL, 0), world.server);
  world.server = 0;
  bool left = true;
  for (int turn = 0; left && turn < 40; turn++) {
    left = false;
    for (size_t i = 0; i < 5; i++) {
      char path[64];
      char line[256] = "";
      (void)snprintf(path, sizeof path, "/proc/%d/stat", pids[i]);
      FILE *file = fopen(path, "r");
      if (file != NULL) {
        left = left || (fgets(line, sizeof line, file) != NULL && strstr(line, ") Z") == NULL);
        (void)fclose(file);
      }
    }
    nap(50);
  }
  assert_false(left);
}

/* What the database knows of the walker's events. */
static unsigned long events_stored(void)
{
  assert_int_equal(world_api(&world, &response, "GET", "/api/v1/devices/walker/timeline?limit=1", ""), 200);
  response.body[response.body_len] = 0;
  const char *total = strstr((const char *)response.body, "\"total\":");
  assert_non_null(total);
  return strtoul(total + strlen("\"total\":"), NULL, 10);
}

static void any_process_may_be_killed_and_nothing_acknowledged_is_lost(void **state)
{
  (void)state;
  static const char *const names[] = {"hf-engine",  "hf-front0", "hf-vault", "hf-reader",
                                      "hf-courier", "hf-front1", "hf-engine"};
  const char *const extra[4] = {"--workers", "2", NULL};
  struct walker walker;
  world_start(&world, extra);
  walker_open(&walker);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    for (int n = 0; n < 20; n++) {
      walk(&walker);
    }
    pid_t pid = world_child(&world, names[i]);
    assert_true(pid > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    for (int n = 0; n < 20; n++) {
      walk(&walker);
    }
    walk_until_it_works(&walker);
    pid_t next = 0;
    for (int turn = 0; turn < 200 && (next == 0 || next == pid); turn++) {
      next = world_child(&world, names[i]);
      nap(20);
    }
    assert_true(next > 0 && next != pid);
  }
  assert_true(walker.acknowledged > 200);
  unsigned long stored = 0;
  for (int turn = 0; turn < 100; turn++) { /* the reader may be on its way back */
    if (world_api(&world, &response, "GET", "/api/v1/devices/walker/timeline?limit=1", "") == 200) {
      stored = events_stored();
      break;
    }
    nap(50);
  }
  assert_true(stored >= walker.acknowledged);
  walker_close(&walker);
  char said[65536];
  world_errors(&world, said, sizeof said);
  assert_null(strstr(said, "forbids"));
}

static void the_whole_server_may_be_killed_and_nothing_acknowledged_is_lost(void **state)
{
  (void)state;
  struct walker walker;
  world_start(&world, NULL);
  walker_open(&walker);
  for (int round = 0; round < 4; round++) {
    for (int n = 0; n < 30 + round * 7; n++) {
      walk(&walker);
    }
    assert_int_equal(kill(world.server, SIGKILL), 0);
    assert_int_equal(waitpid(world.server, NULL, 0), world.server);
    world.server = 0;
    if (walker.connected) {
      client_close(&walker.client);
      walker.connected = false;
    }
    for (int turn = 0; turn < 100; turn++) { /* the children need a moment to let go of the workspace */
      nap(20);
      if (walker.failures == 0) {
        break;
      }
    }
    nap(200);
    world_start(&world, NULL);
    uint32_t before = walker.acknowledged;
    assert_true(walk_once(&walker, 1)); /* an old event again: the answer says what is stored */
    assert_true(walker.acknowledged >= before);
  }
  assert_true(events_stored() >= walker.acknowledged);
  walker_close(&walker);
}

/* A front that dies takes its connections along, never the others'. A process that dies again and again is started with
 * growing pauses, not in a storm. */
static void restarts_slow_down(void **state)
{
  (void)state;
  const char *const extra[4] = {"--workers", "1", NULL};
  struct timespec begun;
  struct timespec now;
  unsigned deaths = 0;
  world_start(&world, extra);
  (void)clock_gettime(CLOCK_MONOTONIC, &begun);
  do {
    pid_t pid = world_child(&world, "hf-courier");
    if (pid > 0 && kill(pid, SIGKILL) == 0) {
      deaths++;
    }
    nap(10);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec - begun.tv_sec < 4);
  assert_true(deaths >= 3);
  assert_true(deaths <= 60); /* kills of one dying process are counted more than once; without pauses it is hundreds */
  assert_int_equal(health(), 200);
}

int main(void)
{
  (void)signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(is_ready_within_a_second_and_stops_when_asked, set_up, tear_down),
      cmocka_unit_test_setup_teardown(tells_the_service_manager, set_up, tear_down),
      cmocka_unit_test_setup_teardown(an_unnarrowed_server_says_so, set_up, tear_down),
      cmocka_unit_test_setup_teardown(people_from_outside_get_tls_and_only_our_own_names, set_up, tear_down),
      cmocka_unit_test_setup_teardown(webhooks_are_delivered_by_courier_and_redirects_are_not_followed, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(a_full_disk_is_an_answer_not_an_end, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_port_in_use_is_named, set_up, tear_down),
      cmocka_unit_test_setup_teardown(two_servers_never_share_a_workspace, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_workspace_that_is_none_or_newer_or_damaged_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(when_keeper_dies_nobody_is_left, set_up, tear_down),
      cmocka_unit_test_setup_teardown(any_process_may_be_killed_and_nothing_acknowledged_is_lost, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_whole_server_may_be_killed_and_nothing_acknowledged_is_lost, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(restarts_slow_down, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
