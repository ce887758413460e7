/* links: hf_app
 * SPDX-License-Identifier: Apache-2.0
 * The bodies of EST replies: base64, CMS, certificates; and what is done with a certificate before it is trusted. */
#include <stdint.h>

#include "ports/posix/estclient.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  STACK_OF(X509) *chain = hf_estclient_parse(hf_bytes_init(data, size));
  for (int i = 0; i < sk_X509_num(chain); i++) {
    X509 *cert = sk_X509_value(chain, i);
    (void)hf_identity_names(cert, "thermo-0001");
    (void)hf_identity_begins(cert);
    (void)hf_identity_ends(cert);
    if (hf_identity_verify(cert, chain, 1790000000) == HF_ALLOW && hf_identity_ends(cert) < 1790000000) {
      __builtin_trap();
    }
  }
  sk_X509_pop_free(chain, X509_free);
  return 0;
}
