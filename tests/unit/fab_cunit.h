#ifndef TESTS_UNIT_FAB_CUNIT_H
#define TESTS_UNIT_FAB_CUNIT_H
/*
 * main() of a CUnit program: FAB_CUNIT_MAIN("module", tests) at the end of the file, where tests is
 * the CU_TestInfo list that doubles as its table of contents. A program that has to look first
 * whether it can run has a main() of its own: fab_cunit_run(), or FAB_CUNIT_SKIPPED after a line
 * that says why.
 */
#include <CUnit/Basic.h>

#define FAB_CUNIT_SKIPPED 77 /* exit code; see cmake/FabTest.cmake */

static inline int
fab_cunit_run(const char *suite, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = {
		{ suite, NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	unsigned failed;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed == 0 ? 0 : 1;
}

#define FAB_CUNIT_MAIN(suite_name, test_list)                                                      \
	int main(void)                                                                             \
	{                                                                                          \
		return fab_cunit_run(suite_name, test_list);                                       \
	}

#endif
