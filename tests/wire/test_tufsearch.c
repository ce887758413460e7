/* SPDX-License-Identifier: Apache-2.0
 * Targets found through delegations, in order, by the right keys, within the memory lent (TUF 1.0.34 section 5.6.7). */
#include "hf/codec/text.h"
#include "hf/wire/tufdelegation.h"
#include "hf/wire/tufsearch.h"
#include "tufworld.h"

/* One delegated role, published as it stands in the table. */
struct role {
  const char *name;
  const char *delegations; /* members of "roles", NULL: none */
  const char *targets;     /* the members of "targets", NULL: none */
  enum testrepo_key key;   /* signs it; 0: K_SPARE */
  const char *expires;     /* NULL: 2030 */
};

struct search_world {
  struct hf_tufsearch search;
  struct hf_tufsearch_role role[32];
  struct hf_tuf_key key[32];
  uint8_t visited[32][HF_TUFSEARCH_ID_LEN];
  struct hf_tufsearch_room room;
  struct hf_tuf_limits limits;
  char asked[2048]; /* names of the files asked for, each with a blank after it */
  uint8_t *buffer;  /* the one metadata buffer */
  bool keep;        /* the snapshot's text is kept, as on a host */
  struct hf_tuf_file snapshot;
};

static struct search_world lent(void)
{
  struct search_world world = {.limits = hf_tuf_limits_init()};
  world.room = (struct hf_tufsearch_room){.role_cap = 32, .key_cap = 32, .visited_cap = 32};
  return world;
}

static const char *hex_id(const struct testrepo *repo, enum testrepo_key key)
{
  static char text[4][2 * HF_SHA256_LEN + 1];
  static int turn;
  uint8_t id[HF_SHA256_LEN];
  turn = (turn + 1) % 4;
  hf_pubkey_tuf_id(id, &repo->pub[key]);
  struct hf_buf hex = hf_buf_init(text[turn], 2 * HF_SHA256_LEN);
  hf_hex_put(&hex, hf_bytes_init(id, sizeof id));
  return text[turn];
}

/* {"keys":{...all keys...},"roles":[...]} */
static const char *delegations_text(struct testrepo *repo, const char *roles)
{
  static char text[32768];
  static uint8_t room[1024];
  size_t used = (size_t)snprintf(text, sizeof text, "{\"keys\":{");
  for (size_t i = 0; i < TESTREPO_KEYS; i++) {
    struct hf_buf key = hf_buf_init(room, sizeof room - 1);
    hf_pubkey_put_tuf(&key, &repo->pub[i]);
    assert_int_equal(hf_buf_terminate(&key), HF_OK);
    used += (size_t)snprintf(text + used, sizeof text - used, "%s\"%s\":%s", i == 0 ? "" : ",",
                             hex_id(repo, (enum testrepo_key)i), (char *)room);
  }
  /* "roles" unless the text names its own member */
  snprintf(text + used, sizeof text - used, roles[0] == '"' ? "},%s}" : "},\"roles\":[%s]}", roles);
  return text;
}

/* A delegation by K_SPARE. */
static const char *to(struct testrepo *repo, const char *name, const char *rest)
{
  static char text[8][1024];
  static int turn;
  turn = (turn + 1) % 8;
  snprintf(text[turn], sizeof text[turn], "{\"keyids\":[\"%s\"],\"name\":\"%s\",\"threshold\":1,%s}",
           hex_id(repo, K_SPARE), name, rest);
  return text[turn];
}

#define ALL "\"paths\":[\"*\"],\"terminating\":false"
#define LAST "\"paths\":[\"*\"],\"terminating\":true"

