/*
 * What the platform takes its time for: NICs get the routes of Route Servers later (TIME-2, TIME-3,
 * TIME-20), and with timing fast at once.
 */
#include "fabricd/fc_lag.h"

#include "fabricd/fc_timeline.h"
#include "lib/err.h"
#include "tests/unit/fc_fabric.h"

#define DEFAULT "0.0.0.0/0"

/* Nobody but the Route Server has to be there for `converged`. */
#define ALONE SMALL_NET("")

static bool
has(struct fixture *fx, const char *nic, const char *hops)
{
	return strcmp(fixture_effective(fx, nic, DEFAULT), hops) == 0;
}

static void
set_delay(struct fixture *fx, const char *assignment)
{
	CU_ASSERT_EQUAL(fixture_set(fx, "fabric", "fabric", assignment), FAB_RPC_OK);
}

/* Offset of the first stage of that kind that any node of the Route Server made; -1: none. */
static int64_t
stage_at(struct fixture *fx, enum fc_stage_kind kind)
{
	const struct fc_change *c = fc_timeline_get(fx->f->timeline, 1);

	for (size_t i = 0; c != NULL && i < c->n_stages; i++)
		if (c->stages[i].kind == kind)
			return (int64_t)(c->stages[i].at_us - c->start_us);
	return -1;
}

static void
fault(struct fixture *fx, const char *node)
{
	Fab__V1__FaultNote note = FAB__V1__FAULT_NOTE__INIT;
	enum fab_rpc_status status;
	ProtobufCMessage *reply;

	note.action = (char *)(uintptr_t) "kill";
	note.node = (char *)(uintptr_t)node;
	note.at_us = fab_wall_us();
	reply = fixture_call(fx, "NoteFault", &note.base, &status);
	CU_ASSERT_EQUAL_FATAL(status, FAB_RPC_OK);
	protobuf_c_message_free_unpacked(reply, NULL);
}

/* TIME-2, TIME-3, TIME-20: a withdrawal and a replacement both take as long as was drawn. */
static void
test_nics_are_programmed_later(void)
{
	struct fixture fx;
	struct fake rs[2];
	struct fab_mono start;
	uint64_t us;

	fixture_init(&fx, ALONE, false);
	fake_route_servers(&fx, rs);
	set_delay(&fx, "timing.delays.nic_programming=200ms..400ms");
	AWAIT(fx.loop, fixture_wait(&fx, "converged", 5000) == FAB_RPC_OK);
	fault(&fx, "nva1");
	start = fab_mono_now();
	fake_announce(&rs[0], default_nva2, fab_wall_us());
	fake_announce(&rs[1], default_nva2, fab_wall_us());
	AWAIT(fx.loop, stage_at(&fx, FC_STAGE_DELAY) >= 0);
	CU_ASSERT_TRUE(has(&fx, "vm1", "10.1.2.4"));
	/* `converged` waits for it, however short the quiet time is. */
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 100), FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT_TRUE(has(&fx, "vm1", "10.1.2.4"));
	AWAIT(fx.loop, has(&fx, "vm1", "10.1.2.5"));
	us = fab_mono_us_between(start, fab_mono_now());
	CU_ASSERT(us >= 200000);
	AWAIT(fx.loop, fixture_wait(&fx, "converged", 5000) == FAB_RPC_OK);
	/* One change, with the delay between best path and layer. */
	CU_ASSERT_STRING_EQUAL(fc_timeline_get(fx.f->timeline, 1)->cause, "kill nva1");
	us = (uint64_t)(stage_at(&fx, FC_STAGE_LAYER) - stage_at(&fx, FC_STAGE_DELAY));
	CU_ASSERT(us >= 200000);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

