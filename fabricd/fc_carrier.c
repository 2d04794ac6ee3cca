/*
 * NICs that lose their link (see fc_carrier.h).
 */
#include "fabricd/fc_carrier.h"

#include "fabricd/fc_mem.h"
#include "fabricd/fc_nodes.h"
#include "fabricd/fc_pairs.h"
#include "lib/err.h"
#include "lib/rpc.h"
#include "proto/node.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELL_TIMEOUT_MS 2000

struct dark {
	UT_hash_handle hh;
	char name[FC_NODE_NAME_MAX];
};

struct fc_carrier {
	struct fc *f;
	struct dark *dark;
};

int
fc_carrier_new(struct fc_carrier **out, struct fc *f)
{
	struct fc_carrier *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return FAB_ENOMEM;
	c->f = f;
	*out = c;
	return FAB_OK;
}

void
fc_carrier_free(struct fc_carrier *c)
{
	struct dark *d, *tmp;

	if (c == NULL)
		return;
	HASH_ITER (hh, c->dark, d, tmp) {
		HASH_DEL(c->dark, d);
		free(d);
	}
	free(c);
}

/* ---- telling the peers ---- */

struct tell {
	struct fc *f;
	const char *name; /* of the end whose link is down */
};

static bool
is_platform(const struct topo_node *n)
{
	return n != NULL && n->kind != TOPO_NODE_NVA && n->kind != TOPO_NODE_SITE;
}

/* Best effort: who does not hear it has a hold timer. */
static void
told(void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	(void)ctx;
	(void)status;
	(void)message;
	(void)reply;
}

static void
tell_end(struct fc *f, const struct fc_end *me, const struct fc_end *other)
{
	Fab__V1__FaultRequest req = FAB__V1__FAULT_REQUEST__INIT;
	struct fab_rpc_client *client;
	struct fc_node *n;

	if (!is_platform(me->node) || (n = fc_node_find(f->nodes, me->node->name)) == NULL ||
	    (client = fc_node_client(f->nodes, n)) == NULL)
		return;
	req.peer = fc_unconst(other->name);
	req.link_down = true;
	fab_rpc_call(client, &fab__v1__node__descriptor, "Fault", &req.base, TELL_TIMEOUT_MS,
	    TELL_TIMEOUT_MS, told, NULL);
}

static void
tell_peer(void *arg, const struct fc_pair *p)
{
	const struct tell *t = arg;

	if (strcmp(p->dial.name, t->name) == 0)
		tell_end(t->f, &p->listen, &p->dial);
	else if (strcmp(p->listen.name, t->name) == 0)
		tell_end(t->f, &p->dial, &p->listen);
}

/* ---- power ---- */

static struct dark *
dark_find(const struct fc_carrier *c, const char *node)
{
	struct dark *d;

	HASH_FIND_STR(c->dark, node, d);
	return d;
}

bool
fc_carrier_is_dark(const struct fc_carrier *c, const char *node)
{
	return dark_find(c, node) != NULL;
}

void
fc_carrier_power_off(struct fc_carrier *c, const char *node)
{
	struct dark *d;

	if (c->f->topo->timing.link_detect || topo_find_node(c->f->topo, node) < 0 ||
	    dark_find(c, node) != NULL || (d = calloc(1, sizeof(*d))) == NULL)
		return;
	snprintf(d->name, sizeof(d->name), "%s", node);
	HASH_ADD_STR(c->dark, name, d);
	fc_nodes_sync(c->f->nodes);
}

void
fc_carrier_lost(struct fc_carrier *c, const char *nic, const char *host, uint64_t at_us)
{
	struct tell t = { c->f, nic };
	char text[FC_TIMELINE_TEXT_MAX];

	fc_events_add(c->f->events, FC_EVENT_NODE, at_us, nic, "link down, says %s", host);
	if (!c->f->topo->timing.link_detect)
		return;
	snprintf(text, sizeof(text), "link of %s down", nic);
	fc_timeline_session(c->f->timeline, at_us, host, nic, text);
	fc_pairs_each(c->f->topo, tell_peer, &t);
}

void
fc_carrier_found(struct fc_carrier *c, const char *nic)
{
	struct dark *d = dark_find(c, nic);

	if (d == NULL)
		return;
	HASH_DEL(c->dark, d);
	free(d);
	fc_nodes_sync(c->f->nodes);
}