static void put_role(struct testrepo *repo, const struct role *role, const char *file, unsigned version, unsigned key)
{
  static char body[65536];
  int len = snprintf(body, sizeof body,
                     "{\"_type\":\"targets\",%s%s\"expires\":\"%s\",\"spec_version\":\"1.0.34\",\"targets\":{%s},"
                     "\"version\":%u}",
                     role->delegations == NULL ? "" : "\"delegations\":",
                     role->delegations == NULL ? "" : delegations_text(repo, role->delegations),
                     role->expires == NULL ? "2030-01-01T00:00:00Z" : role->expires,
                     role->targets == NULL ? "" : role->targets, version);
  assert_in_range(len, 1, sizeof body - 1);
  if (role->delegations != NULL) { /* the comma after them */
    char *at = strstr(body, "}\"expires\"");
    assert_non_null(at);
    memmove(at + 2, at + 1, strlen(at + 1) + 1);
    at[1] = ',';
    len++;
  }
  testrepo_forge(repo, file, hf_bytes_init(body, (size_t)len), BIT(key));
}

/* Roles at version 1, the first of them the top-level one at version 2; snapshot and timestamp 2 list all with hashes.
 */
static void publish(struct testrepo *repo, const struct role *roles, size_t count)
{
  static char body[65536];
  size_t used = (size_t)snprintf(body, sizeof body, "{\"_type\":\"snapshot\"," EXPIRES ",\"meta\":{");
  for (size_t i = 0; i < count; i++) {
    char file[64], hex[2 * HF_SHA256_LEN + 1] = "";
    uint8_t hash[HF_SHA256_LEN];
    unsigned version = i == 0 ? 2 : 1;
    const char *prefix = repo->consistent ? (i == 0 ? "2." : "1.") : "";
    snprintf(file, sizeof file, "%s%s.json", prefix, roles[i].name);
    put_role(repo, &roles[i], file, version, i == 0 ? K_TARGETS : roles[i].key != 0 ? roles[i].key : K_SPARE);
    struct hf_bytes text = testrepo_get(repo, file);
    struct hf_buf out = hf_buf_init(hex, sizeof hex - 1);
    hf_sha256(hash, text);
    hf_hex_put(&out, hf_bytes_init(hash, sizeof hash));
    used += (size_t)snprintf(body + used, sizeof body - used,
                             "%s\"%s.json\":{\"hashes\":{\"sha256\":\"%s\"},\"length\":%zu,\"version\":%u}",
                             i == 0 ? "" : ",", roles[i].name, hex, text.len, version);
  }
  used += (size_t)snprintf(body + used, sizeof body - used, "},\"version\":2}");
  testrepo_forge(repo, testrepo_name(repo, HF_TUF_SNAPSHOT, 2), hf_bytes_init(body, used), BIT(K_SNAPSHOT));
  testrepo_timestamp(repo, 2, 2);
}

static enum hf_tufsearch_step run(struct search_world *world, struct testrepo *repo, struct hf_tuf_trust *trust,
                                  const char *path)
{
  struct hf_tufsearch_fetch fetch;
  enum hf_tufsearch_step step;
  struct hf_tufsearch *search = &world->search;
  assert_int_equal(testrepo_run(repo, trust, &world->limits, TESTREPO_NOW, NULL), HF_TUFCLIENT_DONE);
  world->room.role = world->role;
  world->room.key = world->key;
  world->room.visited = world->visited;
  world->asked[0] = '\0';
  if (world->keep) {
    struct hf_bytes text = testrepo_get(repo, testrepo_name(repo, HF_TUF_SNAPSHOT, 2));
    assert_int_equal(hf_tuf_parse(&world->snapshot, text, HF_TUF_SNAPSHOT, &world->limits, NULL), HF_OK);
  }
  hf_tufsearch_init(search, &world->room, &repo->client, world->keep ? &world->snapshot : NULL, hf_bytes_text(path));
  while ((step = hf_tufsearch_next(search, &fetch)) == HF_TUFSEARCH_FETCH) {
    char name[HF_TUFSEARCH_NAME_MAX + 1];
    struct hf_buf out = hf_buf_init(name, sizeof name);
    hf_tufsearch_put_name(&out, &fetch);
    assert_int_equal(hf_buf_terminate(&out), HF_OK);
    size_t used = strlen(world->asked);
    snprintf(world->asked + used, sizeof world->asked - used, "%s ", name);
    struct testrepo_file *file = testrepo_find(repo, name);
    enum hf_tufclient_got got = file == NULL ? HF_TUFCLIENT_NOT_FOUND : file->got;
    if (got == HF_TUFCLIENT_BYTES && file->len > fetch.max_len) {
      got = HF_TUFCLIENT_TOO_LONG;
    }
    size_t len = got == HF_TUFCLIENT_BYTES ? file->len : 0;
    free(repo->targets); /* the buffer of the file before is gone: nothing may look into it any more */
    repo->targets = malloc(len + 1);
    assert_non_null(repo->targets);
    memcpy(repo->targets, len > 0 ? (const void *)file->at : "", len);
    struct hf_why why = {0};
    enum hf_err err = hf_tufsearch_give(search, got, hf_bytes_init(repo->targets, len), &why);
    assert_true(err == HF_OK || why.rule != HF_RULE_NONE);
  }
  return step;
}

