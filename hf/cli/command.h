/* SPDX-License-Identifier: Apache-2.0
 * The handlers that hf/cli/cli.def names: each runs one parsed command line and gives its exit code.
 */
#ifndef HF_CLI_COMMAND_H
#define HF_CLI_COMMAND_H

#include "hf/cli/args.h"

int hf_init_run(const struct hf_call *call);
int hf_status_run(const struct hf_call *call);
int hf_product_add(const struct hf_call *call);
int hf_product_list(const struct hf_call *call);
int hf_release_create(const struct hf_call *call);
int hf_release_list(const struct hf_call *call);
int hf_release_show(const struct hf_call *call);
int hf_rollout_start(const struct hf_call *call);
int hf_rollout_list(const struct hf_call *call);
int hf_rollout_show(const struct hf_call *call);
int hf_rollout_pause(const struct hf_call *call);
int hf_rollout_resume(const struct hf_call *call);
int hf_rollout_abort(const struct hf_call *call);
int hf_device_list(const struct hf_call *call);
int hf_device_show(const struct hf_call *call);
int hf_device_block(const struct hf_call *call);
int hf_device_unblock(const struct hf_call *call);
int hf_device_attributes(const struct hf_call *call);
int hf_device_enrol_token(const struct hf_call *call);
int hf_group_add(const struct hf_call *call);
int hf_group_list(const struct hf_call *call);
int hf_group_show(const struct hf_call *call);
int hf_group_remove(const struct hf_call *call);
int hf_token_create(const struct hf_call *call);
int hf_token_list(const struct hf_call *call);
int hf_token_revoke(const struct hf_call *call);
int hf_image_sign_run(const struct hf_call *call);
int hf_image_verify_run(const struct hf_call *call);
int hf_image_info_run(const struct hf_call *call);
int hf_factory_issue(const struct hf_call *call);
int hf_audit_list(const struct hf_call *call);
int hf_audit_verify(const struct hf_call *call);
int hf_root_show(const struct hf_call *call);
int hf_doctor_run(const struct hf_call *call);
int hf_help_run(const struct hf_call *call);

#endif
