/*
 * From documents to the model. Building goes in passes: names of everything (so that references can
 * point forward), then each resource's own properties and references, then what follows from
 * several of them (topo_derive.c), the processes (topo_nodes.c), and last the rules
 * (topo_check_*.c), which see a complete model and may find -1 wherever a reference was refused.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- values of JSON in full form ---- */

bool
topo_get_bool(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

uint32_t
topo_get_u32(const json_t *o, const char *key)
{
	return (uint32_t)json_integer_value(json_object_get(o, key));
}

const char *
topo_get_text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

uint32_t
topo_get_addr(const json_t *o, const char *key)
{
	const char *text = topo_get_text(o, key);
	uint32_t addr = 0;

	if (text != NULL)
		ipaddr_parse(&addr, text);
	return addr;
}

uint32_t
topo_get_ms(const json_t *o, const char *key)
{
	const char *text = topo_get_text(o, key);
	uint32_t ms = 0;

	if (text != NULL)
		topo_duration_parse(&ms, text);
	return ms;
}

struct topo_tcp
topo_get_endpoint(const json_t *o, const char *key)
{
	const char *text = topo_get_text(o, key);
	struct topo_tcp tcp = { 0 };

	if (text != NULL)
		topo_endpoint_parse(&tcp, text);
	return tcp;
}

struct ipnet
topo_get_net(const json_t *o, const char *key)
{
	const char *text = topo_get_text(o, key);
	struct ipnet net = { 0 };

	if (text != NULL)
		topo_net_parse(&net, text);
	return net;
}

char *
topo_get_copy(struct topo_build *b, const json_t *o, const char *key)
{
	const char *text = topo_get_text(o, key);

	return text == NULL ? NULL : topo_arena_text(b->arena, text, strlen(text));
}

void *
topo_build_alloc(struct topo_build *b, size_t *n, size_t want, size_t size)
{
	void *p = want == 0 ? NULL : topo_arena_alloc(b->arena, want, size);

	*n = p == NULL ? 0 : want;
	return p;
}

struct topo_nets
topo_get_nets(struct topo_build *b, const json_t *o, const char *key)
{
	const json_t *list = json_object_get(o, key);
	struct topo_nets nets;

	nets.v = topo_build_alloc(b, &nets.n, json_array_size(list), sizeof(*nets.v));
	for (size_t i = 0; i < nets.n; i++)
		topo_net_parse(&nets.v[i], json_string_value(json_array_get(list, i)));
	return nets;
}

char **
topo_get_texts(struct topo_build *b, const json_t *o, const char *key, size_t *n)
{
	const json_t *list = json_object_get(o, key);
	char **texts = topo_build_alloc(b, n, json_array_size(list), sizeof(*texts));
	const char *text;

	for (size_t i = 0; i < *n; i++) {
		text = json_string_value(json_array_get(list, i));
		texts[i] = topo_arena_text(b->arena, text, strlen(text));
	}
	return texts;
}

/* ---- messages and references ---- */

static void
complain(struct topo_build *b, struct topo_errors *to, enum topo_kind kind, size_t i,
    const char *pointer, const char *code, const char *fmt, va_list ap)
{
	struct topo_subject s = topo_subject_of(b->of[kind][i]);
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	topo_complain(to, &s, pointer, code, "%s", text);
}

void
topo_build_error(struct topo_build *b, enum topo_kind kind, size_t i, const char *pointer,
    const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(b, b->errs, kind, i, pointer, code, fmt, ap);
	va_end(ap);
}

void
topo_build_warn(struct topo_build *b, enum topo_kind kind, size_t i, const char *pointer,
    const char *code, const char *fmt, ...)
{
	va_list ap;

	if (b->warnings == NULL)
		return;
	va_start(ap, fmt);
	complain(b, b->warnings, kind, i, pointer, code, fmt, ap);
	va_end(ap);
}

int
topo_build_find(const struct topo_build *b, enum topo_kind kind, const char *name)
{
	size_t low = 0, high = b->n[kind], mid;
	int c;

	while (low < high) {
		mid = low + (high - low) / 2;
		c = strcmp(b->of[kind][mid]->name, name);
		if (c == 0)
			return (int)mid;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

#define SIMILAR_MAX 2000 /* names that are compared with a wrong one */

/* The name of a kind that was probably meant. */
static const char *
similar(const struct topo_build *b, enum topo_kind kind, const char *name)
{
	const char **names, *like;

	if (b->n[kind] > SIMILAR_MAX || b->errs->n == TOPO_ERRORS_MAX ||
	    (names = calloc(b->n[kind] + 1, sizeof(*names))) == NULL)
		return NULL;
	for (size_t i = 0; i < b->n[kind]; i++)
		names[i] = b->of[kind][i]->name;
	like = topo_suggest(name, names, b->n[kind]);
	free(names);
	return like;
}

int
topo_build_ref(struct topo_build *b, enum topo_kind from, size_t i, const char *pointer,
    enum topo_kind kind, const char *name)
{
	int found = name == NULL ? -1 : topo_build_find(b, kind, name);
	const char *like;

	if (name == NULL || found >= 0 || topo_doc_find(b->doc, kind, name) != NULL)
		return found;
	if ((like = similar(b, kind, name)) != NULL)
		topo_build_error(b, from, i, pointer, "UnknownReference",
		    "there is no %s \"%.64s\"; did you mean \"%s\"?", topo_kind_name(kind), name,
		    like);
	else
		topo_build_error(b, from, i, pointer, "UnknownReference",
		    "there is no %s \"%.64s\"", topo_kind_name(kind), name);
	return -1;
}

/* ---- fabric, VNets, tables, peerings ---- */

static struct topo_limits
build_limits(const json_t *given)
{
	return (struct topo_limits){
		.bgp_peers = topo_get_u32(given, "bgp_peers"),
		.routes_per_peer = topo_get_u32(given, "routes_per_peer"),
		.rs_vnets = topo_get_u32(given, "rs_vnets"),
		.rs_prefixes = topo_get_u32(given, "rs_prefixes"),
		.rs_vms = topo_get_u32(given, "rs_vms"),
		.rs_vms_per_unit = topo_get_u32(given, "rs_vms_per_unit"),
		.er_prefixes_out = topo_get_u32(given, "er_prefixes_out"),
		.next_hops = topo_get_u32(given, "next_hops"),
		.er_prefixes_in = topo_get_u32(given, "er_prefixes_in"),
		.vpn_routes_per_peer = topo_get_u32(given, "vpn_routes_per_peer"),
		.routes_per_table = topo_get_u32(given, "routes_per_table"),
		.peerings_per_vnet = topo_get_u32(given, "peerings_per_vnet"),
	};
}

/* Whether the switch is set to that word. */
static bool
quirk_is(const json_t *given, const char *key, const char *word)
{
	const char *text = topo_get_text(given, key);

	return text != NULL && strcmp(text, word) == 0;
}

static struct topo_quirks
build_quirks(const json_t *given)
{
	return (struct topo_quirks){
		.no_none_routes = quirk_is(given, "none_routes_next_to_vnet", "remove"),
		.forwarded = quirk_is(given, "forwarded_traffic", "drop")   ? FORWARDED_DROP
			     : quirk_is(given, "forwarded_traffic", "pass") ? FORWARDED_PASS
									    : FORWARDED_BY_NSG,
		.row_per_next_hop = quirk_is(given, "ecmp_rows", "each"),
		.withdraw_on_total_failure = quirk_is(given, "rs_total_failure", "withdraw"),
		.no_export_passes = quirk_is(given, "no_export", "ignore"),
		.lists_covered = quirk_is(given, "covered_routes", "list"),
		.b2b_makes_sessions = quirk_is(given, "gateway_sessions", "branch_to_branch"),
		.announces_all_spokes = quirk_is(given, "spokes_without_transit", "announce"),
		.vnet2vnet_own_only = quirk_is(given, "vnet_to_vnet", "without_route_server"),
		.strips_public = quirk_is(given, "circuit_strips", "all"),
	};
}

/* A document may have no fabric resource; the schema's defaults then make one. */
static void
build_fabric(struct topo_build *b)
{
	struct topo_subject s = { .kind = "fabric", .name = "" };
	json_t *empty = json_pack("{s:{}}", "limits"), *full;
	const json_t *props;

	full = topo_schema_apply(topo_keys_of(TOPO_FABRIC), empty, &s, b->errs);
	json_decref(empty);
	props = b->n[TOPO_FABRIC] > 0 ? b->props[TOPO_FABRIC][0] : full;
	b->t->name = topo_get_copy(b, props, "name");
	b->t->strict = topo_get_bool(props, "strict");
	b->t->packets = topo_get_bool(props, "packets");
	b->t->timing = topo_timing_build(props);
	b->t->quirks = build_quirks(json_object_get(props, "quirks"));
	if (json_object_get(props, "limits") == NULL)
		props = full;
	b->t->limits = build_limits(json_object_get(props, "limits"));
	json_decref(full);
}

static void
build_subnets(struct topo_build *b, size_t i, struct topo_vnet *v, json_t *subnets)
{
	char pointer[TOPO_POINTER_MAX];
	const char *name;
	json_t *item;
	size_t n = 0;

	v->subnets =
	    topo_build_alloc(b, &v->n_subnets, json_object_size(subnets), sizeof(*v->subnets));
	if (v->n_subnets == 0)
		return;
	json_object_foreach(subnets, name, item)
	{
		struct topo_subnet *s = &v->subnets[n];

		snprintf(pointer, sizeof(pointer), "/subnets/%s/route_table", name);
		s->name = topo_arena_text(b->arena, name, strlen(name));
		s->prefix = topo_get_net(item, "prefix");
		s->nsg = topo_get_bool(item, "nsg");
		s->route_table = topo_build_ref(
		    b, TOPO_VNET, i, pointer, TOPO_ROUTE_TABLE, topo_get_text(item, "route_table"));
		if (strcmp(name, "GatewaySubnet") == 0)
			v->gateway_subnet = (int)n;
		if (strcmp(name, "RouteServerSubnet") == 0)
			v->route_server_subnet = (int)n;
		n++;
	}
}

static void
build_vnet(struct topo_build *b, size_t i)
{
	struct topo_vnet *v = &b->t->vnets[i];
	const json_t *props = b->props[TOPO_VNET][i];

	v->region = topo_get_copy(b, props, "region");
	v->space = topo_get_nets(b, props, "address_space");
	v->summaries = topo_get_nets(b, props, "summarized_gateway_prefixes");
	v->gateway_subnet = v->route_server_subnet = -1;
	v->route_server = v->vpn_gateway = v->er_gateway = v->scope = -1;
	build_subnets(b, i, v, json_object_get(props, "subnets"));
}

static void
build_table(struct topo_build *b, size_t i)
{
	struct topo_route_table *t = &b->t->tables[i];
	const json_t *props = b->props[TOPO_ROUTE_TABLE][i];
	json_t *routes = json_object_get(props, "routes");

	t->disable_bgp_route_propagation = topo_get_bool(props, "disable_bgp_route_propagation");
	topo_tags_expand(b, i, routes);
}

/* The name says which two: "hub1/spoke11" is the object in hub1. */
static void
build_peering(struct topo_build *b, size_t i)
{
	struct topo_peering *p = &b->t->peerings[i];
	const json_t *props = b->props[TOPO_PEERING][i];
	const char *name = b->of[TOPO_PEERING][i]->name, *slash = strchr(name, '/');
	char vnet[TOPO_NAME_MAX + 1] = "";

	p->vnet = p->remote = p->reverse = -1;
	if (slash == NULL || (size_t)(slash - name) >= sizeof(vnet)) {
		topo_build_error(
		    b, TOPO_PEERING, i, "", "InvalidName", "the name of a peering is VNET/REMOTE");
		return;
	}
	memcpy(vnet, name, (size_t)(slash - name));
	p->vnet = topo_build_ref(b, TOPO_PEERING, i, "", TOPO_VNET, vnet);
	p->remote = topo_build_ref(b, TOPO_PEERING, i, "", TOPO_VNET, slash + 1);
	p->allow_virtual_network_access = topo_get_bool(props, "allow_virtual_network_access");
	p->allow_forwarded_traffic = topo_get_bool(props, "allow_forwarded_traffic");
	p->allow_gateway_transit = topo_get_bool(props, "allow_gateway_transit");
	p->use_remote_gateways = topo_get_bool(props, "use_remote_gateways");
	p->do_not_verify_remote_gateways = topo_get_bool(props, "do_not_verify_remote_gateways");
	p->space = topo_get_nets(b, props, "remote_address_space");
}

/* ---- passes ---- */

/* Usable resources of a kind with their full properties. */
static bool
collect(struct topo_build *b, enum topo_kind kind)
{
	struct topo_subject s;
	const struct topo_resource *r;
	json_t *props;

	b->complete[kind] = true;
	b->of[kind] = topo_arena_alloc(b->arena, b->doc->n, sizeof(*b->of[kind]));
	b->props[kind] = topo_arena_alloc(b->arena, b->doc->n, sizeof(json_t *));
	if (b->of[kind] == NULL || b->props[kind] == NULL)
		return false;
	for (size_t i = 0; i < b->doc->n; i++) {
		r = &b->doc->res[i];
		if (r->kind == kind && r->broken)
			b->complete[kind] = false;
		if (r->kind != kind || r->broken)
			continue;
		s = topo_subject_of(r);
		props = r->checked ? json_incref(r->props)
				   : topo_schema_apply(topo_keys_of(kind), r->props, &s, b->errs);
		if (props == NULL)
			continue;
		b->of[kind][b->n[kind]] = r;
		b->props[kind][b->n[kind]++] = props;
	}
	return true;
}

/* Arrays of the model, with names. */
static bool
allocate(struct topo_build *b)
{
	struct topo *t = b->t;
	const struct {
		enum topo_kind kind;
		void *array; /* where the pointer goes */
		size_t *n, size;
	} all[] = {
		{ TOPO_VNET, &t->vnets, &t->n_vnets, sizeof(*t->vnets) },
		{ TOPO_PEERING, &t->peerings, &t->n_peerings, sizeof(*t->peerings) },
		{ TOPO_ROUTE_TABLE, &t->tables, &t->n_tables, sizeof(*t->tables) },
		{ TOPO_ROUTE_SERVER, &t->servers, &t->n_servers, sizeof(*t->servers) },
		{ TOPO_NVA, &t->nvas, &t->n_nvas, sizeof(*t->nvas) },
		{ TOPO_GATEWAY, &t->gateways, &t->n_gateways, sizeof(*t->gateways) },
		{ TOPO_CIRCUIT, &t->circuits, &t->n_circuits, sizeof(*t->circuits) },
		{ TOPO_SITE, &t->sites, &t->n_sites, sizeof(*t->sites) },
		{ TOPO_VM, &t->vms, &t->n_vms, sizeof(*t->vms) },
		{ TOPO_LOAD_BALANCER, &t->balancers, &t->n_balancers, sizeof(*t->balancers) },
		{ TOPO_CLIENT, &t->clients, &t->n_clients, sizeof(*t->clients) },
		{ TOPO_ROUTE_MAP, &t->maps, &t->n_maps, sizeof(*t->maps) },
	};

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
		size_t n = b->n[all[k].kind];
		char *array = topo_arena_alloc(b->arena, n, all[k].size);

		if (array == NULL)
			return false;
		memcpy(all[k].array, &array, sizeof(array));
		*all[k].n = n;
		/* Every model struct but the peering, which has no name, begins with it. */
		for (size_t i = 0; all[k].kind != TOPO_PEERING && i < n; i++) {
			const char *name = b->of[all[k].kind][i]->name;
			char *copy = topo_arena_text(b->arena, name, strlen(name));

			memcpy(array + i * all[k].size, &copy, sizeof(copy));
		}
	}
	return true;
}

static void
build_model(struct topo_build *b)
{
	build_fabric(b);
	for (size_t i = 0; i < b->t->n_vnets; i++)
		build_vnet(b, i);
	topo_regions_build(b);
	topo_tags_build(b);
	for (size_t i = 0; i < b->t->n_tables; i++)
		build_table(b, i);
	for (size_t i = 0; i < b->t->n_peerings; i++)
		build_peering(b, i);
	topo_build_routing(b);
	topo_build_maps(b);
	topo_derive(b);
	topo_nodes_build(b);
	topo_check_names(b);
	topo_check_net(b);
	topo_check_tables(b);
	topo_check_servers(b);
	topo_check_maps(b);
	topo_check_gateways(b);
	topo_check_routers(b);
	topo_check_edges(b);
	topo_check_containers(b);
}

/* By line; those of one line stay in the order of their discovery, "more were left out" last. */
static void
sort_errors(struct topo_errors *errs)
{
	size_t n = errs->n < TOPO_ERRORS_MAX ? errs->n : TOPO_ERRORS_MAX - 1, k;
	struct topo_error e;

	for (size_t i = 1; i < n; i++) {
		e = errs->e[i];
		for (k = i; k > 0 && errs->e[k - 1].line > e.line; k--)
			errs->e[k] = errs->e[k - 1];
		errs->e[k] = e;
	}
}

/* The model lives in the arena, which topo_free() finds through the index. */
static struct topo_build *
build_new(const struct topo_doc *doc)
{
	struct topo_arena *arena = topo_arena_new();
	struct topo_build *b = arena == NULL ? NULL : topo_arena_alloc(arena, 1, sizeof(*b));

	if (b == NULL) {
		topo_arena_free(arena);
		return NULL;
	}
	b->doc = doc;
	b->arena = arena;
	b->t = topo_arena_alloc(arena, 1, sizeof(*b->t));
	if (b->t != NULL)
		b->t->index = topo_arena_alloc(arena, 1, sizeof(*b->t->index));
	if (b->t == NULL || b->t->index == NULL) {
		topo_arena_free(arena);
		return NULL;
	}
	b->t->index->arena = arena;
	return b;
}

struct topo *
topo_build(const struct topo_doc *doc, struct topo_errors *errs, struct topo_errors *warnings)
{
	struct topo_build *b = build_new(doc);
	struct topo *t = b == NULL ? NULL : b->t;
	size_t before = errs->n;
	bool ok = b != NULL;

	if (ok) {
		b->errs = errs;
		b->warnings = warnings;
		for (enum topo_kind k = 0; k < TOPO_KIND_COUNT && ok; k++)
			ok = collect(b, k);
		if ((ok = ok && allocate(b)))
			build_model(b);
		for (enum topo_kind k = 0; k < TOPO_KIND_COUNT; k++)
			for (size_t i = 0; i < b->n[k]; i++)
				json_decref(b->props[k][i]);
		ok = ok && !topo_arena_failed(b->arena);
	}
	if (!ok)
		topo_error_add(errs, 0, "OutOfMemory", "no memory for the topology");
	if (errs->n == before)
		return t;
	sort_errors(errs);
	topo_free(t);
	return NULL;
}

void
topo_free(struct topo *t)
{
	if (t != NULL)
		topo_arena_free(t->index->arena);
}
