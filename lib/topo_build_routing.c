/*
 * Second part of building: Route Servers, NVAs, gateways, circuits, sites and VMs with their
 * references, announcements, policies and sessions to each other.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdlib.h>
#include <string.h>

/* "vnet/subnet"; both -1 where it names nothing, with an error. */
static void
build_subnet_ref(struct topo_build *b, enum topo_kind kind, size_t i, int *vnet, int *subnet)
{
	const char *path = topo_get_text(b->props[kind][i], "subnet"), *slash = strchr(path, '/');
	char name[TOPO_NAME_MAX + 1] = "";
	const struct topo_vnet *v;

	*subnet = -1;
	memcpy(name, path, (size_t)(slash - path));
	*vnet = topo_build_ref(b, kind, i, "/subnet", TOPO_VNET, name);
	if (*vnet < 0)
		return;
	v = &b->t->vnets[*vnet];
	for (size_t s = 0; s < v->n_subnets; s++)
		if (strcmp(v->subnets[s].name, slash + 1) == 0)
			*subnet = (int)s;
	if (*subnet < 0)
		topo_build_error(b, kind, i, "/subnet", "UnknownReference",
		    "VNet %s has no subnet \"%.64s\"", name, slash + 1);
}

/* ---- announcements and policies ---- */

static uint32_t *
build_communities(struct topo_build *b, const json_t *o, const char *key, size_t *n)
{
	const json_t *list = json_object_get(o, key);
	uint32_t *v = topo_build_alloc(b, n, json_array_size(list), sizeof(*v));

	for (size_t i = 0; i < *n; i++)
		topo_community_parse(&v[i], json_string_value(json_array_get(list, i)));
	return v;
}

static void
build_advert(struct topo_build *b, const json_t *o, struct topo_advert *a)
{
	const json_t *large = json_object_get(o, "large_communities");
	size_t n = json_array_size(large);

	a->prefix = topo_get_net(o, "prefix");
	a->prepend = topo_get_u32(o, "prepend");
	a->communities = build_communities(b, o, "communities", &a->n_communities);
	a->large = topo_build_alloc(b, &a->n_large, n, 3 * sizeof(uint32_t));
	for (size_t i = 0; i < a->n_large; i++)
		topo_large_parse(&a->large[3 * i], json_string_value(json_array_get(large, i)));
	a->next_hop = topo_get_addr(o, "next_hop");
	a->has_med = json_object_get(o, "med") != NULL;
	a->med = topo_get_u32(o, "med");
	a->to = topo_get_texts(b, o, "to", &a->n_to);
}

/* The entries of "advertise", then those plain prefixes that are not among them. */
static struct topo_advert *
build_adverts(struct topo_build *b, const json_t *props, const struct topo_nets *plain, size_t *n)
{
	const json_t *list = json_object_get(props, "advertise");
	size_t given = json_array_size(list), used = given, n_sorted;
	struct topo_advert *adverts = topo_build_alloc(b, n, given + plain->n, sizeof(*adverts));
	struct ipnet *sorted = topo_build_alloc(b, &n_sorted, given, sizeof(*sorted));

	if (*n == 0 || n_sorted < given) {
		*n = 0;
		return NULL;
	}
	for (size_t i = 0; i < given; i++) {
		build_advert(b, json_array_get(list, i), &adverts[i]);
		sorted[i] = adverts[i].prefix;
	}
	if (given > 0)
		qsort(sorted, given, sizeof(*sorted), ipnet_cmp);
	for (size_t i = 0; i < plain->n; i++)
		if (given == 0 ||
		    bsearch(&plain->v[i], sorted, given, sizeof(*sorted), ipnet_cmp) == NULL)
			adverts[used++].prefix = plain->v[i];
	*n = used;
	return adverts;
}

static struct topo_prefix_rule *
build_rules(struct topo_build *b, const json_t *o, const char *key, size_t *n)
{
	const json_t *list = json_object_get(o, key);
	struct topo_prefix_rule *v = topo_build_alloc(b, n, json_array_size(list), sizeof(*v));

	for (size_t i = 0; i < *n; i++)
		topo_rule_parse(&v[i], json_string_value(json_array_get(list, i)));
	return v;
}

