/*
 * Choices where it is not known what Azure does (quirks), and peerings that are not in sync.
 */
#include "lib/err.h"
#include "tests/unit/fc_fabric.h"

#define DEFAULT "0.0.0.0/0"

static void
set_quirk(struct fixture *fx, const char *assignment)
{
	CU_ASSERT_EQUAL(fixture_set(fx, "fabric", "fabric", assignment), FAB_RPC_OK);
}

static bool
has(struct fixture *fx, const char *prefix, const char *hops)
{
	return strcmp(fixture_effective(fx, "vm1", prefix), hops) == 0;
}

/* OPEN-8: 10.0.0.0/8 contains the VNet, 172.16.0.0/12 does not. */
static void
test_none_routes(void)
{
	struct fixture fx;

	fixture_init(&fx, SMALL, false);
	CU_ASSERT_TRUE(has(&fx, "10.0.0.0/8", "None") && has(&fx, "172.16.0.0/12", "None"));
	set_quirk(&fx, "quirks.none_routes_next_to_vnet=remove");
	CU_ASSERT_TRUE(has(&fx, "10.0.0.0/8", "-") && has(&fx, "172.16.0.0/12", "None"));
	fixture_fini(&fx);
}

static size_t
rows_of(struct fixture *fx, const char *prefix, size_t *hops)
{
	Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;
	Fab__V1__EffectiveRouteList *list;
	enum fab_rpc_status status;
	size_t n = 0;

	req.nic = (char *)(uintptr_t) "vm1";
	list =
	    (Fab__V1__EffectiveRouteList *)fixture_call(fx, "RoutesEffective", &req.base, &status);
	CU_ASSERT_EQUAL_FATAL(status, FAB_RPC_OK);
	*hops = 0;
	for (size_t i = 0; i < list->n_value; i++)
		if (strcmp(list->value[i]->address_prefix[0], prefix) == 0) {
			n++;
			*hops += list->value[i]->n_next_hop_ip_address;
		}
	fab__v1__effective_route_list__free_unpacked(list, NULL);
	return n;
}

