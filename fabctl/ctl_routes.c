/* The verbs that show routes as az shows them. */
#include "fabctl/ctl.h"
#include "fabctl/ctl_wire.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/pbjson.h"

#include <stdint.h>
#include <string.h>

/* EFF-10..12; columns as `az network nic show-effective-route-table -o table`. */
static const struct ctl_column effective_columns[] = {
	{ "Source", "source" },
	{ "State", "state" },
	{ "Address Prefix", "addressPrefix" },
	{ "Next Hop Type", "nextHopType" },
	{ "Next Hop IP", "nextHopIpAddress" },
	CTL_COLUMNS_END,
};

/* RS-116; columns as the portal's. */
static const struct ctl_column hub_columns[] = {
	{ "Prefix", "addressPrefixes" },
	{ "Next Hop Type", "nextHopType" },
	{ "Next Hop", "nextHops" },
	{ "Origin", "routeOrigin" },
	{ "AS Path", "asPath" },
	CTL_COLUMNS_END,
};

/* In text the part of an ID that tells something. */
static void
shorten_origins(json_t *rows)
{
	static const char provider[] = "Microsoft.Network/";
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *id = json_string_value(json_object_get(row, "routeOrigin"));
		const char *tail = id == NULL ? NULL : strstr(id, provider);

		if (tail != NULL)
			json_object_set_new(
			    row, "routeOrigin", json_string(tail + strlen(provider)));
	}
}

static const struct ctl_view hub_view = {
	.columns = hub_columns, .rows = "value", .empty = "no routes"
};

int
ctl_routes_effective(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_view view = {
		.columns = effective_columns, .rows = "value", .empty = "no routes"
	};
	Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;
	ProtobufCMessage *reply;
	json_t *value;
	int status;

	req.nic = (char *)(uintptr_t)args->pos[0];
	if ((status = ctl_call(c, "RoutesEffective", &req.base, &reply)) != CTL_OK)
		return status;
	value = pbjson_encode(reply, PBJSON_CAMEL, NULL);
	ctl_reply_free(reply);
	if (json_array_size(json_object_get(value, "hub")) > 0) { /* RS-116 */
		json_object_set(value, "value", json_object_get(value, "hub"));
		if (c->format == CTL_TABLE)
			shorten_origins(json_object_get(value, "value"));
		json_object_del(value, "hub");
		return ctl_answer(c, value, &hub_view);
	}
	json_object_del(value, "hub");
	return ctl_answer(c, value, &view);
}

/* Asks a method that takes a resource and perhaps one of its peers. */
static int
ask_peer(struct ctl *c, const char *method, const struct ctl_args *args, ProtobufCMessage **reply)
{
	Fab__V1__PeerRequest req = FAB__V1__PEER_REQUEST__INIT;

	req.resource = (char *)(uintptr_t)args->pos[0];
	if (args->n_pos > 1)
		req.peer = (char *)(uintptr_t)args->pos[1];
	return ctl_call(c, method, &req.base, reply);
}

static const struct ctl_column learned_columns[] = {
	{ "Network", "network" },
	{ "Next Hop", "nextHop" },
	{ "AS Path", "asPath" },
	{ "Source Peer", "sourcePeer" },
	{ "Origin", "origin" },
	{ "Local Address", "localAddress" },
	{ "Weight", "weight" },
	CTL_COLUMNS_END,
};

static const struct ctl_column advertised_columns[] = {
	{ "Network", "network" },
	{ "Next Hop", "nextHop" },
	{ "AS Path", "asPath" },
	{ "Origin", "origin" },
	{ "Local Address", "localAddress" },
	{ "Weight", "weight" },
	CTL_COLUMNS_END,
};

/* One table for each instance, under its name. */
static void
instances_text(FILE *fp, const json_t *value, const struct ctl_column *columns)
{
	const char *key, *gap = "";
	const json_t *rows;

	json_object_foreach((json_t *)(uintptr_t)value, key, rows)
	{
		fprintf(fp, "%s%s\n", gap, key);
		if (json_array_size(rows) > 0)
			ctl_table(fp, rows, columns);
		else
			fprintf(fp, "no routes\n");
		gap = "\n";
	}
}

static void
learned_text(FILE *fp, const json_t *value)
{
	instances_text(fp, value, learned_columns);
}

static void
advertised_text(FILE *fp, const json_t *value)
{
	instances_text(fp, value, advertised_columns);
}

typedef json_t *encode_fn(const Fab__V1__InstanceRoutes *m);