static struct topo_policy
build_policy(struct topo_build *b, const json_t *o)
{
	const json_t *strip = json_object_get(o, "strip_as");
	struct topo_policy p = { .as_override = topo_get_bool(o, "as_override"),
		.default_originate = topo_get_bool(o, "default_originate"),
		.next_hop_unchanged = topo_get_bool(o, "next_hop_unchanged"),
		.prepend = topo_get_u32(o, "prepend") };

	p.strip_as =
	    topo_build_alloc(b, &p.n_strip_as, json_array_size(strip), sizeof(*p.strip_as));
	for (size_t i = 0; i < p.n_strip_as; i++)
		p.strip_as[i] = (uint32_t)json_integer_value(json_array_get(strip, i));
	p.communities = build_communities(b, o, "communities", &p.n_communities);
	p.export_rules = build_rules(b, o, "export", &p.n_export);
	p.import_rules = build_rules(b, o, "import", &p.n_import);
	return p;
}

/* ---- resources ---- */

static enum topo_transport
build_transport(const json_t *o, const char *none)
{
	const char *word = topo_get_text(o, "transport");

	return strcmp(word == NULL ? none : word, "tcp") == 0 ? TOPO_TCP : TOPO_NNG;
}

/* What is not given comes from the NVA of the same name. */
static void
build_rs_peer(struct topo_build *b, struct topo_rs_peer *p, const char *name, const json_t *o)
{
	const struct topo_nva *nva;

	p->name = topo_arena_text(b->arena, name, strlen(name));
	p->nva = topo_build_find(b, TOPO_NVA, name);
	p->vnet = -1;
	p->peer_ip = topo_get_addr(o, "peer_ip");
	p->peer_asn = topo_get_u32(o, "peer_asn");
	p->transport = build_transport(o, "tcp");
	p->transport_address = topo_get_addr(o, "transport_address");
	p->transport_port = (uint16_t)topo_get_u32(o, "transport_port");
	p->hub_connection = topo_get_bool(o, "hub_connection");
	if (p->nva < 0)
		return;
	nva = &b->t->nvas[p->nva];
	if (p->peer_ip == 0)
		p->peer_ip = nva->ip;
	if (p->peer_asn == 0)
		p->peer_asn = nva->asn;
	if (topo_get_text(o, "transport") == NULL)
		p->transport = nva->transport;
	if (p->transport_address == 0)
		p->transport_address = nva->bgp_listen.addr;
}

static void
build_maps_of(struct topo_build *b, enum topo_kind kind, size_t i, const char *pointer,
    const json_t *o, int *in_map, int *out_map)
{
	char path[TOPO_POINTER_MAX];

	snprintf(path, sizeof(path), "%s/inbound_map", pointer);
	*in_map = topo_build_ref(b, kind, i, path, TOPO_ROUTE_MAP, topo_get_text(o, "inbound_map"));
	snprintf(path, sizeof(path), "%s/outbound_map", pointer);
	*out_map =
	    topo_build_ref(b, kind, i, path, TOPO_ROUTE_MAP, topo_get_text(o, "outbound_map"));
}

static void
build_server(struct topo_build *b, size_t i)
{
	struct topo_route_server *s = &b->t->servers[i];
	const json_t *props = b->props[TOPO_ROUTE_SERVER][i];
	const json_t *listen = json_object_get(props, "bgp_listen");
	const char *preference = topo_get_text(props, "hub_routing_preference"), *name;
	json_t *peers = json_object_get(props, "peers"), *item;
	size_t n = 0;

	s->vnet = topo_build_ref(
	    b, TOPO_ROUTE_SERVER, i, "/vnet", TOPO_VNET, topo_get_text(props, "vnet"));
	s->branch_to_branch = topo_get_bool(props, "branch_to_branch");
	s->route_map_tier = topo_get_bool(props, "route_map_tier");
	s->min_capacity = topo_get_u32(props, "min_capacity");
	s->hub_routing_preference = strcmp(preference, "VpnGateway") == 0 ? HRP_PREF_VPN_GATEWAY
				    : strcmp(preference, "ASPath") == 0   ? HRP_PREF_AS_PATH
									  : HRP_PREF_EXPRESS_ROUTE;
	for (size_t k = 0; k < json_array_size(listen) && k < 2; k++)
		topo_endpoint_parse(
		    &s->bgp_listen[k], json_string_value(json_array_get(listen, k)));
	s->peers = topo_build_alloc(b, &s->n_peers, json_object_size(peers), sizeof(*s->peers));
	if (s->n_peers == 0)
		return;
	json_object_foreach(peers, name, item)
	{
		struct topo_rs_peer *p = &s->peers[n++];
		char pointer[TOPO_POINTER_MAX];

		build_rs_peer(b, p, name, item);
		snprintf(pointer, sizeof(pointer), "/peers/%s", name);
		build_maps_of(b, TOPO_ROUTE_SERVER, i, pointer, item, &p->in_map, &p->out_map);
	}
}

