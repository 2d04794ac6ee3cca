/*
 * Decoding of route batches (see wire_batch.h).
 */
#include "fabricd/wire_batch.h"

#include "lib/err.h"

#include <string.h>

static bool
prefixes_ok(const uint32_t *addr, size_t n_addr, const ProtobufCBinaryData *len)
{
	if (n_addr != len->len)
		return false;
	for (size_t i = 0; i < n_addr; i++)
		if (len->data[i] > 32 || (addr[i] & ~ipnet_mask(len->data[i])) != 0)
			return false;
	return true;
}

static bool
group_ok(const Fab__V1__RouteGroup *g)
{
	return g->n_next_hops <= WIRE_BATCH_NEXT_HOPS && g->n_as_path <= WIRE_BATCH_PATH &&
	       prefixes_ok(g->addr, g->n_addr, &g->len);
}

/* A class of a newer node is unknown, not an error. */
static enum hrp_source
source(Fab__V1__RouteSource s)
{
	return (int)s >= HRP_SRC_UNKNOWN && (int)s <= HRP_SRC_P2S ? (enum hrp_source)s
								  : HRP_SRC_UNKNOWN;
}

int
wire_batch_decode(struct fc_mem *mem, struct fc_route_batch *out, uint32_t *prefixes,
    const Fab__V1__RouteBatch *m)
{
	struct fc_route_group *groups = fc_mem_take(mem, m->n_groups, sizeof(*groups));
	size_t n = m->n_withdrawn_addr;

	if (mem->err != FAB_OK)
		return mem->err;
	if (!prefixes_ok(m->withdrawn_addr, m->n_withdrawn_addr, &m->withdrawn_len))
		return FAB_EBADMSG;
	for (size_t i = 0; i < m->n_groups; i++) {
		const Fab__V1__RouteGroup *g = m->groups[i];

		if (!group_ok(g))
			return FAB_EBADMSG;
		groups[i] = (struct fc_route_group){ .source = source(g->source),
			.next_hops = g->next_hops,
			.n_next_hops = g->n_next_hops,
			.as_path = g->as_path,
			.n_as_path = g->n_as_path,
			.weight = g->weight,
			.addr = g->addr,
			.len = g->len.data,
			.n = g->n_addr,
			.peer = g->peer };
		n += g->n_addr;
	}
	*out = (struct fc_route_batch){ .groups = groups,
		.n_groups = m->n_groups,
		.withdrawn_addr = m->withdrawn_addr,
		.withdrawn_len = m->withdrawn_len.data,
		.n_withdrawn = m->n_withdrawn_addr };
	*prefixes = (uint32_t)n;
	return FAB_OK;
}

/* Whether routes only came or changed. A peer may also lose a route whose prefix has another path:
 * no withdrawal in the batch then, but the cause says so. */
static bool
only_announces(const Fab__V1__RouteBatch *m)
{
	static const char *const news[] = { ": UPDATE", ": session up",
		"origination changed" }; /* bgp_speaker.c, bgp_speaker_in.c */
	size_t len = strlen(m->cause->text);

	for (size_t i = 0; m->n_withdrawn_addr == 0 && i < sizeof(news) / sizeof(news[0]); i++) {
		size_t n = strlen(news[i]);

		if (len >= n && strcmp(m->cause->text + len - n, news[i]) == 0)
			return true;
	}
	return false;
}

void
wire_batch_stamps(struct fc_batch_stamps *out, const char *node, const Fab__V1__RouteBatch *m)
{
	const Fab__V1__Cause *c = m->cause;

	*out = (struct fc_batch_stamps){ .node = node, .subject = "", .text = "" };
	if (c == NULL)
		return;
	out->subject = c->subject;
	out->text = c->text;
	out->detect_us = c->detect_us;
	out->withdraw_us = c->withdraw_us;
	out->best_path_us = c->best_path_us;
	out->since_us = out->delay_us = c->held_us;
	out->delay_text = c->held;
	out->announces = only_announces(m);
}