/* A target called `a` of this length. */
static const char *holds(const char *name, unsigned length)
{
  static char text[4][256];
  static int turn;
  turn = (turn + 1) % 4;
  snprintf(text[turn], sizeof text[turn], "\"%s\":{\"hashes\":{\"sha256\":\"%064d\"},\"length\":%u}", name, 7, length);
  return text[turn];
}

/* ---- the order of the search ---- */

/* "targets: A B; A: C! D" says who delegates to whom, ! terminates, ~ marks a path that does not match. */
static void draw(struct testrepo *repo, const char *graph)
{
  static char texts[8][8192];
  static char names[8][8];
  struct role roles[8];
  size_t count = 0;
  char copy[256], *rest = copy, *line;
  snprintf(copy, sizeof copy, "%s", graph);
  while ((line = strtok_r(rest, ";", &rest)) != NULL) {
    char *words, *name = strtok_r(line, " :", &words), *child;
    assert_true(count < 8);
    snprintf(names[count], sizeof names[count], "%s", name);
    texts[count][0] = '\0';
    while ((child = strtok_r(NULL, " ", &words)) != NULL) {
      bool last = strchr(child, '!') != NULL, other = strchr(child, '~') != NULL;
      child[strcspn(child, "!~")] = '\0';
      size_t used = strlen(texts[count]);
      snprintf(texts[count] + used, sizeof texts[count] - used, "%s%s", used > 0 ? "," : "",
               to(repo, child,
                  last    ? LAST
                  : other ? "\"paths\":[\"*.py\"]"
                          : ALL));
    }
    roles[count] = (struct role){.name = names[count], .delegations = texts[count][0] != '\0' ? texts[count] : NULL};
    count++;
  }
  publish(repo, roles, count);
}

static void asks_roles_in_the_order_of_the_specification(void **state)
{
  static const struct {
    const char *graph;
    const char *asked;
  } cases[] = {
      {"targets: A;A", "1.A.json "},
      {"targets: A B;A;B", "1.A.json 1.B.json "},
      {"targets: A B;A;B: C;C", "1.A.json 1.B.json 1.C.json "},
      {"targets: A B;A: C D;B;C;D", "1.A.json 1.C.json 1.D.json 1.B.json "},
      {"targets: A B;A: C;B;C: D;D", "1.A.json 1.C.json 1.D.json 1.B.json "},
      {"targets: A B;A: C! D;B;C;D", "1.A.json 1.C.json "},
      {"targets: A B;A: D C!;B;C;D", "1.A.json 1.D.json 1.C.json "},
      {"targets: A B;A: C!;B;C: D;D", "1.A.json 1.C.json 1.D.json "},
      {"targets: A~ B;A: C;B;C", "1.B.json "},
      {"targets: A B;A: C~;B;C: D;D", "1.A.json 1.B.json "},
      {"targets: A B;A;B: C;C: D;D: B", "1.A.json 1.B.json 1.C.json 1.D.json "},
      {"targets: A;A: A", "1.A.json "},
      {"targets: A B;A: C;B: C;C", "1.A.json 1.C.json 1.B.json "},
      {"targets: A B;A: C~;B: C;C", "1.A.json 1.B.json 1.C.json "},
      {"targets: A~ B~;A;B", ""},
      {"targets", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int keep = 0; keep < 2; keep++) {
      struct world fresh;
      testrepo_init(&fresh.repo, HF_KEY_P256);
      testrepo_trust(&fresh.repo, &fresh.trust, 1);
      draw(&fresh.repo, cases[i].graph);
      struct search_world search = lent();
      search.keep = keep;
      assert_int_equal(run(&search, &fresh.repo, &fresh.trust, "missing"), HF_TUFSEARCH_ABSENT);
      char asked[256] = "";
      for (char *rest = search.asked, *name; (name = strtok_r(rest, " ", &rest)) != NULL;) {
        if (!keep) { /* one buffer: before each role the snapshot once more */
          assert_string_equal(name, "2.snapshot.json");
          name = strtok_r(rest, " ", &rest);
          assert_non_null(name);
        }
        strcat(strcat(asked, name), " ");
      }
      assert_string_equal(asked, cases[i].asked);
      testrepo_free(&fresh.repo);
    }
  }
  (void)state;
}

