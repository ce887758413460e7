/* SPDX-License-Identifier: Apache-2.0
 * The tables (docs/spec/database.md): making them, and bringing older ones up step by step.
 */
#ifndef HF_SERVER_SCHEMA_H
#define HF_SERVER_SCHEMA_H

#include "hf/server/db.h"

/** Number of the present schema; a database with a higher one is refused. */
#define HF_SCHEMA_VERSION 8

/**
 * Make the tables of a new database, or run the steps an older one lacks, in one transaction.
 * @return HF_OK; HF_E_VERSION: written by a newer Holdfast, nothing was touched; HF_E_FULL; HF_E_IO
 */
HF_MUST enum hf_err hf_schema_init(struct hf_db *db);
/** For a read-only handle: HF_OK when the tables are exactly ours; HF_E_VERSION newer; HF_E_AGAIN older or not yet
 * made. */
HF_MUST enum hf_err hf_schema_check(struct hf_db *db);

#endif