/* Of one router; 0: as the fabric's. */
static void
build_timers(const json_t *props, uint32_t *hold_ms, uint32_t *keepalive_ms)
{
	*hold_ms = topo_get_ms(props, "hold");
	*keepalive_ms = topo_get_ms(props, "keepalive");
	if (*keepalive_ms == 0)
		*keepalive_ms = *hold_ms / 3; /* RFC 4271 4.4 */
}

static struct topo_container
build_container(struct topo_build *b, const json_t *props)
{
	struct topo_container c = { .image = topo_get_copy(b, props, "image"),
		.build = topo_get_copy(b, props, "build") };

	c.command = topo_get_texts(b, props, "command", &c.n_command);
	c.environment = topo_get_texts(b, props, "environment", &c.n_environment);
	c.volumes = topo_get_texts(b, props, "volumes", &c.n_volumes);
	c.cap_add = topo_get_texts(b, props, "cap_add", &c.n_cap_add);
	c.has_cap_add = json_object_get(props, "cap_add") != NULL;
	return c;
}

static void
build_nva(struct topo_build *b, size_t i)
{
	struct topo_nva *v = &b->t->nvas[i];
	const json_t *props = b->props[TOPO_NVA][i];
	struct topo_nets owns = topo_get_nets(b, props, "owns");
	size_t n;

	build_subnet_ref(b, TOPO_NVA, i, &v->vnet, &v->subnet);
	v->ip = topo_get_addr(props, "ip");
	v->asn = topo_get_u32(props, "asn");
	v->public_ip = topo_get_addr(props, "public_ip");
	v->snat = topo_get_bool(props, "snat");
	v->ip_forwarding = topo_get_bool(props, "ip_forwarding");
	v->stateful = topo_get_bool(props, "stateful");
	v->relay = topo_get_bool(props, "relay");
	build_timers(props, &v->hold_ms, &v->keepalive_ms);
	v->run = topo_get_texts(b, props, "run", &v->n_run);
	v->container = build_container(b, props);
	v->foreign = v->n_run > 0 || v->container.image != NULL;
	v->transport = build_transport(props, v->foreign ? "tcp" : "nng");
	v->to_route_server = build_policy(b, json_object_get(props, "to_route_server"));
	v->bgp_listen = topo_get_endpoint(props, "bgp_listen");
	v->p2s_pools = topo_get_nets(b, props, "p2s_pools");
	v->adverts = build_adverts(b, props, &v->p2s_pools, &v->n_adverts);
	v->owns.v = topo_build_alloc(b, &n, owns.n + v->p2s_pools.n, sizeof(*v->owns.v));
	for (size_t k = 0; k < n; k++)
		v->owns.v[v->owns.n++] = k < owns.n ? owns.v[k] : v->p2s_pools.v[k - owns.n];
}

/* VPN-6: without BGP a connection routes the prefixes of its local network gateway. */
static void
build_connection(struct topo_build *b, struct topo_gw_connection *c, const json_t *o)
{
	const char *type = topo_get_text(o, "type");

	c->gateway = c->back = -1;
	c->routing_weight = topo_get_u32(o, "routing_weight");
	c->vnet_to_vnet = type != NULL && strcmp(type, "Vnet2Vnet") == 0;
	c->bgp = topo_get_bool(o, "bgp");
	c->prefixes = topo_get_nets(b, o, "prefixes");
	if (!c->bgp && c->prefixes.n == 0 && c->index >= 0)
		c->prefixes = b->t->sites[c->index].prefixes;
}