static int
show_routes(struct ctl *c, const char *method, const struct ctl_args *args, encode_fn *encode,
    const struct ctl_view *view)
{
	ProtobufCMessage *reply;
	json_t *value;
	int status;

	if ((status = ask_peer(c, method, args, &reply)) != CTL_OK)
		return status;
	value = encode(CTL_REPLY(Fab__V1__InstanceRoutes, reply));
	ctl_reply_free(reply);
	return ctl_answer(c, value, view);
}

/* RS-115: a list, as az prints it; peeringState is null whatever the session does. */
int
ctl_routes_peers(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_column columns[] = {
		{ "Name", "name" },
		{ "PeerAsn", "peerAsn" },
		{ "PeerIp", "peerIp" },
		{ "ProvisioningState", "provisioningState" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = { .columns = columns, .empty = "no peers" };
	json_t *value, *list, *row;
	ProtobufCMessage *reply;
	int status;
	size_t i;

	if ((status = ask_peer(c, "RouteServerPeerings", args, &reply)) != CTL_OK)
		return status;
	value = pbjson_encode(reply, PBJSON_CAMEL, NULL);
	ctl_reply_free(reply);
	list = json_incref(json_object_get(value, "value"));
	json_decref(value);
	json_array_foreach(list, i, row) json_object_set_new(row, "peeringState", json_null());
	return ctl_answer(c, list, &view);
}

int
ctl_routes_learned(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_view view = { .text = learned_text };

	return show_routes(c, "RoutesLearned", args, ctl_wire_learned, &view);
}

int
ctl_routes_advertised(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_view view = { .text = advertised_text };

	return show_routes(c, "RoutesAdvertised", args, ctl_wire_advertised, &view);
}

int
ctl_gateway_learned(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_view view = {
		.columns = learned_columns, .rows = "value", .empty = "no routes"
	};

	return show_routes(c, "GatewayLearned", args, ctl_wire_gateway_learned, &view);
}

int
ctl_gateway_advertised(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_view view = {
		.columns = advertised_columns, .rows = "value", .empty = "no routes"
	};

	return show_routes(c, "GatewayAdvertised", args, ctl_wire_gateway_advertised, &view);
}

int
ctl_gateway_peers(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_column columns[] = {
		{ "Neighbor", "neighbor" },
		{ "ASN", "asn" },
		{ "State", "state" },
		{ "Connected", "connectedDuration" },
		{ "Routes", "routesReceived" },
		{ "Sent", "messagesSent" },
		{ "Received", "messagesReceived" },
		{ "Local Address", "localAddress" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = {
		.columns = columns, .rows = "value", .empty = "no peers"
	};
	ProtobufCMessage *reply;
	json_t *value;
	int status;

	if ((status = ask_peer(c, "GatewayPeers", args, &reply)) != CTL_OK)
		return status;
	value = ctl_wire_gateway_peers(CTL_REPLY(Fab__V1__InstancePeers, reply), fab_wall_us());
	ctl_reply_free(reply);
	return ctl_answer(c, value, &view);
}

int
ctl_circuit_routes(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_column columns[] = {
		{ "Network", "network" },
		{ "Next Hop", "nextHop" },
		{ "LocPrf", "locPrf" },
		{ "Weight", "weight" },
		{ "Path", "path" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = {
		.columns = columns, .rows = "value", .empty = "no routes"
	};
	ProtobufCMessage *reply;
	json_t *value;
	int status;

	if (strcmp(args->pos[1], "primary") != 0 && strcmp(args->pos[1], "secondary") != 0)
		return ctl_fail(
		    CTL_USAGE, "USAGE", "'%s' is neither primary nor secondary", args->pos[1]);
	if ((status = ask_peer(c, "CircuitRoutes", args, &reply)) != CTL_OK)
		return status;
	value = ctl_wire_circuit(CTL_REPLY(Fab__V1__InstanceRoutes, reply), c->format == CTL_TABLE);
	ctl_reply_free(reply);
	return ctl_answer(c, value, &view);
}

int
ctl_router_routes(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_column columns[] = {
		{ "Network", "network" },
		{ "Next Hop", "nextHop" },
		{ "AS Path", "asPath" },
		{ "Best", "best" },
		{ "Communities", "communities" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = {
		.columns = columns, .rows = "value", .empty = "no routes"
	};

	return show_routes(c, "RouterRoutes", args, ctl_wire_router, &view);
}
