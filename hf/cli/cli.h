/* SPDX-License-Identifier: Apache-2.0
 * The command line: everything of `holdfast` but `serve`.
 *
 * One table, hf/cli/cli.def, is the dispatch, the help and the manual. A command answers with an exit code of the
 * closed list below, prints data on standard output and everything else on standard error.
 */
#ifndef HF_CLI_CLI_H
#define HF_CLI_CLI_H

/** What a caller in a script may tell apart (docs/cli.md). */
enum hf_exit {
  HF_EXIT_DONE = 0,        /**< done */
  HF_EXIT_FAILED = 1,      /**< refused or failed; the message says what, where and what to do */
  HF_EXIT_USAGE = 2,       /**< wrong command, option or operand: nothing was tried */
  HF_EXIT_UNREACHABLE = 3, /**< the server did not answer */
  HF_EXIT_DENIED = 4,      /**< the server answered: not allowed; or a wrong passphrase */
  HF_EXIT_NOT_FOUND = 5,   /**< what was named does not exist */
  HF_EXIT_CONFLICT = 6     /**< it exists already, or somebody changed it first */
};

/**
 * Run one command.
 * @param argc  as main got it
 * @param argv  borrows; argv[1] is the command group
 * @return one of `enum hf_exit`; hosts only; uses heap, files, terminal and network as the command needs
 */
int hf_cli_main(int argc, char **argv);

#endif