static void
build_connections(struct topo_build *b, size_t i, struct topo_gateway *g)
{
	const json_t *props = b->props[TOPO_GATEWAY][i];
	bool er = g->type == GW_EXPRESS_ROUTE;
	const char *key = er ? "circuits" : "connections", *name;
	json_t *conns = json_object_get(props, key), *item;
	char pointer[TOPO_POINTER_MAX];
	size_t n = 0;

	g->conns = topo_build_alloc(b, &g->n_conns, json_object_size(conns), sizeof(*g->conns));
	if (g->n_conns == 0)
		return;
	json_object_foreach(conns, name, item)
	{
		struct topo_gw_connection *c = &g->conns[n++];

		snprintf(pointer, sizeof(pointer), "/%s/%s", key, name);
		c->name = topo_arena_text(b->arena, name, strlen(name));
		c->index = topo_build_names_gateway(item)
			       ? -1
			       : topo_build_ref(b, TOPO_GATEWAY, i, pointer,
				     er ? TOPO_CIRCUIT : TOPO_SITE, name);
		build_connection(b, c, item);
		build_maps_of(b, TOPO_GATEWAY, i, pointer, item, &c->in_map, &c->out_map);
	}
}

/* ER-33: circuits by SKU. */
static unsigned
max_circuits(const char *sku)
{
	if (sku == NULL)
		return 4;
	if (strcmp(sku, "UltraPerformance") == 0 || strcmp(sku, "ErGw3AZ") == 0)
		return 16;
	return strcmp(sku, "HighPerformance") == 0 || strcmp(sku, "ErGw2AZ") == 0 ? 8 : 4;
}

static void
build_gateway(struct topo_build *b, size_t i)
{
	struct topo_gateway *g = &b->t->gateways[i];
	const json_t *props = b->props[TOPO_GATEWAY][i];

	g->type = strcmp(topo_get_text(props, "type"), "Vpn") == 0 ? GW_VPN : GW_EXPRESS_ROUTE;
	g->vnet =
	    topo_build_ref(b, TOPO_GATEWAY, i, "/vnet", TOPO_VNET, topo_get_text(props, "vnet"));
	g->asn = topo_get_u32(props, "asn");
	g->active_active = topo_get_bool(props, "active_active");
	if (g->type == GW_EXPRESS_ROUTE)
		g->max_circuits = max_circuits(topo_get_text(props, "sku"));
	g->p2s_pools = topo_get_nets(b, props, "p2s_pools");
	build_connections(b, i, g);
}

static void
build_circuit(struct topo_build *b, size_t i)
{
	struct topo_circuit *c = &b->t->circuits[i];
	const json_t *props = b->props[TOPO_CIRCUIT][i];
	const json_t *hops = json_object_get(props, "nic_next_hop");
	const char *maintenance = topo_get_text(props, "maintenance");

	c->site =
	    topo_build_ref(b, TOPO_CIRCUIT, i, "/site", TOPO_SITE, topo_get_text(props, "site"));
	c->premium = topo_get_bool(props, "premium");
	c->bfd = topo_get_bool(props, "bfd");
	c->maintenance = strcmp(maintenance, "primary") == 0     ? 0
			 : strcmp(maintenance, "secondary") == 0 ? 1
								 : -1;
	c->links = topo_get_nets(b, props, "links");
	for (size_t k = 0; k < json_array_size(hops) && k < 2; k++)
		ipaddr_parse(&c->nic_next_hop[k], json_string_value(json_array_get(hops, k)));
}

static void
build_site(struct topo_build *b, size_t i)
{
	struct topo_site *s = &b->t->sites[i];
	const json_t *props = b->props[TOPO_SITE][i];

	s->asn = topo_get_u32(props, "asn");
	s->ip = topo_get_addr(props, "ip");
	s->public_ip = topo_get_addr(props, "public_ip");
	s->snat = topo_get_bool(props, "snat");
	build_timers(props, &s->hold_ms, &s->keepalive_ms);
	s->prefixes = topo_get_nets(b, props, "prefixes");
	s->adverts = build_adverts(b, props, &s->prefixes, &s->n_adverts);
	s->policy = build_policy(b, json_object_get(props, "policy"));
	s->relay = topo_get_bool(props, "relay");
	s->run = topo_get_texts(b, props, "run", &s->n_run);
	s->transport = build_transport(props, s->n_run > 0 ? "tcp" : "nng");
	s->bgp_listen = topo_get_endpoint(props, "bgp_listen");
}

