/* SPDX-License-Identifier: Apache-2.0
 * `holdfast serve` around the fake engine. */
#include "hf/server/serve.h"

int main(int argc, char **argv) { return hf_serve_main(argc, argv); }
