/* SPDX-License-Identifier: Apache-2.0
 * The REST client through whole commands: what it sends, what it believes, and what it says when it does not. */
#define _GNU_SOURCE
#include "tests/cli/fakeserver.h"

#define AT_SERVER "--operator", "operator"

static void answer_by_path(struct fake_reply *reply, const struct fake_request *request, void *ctx)
{
  static const struct {
    const char *line;
    int status;
    const char *body;
  } table[] = {
      {"GET /api/v1/products?limit=500", 200,
       "{\"items\":[{\"name\":\"a\",\"title\":\"A \\u001b]0;evil\\u0007\",\"hardware\":[\"h1\",\"h2\"],\"devices\":3,"
       "\"latest\":null}],\"next\":\"c1\",\"total\":2}"},
      {"GET /api/v1/products?limit=500&after=c1", 200,
       "{\"items\":[{\"name\":\"b\",\"title\":\"B\",\"hardware\":[],\"devices\":0,\"latest\":\"1.0.0\"}],\"next\":null,"
       "\"total\":2}"},
      {"GET /api/v1/groups?limit=500", 200, "{\"items\":[],\"next\":null,\"total\":0}"},
      {"GET /api/v1/settings", 200, "{\"checkin_interval_s\":1800,\"webhook\":\"https://a.example\"}"},
      {"GET /api/v1/groups/400", 400,
       "{\"type\":\"about:blank\",\"title\":\"x\",\"status\":400,\"what\":\"the query does not "
       "end\",\"where\":\"/query\","
       "\"todo\":\"close the bracket\"}"},
      {"GET /api/v1/groups/401", 401, ""},
      {"GET /api/v1/groups/403", 403,
       "{\"what\":\"the token may only read\",\"where\":\"\",\"todo\":\"ask an admin\"}"},
      {"GET /api/v1/groups/404", 404, "{\"what\":\"no such group\",\"where\":\"\",\"todo\":\"holdfast group list\"}"},
      {"GET /api/v1/groups/409", 409, "{\"what\":\"somebody was faster\",\"where\":\"\",\"todo\":\"again\"}"},
      {"GET /api/v1/groups/500", 500, "<html>oops</html>"},
      {"GET /api/v1/groups/503", 503, "{\"what\":\"the disk is full\",\"where\":\"\",\"todo\":\"make room\"}"},
      {"GET /api/v1/groups/html", 200, "<html>another server</html>"},
      {"GET /api/v1/groups/twice", 200, "{\"name\":\"a\",\"name\":\"b\"}"},
      {"DELETE /api/v1/groups/x%2F..%2F%20y", 204, ""}};
  (void)ctx;
  if (strstr(request->headers, "\r\nAuthorization: Bearer hf_0123456789abcdef") == NULL) {
    fake_say(reply, 401, "{\"what\":\"no token came\",\"where\":\"\",\"todo\":\"\"}");
    return;
  }
  if (strcmp(request->line, "GET /api/v1/groups/302") == 0) {
    fake_say(reply, 302, "");
    (void)snprintf(reply->headers, sizeof reply->headers, "Location: /api/v1/groups?limit=500\r\n");
    return;
  }
  if (strcmp(request->line, "PUT /api/v1/settings") == 0) {
    bool right = strcmp(request->body, "{\"checkin_interval_s\":5,\"webhook\":null}") == 0;
    fake_say(reply, right ? 200 : 400, right ? request->body : "{}");
    return;
  }
  if (strcmp(request->line, "POST /api/v1/devices/d/block") == 0) {
    bool right = strcmp(request->body, "{\"reason\":\"stolen\"}") == 0;
    fake_say(reply, right ? 200 : 400, "{\"id\":\"d\",\"blocked\":true}");
    return;
  }
  if (strncmp(request->line, "POST /api/v1/", 13) == 0) {
    fake_say(reply, 200,
             "{\"id\":\"\\u001b]0;evil\\u0007\",\"product\":\"\\u001b[2J\",\"version\":\"\\u009b2J\\u202e\\u2066\","
             "\"blocked\":true}");
    return;
  }
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (strcmp(request->line, table[i].line) == 0) {
      fake_say(reply, table[i].status, table[i].body);
      return;
    }
  }
}

static void brings_every_page_and_cleans_what_it_shows(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "product", "list", AT_SERVER), HF_EXIT_DONE);
  assert_says(run->out, "PRODUCT  TITLE");
  assert_says(run->out, "h1, h2");
  assert_says(run->out, "1.0.0");
  assert_says(run->out, "A ?]0;evil?");
  assert_null(strchr(run->out, '\033'));
  assert_int_equal(clirun(run, "product", "list", "--json", AT_SERVER), HF_EXIT_DONE);
  assert_says(run->out, "\"items\": [");
  assert_says(run->out, "\"name\": \"b\"");
  assert_says(run->out, "\"total\": 2");
  assert_int_equal(clirun(run, "group", "list", AT_SERVER), HF_EXIT_DONE);
  assert_string_equal(run->out, "");
  assert_says(run->err, "no groups yet");
}