static void
build_vm(struct topo_build *b, size_t i)
{
	struct topo_vm *v = &b->t->vms[i];
	const json_t *props = b->props[TOPO_VM][i];

	build_subnet_ref(b, TOPO_VM, i, &v->vnet, &v->subnet);
	v->ip = topo_get_addr(props, "ip");
	v->public_ip = topo_get_addr(props, "public_ip");
	v->ip_forwarding = topo_get_bool(props, "ip_forwarding");
	v->running = topo_get_bool(props, "running");
	v->run = topo_get_texts(b, props, "run", &v->n_run);
	v->container = build_container(b, props);
}

static struct topo_health_probe
build_health_probe(struct topo_build *b, const json_t *given)
{
	const char *protocol = topo_get_text(given, "protocol");
	struct topo_health_probe p = { .port = (uint16_t)topo_get_u32(given, "port"),
		.http = protocol != NULL && strcmp(protocol, "Http") == 0,
		.path = topo_get_copy(b, given, "path"),
		.interval_ms = topo_get_ms(given, "interval"),
		.threshold = topo_get_u32(given, "unhealthy_after") };

	if (topo_get_text(given, "interval") == NULL)
		p.interval_ms = b->t->timing.probe_interval_ms;
	return p;
}

static void
build_balancer(struct topo_build *b, size_t i)
{
	struct topo_load_balancer *l = &b->t->balancers[i];
	const json_t *props = b->props[TOPO_LOAD_BALANCER][i];

	build_subnet_ref(b, TOPO_LOAD_BALANCER, i, &l->vnet, &l->subnet);
	l->ip = topo_get_addr(props, "ip");
	l->backend_names = topo_get_texts(b, props, "backends", &l->n_backend_names);
	l->probe = build_health_probe(b, json_object_get(props, "probe"));
}

static void
build_client(struct topo_build *b, size_t i)
{
	struct topo_client *c = &b->t->clients[i];
	const char *via = topo_get_text(b->props[TOPO_CLIENT][i], "via");

	c->gateway = topo_build_find(b, TOPO_GATEWAY, via);
	c->nva = c->gateway < 0 ? topo_build_find(b, TOPO_NVA, via) : -1;
	c->ip = topo_get_addr(b->props[TOPO_CLIENT][i], "ip");
	if (c->gateway < 0 && c->nva < 0 && topo_doc_find(b->doc, TOPO_GATEWAY, via) == NULL &&
	    topo_doc_find(b->doc, TOPO_NVA, via) == NULL)
		topo_build_error(b, TOPO_CLIENT, i, "/via", "UnknownReference",
		    "there is no VPN gateway and no NVA \"%.64s\"", via);
}

/* ---- sessions between NVAs and sites: both ends list them ---- */

/* An NVA or a site, seen as a router. */
struct router {
	enum topo_kind kind;
	size_t index;
	const char *name;
	json_t *given; /* its "peers" */
	struct topo_router_peer **peers;
	size_t *n_peers;
	enum topo_transport transport;
};

static struct router
router_at(struct topo_build *b, size_t i)
{
	struct topo_nva *nva = i < b->t->n_nvas ? &b->t->nvas[i] : NULL;
	struct topo_site *site = nva == NULL ? &b->t->sites[i - b->t->n_nvas] : NULL;

	if (nva != NULL)
		return (struct router){ TOPO_NVA, i, nva->name,
			json_object_get(b->props[TOPO_NVA][i], "peers"), &nva->peers, &nva->n_peers,
			nva->transport };
	i -= b->t->n_nvas;
	return (struct router){ TOPO_SITE, i, site->name,
		json_object_get(b->props[TOPO_SITE][i], "peers"), &site->peers, &site->n_peers,
		site->transport };
}

static size_t
router_count(const struct topo_build *b)
{
	return b->t->n_nvas + b->t->n_sites;
}

/* Position of a router by name, -1: none. An NVA comes before a site of the same name. */
static int
router_find(const struct topo_build *b, const char *name)
{
	int i = topo_build_find(b, TOPO_NVA, name);

	if (i >= 0)
		return i;
	i = topo_build_find(b, TOPO_SITE, name);
	return i < 0 ? -1 : i + (int)b->t->n_nvas;
}

