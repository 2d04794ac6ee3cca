/*
 * Connections between the VPN gateways of two VNets (VPN-3, OPEN-13). As in Azure each gateway has
 * a connection resource of its own, so each lists the other; a tunnel needs both entries.
 */
#include "lib/topo_priv.h"

#include <stdio.h>
#include <string.h>

bool
topo_build_names_gateway(const json_t *connection)
{
	return topo_get_text(connection, "gateway") != NULL;
}

static const json_t *
given(const struct topo_build *b, size_t i, const struct topo_gw_connection *c)
{
	return json_object_get(json_object_get(b->props[TOPO_GATEWAY][i], "connections"), c->name);
}

static void
pointer_of(char pointer[TOPO_POINTER_MAX], const struct topo_gw_connection *c)
{
	snprintf(pointer, TOPO_POINTER_MAX, "/connections/%s", c->name);
}

static void
resolve(struct topo_build *b, size_t i, struct topo_gw_connection *c)
{
	const char *name = topo_get_text(given(b, i, c), "gateway");
	char pointer[TOPO_POINTER_MAX];
	int vnet;

	if (name == NULL)
		return;
	pointer_of(pointer, c);
	c->vnet_to_vnet = true;
	c->gateway = topo_build_ref(b, TOPO_GATEWAY, i, pointer, TOPO_GATEWAY, name);
	vnet = c->gateway < 0 ? -1 : b->t->gateways[c->gateway].vnet;
	/* Without BGP Azure fills in the other VNet's address space, as of a local network
	 * gateway (VPN-6). */
	if (vnet >= 0 && !c->bgp)
		c->prefixes = b->t->vnets[vnet].space;
}

static int
entry_about(const struct topo_gateway *g, int other)
{
	for (size_t k = 0; g->type == GW_VPN && k < g->n_conns; k++)
		if (g->conns[k].gateway == other)
			return (int)k;
	return -1;
}

void
topo_build_vnet_to_vnet(struct topo_build *b)
{
	struct topo *t = b->t;

	for (size_t i = 0; i < t->n_gateways; i++)
		for (size_t k = 0; t->gateways[i].type == GW_VPN && k < t->gateways[i].n_conns; k++)
			resolve(b, i, &t->gateways[i].conns[k]);
	for (size_t i = 0; i < t->n_gateways; i++)
		for (size_t k = 0; k < t->gateways[i].n_conns; k++) {
			struct topo_gw_connection *c = &t->gateways[i].conns[k];

			if (c->gateway >= 0)
				c->back = entry_about(&t->gateways[c->gateway], (int)i);
		}
}

/* What makes the two entries of a tunnel disagree; said once, of the first gateway. */
static void
check_both(struct topo_build *b, size_t i, const struct topo_gw_connection *c, const char *pointer)
{
	const struct topo_gateway *g = &b->t->gateways[i], *far = &b->t->gateways[c->gateway];

	if (c->back < 0) {
		topo_build_warn(b, TOPO_GATEWAY, i, pointer, "ConnectionWithoutCounterpart",
		    "gateway %.64s has no connection with %.64s; there is no tunnel (VPN-3)",
		    far->name, g->name);
		return;
	}
	if (c->gateway < (int)i)
		return;
	if (far->conns[c->back].bgp != c->bgp)
		topo_build_error(b, TOPO_GATEWAY, i, pointer, "ConnectionBgpMismatch",
		    "bgp is %s here and %s in gateway %.64s", c->bgp ? "true" : "false",
		    c->bgp ? "false" : "true", far->name);
	else if (c->bgp && far->asn == g->asn)
		topo_build_error(b, TOPO_GATEWAY, i, pointer, "InvalidSiteAsn",
		    "gateway %.64s has the gateway's own ASN %u (VPN-3)", far->name, far->asn);
}

/* A reserved ASN of the other gateway is refused there (VPN-2); 65515 is every gateway's default
 * and may meet a different one (VPN-3). */
void
topo_check_vnet_to_vnet(struct topo_build *b, size_t i, size_t conn)
{
	const struct topo_gateway *g = &b->t->gateways[i];
	const struct topo_gw_connection *c = &g->conns[conn];
	char pointer[TOPO_POINTER_MAX];

	pointer_of(pointer, c);
	if (c->gateway == (int)i)
		topo_build_error(b, TOPO_GATEWAY, i, pointer, "ConnectionWithItself",
		    "a gateway has no connection with itself");
	else if (b->t->gateways[c->gateway].type != GW_VPN)
		topo_build_error(b, TOPO_GATEWAY, i, pointer, "WrongGatewayType",
		    "%.64s is no VPN gateway", b->t->gateways[c->gateway].name);
	else if (entry_about(g, c->gateway) != (int)conn)
		topo_build_error(b, TOPO_GATEWAY, i, pointer, "DuplicateConnection",
		    "connection %.64s leads to gateway %.64s already",
		    g->conns[entry_about(g, c->gateway)].name, b->t->gateways[c->gateway].name);
	else if (json_object_get(given(b, i, c), "prefixes") != NULL)
		topo_build_error(b, TOPO_GATEWAY, i, pointer, "PrefixesOfGateway",
		    "prefixes are of a local network gateway; %.64s has its VNet's (VPN-6)",
		    b->t->gateways[c->gateway].name);
	else
		check_both(b, i, c, pointer);
}
