/*
 * The decoder of RFC 4271 messages. First octet: what the session has negotiated (bits 0-2), and
 * whether the rest is a whole message (bit 3) or the body of an UPDATE.
 */
#include "lib/bgp_msg.h"
#include "tests/fuzz/bgp_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bgp_scratch scratch;
	static struct bgp_attr_table *table;
	struct bgp_decode_opts opts;
	struct bgp_notify err;
	struct bgp_msg m = { .type = BGP_MSG_UPDATE };
	char text[400];
	int rc;

	if (table == NULL)
		FAB_ASSERT(bgp_attr_table_new(&table) == FAB_OK);
	if (size == 0 || size > BGP_MESSAGE_EXTENDED)
		return 0;
	opts = (struct bgp_decode_opts){ .as4 = data[0] & 1,
		.ibgp = data[0] & 2,
		.extended = data[0] & 4,
		.local_addr = 0x0a010004 };
	if (data[0] & 8)
		rc = bgp_msg_decode(&m, &scratch, &opts, data + 1, size - 1, &err);
	else
		rc = bgp_update_decode(&m.updates, &scratch, &opts, data + 1, size - 1, &err);
	FAB_ASSERT(rc == FAB_OK || rc == FAB_EBADMSG);
	if (rc == FAB_OK)
		bgp_check_msg(table, &m);
	else
		bgp_notify_format(text, sizeof(text), &err);
	return 0;
}
