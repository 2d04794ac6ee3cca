#include "lib/hrp.h"
#include "tests/unit/fab_cunit.h"

#include <string.h>

#define ER(len, w)                                                                                 \
	{                                                                                          \
		HRP_SRC_EXPRESS_ROUTE, len, w                                                      \
	}
#define NVA(len)                                                                                   \
	{                                                                                          \
		HRP_SRC_NVA, len, 0                                                                \
	}
#define VPN(len)                                                                                   \
	{                                                                                          \
		HRP_SRC_VPN, len, 0                                                                \
	}
#define STATIC                                                                                     \
	{                                                                                          \
		HRP_SRC_VPN_STATIC, 0, 0                                                           \
	}

static const struct row {
	const char *rule;
	enum hrp_pref pref;
	size_t n;
	struct hrp_route r[4];
	const char *keep; /* one digit per route */
} rows[] = {
	{ "RS-60 one route", HRP_PREF_EXPRESS_ROUTE, 1, { NVA(3) }, "1" },
	{ "RS-60 shortest path of NVAs", HRP_PREF_EXPRESS_ROUTE, 3, { NVA(3), NVA(1), NVA(2) },
	    "010" },
	{ "RS-60 ECMP", HRP_PREF_EXPRESS_ROUTE, 3, { NVA(1), NVA(3), NVA(1) }, "101" },
	/* HRP-6: ER `12076 64900` is 2, VPN `64901` is 1, NVA is 1, a static connection 0. */
	{ "HRP-2, HRP-8 ER beats a shorter NVA path", HRP_PREF_EXPRESS_ROUTE, 2,
	    { NVA(1), ER(2, 0) }, "01" },
	{ "HRP-2 ER beats VPN and static", HRP_PREF_EXPRESS_ROUTE, 3, { STATIC, VPN(1), ER(9, 0) },
	    "001" },
	{ "HRP-2 without ER the others compete", HRP_PREF_EXPRESS_ROUTE, 2, { VPN(1), NVA(2) },
	    "10" },
	{ "HRP-3 VPN beats a shorter ER path", HRP_PREF_VPN_GATEWAY, 2, { ER(1, 0), VPN(5) },
	    "01" },
	{ "HRP-3 NVA beats ER", HRP_PREF_VPN_GATEWAY, 2, { NVA(5), ER(2, 0) }, "10" },
	{ "HRP-3 VPN and NVA are one class", HRP_PREF_VPN_GATEWAY, 3, { VPN(1), NVA(1), ER(1, 0) },
	    "110" },
	{ "HRP-3 only ER", HRP_PREF_VPN_GATEWAY, 2, { ER(2, 0), ER(3, 0) }, "10" },
	{ "HRP-4 shortest whatever the source", HRP_PREF_AS_PATH, 3, { ER(2, 0), VPN(1), NVA(3) },
	    "010" },
	{ "HRP-4 tie goes to ER", HRP_PREF_AS_PATH, 3, { NVA(2), ER(2, 0), VPN(2) }, "010" },
	{ "HRP-4 tie without ER is ECMP", HRP_PREF_AS_PATH, 3, { NVA(1), VPN(1), ER(2, 0) },
	    "110" },
	{ "HRP-7, OPEN-6 static is not first", HRP_PREF_EXPRESS_ROUTE, 2, { STATIC, ER(2, 0) },
	    "01" },
	{ "HRP-7, OPEN-6 static is not before BGP", HRP_PREF_VPN_GATEWAY, 2, { STATIC, VPN(0) },
	    "11" },
	{ "HRP-6 static is length 0", HRP_PREF_AS_PATH, 2, { NVA(1), STATIC }, "01" },
	{ "HRP-5 ECMP inside ER", HRP_PREF_EXPRESS_ROUTE, 3, { ER(2, 0), ER(2, 0), ER(3, 0) },
	    "110" },
	{ "ER-18 weight before path", HRP_PREF_EXPRESS_ROUTE, 3, { ER(2, 0), ER(5, 10), ER(6, 10) },
	    "010" },
	{ "ER-18 weight before HRP-4", HRP_PREF_AS_PATH, 3, { ER(1, 0), ER(3, 7), NVA(2) }, "001" },
	{ "ER-23 ER beats S2S VPN", HRP_PREF_EXPRESS_ROUTE, 2, { VPN(1), ER(2, 0) }, "01" },
};

static void
test_selection_by_preference(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		char got[5] = "";
		bool keep[4];
		size_t n = hrp_select(row->pref, row->r, row->n, keep);
		size_t ones = 0;

		for (size_t k = 0; k < row->n; k++) {
			got[k] = keep[k] ? '1' : '0';
			ones += keep[k];
		}
		if (strcmp(got, row->keep) != 0)
			printf("\n%s: got %s, want %s", row->rule, got, row->keep);
		CU_ASSERT_STRING_EQUAL(got, row->keep);
		CU_ASSERT_EQUAL(n, ones);
	}
}

static void
test_reasons_name_the_rule(void)
{
	static const struct {
		enum hrp_pref pref;
		struct hrp_route winner, loser;
		const char *rule;
	} cases[] = {
		{ HRP_PREF_EXPRESS_ROUTE, ER(2, 0), NVA(1), "HRP-2" },
		{ HRP_PREF_VPN_GATEWAY, VPN(3), ER(2, 0), "HRP-3" },
		{ HRP_PREF_AS_PATH, NVA(1), ER(2, 0), "HRP-4" },
		{ HRP_PREF_AS_PATH, NVA(1), NVA(2), "HRP-4" },
		{ HRP_PREF_EXPRESS_ROUTE, NVA(1), NVA(2), "RS-60" },
		{ HRP_PREF_EXPRESS_ROUTE, VPN(1), NVA(2), "HRP-5" },
		{ HRP_PREF_EXPRESS_ROUTE, ER(2, 0), ER(3, 0), "HRP-5" },
		{ HRP_PREF_EXPRESS_ROUTE, ER(3, 9), ER(2, 0), "ER-18" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_STRING_EQUAL(
		    hrp_reason(cases[i].pref, &cases[i].winner, &cases[i].loser), cases[i].rule);
}

static CU_TestInfo tests[] = {
	{ "hub routing preference, every step (HRP-2 ... HRP-6, RS-60)",
	    test_selection_by_preference },
	{ "a loser is told the rule", test_reasons_name_the_rule },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("hrp", tests)
