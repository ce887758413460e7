/* SPDX-License-Identifier: Apache-2.0
 * What tests and seeds put into an image: every field that the format knows but the sbom. */
#ifndef TESTS_WIRE_TESTIMAGE_H
#define TESTS_WIRE_TESTIMAGE_H

#include "hf/wire/image.h"

static inline struct hf_image_build testimage_build(void)
{
  return (struct hf_image_build){
      .version = {1, 2, 3, 4},
      .header_len = 64,
      .has_counter = true,
      .counter = 9,
      .product = HF_LIT("thermostat"),
      .component = HF_LIT("main"),
      .hardware = {HF_LIT("thermo-a"), HF_LIT("Thermo_B.2")},
      .hardware_count = 2,
      .dependency = {{.image = 1, .version = {2, 0, 0, 0}}},
      .dependency_count = 1,
  };
}

#endif
