#include "fabctl/ctl_wire.h"

#include "lib/err.h"
#include "lib/ipnet.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHT_LEARNED 32768 /* RS-110, VPN-15 */
#define WEIGHT_ER      32769 /* what an ER gateway learns from the MSEEs, ER-17 */
#define ASN_MSEE       12076

char *
ctl_as_path(const uint32_t *asn, size_t n, char sep)
{
	char *text = NULL;
	size_t size;
	FILE *fp = open_memstream(&text, &size);

	FAB_ASSERT(fp != NULL);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			fputc(sep, fp);
		fprintf(fp, "%u", asn[i]);
	}
	fclose(fp);
	FAB_ASSERT(text != NULL);
	return text;
}

/* ---- cells ---- */

static json_t *
checked(json_t *v)
{
	FAB_ASSERT(v != NULL);
	return v;
}

/* "" for no address. */
static json_t *
addr_json(uint32_t addr)
{
	char buf[IPADDR_STRLEN];

	return checked(json_string(addr != 0 ? ipaddr_format(buf, addr) : ""));
}

static json_t *
network_json(const Fab__V1__BgpRoute *r)
{
	char buf[IPNET_STRLEN];

	return checked(json_string(
	    ipnet_format(buf, (struct ipnet){ .addr = r->addr, .len = (uint8_t)r->len })));
}

static json_t *
path_json(const Fab__V1__BgpRoute *r, char sep)
{
	char *text = ctl_as_path(r->as_path, r->n_as_path, sep);
	json_t *v = checked(json_string(text));

	free(text);
	return v;
}

/* "65517:65517", "65001:1:2". */
static json_t *
communities_json(const Fab__V1__BgpRoute *r)
{
	json_t *list = checked(json_array());

	for (size_t i = 0; i < r->n_communities; i++)
		json_array_append_new(list,
		    json_sprintf("%u:%u", r->communities[i] >> 16, r->communities[i] & 0xffff));
	for (size_t i = 0; i + 2 < r->n_large_communities; i += 3)
		json_array_append_new(
		    list, json_sprintf("%u:%u:%u", r->large_communities[i],
			      r->large_communities[i + 1], r->large_communities[i + 2]));
	return list;
}

/* ---- rows ---- */

/* RS-110: NVA routes as received, third-party next hop included. */
static json_t *
learned_row(const Fab__V1__BgpRoute *r)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:i}", "localAddress",
	    addr_json(r->local_address), "network", network_json(r), "nextHop",
	    addr_json(r->next_hop), "sourcePeer", addr_json(r->peer_address), "origin", "EBgp",
	    "asPath", path_json(r, '-'), "weight", WEIGHT_LEARNED);
}

/* RS-111: no sourcePeer, weight 0. */
static json_t *
advertised_row(const Fab__V1__BgpRoute *r)
{
	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:i}", "localAddress",
	    addr_json(r->local_address), "network", network_json(r), "nextHop",
	    addr_json(r->next_hop), "origin", "Igp", "asPath", path_json(r, '-'), "weight", 0);
}

/* VPN-15, ER-17: own prefixes are "Network" rows without path and next hop. */
static json_t *
gateway_row(const Fab__V1__BgpRoute *r)
{
	bool er = r->n_as_path > 0 && r->as_path[0] == ASN_MSEE && !r->ibgp;

	if (r->network)
		return json_pack("{s:o, s:o, s:s, s:o, s:s, s:s, s:i}", "localAddress",
		    addr_json(r->local_address), "network", network_json(r), "nextHop", "",
		    "sourcePeer", addr_json(r->local_address), "origin", "Network", "asPath", "",
		    "weight", WEIGHT_LEARNED);
	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:i}", "localAddress",
	    addr_json(r->local_address), "network", network_json(r), "nextHop",
	    addr_json(r->next_hop), "sourcePeer", addr_json(r->peer_address), "origin",
	    r->ibgp ? "IBgp" : "EBgp", "asPath", path_json(r, '-'), "weight",
	    er ? WEIGHT_ER : WEIGHT_LEARNED);
}

/* ER-15: path with the letter of the origin behind it, LocPrf 100, weight 0. */
static json_t *
circuit_row(const Fab__V1__BgpRoute *r, bool star)
{
	static const char *const letters[] = { "I", "E", "?" };
	const char *letter = letters[r->origin < 2 ? r->origin : 2];
	char *path = ctl_as_path(r->as_path, r->n_as_path, ' '), hop[IPADDR_STRLEN];
	json_t *row;

	row = json_pack("{s:o, s:o, s:i, s:i, s:o}", "network", network_json(r), "nextHop",
	    json_sprintf("%s%s", r->next_hop != 0 ? ipaddr_format(hop, r->next_hop) : "",
		star && r->best ? "*" : ""),
	    "locPrf", (int)(r->local_pref != 0 ? r->local_pref : 100), "weight", 0, "path",
	    json_sprintf("%s%s%s", path, path[0] != '\0' ? " " : "", letter));
	free(path);
	return row;
}

static json_t *
router_row(const Fab__V1__BgpRoute *r)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:b}", "network", network_json(r), "nextHop",
	    addr_json(r->next_hop), "asPath", path_json(r, '-'), "communities", communities_json(r),
	    "best", (int)r->best);
}

/* ---- tables ---- */

typedef json_t *row_fn(const Fab__V1__BgpRoute *r);

/* By prefix, then best first, then next hop: answers can be compared and read. */
static int
route_cmp(const void *a, const void *b)
{
	const Fab__V1__BgpRoute *x = *(Fab__V1__BgpRoute *const *)a;
	const Fab__V1__BgpRoute *y = *(Fab__V1__BgpRoute *const *)b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	if (x->best != y->best)
		return x->best ? -1 : 1;
	return x->next_hop != y->next_hop ? (x->next_hop < y->next_hop ? -1 : 1) : 0;
}