/* ---- what is found ---- */

static void finds_the_target_of_the_role_that_comes_first(void **state)
{
  WORLD;
  char both[4096];
  snprintf(both, sizeof both, "%s,%s", to(repo, "A", "\"paths\":[\"*.doc\",\"img/*\"]"),
           to(repo, "B", "\"paths\":[\"*/*\"]"));
  const struct role roles[] = {{.name = "targets", .delegations = both, .targets = holds("top", 1)},
                               {.name = "A", .targets = holds("img/x", 2)},
                               {.name = "B", .targets = holds("img/x", 3)}};
  publish(repo, roles, 3);
  struct search_world search = lent();
  struct hf_target_file target;
  assert_int_equal(run(&search, repo, trust, "img/x"), HF_TUFSEARCH_FOUND);
  assert_int_equal(hf_tufsearch_target(&target, &search.search, NULL), HF_OK);
  assert_int_equal(target.length, 2);
  assert_true(hf_bytes_is(hf_tufsearch_found(&search.search)->role, "A"));
  assert_string_equal(search.asked, "2.snapshot.json 1.A.json ");
  assert_int_equal(run(&search, repo, trust, "top"), HF_TUFSEARCH_FOUND);
  assert_int_equal(hf_tufsearch_found(&search.search)->role.len, 0);
  assert_string_equal(search.asked, "");
  assert_int_equal(run(&search, repo, trust, "img/y/z"), HF_TUFSEARCH_ABSENT);
  assert_string_equal(search.asked, "");
  assert_null(hf_tufsearch_found(&search.search));
  assert_int_equal(hf_tufsearch_target(&target, &search.search, NULL), HF_E_STATE);
}

/* ---- memory and bounds ---- */

static void a_search_that_needs_more_memory_than_lent_is_refused_and_not_called_absent(void **state)
{
  static const struct {
    size_t role_cap, key_cap, visited_cap;
    uint16_t rule;
  } cases[] = {{3, 32, 32, 0}, {2, 32, 32, HF_RULE_TUF_SEARCH_LONG}, {32, 3, 32, 0}, {32, 2, 32, HF_RULE_TUF_KEYS},
               {32, 32, 4, 0}, {32, 32, 3, HF_RULE_TUF_SEARCH_LONG}};
  WORLD;
  draw(repo, "targets: A B C;A: D;B;C;D"); /* three wait at once, four are visited */
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct search_world search = lent();
    search.room.role_cap = cases[i].role_cap;
    search.room.key_cap = cases[i].key_cap;
    search.room.visited_cap = cases[i].visited_cap;
    enum hf_tufsearch_step step = run(&search, repo, trust, "missing");
    assert_int_equal(hf_tufsearch_why(&search.search).rule, cases[i].rule);
    assert_int_equal(step, cases[i].rule == 0 ? HF_TUFSEARCH_ABSENT : HF_TUFSEARCH_REFUSED);
  }
}

