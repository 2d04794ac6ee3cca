/*
 * Things in use (see fc_inuse.h).
 */
#include "fabricd/fc_inuse.h"

#include "lib/err.h"

#include <string.h>

/* Who stands in a subnet: the first that is found; NULL: nobody. */
static const char *
subnet_user(const struct topo *t, int vnet, int subnet)
{
	const struct topo_vnet *v = &t->vnets[vnet];

	for (size_t i = 0; i < t->n_nics; i++)
		if (t->nics[i].vnet == vnet && t->nics[i].subnet == subnet)
			return t->nics[i].name;
	for (size_t i = 0; i < t->n_balancers; i++)
		if (t->balancers[i].vnet == vnet && t->balancers[i].subnet == subnet)
			return t->balancers[i].name;
	if (subnet == v->route_server_subnet && v->route_server >= 0)
		return t->servers[v->route_server].name;
	if (subnet == v->gateway_subnet && v->er_gateway >= 0)
		return t->gateways[v->er_gateway].name;
	if (subnet == v->gateway_subnet && v->vpn_gateway >= 0)
		return t->gateways[v->vpn_gateway].name;
	return NULL;
}

/* A subnet's prefix as a document has it, in short or full form; NULL: there is no such subnet. */
static const char *
prefix_in(const json_t *vnet, const char *subnet)
{
	const json_t *s = json_object_get(json_object_get(vnet, "subnets"), subnet);

	return json_is_string(s) ? json_string_value(s)
				 : json_string_value(json_object_get(s, "prefix"));
}

static void
check_subnets(
    const struct topo *t, int vnet, const struct topo_resource *to, struct topo_errors *errs)
{
	const struct topo_vnet *v = &t->vnets[vnet];

	for (size_t i = 0; i < v->n_subnets; i++) {
		const struct topo_subnet *s = &v->subnets[i];
		const char *user = subnet_user(t, vnet, (int)i);
		const char *text = to == NULL ? NULL : prefix_in(to->props, s->name);
		struct ipnet prefix;

		if (user == NULL)
			continue;
		if (text == NULL)
			topo_error_add(errs, 0, "InUseSubnetCannotBeDeleted",
			    "vnet %s: subnet %s is in use by %s and cannot be deleted", v->name,
			    s->name, user);
		else if (ipnet_parse(&prefix, text) == FAB_OK && !ipnet_eq(prefix, s->prefix))
			topo_error_add(errs, 0, "InUseSubnetCannotBeUpdated",
			    "vnet %s: subnet %s is in use by %s and cannot get another prefix",
			    v->name, s->name, user);
	}
}

static void
check_table(const struct topo *t, const char *name, struct topo_errors *errs)
{
	for (size_t i = 0; i < t->n_vnets; i++)
		for (size_t k = 0; k < t->vnets[i].n_subnets; k++) {
			int table = t->vnets[i].subnets[k].route_table;

			if (table >= 0 && strcmp(t->tables[table].name, name) == 0)
				topo_error_add(errs, 0, "InUseRouteTableCannotBeDeleted",
				    "route_table %s: subnet %s/%s has it", name, t->vnets[i].name,
				    t->vnets[i].subnets[k].name);
		}
}

void
fc_inuse_check(const struct topo *now, const struct topo_doc *to, enum topo_kind kind,
    const char *name, struct topo_errors *errs)
{
	const struct topo_resource *r = topo_doc_find(to, kind, name);
	int vnet = kind == TOPO_VNET ? topo_find_vnet(now, name) : -1;

	if (vnet >= 0)
		check_subnets(now, vnet, r, errs);
	if (kind == TOPO_ROUTE_TABLE && r == NULL)
		check_table(now, name, errs);
}
