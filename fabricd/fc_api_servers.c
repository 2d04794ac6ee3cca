/*
 * Service Fabric: Route Servers as resources with peers, and the table of a Route Server.
 */
#include "fabricd/fc_api_impl.h"
#include "fabricd/fc_ask.h"
#include "lib/err.h"

#include <stdlib.h>
#include <string.h>

static const struct topo_route_server *
find_server(const struct topo *t, const char *name)
{
	for (size_t i = 0; i < t->n_servers; i++)
		if (strcmp(t->servers[i].name, name) == 0)
			return &t->servers[i];
	return NULL;
}

/* Section 9 of the semantics: there is one subscription, and a resource group by the fabric's name.
 */
static char *
resource_id(struct fc_mem *mem, const struct topo *t, const char *type, const char *name)
{
	return fc_mem_format(mem,
	    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/%s/providers/"
	    "Microsoft.Network/%s/%s",
	    t->name, type, name);
}

static char *
peering_id(struct fc_mem *mem, const struct topo *t, const char *server, const char *peer)
{
	return fc_mem_format(
	    mem, "%s/bgpConnections/%s", resource_id(mem, t, "virtualHubs", server), peer);
}

static char *
address(struct fc_mem *mem, uint32_t addr)
{
	char text[IPADDR_STRLEN];

	return fc_mem_format(mem, "%s", ipaddr_format(text, addr));
}

/* ---- RS-115 ---- */

void
fc_api_peerings(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__PeerRequest *req = (const Fab__V1__PeerRequest *)msg;
	Fab__V1__PeeringList reply = FAB__V1__PEERING_LIST__INIT;
	const struct fc *f = ctx;
	const struct topo_route_server *s = find_server(f->topo, req->resource);
	struct fc_mem mem = { 0 };
	Fab__V1__Peering *out;

	if (s == NULL) {
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "no Route Server '%s'", req->resource);
		return;
	}
	out = fc_mem_take(&mem, s->n_peers, sizeof(*out));
	reply.value = fc_mem_take(&mem, s->n_peers, sizeof(*reply.value));
	for (size_t i = 0; i < s->n_peers && reply.value != NULL; i++) {
		fab__v1__peering__init(&out[i]);
		out[i].name = s->peers[i].name;
		out[i].peer_asn = s->peers[i].peer_asn;
		out[i].peer_ip = address(&mem, s->peers[i].peer_ip);
		/* What could not be provisioned is refused at the door; nothing is said about BGP.
		 */
		out[i].provisioning_state = fc_unconst("Succeeded");
		out[i].id = peering_id(&mem, f->topo, s->name, s->peers[i].name);
		reply.value[reply.n_value++] = &out[i];
	}
	fc_api_reply(call, &mem, &reply.base);
}

/* ---- RS-116 ---- */

/* A question about the table under way. */
struct table_call {
	struct fab_rpc_call *call;
	struct fc *f;
	char server[64];
};

static const char *
hop_type(const Fab__V1__BgpRoute *r)
{
	if (r->network)
		return "Virtual Network Connection";
	switch (r->source) {
	case FAB__V1__ROUTE_SOURCE__SOURCE_NVA:
		return "HubBgpConnection";
	case FAB__V1__ROUTE_SOURCE__SOURCE_EXPRESS_ROUTE:
		return "ExpressRoute";
	default:
		return "VPN";
	}
}

/* Where it comes from: the peering, or the gateway that has the connection. */
static char *
origin(struct fc_mem *mem, const struct table_call *tc, const Fab__V1__BgpRoute *r)
{
	const struct topo *t = tc->f->topo;
	int node = topo_find_node(t, r->peer);

	if (r->network)
		return fc_unconst("");
	if (node >= 0 && (t->nodes[node].kind == TOPO_NODE_ER_GATEWAY ||
			     t->nodes[node].kind == TOPO_NODE_VPN_GATEWAY))
		return resource_id(
		    mem, t, "virtualNetworkGateways", t->gateways[t->nodes[node].index].name);
	return peering_id(mem, t, tc->server, r->peer);
}

static char *
as_path(struct fc_mem *mem, const Fab__V1__BgpRoute *r)
{
	char *out = fc_unconst("");

	for (size_t i = 0; i < r->n_as_path; i++)
		out = fc_mem_format(mem, "%s%s%u", out, i > 0 ? "-" : "", r->as_path[i]);
	return out;
}