static void delegations_may_be_nested_sixteen_deep_and_no_deeper(void **state)
{
  (void)state;
  for (size_t deeper = 0; deeper < 2; deeper++) {
    struct world fresh;
    struct role roles[HF_TUFSEARCH_DEPTH_MAX + 1];
    static char names[HF_TUFSEARCH_DEPTH_MAX + 1][24];
    static char texts[HF_TUFSEARCH_DEPTH_MAX + 1][1024];
    testrepo_init(&fresh.repo, HF_KEY_P256);
    testrepo_trust(&fresh.repo, &fresh.trust, 1);
    for (size_t i = 0; i <= HF_TUFSEARCH_DEPTH_MAX; i++) {
      char next[24];
      snprintf(next, sizeof next, "r%zu", i + 1);
      snprintf(names[i], sizeof names[i], "r%zu", i);
      snprintf(texts[i], sizeof texts[i], "%s", to(&fresh.repo, next, ALL));
      roles[i] = (struct role){.name = i == 0 ? "targets" : names[i],
                               .delegations = i < HF_TUFSEARCH_DEPTH_MAX + deeper ? texts[i] : NULL};
    }
    publish(&fresh.repo, roles, HF_TUFSEARCH_DEPTH_MAX + 1);
    struct search_world search = lent();
    assert_int_equal(run(&search, &fresh.repo, &fresh.trust, "x"), deeper ? HF_TUFSEARCH_REFUSED : HF_TUFSEARCH_ABSENT);
    assert_int_equal(hf_tufsearch_why(&search.search).rule, deeper ? HF_RULE_TUF_SEARCH_DEEP : 0);
    testrepo_free(&fresh.repo);
  }
}

static void a_role_with_several_keys_needs_its_threshold_of_them(void **state)
{
  (void)state;
  for (unsigned signers = 0; signers < 8; signers++) {
    struct world fresh;
    struct testrepo *repo = &fresh.repo;
    char text[2048];
    testrepo_init(repo, HF_KEY_P256);
    testrepo_trust(repo, &fresh.trust, 1);
    snprintf(text, sizeof text, "%s,{\"keyids\":[\"%s\",\"%s\"],\"name\":\"A\",\"paths\":[\"*\"],\"threshold\":2}",
             to(repo, "Z", ALL), hex_id(repo, K_ROOT2), hex_id(repo, K_ROOT3));
    const struct role roles[] = {{.name = "targets", .delegations = text}, {.name = "Z"}, {.name = "A"}};
    publish(repo, roles, 3);
    /* the file again, by other keys; its hash in the snapshot follows */
    put_role(repo, &roles[2], "1.A.json", 1, K_SPARE);
    char body[512];
    snprintf(body, sizeof body, "{\"_type\":\"targets\"," EXPIRES ",\"targets\":{%s},\"version\":1}", holds("x", 9));
    unsigned mask =
        (signers & 1 ? BIT(K_ROOT2) : 0) | (signers & 2 ? BIT(K_ROOT3) : 0) | (signers & 4 ? BIT(K_SPARE) : 0);
    testrepo_forge(repo, "1.A.json", hf_bytes_text(body), mask == 0 ? BIT(K_THIEF) : mask);
    forge(repo, "2.snapshot.json", BIT(K_SNAPSHOT),
          "{\"_type\":\"snapshot\"," EXPIRES ",\"meta\":{\"A.json\":{\"version\":1},\"Z.json\":{\"version\":1},"
          "\"targets.json\":{\"version\":2}},\"version\":2}");
    testrepo_timestamp(repo, 2, 2);
    struct search_world search = lent();
    enum hf_tufsearch_step step = run(&search, repo, &fresh.trust, "x");
    bool enough = (signers & 3) == 3;
    assert_int_equal(step, enough ? HF_TUFSEARCH_FOUND : HF_TUFSEARCH_REFUSED);
    assert_int_equal(hf_tufsearch_why(&search.search).rule, enough ? 0 : HF_RULE_TUF_UNSIGNED);
    testrepo_free(repo);
  }
}

/* ---- the snapshot once more ---- */

