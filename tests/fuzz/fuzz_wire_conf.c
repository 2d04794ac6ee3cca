/*
 * NodeConfig decoding: any message that protobuf-c takes either becomes a consistent struct
 * wire_conf or is refused with one line.
 */
#include "lib/err.h"
#include "lib/wire_conf.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct wire_conf *c)
{
	FAB_ASSERT(c->name[0] != '\0' && c->asn != 0 && c->instance <= 1);
	for (size_t i = 0; i < c->n_peers; i++) {
		const struct wire_peer *p = &c->peers[i];

		FAB_ASSERT(p->name[0] != '\0' && p->asn != 0 && p->hold_ms >= 3000);
		for (size_t k = 0; k < p->policy.export_rules.n; k++)
			FAB_ASSERT(
			    p->policy.export_rules.v[k].ge <= p->policy.export_rules.v[k].le);
	}
	for (size_t i = 0; i < c->n_originate; i++)
		FAB_ASSERT(
		    (c->originate[i].prefix.addr & ~ipnet_mask(c->originate[i].prefix.len)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Fab__V1__NodeConfig *m = fab__v1__node_config__unpack(NULL, size, data);
	struct wire_conf *c = NULL;
	char why[256] = "";

	if (m == NULL)
		return 0;
	if (wire_conf_decode(&c, m, why) == FAB_OK) {
		check(c);
		FAB_ASSERT(!wire_conf_policy_differs(c, c));
		wire_conf_free(c);
	} else {
		FAB_ASSERT(why[0] != '\0' && strchr(why, '\n') == NULL);
	}
	fab__v1__node_config__free_unpacked(m, NULL);
	return 0;
}
