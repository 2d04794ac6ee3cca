/*
 * Capacity of Route Servers: units, scaling out, and who has to wait (RS-12, RS-13, RS-23, OPEN-19,
 * SC-L, TIME-19).
 */
#include "fabricd/fc_capacity.h"

#include "lib/err.h"
#include "tests/unit/fc_fabric.h"

/* A hub and a spoke that uses it, and one that is only peered; limits as given. */
#define NET(limits, units, vms)                                                                    \
	"name: small\n"                                                                            \
	"timing: {profile: fast, converge_quiet: 20ms, delays: {scale_out: 300ms}}\n"              \
	"limits: {" limits "}\n"                                                                   \
	"vnets:\n"                                                                                 \
	"  hub: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "           \
	"vms: 10.1.2.0/24}}\n"                                                                     \
	"  spoke: {address_space: 10.11.0.0/16, subnets: {vms: 10.11.0.0/24}}\n"                   \
	"  other: {address_space: 10.12.0.0/16, subnets: {vms: 10.12.0.0/24}}\n"                   \
	"peerings: [{hub: hub, spoke: spoke}, {between: [hub, other]}]\n"                          \
	"route_servers: {rs: {vnet: hub, min_capacity: " units ", peers: {}}}\n"                   \
	"vms:\n"                                                                                   \
	"  vm1: {subnet: spoke/vms, ip: 10.11.0.4}\n"                                              \
	"  vm2: {subnet: other/vms, ip: 10.12.0.4}\n" vms
#define TIGHT "rs_vms: 2, rs_vms_per_unit: 1"
#define VM3   "  aaa: {subnet: spoke/vms, ip: 10.11.0.5}\n"
#define VM4   "  aab: {subnet: hub/vms, ip: 10.1.2.9}\n"

static bool
served(struct fixture *fx, const char *nic)
{
	return strcmp(fixture_effective(fx, nic, "0.0.0.0/0"), "Internet") != 0;
}

static bool
scales(const struct fixture *fx)
{
	uint64_t ms;

	return fc_capacity_pending(fx->f->capacity, &ms) != NULL;
}

static void
start(struct fixture *fx, struct fake rs[2], const char *yaml)
{
	fixture_init(fx, yaml, false);
	fake_route_servers(fx, rs);
}

static void
end(struct fixture *fx, struct fake rs[2])
{
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(fx);
}

/* RS-23, TIME-19: the newcomer waits until there is room for it, whatever its name; the others
 * stay. */
static void
test_the_surplus_waits(void)
{
	struct fixture fx;
	struct fake rs[2];

	start(&fx, rs, NET(TIGHT, "2", ""));
	CU_ASSERT_EQUAL(fc_capacity_units(fx.f->capacity, "rs"), 2);
	fixture_apply(&fx, NET(TIGHT, "2", VM3));
	CU_ASSERT_TRUE(served(&fx, "vm1") && !served(&fx, "aaa") && scales(&fx));
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 50), FAB_RPC_DEADLINE_EXCEEDED);
	AWAIT(fx.loop, served(&fx, "aaa"));
	CU_ASSERT_EQUAL(fc_capacity_units(fx.f->capacity, "rs"), 3);
	CU_ASSERT_TRUE(served(&fx, "vm1") && !scales(&fx));
	/* And two at once need two more. */
	fixture_apply(&fx, NET(TIGHT, "2", VM3 VM4 "  aac: {subnet: spoke/vms, ip: 10.11.0.6}\n"));
	CU_ASSERT_TRUE(served(&fx, "aaa") && !served(&fx, "aab") && !served(&fx, "aac"));
	AWAIT(fx.loop, served(&fx, "aab") && served(&fx, "aac"));
	CU_ASSERT_EQUAL(fc_capacity_units(fx.f->capacity, "rs"), 5);
	/* Fewer VMs, fewer units, at once. */
	fixture_apply(&fx, NET(TIGHT, "2", VM3));
	CU_ASSERT_EQUAL(fc_capacity_units(fx.f->capacity, "rs"), 3);
	end(&fx, rs);
}

