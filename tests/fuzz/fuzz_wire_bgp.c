/*
 * The decoder of BGP messages as protobuf. First octet: iBGP (bit 1).
 */
#include "lib/wire_bgp.h"
#include "tests/fuzz/bgp_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bgp_scratch scratch;
	static struct bgp_attr_table *table;
	struct bgp_decode_opts opts;
	struct bgp_notify err;
	struct bgp_msg m;
	char text[400];
	int rc;

	if (table == NULL)
		FAB_ASSERT(bgp_attr_table_new(&table) == FAB_OK);
	if (size == 0)
		return 0;
	opts =
	    (struct bgp_decode_opts){ .as4 = true, .ibgp = data[0] & 2, .local_addr = 0x0a010004 };
	rc = wire_bgp_decode(&m, &scratch, &opts, data + 1, size - 1, &err);
	FAB_ASSERT(rc == FAB_OK || rc == FAB_EBADMSG);
	if (rc == FAB_OK)
		bgp_check_msg(table, &m);
	else
		bgp_notify_format(text, sizeof(text), &err);
	return 0;
}
