/* SPDX-License-Identifier: Apache-2.0
 * The handlers that hf/cli/cli.def names: each runs one parsed command line and gives its exit code.
 */
#ifndef HF_CLI_COMMAND_H
#define HF_CLI_COMMAND_H

#include "hf/cli/args.h"

int hf_cmd_key_create(const struct hf_call *call);
int hf_cmd_key_show(const struct hf_call *call);
int hf_cmd_init(const struct hf_call *call);
int hf_cmd_device_revoke(const struct hf_call *call);
int hf_cmd_device_rotate(const struct hf_call *call);
int hf_cmd_identity_report(const struct hf_call *call);
int hf_cmd_identity_list(const struct hf_call *call);
int hf_cmd_ca_rotate(const struct hf_call *call);
int hf_cmd_ca_retire(const struct hf_call *call);
int hf_cmd_status(const struct hf_call *call);
int hf_cmd_product_add(const struct hf_call *call);
int hf_cmd_product_list(const struct hf_call *call);
int hf_cmd_release_create(const struct hf_call *call);
int hf_cmd_release_list(const struct hf_call *call);
int hf_cmd_release_show(const struct hf_call *call);
int hf_cmd_rollout_start(const struct hf_call *call);
int hf_cmd_rollout_list(const struct hf_call *call);
int hf_cmd_rollout_show(const struct hf_call *call);
int hf_cmd_rollout_pause(const struct hf_call *call);
int hf_cmd_rollout_resume(const struct hf_call *call);
int hf_cmd_rollout_abort(const struct hf_call *call);
int hf_cmd_device_list(const struct hf_call *call);
int hf_cmd_device_show(const struct hf_call *call);
int hf_cmd_device_timeline(const struct hf_call *call);
int hf_cmd_device_block(const struct hf_call *call);
int hf_cmd_device_unblock(const struct hf_call *call);
int hf_cmd_device_attributes(const struct hf_call *call);
int hf_cmd_device_enrol_token(const struct hf_call *call);
int hf_cmd_group_add(const struct hf_call *call);
int hf_cmd_group_list(const struct hf_call *call);
int hf_cmd_group_show(const struct hf_call *call);
int hf_cmd_group_remove(const struct hf_call *call);
int hf_cmd_token_create(const struct hf_call *call);
int hf_cmd_token_list(const struct hf_call *call);
int hf_cmd_token_revoke(const struct hf_call *call);
int hf_cmd_settings_show(const struct hf_call *call);
int hf_cmd_settings_set(const struct hf_call *call);
int hf_cmd_image_sign(const struct hf_call *call);
int hf_cmd_image_verify(const struct hf_call *call);
int hf_cmd_image_info(const struct hf_call *call);
int hf_cmd_keyset_create(const struct hf_call *call);
int hf_cmd_keyset_sign(const struct hf_call *call);
int hf_cmd_keyset_publish(const struct hf_call *call);
int hf_cmd_keyset_show(const struct hf_call *call);
int hf_cmd_takeover_create(const struct hf_call *call);
int hf_cmd_takeover_sign(const struct hf_call *call);
int hf_cmd_takeover_show(const struct hf_call *call);
int hf_cmd_takeover_publish(const struct hf_call *call);
int hf_cmd_takeover_withdraw(const struct hf_call *call);
int hf_cmd_factory_issue(const struct hf_call *call);
int hf_cmd_factory_ca(const struct hf_call *call);
int hf_cmd_factory_order(const struct hf_call *call);
int hf_cmd_factory_station(const struct hf_call *call);
int hf_cmd_factory_run(const struct hf_call *call);
int hf_cmd_factory_close(const struct hf_call *call);
int hf_cmd_factory_verify(const struct hf_call *call);
int hf_cmd_factory_import(const struct hf_call *call);
int hf_cmd_factory_orders(const struct hf_call *call);
int hf_cmd_factory_devices(const struct hf_call *call);
int hf_cmd_factory_revoke(const struct hf_call *call);
int hf_cmd_alarm_list(const struct hf_call *call);
int hf_cmd_alarm_close(const struct hf_call *call);
int hf_cmd_audit_list(const struct hf_call *call);
int hf_cmd_audit_verify(const struct hf_call *call);
int hf_cmd_root_show(const struct hf_call *call);
int hf_cmd_root_rotate(const struct hf_call *call);
int hf_cmd_root_renew(const struct hf_call *call);
int hf_cmd_root_threshold(const struct hf_call *call);
int hf_cmd_root_online_key(const struct hf_call *call);
int hf_cmd_targets_delegate(const struct hf_call *call);
int hf_cmd_targets_renew(const struct hf_call *call);
int hf_cmd_ceremony_sign(const struct hf_call *call);
int hf_cmd_ceremony_status(const struct hf_call *call);
int hf_cmd_ceremony_export(const struct hf_call *call);
int hf_cmd_ceremony_import(const struct hf_call *call);
int hf_cmd_ceremony_publish(const struct hf_call *call);
int hf_cmd_certificate_renew(const struct hf_call *call);
int hf_cmd_tuf(const struct hf_call *call);
int hf_cmd_doctor(const struct hf_call *call);
int hf_cmd_help(const struct hf_call *call);

#endif
