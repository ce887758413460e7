/* SPDX-License-Identifier: Apache-2.0
 * Group expressions (hf/fleet/query.h) as the database runs them. Making and removing groups: hf/server/registry.h.
 */
#ifndef HF_SERVER_GROUPS_H
#define HF_SERVER_GROUPS_H

#include "hf/fleet/query.h"
#include "hf/server/core.h"

/** Does row `n` belong to the group? */
HF_MUST enum hf_err hf_group_has(bool *has, struct hf_db *db, const struct hf_query *query, int64_t n);
/** Read a named group's expression. Gives `*query` to free(). HF_E_NOT_FOUND. */
HF_MUST enum hf_err hf_group_get(struct hf_query **query, struct hf_db *db, struct hf_bytes name);
/** Open `head` + the expression as a condition + `tail`. */
struct hf_stmt *hf_group_open(struct hf_db *db, const char *head, const struct hf_query *query, const char *tail);
/** Fill the `?` of the expression. */
void hf_group_bind(struct hf_stmt *stmt, const struct hf_query *query);

#endif
