/* SPDX-License-Identifier: Apache-2.0
 * holdfast release create against a server that keeps real metadata of a real workspace, and against ones that lie. */
#define _GNU_SOURCE
#include "tests/cli/fakeserver.h"

#include <time.h>

#include <jansson.h>

#include "hf/cli/publish.h"
#include "hf/crypto/key.h"
#include "hf/wire/tufwrite.h"

#define CREATE(version, counter, image)                                                                                \
  "release", "create", "thermostat", version, "--image", "main=" image, "--hardware", "thermo-a", "--counter",         \
      counter, "--workspace", "w"

/** How the server behaves. A letter in the file `mode` of the fresh folder, so that a test can change its mind. */
enum mode { HONEST = 'h', CONFLICT = 'c', FORGET = 'f', FORGED = 'x', BROKEN = 'b', ENDLESS = 'e' };

static enum mode mode_of(const struct clirun *run)
{
  struct hf_blob blob;
  assert_int_equal(hf_disk_get(&blob, clirun_path(run, "mode"), 10), HF_OK);
  enum mode mode = (enum mode)blob.at[0];
  hf_blob_free(&blob);
  return mode;
}

static enum hf_err sign_message(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

/* Sign with a key of the vault and put the file where it is served. */
static struct hf_bytes publish_file(const struct clirun *run, struct hf_buf *file, const struct hf_buf *body,
                                    const char *key_name, const char *name)
{
  static uint8_t scratch[65536];
  struct hf_blob pem;
  struct hf_key *key;
  assert_int_equal(hf_disk_get(&pem, clirun_path(run, key_name), 4096), HF_OK);
  assert_int_equal(hf_key_parse(&key, hf_blob_bytes(&pem), (struct hf_bytes){NULL, 0}), HF_OK);
  struct hf_tufwrite_signer signer = {.sign = sign_message, .ctx = key};
  assert_int_equal(hf_key_public(&signer.pub, key), HF_OK);
  assert_int_equal(hf_tufwrite_sign_file(file, hf_buf_init(scratch, sizeof scratch), hf_buf_bytes(body), &signer, 1),
                   HF_OK);
  char path[256];
  (void)snprintf(path, sizeof path, "w/server/repo/metadata/%s", name);
  clirun_put(run, path, file->at, file->len);
  hf_key_free(key);
  hf_blob_free(&pem);
  return hf_buf_bytes(file);
}

/* What the server's engine does after POST /releases, with the real vault keys of the workspace. */
static void publish_release(const struct clirun *run, struct hf_bytes targets, unsigned version)
{
  static uint8_t rooms[4][65536];
  struct hf_buf body = hf_buf_init(rooms[0], sizeof rooms[0]);
  struct hf_buf snapshot = hf_buf_init(rooms[1], sizeof rooms[1]);
  struct hf_buf timestamp = hf_buf_init(rooms[2], sizeof rooms[2]);
  char name[128];
  int64_t now = (int64_t)time(NULL);
  (void)snprintf(name, sizeof name, "w/server/repo/metadata/%u.targets.json", version);
  clirun_put(run, name, targets.at, targets.len);
  assert_int_equal(hf_tufwrite_put_snapshot(&body, version, now + 86400, version, targets), HF_OK);
  (void)snprintf(name, sizeof name, "%u.snapshot.json", version);
  (void)publish_file(run, &snapshot, &body, "w/server/vault/snapshot.pem", name);
  body = hf_buf_init(rooms[0], sizeof rooms[0]);
  assert_int_equal(hf_tufwrite_put_timestamp(&body, version, now + 86400, version, hf_buf_bytes(&snapshot)), HF_OK);
  (void)publish_file(run, &timestamp, &body, "w/server/vault/timestamp.pem", "timestamp.json");
}

static void take_release(const struct clirun *run, struct fake_reply *reply, const struct fake_request *request)
{
  json_t *body = json_loadb(request->body, request->body_len, 0, NULL);
  const char *text = json_string_value(json_object_get(body, "targets"));
  size_t len = json_string_length(json_object_get(body, "targets"));
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_file file;
  enum mode mode = mode_of(run);
  if (text == NULL || hf_tuf_parse(&file, hf_bytes_init(text, len), HF_TUF_TARGETS, &limits, NULL) != HF_OK) {
    fake_say(reply, 400, "{\"what\":\"no targets\",\"where\":\"\",\"todo\":\"\"}");
  } else if (mode == CONFLICT) {
    fake_say(reply, 409,
             "{\"what\":\"somebody published version 2\",\"where\":\"/targets\",\"todo\":\"run it again\"}");
  } else {
    if (mode != FORGET) {
      publish_release(run, hf_bytes_init(text, len), file.version);
    }
    fake_say(reply, 201, "{\"product\":\"thermostat\"}");
  }
  json_decref(body);
}

static void serve_metadata(const struct clirun *run, struct fake_reply *reply, const char *name)
{
  struct hf_blob file;
  char path[256];
  bool timestamp = strcmp(name, "timestamp.json") == 0;
  if (mode_of(run) == BROKEN && timestamp) {
    fake_say(reply, 500, "oops");
    return;
  }
  if (mode_of(run) == ENDLESS && timestamp) {
    memset(reply->body, ' ', FAKE_BODY_MAX);
    reply->len = FAKE_BODY_MAX;
    reply->status = 200;
    return;
  }
  (void)snprintf(path, sizeof path, "w/server/repo/metadata/%s", name);
  if (strchr(name, '/') == NULL && hf_disk_get(&file, clirun_path(run, path), FAKE_BODY_MAX) == HF_OK) {
    memcpy(reply->body, file.at, file.len);
    reply->len = file.len;
    reply->status = 200;
    if (mode_of(run) == FORGED && strstr(name, "targets") != NULL) {
      char *at = memmem(reply->body, reply->len, "2027-", 5);
      at[3] = '9'; /* a longer life, which nobody signed */
    }
    hf_blob_free(&file);
  }
}

static void answer(struct fake_reply *reply, const struct fake_request *request, void *ctx)
{
  const struct clirun *run = ctx;
  bool with_token = strstr(request->headers, "Authorization: Bearer ") != NULL;
  if (strncmp(request->line, "GET /repo/metadata/", 19) == 0 && !with_token) {
    serve_metadata(run, reply, request->line + 19);
  } else if (strncmp(request->line, "PUT /api/v1/uploads/", 20) == 0 && with_token) {
    char path[256];
    (void)snprintf(path, sizeof path, "uploads/%s", request->line + 20);
    clirun_put(run, path, request->body, request->body_len);
    fake_say(reply, 201, "{}");
  } else if (strcmp(request->line, "POST /api/v1/releases") == 0 && with_token) {
    take_release(run, reply, request);
  }
}

/* ---- the tests ---- */

static struct fake_server server;

static void point_at_server(struct clirun *run)
{
  char text[256];
  (void)snprintf(text, sizeof text,
                 "{\"format\": 1, \"url\": \"http://127.0.0.1:%u\", \"token\": \"hf_0123456789abcdef\"}", server.port);
  clirun_put(run, "w/operator/operator.json", text, strlen(text));
}

static void sign_image(struct clirun *run, const char *out, const char *version, const char *counter)
{
  assert_int_equal(clirun(run, "image", "sign", "app.bin", "--out", out, "--version", version, "--counter", counter,
                          "--product", "thermostat", "--hardware", "thermo-a", "--workspace", "w"),
                   HF_EXIT_DONE);
}

static int set_up(void **state)
{
  struct clirun *run = clirun_new();
  clirun_put(run, "app.bin", "this is a program, as far as anybody here can tell", 50);
  clirun_put(run, "mode", "h", 1);
  assert_int_equal(clirun_shell(run, "mkdir uploads"), 0);
  assert_int_equal(clirun(run, "init", "w"), HF_EXIT_DONE);
  server = fake_open((struct fake_handler){answer, run});
  point_at_server(run);
  sign_image(run, "a.img", "1.0.0", "1");
  *state = run;
  return 0;
}

static int tear_down(void **state)
{
  fake_close(&server);
  clirun_free(*state);
  return 0;
}

static void set_mode(struct clirun *run, enum mode mode)
{
  char letter = (char)mode;
  clirun_put(run, "mode", &letter, 1);
}

static void a_release_is_signed_uploaded_and_seen_as_served(void **state)
{
  struct clirun *run = *state;
  clirun_put(run, "sbom.json", "{\"bomFormat\":\"CycloneDX\"}", 25);
  assert_int_equal(clirun(run, CREATE("1.0", "1", "a.img"), "--from", ">=0.9", "--sbom", "sbom.json"), HF_EXIT_DONE);
  assert_says(run->out, "Published thermostat 1.0.0: targets version 2, signed offline, verified as served.");
  assert_int_equal(clirun_shell(run,
                                "test $(ls uploads | wc -l) = 2 && cmp a.img uploads/$(sha256sum a.img | cut -c-64) &&"
                                "cmp sbom.json uploads/$(sha256sum sbom.json | cut -c-64)"),
                   0);
  struct hf_blob text;
  struct hf_tuf_file file;
  struct hf_target_file entry;
  struct hf_target target;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  assert_int_equal(hf_disk_get(&text, clirun_path(run, "w/server/repo/metadata/2.targets.json"), 65536), HF_OK);
  assert_int_equal(hf_tuf_parse(&file, hf_blob_bytes(&text), HF_TUF_TARGETS, &limits, NULL), HF_OK);
  assert_int_equal(hf_tuf_target_get(&entry, &file, HF_LIT("thermostat/1.0.0/main.img"), NULL), HF_OK);
  assert_int_equal(hf_target_parse(&target, entry.custom, NULL), HF_OK);
  assert_true(hf_bytes_is(target.from, ">=0.9.0"));
  assert_int_equal(target.counter, 1);
  assert_true(target.has_sbom);
  assert_int_equal(target.hardware_count, 1);
  hf_blob_free(&text);
}

static void releases_add_up_and_none_is_signed_twice(void **state)
{
  struct clirun *run = *state;
  sign_image(run, "b.img", "1.1.0", "2");
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img")), HF_EXIT_DONE);
  assert_says(run->err, "without an SBOM");
  assert_int_equal(clirun(run, CREATE("1.1.0", "2", "b.img")), HF_EXIT_DONE);
  assert_int_equal(clirun_shell(run, "grep -q thermostat/1.0.0/main.img w/server/repo/metadata/3.targets.json && "
                                     "grep -q thermostat/1.1.0/main.img w/server/repo/metadata/3.targets.json"),
                   0);
  assert_int_equal(clirun(run, CREATE("1.1.0", "2", "b.img")), HF_EXIT_CONFLICT);
  assert_says(run->err, "published already");
}

static void an_image_that_disagrees_is_refused_before_anything_is_sent(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, CREATE("1.0.1", "1", "a.img")), HF_EXIT_FAILED);
  assert_says(run->err, "the image says version 1.0.0, the release 1.0.1");
  assert_int_equal(clirun(run, CREATE("1.0.0", "2", "a.img")), HF_EXIT_FAILED);
  assert_says(run->err, "security counter 1, the release 2");
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img"), "--hardware", "thermo-b"), HF_EXIT_FAILED);
  assert_says(run->err, "not for hardware thermo-b");
  assert_int_equal(clirun(run, "release", "create", "kettle", "1.0.0", "--image", "main=a.img", "--hardware",
                          "thermo-a", "--counter", "1", "--workspace", "w"),
                   HF_EXIT_FAILED);
  assert_says(run->err, "of product thermostat, not kettle");
  /* What it requires must name an image of the release, another component, and a range. */
  static const char *const bad[] = {"main radio >=1.2", "radio: main >=1.2", "main: main >=1.2", "main: radio newest"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(clirun(run, "release", "create", "thermostat", "1.0.0", "--image", "main=a.img", "--hardware",
                            "thermo-a", "--counter", "1", "--requires", bad[i], "--workspace", "w"),
                     HF_EXIT_USAGE);
    assert_says(run->err, "not COMPONENT: OTHER RANGE");
  }
  assert_int_equal(clirun(run, "release", "create", "thermostat", "1.0.0", "--image", "radio=a.img", "--hardware",
                          "thermo-a", "--counter", "1", "--workspace", "w"),
                   HF_EXIT_FAILED);
  assert_says(run->err, "of component main, not radio");
  assert_int_equal(clirun_shell(run, "cp a.img bad.img && printf X | dd of=bad.img bs=1 seek=40 conv=notrunc"), 0);
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "bad.img")), HF_EXIT_FAILED);
  assert_says(run->err, "hash is wrong");
  assert_int_equal(clirun_shell(run, "cp a.img long.img && printf X >> long.img"), 0);
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "long.img")), HF_EXIT_FAILED);
  assert_says(run->err, "bytes behind the image");
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img"), "--sbom", "a.img"), HF_EXIT_FAILED);
  assert_says(run->err, "no SBOM");
  assert_int_equal(clirun_shell(run, "test -z \"$(ls uploads)\""), 0);
}