/* RS-12: VMs of every peered VNet count, also of one that does not use the Route Server. */
static void
test_all_peered_vnets_count(void)
{
	struct fixture fx;
	struct fake rs[2];

	start(&fx, rs, NET("rs_vms: 1, rs_vms_per_unit: 1", "2", ""));
	CU_ASSERT_EQUAL(fc_capacity_units(fx.f->capacity, "rs"), 3);
	end(&fx, rs);
}

/* RS-13: the configured value is the least, and leaves room. */
static void
test_configured_units_are_the_least(void)
{
	struct fixture fx;
	struct fake rs[2];

	start(&fx, rs, NET(TIGHT, "4", ""));
	CU_ASSERT_EQUAL(fc_capacity_units(fx.f->capacity, "rs"), 4);
	fixture_apply(&fx, NET(TIGHT, "4", VM3 VM4));
	CU_ASSERT_TRUE(served(&fx, "aaa") && served(&fx, "aab") && !scales(&fx));
	end(&fx, rs);
}

/* RS-12: no more than 48 units. */
static void
test_there_is_an_end(void)
{
	struct fixture fx;
	struct fake rs[2];
	char yaml[16384];
	size_t n = (size_t)snprintf(yaml, sizeof(yaml), "%s", NET(TIGHT, "48", ""));

	/* 2 + 46 x 1 VMs fit, 50 are there. */
	for (int i = 0; i < 48; i++)
		n += (size_t)snprintf(yaml + n, sizeof(yaml) - n,
		    "  z%02d: {subnet: spoke/vms, ip: 10.11.0.%d}\n", i, 10 + i);
	start(&fx, rs, yaml);
	CU_ASSERT_EQUAL(fc_capacity_units(fx.f->capacity, "rs"), 48);
	CU_ASSERT_TRUE(served(&fx, "z45") && !served(&fx, "z46") && !served(&fx, "z47"));
	CU_ASSERT_FALSE(scales(&fx));
	end(&fx, rs);
}

/* SC-L with Azure's numbers: two units serve 4,000 VMs, the 4,001st needs a third one. */
static void
test_azures_numbers(void)
{
	static const struct {
		size_t vms;
		uint32_t units;
	} rows[] = { { 4000, 2 }, { 4001, 3 } };
	size_t room = 400000;
	char *yaml = malloc(room);

	CU_ASSERT_PTR_NOT_NULL_FATAL(yaml);
	for (size_t r = 0; r < 2; r++) {
		struct fixture fx;
		size_t n = (size_t)snprintf(yaml, room,
		    "timing: fast\n"
		    "vnets:\n"
		    "  hub: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "
		    "vms: 10.1.32.0/19}}\n"
		    "route_servers: {rs: {vnet: hub, peers: {}}}\n"
		    "vms:\n");

		for (size_t i = 0; i < rows[r].vms; i++)
			n += (size_t)snprintf(yaml + n, room - n,
			    "  v%zu: {subnet: hub/vms, ip: 10.1.%zu.%zu}\n", i, 32 + i / 200,
			    10 + i % 200);
		fixture_init(&fx, yaml, false);
		CU_ASSERT_EQUAL(fc_capacity_units(fx.f->capacity, "rs"), rows[r].units);
		fixture_fini(&fx);
	}
	free(yaml);
}

static CU_TestInfo capacity_tests[] = {
	{ "RS-23, TIME-19: the surplus waits", test_the_surplus_waits },
	{ "RS-12: all peered VNets count", test_all_peered_vnets_count },
	{ "RS-13: configured units are the least", test_configured_units_are_the_least },
	{ "RS-12: there is an end", test_there_is_an_end },
	{ "SC-L: Azure's numbers", test_azures_numbers },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_capacity", capacity_tests)
