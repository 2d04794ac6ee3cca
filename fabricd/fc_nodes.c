/*
 * The nodes and what they reported (see fc_nodes.h).
 */
#include "fabricd/fc_nodes.h"

#include "fabricd/fc_carrier.h"
#include "fabricd/fc_control.h"
#include "fabricd/fc_link.h"
#include "fabricd/fc_nodeconf.h"
#include "fabricd/fc_pairs.h"
#include "fabricd/wire_nodeconf.h"
#include "lib/err.h"
#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fc_nodes {
	struct fc *f;
	struct fc_node *by_name;
	size_t n_unknown; /* entries outside of the topology */
};

static const char *const kind_names[] = {
	[TOPO_NODE_ROUTE_SERVER] = "route_server",
	[TOPO_NODE_ER_GATEWAY] = "er_gateway",
	[TOPO_NODE_VPN_GATEWAY] = "vpn_gateway",
	[TOPO_NODE_MSEE] = "msee",
	[TOPO_NODE_NVA] = "nva",
	[TOPO_NODE_SITE] = "site",
};

const char *
fc_node_kind_name(enum topo_node_kind k)
{
	return kind_names[k];
}

int
fc_nodes_new(struct fc_nodes **out, struct fc *f)
{
	struct fc_nodes *ns = calloc(1, sizeof(*ns));

	if (ns == NULL)
		return FAB_ENOMEM;
	ns->f = f;
	*out = ns;
	return FAB_OK;
}

static void
node_free(struct fc_nodes *ns, struct fc_node *n)
{
	HASH_DEL(ns->by_name, n);
	fc_sessions_clear(n);
	fc_node_drop_client(n);
	free(n->conf);
	free(n->name);
	free(n);
}

void
fc_nodes_free(struct fc_nodes *ns)
{
	struct fc_node *n, *tmp;

	if (ns == NULL)
		return;
	HASH_ITER (hh, ns->by_name, n, tmp)
		node_free(ns, n);
	free(ns);
}

struct fab_loop *
fc_nodes_loop(const struct fc_nodes *ns)
{
	return ns->f->loop;
}

struct fc_node *
fc_node_find(const struct fc_nodes *ns, const char *name)
{
	struct fc_node *n;

	HASH_FIND_STR(ns->by_name, name, n);
	return n;
}

struct fc_node *
fc_node_next(const struct fc_nodes *ns, const struct fc_node *after)
{
	return after == NULL ? ns->by_name : after->hh.next;
}

static struct fc_node *
node_new(struct fc_nodes *ns, const char *name, int index)
{
	struct fc_node *n = calloc(1, sizeof(*n));

	if (n == NULL || (n->name = strdup(name)) == NULL) {
		free(n);
		return NULL;
	}
	n->index = index;
	HASH_ADD_KEYPTR(hh, ns->by_name, n->name, strlen(n->name), n);
	return n;
}

struct fc_node *
fc_node_add(struct fc_nodes *ns, const char *name)
{
	struct fc_node *n = fc_node_find(ns, name);

	if (n != NULL)
		return n;
	if (name[0] == '\0' || strlen(name) >= FC_NODE_NAME_MAX ||
	    ns->n_unknown >= FC_NODE_UNKNOWN_MAX || (n = node_new(ns, name, -1)) == NULL)
		return NULL;
	ns->n_unknown++;
	return n;
}

void
fc_node_release(struct fc_nodes *ns, struct fc_node *n)
{
	if (n->index >= 0 || n->watch != NULL || n->reporter != NULL)
		return;
	ns->n_unknown--;
	node_free(ns, n);
}

/* ---- following the topology ---- */

/* Links that are cut are part of the configuration of both ends. */
static void
mark_peers(const struct fc *f, struct fc_node *n, struct wire_conf *c)
{
	n->n_peers = 0;
	for (size_t i = 0; i < c->n_peers; i++) {
		const char *peer = c->peers[i].name;
		bool dark =
		    fc_carrier_is_dark(f->carrier, n->name) || fc_carrier_is_dark(f->carrier, peer);

		c->peers[i].cut_in = dark || fc_link_is_cut(f->links, peer, n->name);
		c->peers[i].cut_out = dark || fc_link_is_cut(f->links, n->name, peer);
		n->n_peers += !c->peers[i].optional;
	}
}

/* The packed configuration of a node, NULL for foreign software. */
static int
node_encode(struct fc_nodes *ns, struct fc_node *n, uint8_t **conf, size_t *len)
{
	struct fc_nodeconf *nc = NULL;
	int err;

	*conf = NULL;
	*len = 0;
	if (n->foreign)
		return FAB_OK;
	err = fc_nodeconf_new(&nc, ns->f->topo, (size_t)n->index, &ns->f->conf.urls);
	if (err == FAB_OK) {
		mark_peers(ns->f, n, &nc->conf);
		err = wire_nodeconf_encode(conf, len, nc);
	}
	fc_nodeconf_free(nc);
	return err;
}