static void wrong_passphrase_sends_nothing(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(setenv("HOLDFAST_PASSPHRASE", "not the passphrase", 1), 0);
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img")), HF_EXIT_DENIED);
  assert_says(run->err, "wrong passphrase");
  assert_int_equal(clirun_shell(run, "test -z \"$(ls uploads)\""), 0);
}

static void somebody_who_was_faster_is_a_conflict(void **state)
{
  struct clirun *run = *state;
  set_mode(run, CONFLICT);
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img")), HF_EXIT_CONFLICT);
  assert_says(run->err, "run it again");
}

static void a_server_that_does_not_serve_what_it_took_is_told(void **state)
{
  struct clirun *run = *state;
  set_mode(run, FORGET);
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img")), HF_EXIT_FAILED);
  assert_says(run->err, "does not serve it");
}

static void forged_metadata_is_refused(void **state)
{
  struct clirun *run = *state;
  set_mode(run, FORGED);
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img")), HF_EXIT_FAILED);
  assert_says(run->err, "targets.json");
  assert_int_equal(clirun_shell(run, "test -z \"$(ls uploads)\""), 0);
}

/* The floor outlives the command: a server set back to its first state is caught by the next one. */
static void a_server_that_goes_back_is_refused(void **state)
{
  struct clirun *run = *state;
  sign_image(run, "b.img", "1.1.0", "2");
  assert_int_equal(clirun_shell(run, "cp -r w/server/repo/metadata old"), 0);
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img")), HF_EXIT_DONE);
  assert_int_equal(clirun_shell(run, "rm -r w/server/repo/metadata && mv old w/server/repo/metadata"), 0);
  assert_int_equal(clirun(run, CREATE("1.1.0", "2", "b.img")), HF_EXIT_FAILED);
  assert_says(run->err, "timestamp.json");
}

