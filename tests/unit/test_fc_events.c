#include "fabricd/fc_events.h"

#include "fab_cunit.h"
#include "lib/err.h"

#include <string.h>

static void
test_events_are_numbered_and_kept_in_order(void)
{
	struct fc_events *l = NULL;
	const struct fc_event *e;
	uint64_t seq = 0;

	CU_ASSERT_EQUAL_FATAL(fc_events_new(&l), FAB_OK);
	CU_ASSERT_EQUAL(fc_events_last(l), 0);
	CU_ASSERT_PTR_NULL(fc_events_after(l, 0));
	fc_events_add(l, FC_EVENT_FAULT, 11, "nva1", "kill %s", "nva1");
	fc_events_add(l, FC_EVENT_ROUTES, 12, "rs1-0", "%u changed", 3u);
	fc_events_add(l, FC_EVENT_SESSION, 7, "rs1-0", "of a slower clock");
	while ((e = fc_events_after(l, seq)) != NULL) {
		CU_ASSERT_EQUAL(e->seq, seq + 1);
		CU_ASSERT_EQUAL(e->at_us, seq == 0 ? 11 : 12);
		seq = e->seq;
	}
	CU_ASSERT_EQUAL(seq, 3);
	e = fc_events_after(l, 0);
	CU_ASSERT_STRING_EQUAL(fc_event_kind_name(e->kind), "fault");
	CU_ASSERT_STRING_EQUAL(e->subject, "nva1");
	CU_ASSERT_STRING_EQUAL(e->text, "kill nva1");
	fc_events_free(l);
}

static void
test_the_oldest_give_way(void)
{
	struct fc_events *l = NULL;
	char longest[2 * FC_EVENT_TEXT_MAX];
	uint64_t seq = 0, n = 0;
	const struct fc_event *e;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CU_ASSERT_EQUAL_FATAL(fc_events_new(&l), FAB_OK);
	for (uint64_t i = 0; i < FC_EVENTS_MAX + 5; i++)
		fc_events_add(l, FC_EVENT_NODE, i, longest, "%s", longest);
	for (; (e = fc_events_after(l, seq)) != NULL; seq = e->seq)
		n++;
	CU_ASSERT_EQUAL(n, FC_EVENTS_MAX);
	CU_ASSERT_EQUAL(fc_events_after(l, 0)->seq, 6);
	CU_ASSERT_EQUAL(fc_events_after(l, 5)->seq, 6);
	CU_ASSERT_EQUAL(fc_events_after(l, FC_EVENTS_MAX)->seq, FC_EVENTS_MAX + 1);
	CU_ASSERT_EQUAL(strlen(fc_events_after(l, 0)->text), FC_EVENT_TEXT_MAX - 1);
	CU_ASSERT_EQUAL(strlen(fc_events_after(l, 0)->subject), FC_EVENT_SUBJ_MAX - 1);
	fc_events_free(l);
}

static void
note_seq(void *ctx, const struct fc_event *e)
{
	*(uint64_t *)ctx = e->seq;
}

static void
test_subscribers_see_what_comes(void)
{
	struct fc_events *l = NULL;
	uint64_t a = 0, b = 0;
	struct fc_event_sub sa = { .fn = note_seq, .ctx = &a }, sb = { .fn = note_seq, .ctx = &b };

	CU_ASSERT_EQUAL_FATAL(fc_events_new(&l), FAB_OK);
	fc_events_subscribe(l, &sa);
	fc_events_add(l, FC_EVENT_NODE, 1, "x", "y");
	fc_events_subscribe(l, &sb);
	fc_events_add(l, FC_EVENT_NODE, 2, "x", "y");
	fc_events_unsubscribe(l, &sa);
	fc_events_add(l, FC_EVENT_NODE, 3, "x", "y");
	CU_ASSERT_EQUAL(a, 2);
	CU_ASSERT_EQUAL(b, 3);
	fc_events_free(l);
}

static CU_TestInfo tests[] = {
	{ "events are numbered and kept in order", test_events_are_numbered_and_kept_in_order },
	{ "the oldest give way", test_the_oldest_give_way },
	{ "subscribers see what comes", test_subscribers_see_what_comes },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_events", tests)