/* Equal bytes are an equal configuration: the node hears nothing and its sessions stay. */
static int
node_configure(struct fc_nodes *ns, struct fc_node *n)
{
	uint8_t *conf;
	size_t len;
	int err = node_encode(ns, n, &conf, &len);

	if (err != FAB_OK) {
		fab_error(
		    "node %s: cannot compute its configuration: %s", n->name, fab_strerror(err));
		return err;
	}
	if (len == n->conf_len && (len == 0 || memcmp(conf, n->conf, len) == 0)) {
		free(conf);
		return FAB_OK;
	}
	free(n->conf);
	n->conf = conf;
	n->conf_len = len;
	n->generation = ++ns->f->generation;
	fc_control_push(ns->f, n);
	return FAB_OK;
}

static void
node_leaves(struct fc_nodes *ns, struct fc_node *n)
{
	ns->n_unknown++;
	n->index = -1;
	n->foreign = false;
	fc_control_dismiss(ns->f, n);
	free(n->conf);
	n->conf = NULL;
	n->conf_len = 0;
	fc_node_release(ns, n);
}

static int
node_joins(struct fc_nodes *ns, const struct topo_node *tn, int index)
{
	struct fc_node *n = fc_node_find(ns, tn->name);

	if (n == NULL)
		n = node_new(ns, tn->name, index);
	else if (n->index < 0)
		ns->n_unknown--;
	if (n == NULL)
		return FAB_ENOMEM;
	n->index = index;
	n->foreign = tn->foreign;
	fc_control_restate(ns->f, n);
	return node_configure(ns, n);
}

int
fc_nodes_sync(struct fc_nodes *ns)
{
	const struct topo *t = ns->f->topo;
	struct fc_node *n, *tmp;
	int err = FAB_OK, one;

	HASH_ITER (hh, ns->by_name, n, tmp)
		if (n->index >= 0 && topo_find_node(t, n->name) < 0)
			node_leaves(ns, n);
	for (size_t i = 0; i < t->n_nodes; i++)
		if ((one = node_joins(ns, &t->nodes[i], (int)i)) != FAB_OK)
			err = one;
	return err;
}

const struct topo_node *
fc_node_topo(const struct fc_nodes *ns, const struct fc_node *n)
{
	return n->index < 0 ? NULL : &ns->f->topo->nodes[n->index];
}

size_t
fc_nodes_named(const struct fc_nodes *ns, const char *name, fc_node_fn *fn, void *arg)
{
	const struct topo *t = ns->f->topo;
	size_t count = 0;

	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct topo_node *tn = &t->nodes[i];
		struct fc_node *n;

		if (strcmp(tn->name, name) != 0 && strcmp(fc_node_resource(t, tn), name) != 0)
			continue;
		if ((n = fc_node_find(ns, tn->name)) == NULL)
			continue;
		fn(arg, n);
		count++;
	}
	return count;
}

const char *
fc_node_state(const struct fc_node *n)
{
	if (n->foreign)
		return "foreign";
	if (fc_node_connected(n))
		return "running";
	return n->seen ? "lost" : "never seen";
}

bool
fc_node_converged(const struct fc_node *n)
{
	return fc_node_connected(n) && n->status_generation == n->generation && n->status_converged;
}

/* ---- calls to nodes ---- */

struct fab_rpc_client *
fc_node_client(struct fc_nodes *ns, struct fc_node *n)
{
	char url[FC_URL_MAX];
	int err;

	if (n->client != NULL || !fc_node_connected(n))
		return n->client;
	snprintf(url, sizeof(url), "%s", n->url);
	if (ns->f->conf.urls.node != NULL &&
	    fc_url_format(url, ns->f->conf.urls.node, n->name) != FAB_OK)
		return NULL;
	if (url[0] == '\0')
		return NULL;
	err = fab_rpc_client_new(&n->client, ns->f->loop, url, ns->f->conf.tls, NULL, NULL);
	if (err != FAB_OK)
		fab_warn("node %s: cannot call %s: %s", n->name, url, fab_strerror(err));
	return n->client;
}

void
fc_node_drop_client(struct fc_node *n)
{
	struct fab_rpc_client *c = n->client;

	/* Calls in flight end by callbacks that may look at the node again. */
	n->client = NULL;
	fab_rpc_client_free(c);
}

/* ---- sessions ---- */

struct fc_session *
fc_session_find(const struct fc_node *n, const char *peer)
{
	struct fc_session *s;

	HASH_FIND_STR(n->sessions, peer, s);
	return s;
}

struct fc_session *
fc_session_add(struct fc_node *n, const char *peer)
{
	struct fc_session *s = fc_session_find(n, peer);

	if (s != NULL)
		return s;
	if (HASH_COUNT(n->sessions) >= FC_NODE_SESSIONS || strlen(peer) >= FC_NODE_NAME_MAX ||
	    (s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	if ((s->peer = strdup(peer)) == NULL) {
		free(s);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, n->sessions, s->peer, strlen(s->peer), s);
	return s;
}

void
fc_session_remove(struct fc_node *n, struct fc_session *s)
{
	HASH_DEL(n->sessions, s);
	free(s->peer);
	free(s);
}

void
fc_sessions_clear(struct fc_node *n)
{
	struct fc_session *s, *tmp;

	HASH_ITER (hh, n->sessions, s, tmp)
		fc_session_remove(n, s);
}
