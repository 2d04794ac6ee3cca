/* Everything that is counted, as Prometheus reads it (text format 0.0.4): for a textfile collector.
 */
#include "fabctl/ctl.h"
#include "lib/err.h"
#include "proto/fabric.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void
head(FILE *fp, const char *name, const char *type, const char *help)
{
	fprintf(fp, "# HELP hubspoke_%s %s\n# TYPE hubspoke_%s %s\n", name, help, name, type);
}

/* labels: pairs of name and value, ended by NULL. */
static void
sample(FILE *fp, const char *name, uint64_t value, ...)
{
	const char *label, *comma = "";
	va_list ap;

	fprintf(fp, "hubspoke_%s{", name);
	va_start(ap, value);
	while ((label = va_arg(ap, const char *)) != NULL) {
		fprintf(fp, "%s%s=\"", comma, label);
		for (const char *p = va_arg(ap, const char *); *p != '\0'; p++) {
			if (*p == '"' || *p == '\\')
				fputc('\\', fp);
			fputc(*p == '\n' ? ' ' : *p, fp);
		}
		fputc('"', fp);
		comma = ",";
	}
	va_end(ap);
	fprintf(fp, "} %" PRIu64 "\n", value);
}

/* ---- NICs ---- */

static void
print_attached(FILE *fp, const Fab__V1__NicList *list)
{
	head(fp, "nic_attached", "gauge", "whether a guest is plugged in");
	for (size_t i = 0; i < list->n_value; i++)
		sample(fp, "nic_attached", list->value[i]->attached, "nic", list->value[i]->name,
		    "vnet", list->value[i]->virtual_network, "host", list->value[i]->host, NULL);
}

static void
print_traffic(FILE *fp, const Fab__V1__NicList *list)
{
	head(fp, "nic_packets_total", "counter", "frames from (out) and to (in) the guest");
	for (size_t i = 0; i < list->n_value; i++) {
		const Fab__V1__NicInfo *n = list->value[i];

		sample(fp, "nic_packets_total", n->rx_packets, "nic", n->name, "direction", "out",
		    NULL);
		sample(fp, "nic_packets_total", n->tx_packets, "nic", n->name, "direction", "in",
		    NULL);
	}
	head(fp, "nic_octets_total", "counter", "octets of these frames");
	for (size_t i = 0; i < list->n_value; i++) {
		const Fab__V1__NicInfo *n = list->value[i];

		sample(
		    fp, "nic_octets_total", n->rx_octets, "nic", n->name, "direction", "out", NULL);
		sample(
		    fp, "nic_octets_total", n->tx_octets, "nic", n->name, "direction", "in", NULL);
	}
}

static void
print_drops(FILE *fp, const Fab__V1__NicList *list)
{
	head(fp, "nic_drops_total", "counter", "packets from or to the guest that were dropped");
	for (size_t i = 0; i < list->n_value; i++)
		for (size_t k = 0; k < list->value[i]->n_drops; k++)
			sample(fp, "nic_drops_total", list->value[i]->drops[k]->value, "nic",
			    list->value[i]->name, "reason", list->value[i]->drops[k]->name, NULL);
}

static void
print_nics(FILE *fp, const Fab__V1__NicList *list)
{
	print_attached(fp, list);
	print_traffic(fp, list);
	print_drops(fp, list);
}

/* ---- processes ---- */

static void
print_nodes(FILE *fp, const Fab__V1__NodeList *list)
{
	head(fp, "node_up", "gauge", "whether the process runs and fabricd hears of it");
	for (size_t i = 0; i < list->n_nodes; i++)
		sample(fp, "node_up", strcmp(list->nodes[i]->state, "running") == 0, "node",
		    list->nodes[i]->name, "kind", list->nodes[i]->kind, NULL);
	head(fp, "node_sessions", "gauge", "BGP sessions that are configured");
	for (size_t i = 0; i < list->n_nodes; i++)
		sample(fp, "node_sessions", list->nodes[i]->sessions, "node", list->nodes[i]->name,
		    NULL);
	head(fp, "node_sessions_up", "gauge", "and those that are established");
	for (size_t i = 0; i < list->n_nodes; i++)
		sample(fp, "node_sessions_up", list->nodes[i]->sessions_up, "node",
		    list->nodes[i]->name, NULL);
}

/* ---- Route Servers: RS-117 ---- */

/* One Route Server: its peerings, and what its instances say of them. */
struct server {
	const char *name;
	ProtobufCMessage *peerings, *peers;
};

static const Fab__V1__PeerStatus *
status_of(const Fab__V1__InstancePeerList *in, const char *peer)
{
	for (size_t i = 0; i < in->n_peers; i++)
		if (strcmp(in->peers[i]->name, peer) == 0)
			return in->peers[i];
	return NULL;
}