static void a_snapshot_that_changed_during_the_search_is_not_believed(void **state)
{
  WORLD;
  draw(repo, "targets: A;A");
  struct search_world search = lent();
  struct hf_tufsearch_fetch fetch;
  struct hf_why why = {0};
  assert_int_equal(run(&search, repo, trust, "x"), HF_TUFSEARCH_ABSENT);
  assert_int_equal(testrepo_run(repo, trust, &search.limits, TESTREPO_NOW, NULL), HF_TUFCLIENT_DONE);
  hf_tufsearch_init(&search.search, &search.room, &repo->client, NULL, HF_LIT("x"));
  assert_int_equal(hf_tufsearch_next(&search.search, &fetch), HF_TUFSEARCH_FETCH);
  assert_int_equal(fetch.role, HF_TUF_SNAPSHOT);
  assert_int_equal(hf_tufsearch_give(&search.search, HF_TUFCLIENT_BYTES, testrepo_get(repo, "1.snapshot.json"), &why),
                   HF_E_AGAIN);
  assert_int_equal(why.rule, HF_RULE_TUF_CHANGED);
  assert_int_equal(hf_tufsearch_next(&search.search, &fetch), HF_TUFSEARCH_UNAVAILABLE);
  assert_int_equal(hf_tufsearch_give(&search.search, HF_TUFCLIENT_BYTES, HF_LIT("{}"), &why), HF_E_STATE);
}

static void every_way_a_fetch_can_end_has_its_answer(void **state)
{
  static const struct {
    enum hf_tufclient_got got;
    enum hf_tufsearch_step step;
    uint16_t rule;
  } cases[] = {{HF_TUFCLIENT_NOT_FOUND, HF_TUFSEARCH_UNAVAILABLE, HF_RULE_TUF_NOT_FOUND},
               {HF_TUFCLIENT_FAILED, HF_TUFSEARCH_UNAVAILABLE, HF_RULE_TUF_UNAVAILABLE},
               {HF_TUFCLIENT_TOO_LONG, HF_TUFSEARCH_REFUSED, HF_RULE_TUF_TOO_LONG}};
  WORLD;
  draw(repo, "targets: A;A");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct search_world search = lent();
    testrepo_break(repo, "1.A.json", cases[i].got);
    assert_int_equal(run(&search, repo, trust, "x"), cases[i].step);
    assert_int_equal(hf_tufsearch_why(&search.search).rule, cases[i].rule);
  }
}

static void an_offered_copy_counts_only_if_it_is_the_file_wanted(void **state)
{
  WORLD;
  draw(repo, "targets: A B;A;B");
  struct search_world search = lent();
  struct hf_tufsearch_fetch fetch;
  search.keep = true;
  assert_int_equal(run(&search, repo, trust, "x"), HF_TUFSEARCH_ABSENT);
  assert_int_equal(hf_tufsearch_offer(&search.search, testrepo_get(repo, "1.A.json")), HF_E_STATE);
  assert_int_equal(testrepo_run(repo, trust, &search.limits, TESTREPO_NOW, NULL), HF_TUFCLIENT_DONE);
  hf_tufsearch_init(&search.search, &search.room, &repo->client, &search.snapshot, HF_LIT("x"));
  assert_int_equal(hf_tufsearch_offer(&search.search, HF_LIT("junk")), HF_E_NOT_FOUND);
  assert_int_equal(hf_tufsearch_offer(&search.search, testrepo_get(repo, "timestamp.json")), HF_E_NOT_FOUND);
  assert_int_equal(hf_tufsearch_why(&search.search).rule, 0);
  assert_int_equal(hf_tufsearch_offer(&search.search, testrepo_get(repo, "1.A.json")), HF_OK);
  assert_int_equal(hf_tufsearch_next(&search.search, &fetch), HF_TUFSEARCH_FETCH);
  assert_true(hf_bytes_is(fetch.name, "B"));
}

/* ---- patterns and names ---- */

