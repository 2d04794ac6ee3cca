/*
 * Conditions of `wait`: any text either parses to bounded names and a well-formed prefix, or is
 * refused with one line.
 */
#include "fabricd/fc_expr.h"

#include "lib/err.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[2 * FC_EXPR_MAX], why[256] = "";
	struct fc_expr e = { 0 };
	size_t len = size < sizeof(text) ? size : sizeof(text) - 1;

	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	if (fc_expr_parse(&e, text, why) == FAB_OK) {
		FAB_ASSERT(e.kind < FC_EXPR_KIND_COUNT && strlen(e.a) < FC_EXPR_WORD);
		FAB_ASSERT(strlen(e.b) < FC_EXPR_WORD && strlen(e.way) < FC_EXPR_WORD &&
			   e.prefix.len <= 32);
		FAB_ASSERT((e.prefix.addr & ~ipnet_mask(e.prefix.len)) == 0);
		FAB_ASSERT(!(e.negate && e.kind == FC_EXPR_CONVERGED));
	} else {
		FAB_ASSERT(why[0] != '\0');
	}
	return 0;
}