/* OPEN-10, EFF-15 */
static void
test_ecmp_rows(void)
{
	struct fixture fx;
	struct fake rs[2];
	size_t hops;

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	for (int i = 0; i < 2; i++)
		fake_announce(
		    &rs[i], (struct fake_route){ DEFAULT, "10.1.2.4 10.1.2.5", "nva1" }, 0);
	AWAIT(fx.loop, has(&fx, DEFAULT, "10.1.2.4 10.1.2.5"));
	CU_ASSERT_EQUAL(rows_of(&fx, DEFAULT, &hops), 1);
	CU_ASSERT_EQUAL(hops, 2);
	set_quirk(&fx, "quirks.ecmp_rows=each");
	CU_ASSERT_EQUAL(rows_of(&fx, DEFAULT, &hops), 2);
	CU_ASSERT_EQUAL(hops, 2);
	CU_ASSERT_EQUAL(rows_of(&fx, "10.11.0.0/16", &hops), 1); /* others are as they were */
	CU_ASSERT_EQUAL(hops, 0);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* OPEN-16, RS-95: with both instances gone NICs keep their routes, or lose them. */
static void
test_total_failure(void)
{
	struct fixture fx;
	struct fake rs[2];

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	set_quirk(&fx, "quirks.rs_total_failure=withdraw");
	fake_fini(&rs[0]);
	AWAIT(fx.loop, !fc_node_connected(fc_node_find(fx.f->nodes, "rs-0")));
	CU_ASSERT_TRUE(has(&fx, DEFAULT, "10.1.2.4")); /* RS-93 */
	fake_fini(&rs[1]);
	AWAIT(fx.loop, has(&fx, DEFAULT, "Internet"));
	fake_init(&rs[1], &fx, "rs-1", NULL);
	fake_announce(&rs[1], default_nva2, 0);
	AWAIT(fx.loop, has(&fx, DEFAULT, "10.1.2.5"));
	fake_fini(&rs[1]);
	AWAIT(fx.loop, has(&fx, DEFAULT, "Internet"));
	set_quirk(&fx, "quirks.rs_total_failure=fail_static");
	fake_init(&rs[1], &fx, "rs-1", NULL);
	fake_announce(&rs[1], default_nva2, 0);
	AWAIT(fx.loop, has(&fx, DEFAULT, "10.1.2.5"));
	fake_fini(&rs[1]);
	AWAIT(fx.loop, !fc_node_connected(fc_node_find(fx.f->nodes, "rs-1")));
	CU_ASSERT_TRUE(has(&fx, DEFAULT, "10.1.2.5"));
	fixture_fini(&fx);
}

static const char *
sync_of(const struct fixture *fx, const char *vnet, const char *remote)
{
	const struct topo *t = fx->f->topo;
	int i = topo_find_peering(t, topo_find_vnet(t, vnet), topo_find_vnet(t, remote));

	return topo_peering_sync(t, &t->peerings[i]);
}

/* PEER-4: a prefix added to the hub is no route of the spoke until that has synced; RS-97: one
 * added to the spoke is not announced until the hub has. */
static void
test_peering_sync(void)
{
	struct fixture fx;
	struct fake rs;

	fixture_init(&fx, SMALL, false);
	fake_init(&rs, &fx, "rs-0", NULL);
	AWAIT(fx.loop, rs.conf != NULL);
	CU_ASSERT_STRING_EQUAL(sync_of(&fx, "spoke", "hub"), "FullyInSync");
	CU_ASSERT_EQUAL(
	    fixture_set(&fx, "peering", "spoke/hub", "remote_address_space=[10.1.0.0/16]"),
	    FAB_RPC_OK);
	CU_ASSERT_EQUAL(fixture_set(&fx, "vnet", "hub", "address_space+=10.2.0.0/16"), FAB_RPC_OK);
	CU_ASSERT_STRING_EQUAL(sync_of(&fx, "spoke", "hub"), "LocalNotInSync");
	CU_ASSERT_STRING_EQUAL(sync_of(&fx, "hub", "spoke"), "RemoteNotInSync");
	CU_ASSERT_TRUE(has(&fx, "10.1.0.0/16", "VNetPeering") && has(&fx, "10.2.0.0/16", "-"));
	CU_ASSERT_EQUAL(
	    fixture_set(&fx, "peering", "hub/spoke", "remote_address_space=[10.11.0.0/16]"),
	    FAB_RPC_OK);
	CU_ASSERT_EQUAL(
	    fixture_set(&fx, "vnet", "spoke", "address_space+=10.13.0.0/16"), FAB_RPC_OK);
	CU_ASSERT_STRING_EQUAL(sync_of(&fx, "spoke", "hub"), "LocalAndRemoteNotInSync");
	AWAIT(fx.loop, rs.conf->rs->vnet.n == 2);
	CU_ASSERT_EQUAL(rs.conf->rs->spokes.n, 1);
	/* Both sync. */
	CU_ASSERT_EQUAL(
	    fixture_set(&fx, "peering", "spoke/hub", "remote_address_space="), FAB_RPC_OK);
	CU_ASSERT_EQUAL(
	    fixture_set(&fx, "peering", "hub/spoke", "remote_address_space="), FAB_RPC_OK);
	CU_ASSERT_STRING_EQUAL(sync_of(&fx, "spoke", "hub"), "FullyInSync");
	CU_ASSERT_TRUE(has(&fx, "10.2.0.0/16", "VNetPeering"));
	AWAIT(fx.loop, rs.conf->rs->spokes.n == 2);
	fake_fini(&rs);
	fixture_fini(&fx);
}

static CU_TestInfo quirk_tests[] = {
	{ "OPEN-8: None routes", test_none_routes },
	{ "OPEN-10: rows of ECMP", test_ecmp_rows },
	{ "OPEN-16, RS-95: both instances of a Route Server gone", test_total_failure },
	{ "PEER-4, RS-97: peerings that are not in sync", test_peering_sync },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_quirks", quirk_tests)