static void
fill_hub_route(struct fc_mem *mem, Fab__V1__HubRoute *out, const struct table_call *tc,
    const Fab__V1__BgpRoute *r)
{
	char net[IPNET_STRLEN];

	fab__v1__hub_route__init(out);
	ipnet_format(net, (struct ipnet){ r->addr, (uint8_t)r->len });
	out->address_prefixes = fc_mem_take(mem, 1, sizeof(char *));
	out->next_hops = fc_mem_take(mem, 1, sizeof(char *));
	if (out->address_prefixes == NULL || out->next_hops == NULL)
		return;
	out->address_prefixes[out->n_address_prefixes++] = fc_mem_format(mem, "%s", net);
	out->next_hops[out->n_next_hops++] =
	    r->network ? fc_unconst("on-link") : address(mem, r->next_hop);
	out->next_hop_type = fc_unconst(hop_type(r));
	out->route_origin = origin(mem, tc, r);
	out->as_path = as_path(mem, r);
}

/* A next hop more for the same route from the same place: the other instance of a gateway. */
static bool
joins(struct fc_mem *mem, Fab__V1__HubRoute *last, const Fab__V1__HubRoute *row)
{
	char **hops;

	if (last == NULL || last->n_next_hops == 0 || row->n_next_hops == 0 ||
	    strcmp(last->address_prefixes[0], row->address_prefixes[0]) != 0 ||
	    strcmp(last->route_origin, row->route_origin) != 0 ||
	    strcmp(last->as_path, row->as_path) != 0)
		return false;
	for (size_t i = 0; i < last->n_next_hops; i++)
		if (strcmp(last->next_hops[i], row->next_hops[0]) == 0)
			return true;
	if ((hops = fc_mem_take(mem, last->n_next_hops + 1, sizeof(char *))) == NULL)
		return true;
	memcpy(hops, last->next_hops, last->n_next_hops * sizeof(char *));
	hops[last->n_next_hops++] = row->next_hops[0];
	last->next_hops = hops;
	return true;
}

/* The best routes of the first instance that answers; they come sorted by prefix and peer. */
static void
table_answered(void *ctx, const struct fc_answer *a, size_t n)
{
	Fab__V1__EffectiveRouteList reply = FAB__V1__EFFECTIVE_ROUTE_LIST__INIT;
	const Fab__V1__BgpRouteList *list = NULL;
	struct table_call *tc = ctx;
	struct fc_mem mem = { 0 };
	Fab__V1__HubRoute *out;

	for (size_t i = 0; i < n && list == NULL; i++)
		list = (const Fab__V1__BgpRouteList *)a[i].reply;
	if (list == NULL) {
		fab_rpc_fail(
		    tc->call, FAB_RPC_UNAVAILABLE, "no instance of '%s' answers", tc->server);
		free(tc);
		return;
	}
	out = fc_mem_take(&mem, list->n_routes, sizeof(*out));
	reply.hub = fc_mem_take(&mem, list->n_routes, sizeof(*reply.hub));
	for (size_t i = 0; i < list->n_routes && reply.hub != NULL; i++) {
		if (!list->routes[i]->best)
			continue;
		fill_hub_route(&mem, &out[i], tc, list->routes[i]);
		if (!joins(&mem, reply.n_hub == 0 ? NULL : reply.hub[reply.n_hub - 1], &out[i]))
			reply.hub[reply.n_hub++] = &out[i];
	}
	fc_api_reply(tc->call, &mem, &reply.base);
	free(tc);
}

bool
fc_api_server_routes(struct fc *f, struct fab_rpc_call *call, const char *name)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	struct fc_question q = { .name = name,
		.kinds = 1u << TOPO_NODE_ROUTE_SERVER,
		.instance = -1,
		.method = "ListRoutes",
		.req = &empty.base };
	struct table_call *tc;
	struct fc_ask *unused;
	int err = FAB_ENOMEM;

	if (find_server(f->topo, name) == NULL)
		return false;
	if ((tc = calloc(1, sizeof(*tc))) != NULL) {
		tc->call = call;
		tc->f = f;
		snprintf(tc->server, sizeof(tc->server), "%s", name);
		err = fc_ask_new(&unused, f->nodes, &q, table_answered, tc);
	}
	if (err != FAB_OK) {
		free(tc);
		fab_rpc_fail(call, fab_rpc_status_of(err), "%s", fab_strerror(err));
	}
	return true;
}
