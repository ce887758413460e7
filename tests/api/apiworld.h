/* SPDX-License-Identifier: Apache-2.0
 * A whole server without sockets, for tests of the REST API: a founded workspace, the engine, a reader beside it on its
 * own read-only handle, and a vault in the same process. Requests take the way front gives them: what reads goes to the
 * reader, which may pass it on; every change is a group of its own.
 *
 * Each reply is checked against the OpenAPI document: the status must be documented for the route, the body must fit
 * its schema.
 */
#ifndef TESTS_API_APIWORLD_H
#define TESTS_API_APIWORLD_H

#include <jansson.h>

#include "hf/crypto/key.h"
#include "hf/server/engine.h"
#include "hf/server/openapi.h"

#define WORLD_PASSWORD "a password for tests"
#define WORLD_PASSPHRASE "correct horse battery staple"

struct world {
  char dir[64];
  struct hf_vault_link *vault;
  struct hf_engine *engine;
  struct hf_engine *reader;
  json_t *document;
  int64_t now;     /* starts as the real time, by which the vault judges what it signs */
  char bearer[80]; /* the command line's token, all scopes */
  struct hf_key *root;
  struct hf_key *targets;
  struct hf_key *image;
  uint32_t targets_version;
  double spent_ms; /* inside the API, without what the tests do around it */
  bool quick;      /* do not check replies against the document (lists of thousands) */
  /* what was seen: coverage of api.def */
  bool succeeded[HF_ROUTE_COUNT];
  bool refused[HF_ROUTE_COUNT][600];
};

/* A request; what is NULL is not sent. */
struct ask {
  enum hf_method method;
  const char *path; /* with its query */
  const char *body;
  const char *bearer; /* "" none; NULL the world's own */
  const char *session;
  const char *csrf;
  const char *if_none;
  const char *address;
  const char *content_type; /* NULL: application/json when there is a body */
  bool tls;
  struct hf_bytes raw_body; /* instead of body */
  struct hf_bytes raw_path; /* instead of path */
  const char *upload;
  uint8_t upload_sha256[32];
  uint64_t upload_len;
};

/* A request in one line: GET("/health", .bearer = ""). */
#define GET(...) (&(struct ask){.method = HF_GET, .path = __VA_ARGS__})
#define POST(...) (&(struct ask){.method = HF_POST, .path = __VA_ARGS__})
#define PATCH(...) (&(struct ask){.method = HF_PATCH, .path = __VA_ARGS__})
#define PUT(...) (&(struct ask){.method = HF_PUT, .path = __VA_ARGS__})
#define DELETE(...) (&(struct ask){.method = HF_DELETE, .path = __VA_ARGS__})

/* Its reply. */
struct told {
  int status;
  json_t *json; /* NULL when there is no body */
  struct hf_api_reply reply;
};

int world_open(struct world *world);
void world_close(struct world *world);
/* Close engine and reader and open them again on the same files. */
void world_reopen(struct world *world);

/* Ask and check the reply against the document; drop with told_free. */
struct told world_ask(struct world *world, const struct ask *ask);
void told_free(struct told *told);
/* Ask, expect this status, and drop the reply. A status of 400 and more must come with words; `what` (may be NULL) must
 * be in them. */
void world_expect(struct world *world, const struct ask *ask, int status, const char *what);
/* Ask, expect this status, give the body. */
json_t *world_json(struct world *world, const struct ask *ask, int status);

/* Sign in; fills cookie value and CSRF token. */
void world_login(struct world *world, char session[64], char csrf[64]);

/* Add the product "thermostat" for the hardware "thermo-a". */
void world_product(struct world *world);
/* Enrol a device by one-time token and let it check in once, running this version of "main". */
void world_device(struct world *world, const char *id, const char *version);
/* Let it check in with this update state. */
void world_checkin(struct world *world, const char *id, const char *version, unsigned state, uint16_t rule);
/* Make a signed image and put it into the spool; fills its hash and length. Gives the digest MCUboot knows it by. */
void world_image(struct world *world, const char *version, uint8_t sha256[32], uint64_t *len, uint8_t digest[32]);
/* The signed targets.json that adds this image; free() it. */
char *world_targets(struct world *world, const char *version, const uint8_t sha256[32], uint64_t len,
                    const uint8_t digest[32]);
/* A key set of "thermostat" that the owners signed, in base64; good until the next call. Its first key is the image
 * key. */
const char *world_keyset(struct world *world, uint32_t version, uint32_t revoked);
/* The body of a takeover request for "thermostat" to a server with these very roots; free() it. */
char *world_takeover(struct world *world, uint32_t version, struct hf_key *signer);
/* Upload and publish a version of the product "thermostat". */
void world_release(struct world *world, const char *version);

/* A body for POST /roots: the first root again as this version, signed by the offline key; free() it. */
char *world_root(struct world *world, int version);
/* A body for POST /targets: the present targets.json as this version, signed; free() it. */
char *world_renewal(struct world *world, uint32_t version);

/* The route a path belongs to, by the table; -1: none. */
int world_route(enum hf_method method, struct hf_bytes path);

#endif