static void every_refusal_has_its_exit_code_and_words(void **state)
{
  static const struct {
    const char *group;
    int code;
    const char *words;
  } cases[] = {
      {"400", HF_EXIT_FAILED, "the query does not end"},  {"401", HF_EXIT_DENIED, "not signed in"},
      {"403", HF_EXIT_DENIED, "the token may only read"}, {"404", HF_EXIT_NOT_FOUND, "no such group"},
      {"409", HF_EXIT_CONFLICT, "somebody was faster"},   {"500", HF_EXIT_FAILED, "HTTP status 500"},
      {"503", HF_EXIT_UNREACHABLE, "the disk is full"},   {"html", HF_EXIT_FAILED, "not what a Holdfast server"},
      {"twice", HF_EXIT_FAILED, "not what a Holdfast"},   {"302", HF_EXIT_FAILED, "HTTP status 302"}};
  struct clirun *run = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(clirun(run, "group", "show", cases[i].group, AT_SERVER), cases[i].code);
    assert_says(run->err, cases[i].words);
    assert_string_equal(run->out, "");
  }
}

static void names_are_encoded_and_bodies_are_json(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "group", "remove", "x/../ y", AT_SERVER), HF_EXIT_DONE);
  assert_int_equal(clirun(run, "device", "block", "d", "--reason", "stolen", AT_SERVER), HF_EXIT_DONE);
  assert_says(run->out, "d is blocked");
  assert_int_equal(clirun(run, "device", "block", "d", "--reason", "\xff", AT_SERVER), HF_EXIT_USAGE);
  assert_says(run->err, "the reason is no text");
}

/* A hostile server answers a change: nothing of it moves the cursor, and what is missing is no crash. */
static void what_a_change_is_answered_with_is_cleaned_too(void **state)
{
  static const char *const cases[][5] = {{"device", "block", "e", "--reason", "x"},
                                         {"device", "unblock", "e", "--reason", "x"},
                                         {"rollout", "pause", "7", "--reason", "x"},
                                         {"rollout", "start", "p", "1.0", "--waves=100"}};
  struct clirun *run = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(clirun(run, cases[i][0], cases[i][1], cases[i][2], cases[i][3], cases[i][4], AT_SERVER),
                     HF_EXIT_DONE);
    assert_says(run->out, "?]0;evil?");
    assert_null(strchr(run->out, '\033'));
    assert_null(strstr(run->out, "\xc2\x9b"));
    assert_null(strstr(run->out, "\xe2"));
  }
}

static void settings_are_read_changed_and_written_whole(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "settings", "show", AT_SERVER), HF_EXIT_DONE);
  assert_says(run->out, "https://a.example");
  assert_int_equal(clirun(run, "settings", "set", "checkin_interval_s=5", "webhook=", AT_SERVER), HF_EXIT_DONE);
  assert_says(run->out, "checkin_interval_s    5");
  assert_int_equal(clirun(run, "settings", "set", "checkin_interval_s=5x", AT_SERVER), HF_EXIT_USAGE);
  assert_int_equal(clirun(run, "settings", "set", "checkin_interval_s=", AT_SERVER), HF_EXIT_USAGE);
  assert_int_equal(clirun(run, "settings", "set", "colour=red", AT_SERVER), HF_EXIT_USAGE);
}

static void wrong_usage_is_told_before_anything_is_asked(void **state)
{
  static const char *const cases[][8] = {{"rollout", "start", "p", "1.0", "--waves", "0"},
                                         {"rollout", "start", "p", "1.0", "--waves", "5,,100"},
                                         {"rollout", "start", "p", "1.0", "--waves", "group:"},
                                         {"rollout", "start", "p", "1.0", "--success", "101"},
                                         {"rollout", "start", "p", "1.0", "--deadline", "soon"},
                                         {"device", "attributes", "d", "novalue"},
                                         {"device", "list", "--limit", "0"},
                                         {"product", "add", "p"},
                                         {"product", "add", "p", "--hardware", "a,,b"},
                                         {"token", "create", "t", "--expires", "x"},
                                         {"release", "create", "P!", "1.0", "--counter", "1"},
                                         {"release", "create", "p", "1.0"},
                                         {"release", "create", "p", "x", "--counter", "1"}};
  struct clirun *run = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *words[12] = {"holdfast"};
    size_t count = 1;
    for (size_t j = 0; j < 8 && cases[i][j] != NULL; j++) {
      words[count++] = cases[i][j];
    }
    if (clirun_limited(run, 0, NULL, words) != HF_EXIT_USAGE) {
      fail_msg("case %zu: %s", i, run->err);
    }
    assert_says(run->err, "to do: ");
  }
}