static void patterns_keep_to_their_part_of_the_path(void **state)
{
  static const struct {
    const char *pattern, *path;
    bool match;
  } cases[] = {
      {"*", "a", true},
      {"*", "", true},
      {"*", "a/b", false},
      {"*/*", "a/b", true},
      {"*/*", "a/b/c", false},
      {"a/*", "a/", true},
      {"a/*", "a", false},
      {"?", "a", true},
      {"?", "", false},
      {"?", "/", false},
      {"a?c", "a/c", false},
      {"*.py", "x.py", true},
      {"*.py", "x.pyc", false},
      {"*.py", "d/x.py", false},
      {"**", "ab", true},
      {"a*b*c", "aXbYc", true},
      {"a*b*c", "abbc", true},
      {"a*b*c", "aXcYb", false},
      {"*a*/x*", "bab/xyz", true},
      {"*a*/x*", "bb/xyz", false},
      {"[ab]", "a", false},
      {"[ab]", "[ab]", true},
      {"", "", true},
      {"", "a", false},
      {"a", "", false},
      {"*/b", "a*/b", true},
      {"a/*/c", "a//c", true},
      {"*", "*", true},
      {"A", "a", false},
      {"*ab", "aab", true},
      {"?*?", "ab", true},
      {"?*?", "a", false},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bool match = hf_tufdelegation_match(hf_bytes_text(cases[i].pattern), hf_bytes_text(cases[i].path));
    if (match != cases[i].match) {
      fail_msg("%s and %s", cases[i].pattern, cases[i].path);
    }
  }
}

static void hash_bins_of_every_width_have_the_names_of_tap_15(void **state)
{
  static const struct {
    unsigned bits;
    const char *name;
  } cases[] = {{1, "bin-0"},    {2, "bin-1"},     {4, "bin-5"},      {5, "bin-0a"},        {8, "bin-56"},
               {12, "bin-569"}, {16, "bin-5694"}, {17, "bin-0ad28"}, {31, "bin-2b4a03c3"}, {32, "bin-56940787"}};
  (void)state;
  uint8_t hash[HF_SHA256_LEN] = {0x56, 0x94, 0x07, 0x87};
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[512];
    uint8_t room[HF_TUFSEARCH_ROLE_MAX];
    struct hf_tuf_file file;
    struct hf_tufdelegation_walk walk;
    struct hf_tufdelegation delegation;
    struct hf_buf name = hf_buf_init(room, sizeof room);
    snprintf(text, sizeof text,
             "{\"signatures\":[],\"signed\":{\"_type\":\"targets\"," EXPIRES ",\"delegations\":{\"keys\":{},"
             "\"succinct_roles\":{\"bit_length\":%u,\"name_prefix\":\"bin\"}},\"version\":1}}",
             cases[i].bits);
    assert_int_equal(hf_tuf_parse(&file, hf_bytes_text(text), HF_TUF_TARGETS, &limits, NULL), HF_OK);
    struct hf_tufdelegation_path path = {HF_LIT("x"), hash};
    assert_int_equal(hf_tufdelegation_walk_init(&walk, &file, path, NULL), HF_OK);
    assert_int_equal(hf_tufdelegation_next(&walk, &delegation, &name, NULL), HF_OK);
    assert_true(hf_bytes_is(hf_buf_bytes(&name), cases[i].name));
    assert_true(delegation.terminating);
    assert_int_equal(hf_tufdelegation_next(&walk, &delegation, &name, NULL), HF_E_NOT_FOUND);
  }
}