static void
append_rows(json_t *list, const Fab__V1__InstanceRouteList *in, row_fn *row)
{
	Fab__V1__BgpRoute **sorted = calloc(in->n_routes + 1, sizeof(*sorted));

	FAB_ASSERT(sorted != NULL);
	if (in->n_routes > 0)
		memcpy(sorted, in->routes, in->n_routes * sizeof(*sorted));
	qsort(sorted, in->n_routes, sizeof(*sorted), route_cmp);
	for (size_t i = 0; i < in->n_routes; i++)
		json_array_append_new(list, checked(row(sorted[i])));
	free(sorted);
}

/* RS-3: the instances by the names that Azure gives them. */
static json_t *
by_instance(const Fab__V1__InstanceRoutes *m, row_fn *row)
{
	json_t *value =
	    checked(json_pack("{s:[], s:[]}", "RouteServiceRole_IN_0", "RouteServiceRole_IN_1"));
	char key[64];

	for (size_t i = 0; i < m->n_instances; i++) {
		snprintf(key, sizeof(key), "RouteServiceRole_IN_%u", m->instances[i]->index);
		if (json_object_get(value, key) == NULL)
			json_object_set_new(value, key, json_array());
		append_rows(json_object_get(value, key), m->instances[i], row);
	}
	return value;
}

static json_t *
all_instances(const Fab__V1__InstanceRoutes *m, row_fn *row)
{
	json_t *list = checked(json_array());

	for (size_t i = 0; i < m->n_instances; i++)
		append_rows(list, m->instances[i], row);
	return checked(json_pack("{s:o}", "value", list));
}

json_t *
ctl_wire_learned(const Fab__V1__InstanceRoutes *m)
{
	return by_instance(m, learned_row);
}

json_t *
ctl_wire_advertised(const Fab__V1__InstanceRoutes *m)
{
	return by_instance(m, advertised_row);
}

json_t *
ctl_wire_gateway_learned(const Fab__V1__InstanceRoutes *m)
{
	return all_instances(m, gateway_row);
}

json_t *
ctl_wire_gateway_advertised(const Fab__V1__InstanceRoutes *m)
{
	return all_instances(m, advertised_row);
}

static json_t *
circuit_row_plain(const Fab__V1__BgpRoute *r)
{
	return circuit_row(r, false);
}

static json_t *
circuit_row_starred(const Fab__V1__BgpRoute *r)
{
	return circuit_row(r, true);
}

json_t *
ctl_wire_circuit(const Fab__V1__InstanceRoutes *m, bool star)
{
	return all_instances(m, star ? circuit_row_starred : circuit_row_plain);
}

json_t *
ctl_wire_router(const Fab__V1__InstanceRoutes *m)
{
	return all_instances(m, router_row);
}

/* ---- peers ---- */

/* VPN-16. */
static const char *
azure_state(const char *state)
{
	static const struct {
		const char *bgp, *azure;
	} states[] = { { "Established", "Connected" }, { "Idle", "Idle" },
		{ "Connect", "Connecting" }, { "Active", "Connecting" },
		{ "OpenSent", "Connecting" }, { "OpenConfirm", "Connecting" },
		{ "Shut", "Stopped" } };

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcmp(state, states[i].bgp) == 0)
			return states[i].azure;
	}
	return "Unknown";
}

/* As .NET prints a TimeSpan: "9.19:57:00.6523430"; "" when not connected. */
static json_t *
duration_json(const Fab__V1__PeerStatus *p, uint64_t now_us)
{
	uint64_t us = now_us > p->since_us ? now_us - p->since_us : 0;
	unsigned long long days = us / 86400000000u;
	char head[32] = "";

	if (strcmp(p->state, "Established") != 0)
		return checked(json_string(""));
	if (days > 0)
		snprintf(head, sizeof(head), "%llu.", days);
	return checked(json_sprintf("%s%02u:%02u:%02u.%06u0", head,
	    (unsigned)(us / 3600000000u % 24), (unsigned)(us / 60000000u % 60),
	    (unsigned)(us / 1000000u % 60), (unsigned)(us % 1000000u)));
}

static json_t *
peer_row(const Fab__V1__PeerStatus *p, uint64_t now_us)
{
	return checked(json_pack("{s:o, s:I, s:s, s:o, s:i, s:I, s:I, s:o}", "neighbor",
	    addr_json(p->address), "asn", (json_int_t)p->asn, "state", azure_state(p->state),
	    "connectedDuration", duration_json(p, now_us), "routesReceived", (int)p->routes_in,
	    "messagesSent", (json_int_t)p->messages_out, "messagesReceived",
	    (json_int_t)p->messages_in, "localAddress", addr_json(p->local_address)));
}

json_t *
ctl_wire_gateway_peers(const Fab__V1__InstancePeers *m, uint64_t now_us)
{
	json_t *list = checked(json_array());

	for (size_t i = 0; i < m->n_instances; i++) {
		const Fab__V1__InstancePeerList *in = m->instances[i];

		for (size_t j = 0; j < in->n_peers; j++)
			json_array_append_new(list, peer_row(in->peers[j], now_us));
	}
	return checked(json_pack("{s:o}", "value", list));
}

json_t *
ctl_wire_counters(Fab__V1__Counter *const *rows, size_t n)
{
	json_t *out = json_object();

	for (size_t i = 0; i < n; i++)
		json_object_set_new(out, rows[i]->name, json_integer((json_int_t)rows[i]->value));
	return out;
}
