/*
 * Grouping of stamps into changes. Times are microseconds; S is one second.
 */
#include "fabricd/fc_timeline.h"

#include "fab_cunit.h"
#include "lib/err.h"

#include <string.h>

#define S 1000000ull

static struct fc_timeline *
timeline_fast(void)
{
	struct fc_timeline *tl = NULL;

	CU_ASSERT_EQUAL_FATAL(fc_timeline_new(&tl), FAB_OK);
	fc_timeline_timing(tl, 3 * S, 1 * S);
	return tl;
}

static void
batch(struct fc_timeline *tl, const char *node, uint64_t detect_us, uint32_t changed)
{
	struct fc_batch_stamps b = { .node = node,
		.subject = "nva1",
		.text = "connection closed",
		.detect_us = detect_us,
		.withdraw_us = detect_us + 10,
		.best_path_us = detect_us + 20,
		.layer_us = detect_us + 300,
		.routes = 4,
		.changed = changed };

	fc_timeline_batch(tl, &b);
}

static size_t
count(const struct fc_change *c, enum fc_stage_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_stages; i++)
		n += c->stages[i].kind == kind;
	return n;
}

static void
test_stage_of_the_adj_rib_in(void)
{
	static const struct {
		bool announces;
		const char *name;
	} rows[] = { { false, "withdraw" }, { true, "adj-rib-in" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fc_timeline *tl = timeline_fast();
		const struct fc_change *c;

		fc_timeline_batch(tl, &(struct fc_batch_stamps){ .node = "rs1-0",
					  .subject = "nva1",
					  .text = "peer nva1: UPDATE",
					  .detect_us = 100 * S,
					  .withdraw_us = 100 * S + 10,
					  .announces = rows[i].announces });
		c = fc_timeline_get(tl, 1);
		CU_ASSERT_EQUAL_FATAL(c->n_stages, 2);
		CU_ASSERT_STRING_EQUAL(fc_stage_name(c->stages[1].kind), rows[i].name);
		fc_timeline_free(tl);
	}
}

static void
test_fault_and_its_effects_are_one_change(void)
{
	static const enum fc_stage_kind want[] = { FC_STAGE_FAULT, FC_STAGE_DETECT,
		FC_STAGE_WITHDRAW, FC_STAGE_BEST_PATH, FC_STAGE_LAYER };
	struct fc_timeline *tl = timeline_fast();
	const struct fc_change *c;

	CU_ASSERT_PTR_NULL(fc_timeline_get(tl, 1));
	fc_timeline_fault(tl, 100 * S, "nva1", "kill nva1", false);
	batch(tl, "rs1-0", 100 * S + 500, 7);
	c = fc_timeline_get(tl, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_STRING_EQUAL(c->cause, "kill nva1");
	CU_ASSERT_EQUAL(c->start_us, 100 * S);
	CU_ASSERT_EQUAL(c->last_us, 100 * S + 800);
	CU_ASSERT_EQUAL_FATAL(c->n_stages, 5);
	for (size_t i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(c->stages[i].kind, want[i]);
	CU_ASSERT_EQUAL(c->stages[3].routes, 4);
	CU_ASSERT_EQUAL(c->stages[4].routes, 7);
	CU_ASSERT_PTR_NULL(fc_timeline_get(tl, 2));
	fc_timeline_free(tl);
}

/* Each row: what happens at a time, and whether it opens a change. */
static void
test_what_opens_a_change(void)
{
	static const struct {
		char what; /* f fault, p silent fault, c configuration, d batch, o fabricd */
		uint64_t at_ms;
		unsigned changes; /* afterwards */
	} rows[] = {
		{ 'd', 1000, 1 },  /* nobody announced it */
		{ 'd', 2000, 1 },  /* within a second of the last stamp (layer at 1000.3) */
		{ 'd', 3100, 2 },  /* quiet since 2000.3 */
		{ 'f', 3200, 3 },  /* a fault has its own change */
		{ 'f', 3300, 3 },  /* the second fault of a pair */
		{ 'd', 16199, 3 }, /* hold 3 s + 10 s: still the fault's */
		{ 'd', 17300, 4 }, { 'f', 17400, 5 },
		{ 'd', 30401, 6 },                    /* too late for that fault */
		{ 'p', 40000, 7 }, { 'd', 42500, 7 }, /* hold timer of the first peer */
		{ 'd', 43700, 7 },                    /* the second's: up to a keepalive later */
		{ 'd', 45000, 8 }, { 'f', 45100, 9 }, { 'd', 45200, 9 },
		{ 'f', 45300, 10 }, /* the first had its effect: not a pair */
		{ 'c', 45400, 11 }, { 'd', 45500, 11 }, { 'p', 50000, 12 },
		{ 'o', 50002, 12 }, /* fabricd misses the process: not what the fault is about */
		{ 'd', 53100, 12 }, /* the hold timer */
	};
	struct fc_timeline *tl = timeline_fast();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t at = rows[i].at_ms * 1000;

		if (rows[i].what == 'd')
			batch(tl, "rs1-0", at, 1);
		else if (rows[i].what == 'c')
			fc_timeline_config(tl, at, "apply");
		else if (rows[i].what == 'o')
			fc_timeline_session(tl, at, FC_TIMELINE_OBSERVER, "nva1", "node lost");
		else
			fc_timeline_fault(tl, at, "nva1", "fault", rows[i].what == 'p');
		CU_ASSERT_PTR_NOT_NULL(fc_timeline_get(tl, rows[i].changes));
		CU_ASSERT_PTR_NULL(fc_timeline_get(tl, rows[i].changes + 1));
	}
	fc_timeline_free(tl);
}

static void
test_late_stamp_goes_to_the_change_of_its_time(void)
{
	struct fc_timeline *tl = timeline_fast();

	fc_timeline_fault(tl, 10 * S, "nva1", "kill nva1", false);
	batch(tl, "rs1-0", 10 * S + 100, 1);
	fc_timeline_fault(tl, 10 * S + 500000, "nva1", "start nva1", false);
	batch(tl, "rs1-1", 10 * S + 200, 1); /* was under way when the next fault came */
	CU_ASSERT_EQUAL(fc_timeline_get(tl, 1)->n_stages, 1);
	CU_ASSERT_EQUAL(fc_timeline_get(tl, 2)->n_stages, 9);
	batch(tl, "rs1-1", 9 * S, 1); /* before everything: clocks that differ */
	CU_ASSERT_EQUAL(fc_timeline_get(tl, 1)->n_stages, 5);
	fc_timeline_free(tl);
}

static void
test_session_report_and_batch_are_one_detection(void)
{
	struct fc_timeline *tl = timeline_fast();

	fc_timeline_session(tl, 5 * S, "rs1-0", "nva1", "down: connection closed");
	batch(tl, "rs1-0", 5 * S + 30, 1);
	CU_ASSERT_EQUAL(count(fc_timeline_get(tl, 1), FC_STAGE_DETECT), 1);
	batch(tl, "rs1-1", 5 * S + 30, 1);
	fc_timeline_session(tl, 5 * S + 31, "rs1-1", "nva1", "down");
	CU_ASSERT_EQUAL(count(fc_timeline_get(tl, 1), FC_STAGE_DETECT), 2);
	fc_timeline_session(tl, 5 * S + 31, "rs1-1", "nva2", "down");
	fc_timeline_session(tl, 5 * S + 500000, "rs1-1", "nva1", "up");
	CU_ASSERT_EQUAL(count(fc_timeline_get(tl, 1), FC_STAGE_DETECT), 4);
	fc_timeline_free(tl);
}

static void
test_batch_without_stamps_of_a_node_shows_the_layer_only(void)
{
	struct fc_timeline *tl = timeline_fast();
	struct fc_batch_stamps b = { .node = "rs1-0",
		.subject = "rs1-0",
		.text = "snapshot",
		.layer_us = 7 * S,
		.changed = 12 };

	fc_timeline_batch(tl, &b);
	CU_ASSERT_EQUAL_FATAL(fc_timeline_get(tl, 1)->n_stages, 1);
	CU_ASSERT_EQUAL(fc_timeline_get(tl, 1)->stages[0].kind, FC_STAGE_LAYER);
	CU_ASSERT_EQUAL(fc_timeline_get(tl, 1)->stages[0].routes, 12);
	fc_timeline_free(tl);
}

static void
test_memory_is_bounded(void)
{
	struct fc_timeline *tl = timeline_fast();

	for (uint64_t i = 0; i < FC_TIMELINE_STAGES; i++)
		batch(tl, "rs1-0", S + i * 1000, 1);
	CU_ASSERT_EQUAL(fc_timeline_get(tl, 1)->n_stages, FC_TIMELINE_STAGES);
	CU_ASSERT_TRUE(fc_timeline_get(tl, 1)->left_out > 0);
	for (uint64_t i = 0; i < 3 * FC_TIMELINE_CHANGES; i++)
		fc_timeline_config(tl, 100 * S + i, "set");
	CU_ASSERT_PTR_NOT_NULL(fc_timeline_get(tl, FC_TIMELINE_CHANGES));
	CU_ASSERT_PTR_NULL(fc_timeline_get(tl, FC_TIMELINE_CHANGES + 1));
	fc_timeline_free(tl);
}

/* The probe ends long after the change and tells of what it saw then. */
static void
test_a_gap_belongs_to_the_change_of_its_time(void)
{
	struct fc_timeline *tl = timeline_fast();
	struct fc_probe p = { .node = "vm1", .text = "7 lost", .lost = true };
	const struct fc_change *c;

	CU_ASSERT_FALSE(fc_timeline_probe(tl, &p)); /* there is none */
	fc_timeline_fault(tl, 100 * S, "nva1", "kill nva1", false);
	batch(tl, "rs1-0", 100 * S + 5000, 1);
	fc_timeline_config(tl, 200 * S, "apply");
	p.from_us = 100 * S + 1000;
	p.to_us = 100 * S + 9000;
	CU_ASSERT_TRUE(fc_timeline_probe(tl, &p));
	c = fc_timeline_get(tl, 2);
	CU_ASSERT_EQUAL(c->last_us, p.to_us);
	CU_ASSERT_EQUAL_FATAL(c->n_stages, 6);
	CU_ASSERT_EQUAL(c->stages[5].kind, FC_STAGE_PROBE);
	CU_ASSERT_STRING_EQUAL(c->stages[5].text, "7 lost");
	p.to_us += 1000; /* a gap in which nothing was lost is no effect of the change */
	p.lost = false;
	CU_ASSERT_TRUE(fc_timeline_probe(tl, &p));
	CU_ASSERT_EQUAL(c->last_us, p.to_us - 1000);
	CU_ASSERT_EQUAL(c->n_stages, 7);
	p.from_us = 100 * S + 11000; /* after it */
	p.to_us = 100 * S + 12000;
	CU_ASSERT_FALSE(fc_timeline_probe(tl, &p));
	p.from_us = 99 * S; /* before it */
	p.to_us = 99 * S + 1;
	CU_ASSERT_FALSE(fc_timeline_probe(tl, &p));
	CU_ASSERT_PTR_NULL(fc_timeline_get(tl, 3)); /* opens nothing */
	fc_timeline_free(tl);
}

static CU_TestInfo tests[] = {
	{ "the stage of the Adj-RIB-In", test_stage_of_the_adj_rib_in },
	{ "a fault and its effects are one change", test_fault_and_its_effects_are_one_change },
	{ "what opens a change", test_what_opens_a_change },
	{ "a late stamp goes to the change of its time",
	    test_late_stamp_goes_to_the_change_of_its_time },
	{ "session report and batch are one detection",
	    test_session_report_and_batch_are_one_detection },
	{ "a batch without stamps shows the layer only",
	    test_batch_without_stamps_of_a_node_shows_the_layer_only },
	{ "memory is bounded", test_memory_is_bounded },
	{ "a probe's gap belongs to the change of its time",
	    test_a_gap_belongs_to_the_change_of_its_time },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_timeline", tests)