static void malformed_delegations_are_refused_with_their_rule(void **state)
{
  static const struct {
    const char *delegations;
    uint16_t rule;
  } cases[] = {
      {"1", HF_RULE_TUF_DELEGATION},
      {"{}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{}}", HF_RULE_TUF_DELEGATION},
      {"{\"roles\":[]}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"roles\":{}}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"roles\":[],\"succinct_roles\":{}}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"succinct_roles\":{\"bit_length\":0,\"name_prefix\":\"b\"}}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"succinct_roles\":{\"bit_length\":33,\"name_prefix\":\"b\"}}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"succinct_roles\":{\"bit_length\":8}}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"roles\":[1]}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"roles\":[{\"paths\":[\"*\"]}]}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"roles\":[{\"name\":\"A\"}]}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"roles\":[{\"name\":\"A\",\"paths\":[],\"path_hash_prefixes\":[]}]}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"roles\":[{\"name\":\"A\",\"paths\":[1]}]}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"roles\":[{\"name\":\"A\",\"paths\":[\"*\"],\"terminating\":1}]}", HF_RULE_TUF_DELEGATION},
      {"{\"keys\":{},\"roles\":[{\"name\":\"\",\"paths\":[\"*\"]}]}", HF_RULE_TUF_ROLE_NAME},
      {"{\"keys\":{},\"roles\":[{\"name\":\"root\",\"paths\":[]}]}", HF_RULE_TUF_ROLE_NAME},
      {"{\"keys\":{},\"roles\":[{\"name\":\"sn\\u0061pshot\",\"paths\":[]}]}", HF_RULE_TUF_ROLE_NAME},
      {"{\"keys\":{},\"roles\":[{\"name\":\"A\",\"paths\":[\"*\"]}]}", HF_RULE_TUF_SHAPE},
      {"{\"keys\":{},\"roles\":[{\"keyids\":[],\"name\":\"A\",\"paths\":[\"*\"],\"threshold\":1}]}",
       HF_RULE_TUF_THRESHOLD},
      {"{\"keys\":{},\"roles\":[{\"keyids\":[\"00\"],\"name\":\"A\",\"paths\":[\"*\"],\"threshold\":1}]}",
       HF_RULE_TUF_KEY_MISSING},
      {"null", 0},
      {"{\"keys\":{},\"roles\":[]}", 0},
      {"{\"keys\":{},\"roles\":[{\"name\":\"A\",\"paths\":[]}]}", 0},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct world fresh;
    testrepo_init(&fresh.repo, HF_KEY_P256);
    testrepo_trust(&fresh.repo, &fresh.trust, 1);
    forge(&fresh.repo, "1.targets.json", BIT(K_TARGETS),
          "{\"_type\":\"targets\",\"delegations\":%s," EXPIRES ",\"targets\":{},\"version\":1}", cases[i].delegations);
    testrepo_snapshot(&fresh.repo, 1, 1);
    testrepo_timestamp(&fresh.repo, 1, 1);
    struct search_world search = lent();
    enum hf_tufsearch_step step = run(&search, &fresh.repo, &fresh.trust, "x");
    assert_int_equal(hf_tufsearch_why(&search.search).rule, cases[i].rule);
    assert_int_equal(step, cases[i].rule == 0 ? HF_TUFSEARCH_ABSENT : HF_TUFSEARCH_REFUSED);
    testrepo_free(&fresh.repo);
  }
}

static void role_names_are_percent_encoded(void **state)
{
  (void)state;
  char text[64];
  struct hf_buf out = hf_buf_init(text, sizeof text);
  const struct hf_tufsearch_fetch fetch = {.name = HF_LIT("../a b%\xc3\xbc-._~Z9"), .version = 7};
  hf_tufsearch_put_name(&out, &fetch);
  assert_int_equal(hf_buf_terminate(&out), HF_OK);
  assert_string_equal(text, "7...%2Fa%20b%25%C3%BC-._~Z9.json");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(asks_roles_in_the_order_of_the_specification),
      TUFWORLD_TEST(finds_the_target_of_the_role_that_comes_first),
      TUFWORLD_TEST(a_search_that_needs_more_memory_than_lent_is_refused_and_not_called_absent),
      cmocka_unit_test(delegations_may_be_nested_sixteen_deep_and_no_deeper),
      cmocka_unit_test(a_role_with_several_keys_needs_its_threshold_of_them),
      TUFWORLD_TEST(a_snapshot_that_changed_during_the_search_is_not_believed),
      TUFWORLD_TEST(every_way_a_fetch_can_end_has_its_answer),
      TUFWORLD_TEST(an_offered_copy_counts_only_if_it_is_the_file_wanted),
      cmocka_unit_test(patterns_keep_to_their_part_of_the_path),
      cmocka_unit_test(hash_bins_of_every_width_have_the_names_of_tap_15),
      cmocka_unit_test(malformed_delegations_are_refused_with_their_rule),
      cmocka_unit_test(role_names_are_percent_encoded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