enum figure { PEER_STATUS, ROUTES_LEARNED, ROUTES_ADVERTISED, FIGURE_COUNT };

static const struct {
	const char *name, *help;
} figures[FIGURE_COUNT] = {
	[PEER_STATUS] = { "route_server_bgp_peer_status", "whether the session is established" },
	[ROUTES_LEARNED] = { "route_server_routes_learned", "routes that the peer announces" },
	[ROUTES_ADVERTISED] = { "route_server_routes_advertised", "routes announced to the peer" },
};

/* An instance that does not answer has no session, and no counts. */
static void
print_peer(FILE *fp, enum figure f, const char *server, const Fab__V1__InstancePeerList *in,
    const Fab__V1__Peering *p)
{
	const Fab__V1__PeerStatus *s = status_of(in, p->name);
	uint64_t value = s != NULL && strcmp(s->state, "Established") == 0;
	char instance[32];

	if (s == NULL && f != PEER_STATUS)
		return;
	if (f != PEER_STATUS)
		value = f == ROUTES_LEARNED ? s->routes_in : s->routes_out;
	snprintf(instance, sizeof(instance), "RouteServiceRole_IN_%u", in->index);
	sample(fp, figures[f].name, value, "route_server", server, "instance", instance, "peer",
	    p->name, "bgp_peer_ip", p->peer_ip, "bgp_peer_type", "NVA", NULL);
}

static void
print_servers(FILE *fp, const struct server *servers, size_t n)
{
	for (int f = 0; f < FIGURE_COUNT; f++) {
		head(fp, figures[f].name, "gauge", figures[f].help);
		for (size_t i = 0; i < n; i++) {
			const Fab__V1__PeeringList *all =
			    CTL_REPLY(Fab__V1__PeeringList, servers[i].peerings);
			const Fab__V1__InstancePeers *in =
			    CTL_REPLY(Fab__V1__InstancePeers, servers[i].peers);

			for (size_t k = 0; k < in->n_instances; k++)
				for (size_t j = 0; j < all->n_value; j++)
					print_peer(fp, (enum figure)f, servers[i].name,
					    in->instances[k], all->value[j]);
		}
	}
}

static int
ask_server(struct ctl *c, struct server *s, char *name)
{
	Fab__V1__PeerRequest req = FAB__V1__PEER_REQUEST__INIT;
	int status;

	req.resource = name;
	s->name = name;
	if ((status = ctl_call(c, "RouteServerPeerings", &req.base, &s->peerings)) == CTL_OK)
		status = ctl_call(c, "RouteServerPeers", &req.base, &s->peers);
	return status;
}

static int
metrics_of_servers(struct ctl *c)
{
	Fab__V1__ResourceRef req = FAB__V1__RESOURCE_REF__INIT;
	const Fab__V1__ResourceList *list;
	struct server *servers;
	ProtobufCMessage *reply;
	size_t n;
	int status;

	req.kind = (char *)(uintptr_t) "route_server";
	if ((status = ctl_call(c, "Get", &req.base, &reply)) != CTL_OK)
		return status;
	list = CTL_REPLY(Fab__V1__ResourceList, reply);
	servers = calloc(list->n_resources + 1, sizeof(*servers));
	FAB_ASSERT(servers != NULL);
	for (n = 0; n < list->n_resources && status == CTL_OK; n++)
		status = ask_server(c, &servers[n], list->resources[n]->name);
	if (status == CTL_OK)
		print_servers(stdout, servers, n);
	for (size_t i = 0; i < n; i++) {
		ctl_reply_free(servers[i].peerings);
		ctl_reply_free(servers[i].peers);
	}
	free(servers);
	ctl_reply_free(reply);
	return status;
}

/* ---- the verb ---- */

int
ctl_metrics(struct ctl *c, const struct ctl_args *args)
{
	Fab__V1__NicRequest all = FAB__V1__NIC_REQUEST__INIT;
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	ProtobufCMessage *nics, *nodes;
	int status;

	(void)args;
	if ((status = ctl_call(c, "Ps", &req.base, &nodes)) != CTL_OK)
		return status;
	if ((status = ctl_call(c, "Nics", &all.base, &nics)) == CTL_OK) {
		print_nodes(stdout, CTL_REPLY(Fab__V1__NodeList, nodes));
		status = metrics_of_servers(c);
		print_nics(stdout, CTL_REPLY(Fab__V1__NicList, nics));
		if (fflush(stdout) != 0 || ferror(stdout) != 0)
			status = ctl_fail(
			    CTL_NO, "WRITE", "cannot write the answer: %s", strerror(errno));
		ctl_reply_free(nics);
	}
	ctl_reply_free(nodes);
	return status;
}