static void
test_fast_delays_nothing(void)
{
	struct fixture fx;
	struct fake rs[2];
	uint64_t ms;

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	fault(&fx, "nva1");
	fake_announce(&rs[0], default_nva2, fab_wall_us());
	fake_announce(&rs[1], default_nva2, fab_wall_us());
	AWAIT(fx.loop, has(&fx, "vm1", "10.1.2.5"));
	CU_ASSERT_PTR_NULL(fc_lag_pending(fx.f->lag, &ms));
	CU_ASSERT_EQUAL(stage_at(&fx, FC_STAGE_DELAY), -1);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* Each change has a delay of its own, and none overtakes an earlier one. */
static void
test_changes_keep_their_order(void)
{
	struct fixture fx;
	struct fake rs[2];
	uint64_t ms;

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	set_delay(&fx, "timing.delays.nic_programming=50ms..300ms");
	for (int i = 0; i < 6; i++) {
		fake_announce(&rs[0], i % 2 == 0 ? default_nva2 : default_nva1, 0);
		fake_announce(&rs[1], i % 2 == 0 ? default_nva2 : default_nva1, 0);
	}
	fake_withdraw(&rs[0], DEFAULT, 0);
	fake_withdraw(&rs[1], DEFAULT, 0);
	AWAIT(fx.loop, fc_lag_pending(fx.f->lag, &ms) != NULL);
	AWAIT(fx.loop, fc_lag_pending(fx.f->lag, &ms) == NULL);
	CU_ASSERT_TRUE(has(&fx, "vm1", "Internet"));
	CU_ASSERT_TRUE(has(&fx, "nva1", "Internet"));
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* fabricd dies with a change that NICs do not have yet: the next one applies it at once. */
static void
test_a_restart_of_fabricd_loses_no_change(void)
{
	struct fixture fx;
	struct fake rs[2];
	uint64_t ms;

	fixture_init(&fx, NULL, true);
	fixture_apply(&fx, SMALL);
	fake_route_servers(&fx, rs);
	set_delay(&fx, "timing.delays.nic_programming=1h");
	fake_announce(&rs[0], default_nva2, 0);
	fake_announce(&rs[1], default_nva2, 0);
	AWAIT(fx.loop, fc_lag_pending(fx.f->lag, &ms) != NULL);
	fixture_kill_fabric(&fx);
	fixture_start_fabric(&fx);
	AWAIT(fx.loop, has(&fx, "vm1", "10.1.2.5") && has(&fx, "nva1", "10.1.2.5"));
	CU_ASSERT_PTR_NULL(fc_lag_pending(fx.f->lag, &ms));
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* TIME-20, RS-93: NICs leave a dead instance when the platform has noticed, or when it is back. */
static void
test_nics_leave_a_dead_instance_later(void)
{
	struct fixture fx;
	struct fake rs[2];
	unsigned own;
	uint64_t ms;

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	own = fx.f->topo->nics[topo_find_nic(fx.f->topo, "vm1")].instance;
	fake_announce(&rs[1 - own], default_nva2, 0);
	set_delay(&fx, "timing.delays.instance_failover=300ms");
	fake_fini(&rs[own]);
	AWAIT(fx.loop, fc_lag_pending(fx.f->lag, &ms) != NULL);
	CU_ASSERT_TRUE(has(&fx, "vm1", "10.1.2.4"));
	AWAIT(fx.loop, has(&fx, "vm1", "10.1.2.5"));
	CU_ASSERT_PTR_NULL(fc_lag_pending(fx.f->lag, &ms));
	/* The other one comes back before its loss was noticed, without routes yet. */
	fake_init(&rs[own], &fx, own == 0 ? "rs-0" : "rs-1", NULL);
	fake_announce(&rs[own], default_nva1, 0);
	fake_status(&rs[own], true);
	AWAIT(fx.loop, has(&fx, "vm1", "10.1.2.4"));
	set_delay(&fx, "timing.delays.instance_failover=1h");
	fake_fini(&rs[own]);
	AWAIT(fx.loop, fc_lag_pending(fx.f->lag, &ms) != NULL);
	fake_init(&rs[own], &fx, own == 0 ? "rs-0" : "rs-1", NULL);
	AWAIT(fx.loop, has(&fx, "vm1", "10.1.2.5"));
	CU_ASSERT_PTR_NULL(fc_lag_pending(fx.f->lag, &ms));
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* Next hop that packets take, whatever is listed. */
static bool
goes_by(struct fixture *fx, const char *nic, const char *hop)
{
	uint32_t addr = 0;
	struct fc_eff_route r;

	CU_ASSERT_EQUAL_FATAL(ipaddr_parse(&addr, hop), FAB_OK);
	return fc_eff_lookup(fx->f->layers, topo_find_nic(fx->f->topo, nic), 0x08080808, &r) &&
	       r.n_next_hops == 1 && r.next_hops[0] == addr;
}

/* TIME-5, TIME-6, TIME-7: what is listed follows later than what NICs have. */
static void
test_the_listing_lags(void)
{
	struct fixture fx;
	struct fake rs[2];
	uint64_t ms;

	fixture_init(&fx, ALONE, false);
	fake_route_servers(&fx, rs);
	set_delay(&fx, "timing.delays.effective_routes=300ms..400ms");
	CU_ASSERT_TRUE(has(&fx, "vm1", "10.1.2.4")); /* what there was is listed */
	AWAIT(fx.loop, fixture_wait(&fx, "converged", 5000) == FAB_RPC_OK);
	fake_announce(&rs[0], default_nva2, 0);
	fake_announce(&rs[1], default_nva2, 0);
	AWAIT(fx.loop, goes_by(&fx, "vm1", "10.1.2.5"));
	CU_ASSERT_TRUE(has(&fx, "vm1", "10.1.2.4"));
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 50), FAB_RPC_DEADLINE_EXCEEDED);
	AWAIT(fx.loop, has(&fx, "vm1", "10.1.2.5"));
	AWAIT(fx.loop, fixture_wait(&fx, "converged", 5000) == FAB_RPC_OK);
	fake_withdraw(&rs[0], DEFAULT, 0);
	fake_withdraw(&rs[1], DEFAULT, 0);
	AWAIT(fx.loop, !goes_by(&fx, "vm1", "10.1.2.5"));
	CU_ASSERT_TRUE(has(&fx, "vm1", "10.1.2.5"));
	/* Without the delay the listing is in step at once. */
	set_delay(&fx, "timing.delays.effective_routes=0");
	CU_ASSERT_TRUE(has(&fx, "vm1", "Internet"));
	CU_ASSERT_PTR_NULL(fc_lag_pending(fx.f->lag, &ms));
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

static CU_TestInfo lag_tests[] = {
	{ "TIME-5, TIME-6, TIME-7: the listing lags", test_the_listing_lags },
	{ "TIME-2, TIME-3: NICs are programmed later", test_nics_are_programmed_later },
	{ "timing fast delays nothing", test_fast_delays_nothing },
	{ "changes keep their order", test_changes_keep_their_order },
	{ "a restart of fabricd loses no change", test_a_restart_of_fabricd_loses_no_change },
	{ "TIME-20: NICs leave a dead instance later", test_nics_leave_a_dead_instance_later },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_lag", lag_tests)