static void a_server_that_is_not_there_is_told(void **state)
{
  struct clirun *run = *state;
  const char *login = "{\"format\":1,\"url\":\"http://127.0.0.1:1\",\"token\":\"hf_0123456789abcdef\"}";
  clirun_put(run, "operator/operator.json", login, strlen(login));
  assert_int_equal(clirun(run, "status", AT_SERVER), HF_EXIT_UNREACHABLE);
  assert_says(run->err, "the server does not answer");
  assert_says(run->err, "holdfast serve");
}

static void a_login_that_cannot_be_used_is_told(void **state)
{
  static const struct {
    const char *text;
    const char *words;
  } cases[] = {
      {"", "it is not JSON"},
      {"{}", "it lacks"},
      {"{\"format\":2,\"url\":\"x\",\"token\":\"y\"}", "newer Holdfast"},
      {"{\"format\":1,\"url\":\"ftp://a:1\",\"token\":\"hf_0123456789\"}", "neither http"},
      {"{\"format\":1,\"url\":\"http://192.0.2.1:80\",\"token\":\"hf_0123456789\"}", "readable on the way"},
      {"{\"format\":1,\"url\":\"http://127.0.0.1.evil.example:80\",\"token\":\"hf_0123456789\"}",
       "readable on the way"},
      {"{\"format\":1,\"url\":\"http://127.0.0.1:80@evil.example:80\",\"token\":\"hf_0123456789\"}", "not of the form"},
      {"{\"format\":1,\"url\":\"https://a:1/path\",\"token\":\"hf_0123456789\"}", "not of the form"},
      {"{\"format\":1,\"url\":\"https://a:1\",\"token\":\"hf_0123\\r\\nX: y\"}", "is no token"}};
  struct clirun *run = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    clirun_put(run, "operator/operator.json", cases[i].text, strlen(cases[i].text));
    assert_int_equal(clirun(run, "status", AT_SERVER), HF_EXIT_FAILED);
    assert_says(run->err, cases[i].words);
  }
  assert_int_equal(clirun(run, "status", "--operator", "nowhere"), HF_EXIT_NOT_FOUND);
  assert_int_equal(clirun(run, "status"), HF_EXIT_NOT_FOUND);
  assert_says(run->err, "which workspace?");
}

/* A real TLS server with the certificate init made: believed with its CA, and with no other. */
static void tls_is_believed_by_the_pinned_ca_only(void **state)
{
  struct clirun *run = *state;
  const char *page = "{\"items\":[],\"next\":null,\"total\":0}";
  assert_int_equal(clirun(run, "init", "w"), HF_EXIT_DONE);
  assert_int_equal(clirun(run, "init", "other"), HF_EXIT_DONE);
  assert_int_equal(clirun_shell(run, "mkdir -p api/v1"), 0);
  clirun_put(run, "api/v1/groups?limit=500", page, strlen(page));
  struct fake_server probe = fake_open((struct fake_handler){answer_by_path, NULL}); /* finds a free port */
  fake_close(&probe);
  char command[512];
  (void)snprintf(
      command, sizeof command,
      "openssl s_server -accept 127.0.0.1:%u -cert w/server/tls/server.crt -key w/server/tls/server.key -WWW & "
      "echo $! > pid; sleep 0.6",
      probe.port);
  assert_int_equal(clirun_shell(run, command), 0);
  (void)snprintf(command, sizeof command, "{\"format\":1,\"url\":\"https://localhost:%u\",\"token\":\"hf_0123456789\"}",
                 probe.port);
  clirun_put(run, "w/operator/operator.json", command, strlen(command));
  clirun_put(run, "other/operator/operator.json", command, strlen(command));
  int good = clirun(run, "group", "list", "--operator", "w/operator");
  char said[512];
  (void)snprintf(said, sizeof said, "%.500s", run->err);
  int bad = clirun(run, "group", "list", "--operator", "other/operator");
  assert_int_equal(clirun_shell(run, "kill $(cat pid)"), 0);
  assert_int_equal(bad, HF_EXIT_UNREACHABLE);
  assert_says(run->err, "could not prove who it is");
  assert_says(said, "no groups yet");
  assert_int_equal(good, HF_EXIT_DONE);
}

static struct fake_server server;

static int set_up(void **state)
{
  struct clirun *run = clirun_new();
  server = fake_open((struct fake_handler){answer_by_path, NULL});
  fake_login(run, &server);
  *state = run;
  return 0;
}

static int tear_down(void **state)
{
  fake_close(&server);
  clirun_free(*state);
  return 0;
}

#define WITH_RUN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_RUN(brings_every_page_and_cleans_what_it_shows),    WITH_RUN(every_refusal_has_its_exit_code_and_words),
      WITH_RUN(names_are_encoded_and_bodies_are_json),         WITH_RUN(settings_are_read_changed_and_written_whole),
      WITH_RUN(what_a_change_is_answered_with_is_cleaned_too),
      WITH_RUN(wrong_usage_is_told_before_anything_is_asked),  WITH_RUN(a_server_that_is_not_there_is_told),
      WITH_RUN(a_login_that_cannot_be_used_is_told),           WITH_RUN(tls_is_believed_by_the_pinned_ca_only),
  };
  return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
