#ifndef TESTS_UNIT_FAB_CUNIT_H
#define TESTS_UNIT_FAB_CUNIT_H
/*
 * main() of a CUnit program: FAB_CUNIT_MAIN("module", tests) at the end of the file, where tests is
 * the CU_TestInfo list that doubles as its table of contents.
 */
#include <CUnit/Basic.h>

#define FAB_CUNIT_MAIN(suite_name, test_list)                                                      \
	int main(void)                                                                             \
	{                                                                                          \
		CU_SuiteInfo suites[] = {                                                          \
			{ suite_name, NULL, NULL, NULL, NULL, test_list },                         \
			CU_SUITE_INFO_NULL,                                                        \
		};                                                                                 \
		unsigned failed;                                                                   \
                                                                                                   \
		if (CU_initialize_registry() != CUE_SUCCESS ||                                     \
		    CU_register_suites(suites) != CUE_SUCCESS)                                     \
			return 2;                                                                  \
		CU_basic_set_mode(CU_BRM_NORMAL);                                                  \
		CU_basic_run_tests();                                                              \
		failed = CU_get_number_of_failures();                                              \
		CU_cleanup_registry();                                                             \
		return failed == 0 ? 0 : 1;                                                        \
	}

#endif
