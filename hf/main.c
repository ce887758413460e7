/* SPDX-License-Identifier: Apache-2.0
 * The roof: one program that is server and tool. `serve` goes to the server, everything else to the command line. */
#include <string.h>

#include "hf/cli/cli.h"
#include "hf/server/serve.h"

int main(int argc, char **argv)
{
  if (argc >= 2 && strcmp(argv[1], "serve") == 0) {
    return hf_serve_main(argc, argv);
  }
  return hf_cli_main(argc, argv);
}