/* The sum of what this end and the other say about the session. */
static void
fill_peer(struct topo_build *b, struct topo_router_peer *p, const struct router *self,
    const struct router *other)
{
	const json_t *mine = json_object_get(self->given, other->name);
	const json_t *theirs = json_object_get(other->given, self->name);
	bool tcp = self->transport == TOPO_TCP || other->transport == TOPO_TCP;

	p->name = topo_arena_text(b->arena, other->name, strlen(other->name));
	p->is_site = other->kind == TOPO_SITE;
	p->index = (int)other->index;
	p->tunnel = topo_get_bool(mine, "tunnel") || topo_get_bool(theirs, "tunnel");
	if (topo_get_text(mine, "transport") != NULL)
		p->transport = build_transport(mine, "nng");
	else
		p->transport = build_transport(theirs, tcp ? "tcp" : "nng");
	p->policy = build_policy(b, json_object_get(mine, "policy"));
}

static void
refuse_peer(struct topo_build *b, const struct router *r, const char *name)
{
	char pointer[TOPO_POINTER_MAX];

	snprintf(pointer, sizeof(pointer), "/peers/%s", name);
	if (strcmp(name, r->name) == 0)
		topo_build_error(b, r->kind, r->index, pointer, "PeerIsItself",
		    "a router has no session with itself");
	else if (topo_doc_find(b->doc, TOPO_NVA, name) == NULL &&
		 topo_doc_find(b->doc, TOPO_SITE, name) == NULL)
		topo_build_error(b, r->kind, r->index, pointer, "UnknownReference",
		    "there is no NVA and no site \"%.64s\"; Route Servers list their peers "
		    "themselves",
		    name);
}

/* How many sessions each router has at most: those it lists and those that list it. */
static void
allocate_peers(struct topo_build *b)
{
	size_t n = router_count(b), unused;
	size_t *count = topo_build_alloc(b, &unused, n, sizeof(*count));
	const char *name;
	json_t *item;

	for (size_t i = 0; i < unused; i++) {
		struct router r = router_at(b, i);

		json_object_foreach(r.given, name, item)
		{
			int other = router_find(b, name);

			count[i]++;
			if (other >= 0)
				count[other]++;
		}
	}
	for (size_t i = 0; i < unused; i++)
		*router_at(b, i).peers =
		    topo_arena_alloc(b->arena, count[i], sizeof(struct topo_router_peer));
}

static void
build_router_peers(struct topo_build *b)
{
	const char *name;
	json_t *item;

	allocate_peers(b);
	if (topo_arena_failed(b->arena))
		return;
	for (size_t i = 0; i < router_count(b); i++) {
		struct router r = router_at(b, i);

		json_object_foreach(r.given, name, item)
		{
			int at = router_find(b, name);
			struct router other;

			if (at < 0 || (size_t)at == i) {
				refuse_peer(b, &r, name);
				continue;
			}
			other = router_at(b, (size_t)at);
			fill_peer(b, &(*r.peers)[(*r.n_peers)++], &r, &other);
			/* A session that both ends list is one session. */
			if (json_object_get(other.given, r.name) == NULL)
				fill_peer(b, &(*other.peers)[(*other.n_peers)++], &other, &r);
		}
	}
}

void
topo_build_routing(struct topo_build *b)
{
	for (size_t i = 0; i < b->t->n_nvas; i++)
		build_nva(b, i);
	for (size_t i = 0; i < b->t->n_sites; i++)
		build_site(b, i);
	for (size_t i = 0; i < b->t->n_servers; i++)
		build_server(b, i);
	for (size_t i = 0; i < b->t->n_circuits; i++)
		build_circuit(b, i);
	for (size_t i = 0; i < b->t->n_gateways; i++)
		build_gateway(b, i);
	topo_build_vnet_to_vnet(b);
	for (size_t i = 0; i < b->t->n_vms; i++)
		build_vm(b, i);
	for (size_t i = 0; i < b->t->n_balancers; i++)
		build_balancer(b, i);
	for (size_t i = 0; i < b->t->n_clients; i++)
		build_client(b, i);
	build_router_peers(b);
}
