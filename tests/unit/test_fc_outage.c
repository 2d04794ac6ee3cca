/*
 * RS-11: a Route Server that comes or goes interrupts the gateways of its VNet.
 */
#include "fabricd/fc_outage.h"

#include "lib/err.h"
#include "tests/unit/fc_fabric.h"

/* Two VNets with a gateway each on one circuit; the first one may have a Route Server. */
#define NET(servers, delay)                                                                        \
	"name: small\n"                                                                            \
	"timing: {profile: fast, converge_quiet: 20ms, delays: {rs_change: " delay "}}\n"          \
	"vnets:\n"                                                                                 \
	"  hub: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "           \
	"GatewaySubnet: 10.1.1.0/26}}\n"                                                           \
	"  far: {address_space: 10.2.0.0/16, subnets: {GatewaySubnet: 10.2.1.0/26}}\n"             \
	"gateways:\n"                                                                              \
	"  er1: {vnet: hub, type: ExpressRoute, circuits: [c1]}\n"                                 \
	"  er2: {vnet: far, type: ExpressRoute, circuits: [c1]}\n"                                 \
	"circuits: {c1: {site: dc1}}\n"                                                            \
	"sites: {dc1: {asn: 64900, prefixes: [172.20.0.0/16]}}\n" servers
#define SERVER "route_servers: {rs: {vnet: hub, peers: {}}}\n"

static bool
shut(const struct fake *k, const char *peer)
{
	return fake_peer(k, peer)->shut;
}

static bool
interrupted(const struct fixture *fx)
{
	uint64_t ms;

	return fc_outages_pending(fx->f->outages, &ms) != NULL;
}

static void
test_gateways_of_the_vnet_are_interrupted(void)
{
	struct fixture fx;
	struct fake er1, er2, msee;

	fixture_init(&fx, NET("", "300ms"), false);
	fake_init(&er1, &fx, "er1-0", NULL);
	fake_init(&er2, &fx, "er2-0", NULL);
	fake_init(&msee, &fx, "c1-primary", NULL);
	AWAIT(fx.loop, er1.conf != NULL && er2.conf != NULL && msee.conf != NULL);
	CU_ASSERT_FALSE(shut(&er1, "c1-primary") || interrupted(&fx));
	for (int comes = 1; comes >= 0; comes--) {
		fixture_apply(&fx, comes ? NET(SERVER, "300ms") : NET("", "300ms"));
		CU_ASSERT_TRUE(interrupted(&fx));
		CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 50), FAB_RPC_DEADLINE_EXCEEDED);
		AWAIT(fx.loop, shut(&er1, "c1-primary") && shut(&msee, "er1-0"));
		CU_ASSERT_FALSE(shut(&er1, "er1-1")); /* its own sessions go on */
		CU_ASSERT_FALSE(
		    shut(&er2, "c1-primary") || shut(&msee, "er2-0") || shut(&msee, "dc1"));
		AWAIT(fx.loop, !interrupted(&fx));
		AWAIT(fx.loop, !shut(&er1, "c1-primary") && !shut(&msee, "er1-0"));
	}
	fake_fini(&er1);
	fake_fini(&er2);
	fake_fini(&msee);
	fixture_fini(&fx);
}

static void
test_not_with_fast_and_not_at_the_start(void)
{
	struct fixture fx;

	fixture_init(&fx, NET(SERVER, "1h"), false);
	CU_ASSERT_FALSE(interrupted(&fx));
	fixture_fini(&fx);
	fixture_init(&fx, NET("", "0"), false);
	fixture_apply(&fx, NET(SERVER, "0"));
	CU_ASSERT_FALSE(interrupted(&fx));
	fixture_fini(&fx);
}

static CU_TestInfo outage_tests[] = {
	{ "RS-11: gateways of the VNet are interrupted",
	    test_gateways_of_the_vnet_are_interrupted },
	{ "not with timing fast, and not at the start", test_not_with_fast_and_not_at_the_start },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_outage", outage_tests)