static void broken_and_endless_answers_are_told_apart(void **state)
{
  struct clirun *run = *state;
  set_mode(run, BROKEN);
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img")), HF_EXIT_UNREACHABLE);
  assert_says(run->err, "HTTP status 500");
  set_mode(run, ENDLESS);
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img")), HF_EXIT_FAILED);
}

static void a_damaged_floor_is_told_and_not_ignored(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img")), HF_EXIT_DONE);
  assert_int_equal(clirun_shell(run, "printf xx | dd of=w/offline/trust.cbor bs=1 seek=30 conv=notrunc"), 0);
  sign_image(run, "b.img", "1.1.0", "2");
  int code = clirun(run, CREATE("1.1.0", "2", "b.img"));
  assert_int_equal(code, HF_EXIT_FAILED);
}

static void the_key_of_another_workspace_is_refused(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "init", "other"), HF_EXIT_DONE);
  assert_int_equal(clirun_shell(run, "cp other/offline/targets.pem w/offline/targets.pem"), 0);
  assert_int_equal(clirun(run, CREATE("1.0.0", "1", "a.img")), HF_EXIT_DENIED);
  assert_says(run->err, "does not list this key");
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_SERVER(a_release_is_signed_uploaded_and_seen_as_served),
      WITH_SERVER(releases_add_up_and_none_is_signed_twice),
      WITH_SERVER(an_image_that_disagrees_is_refused_before_anything_is_sent),
      WITH_SERVER(wrong_passphrase_sends_nothing),
      WITH_SERVER(somebody_who_was_faster_is_a_conflict),
      WITH_SERVER(a_server_that_does_not_serve_what_it_took_is_told),
      WITH_SERVER(forged_metadata_is_refused),
      WITH_SERVER(a_server_that_goes_back_is_refused),
      WITH_SERVER(broken_and_endless_answers_are_told_apart),
      WITH_SERVER(a_damaged_floor_is_told_and_not_ignored),
      WITH_SERVER(the_key_of_another_workspace_is_refused),
  };
  return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
