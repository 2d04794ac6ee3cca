#ifndef FABCTL_SC_REPORT_H
#define FABCTL_SC_REPORT_H
/*
 * Results of scenarios (see sc_run.h), for people and for CI systems.
 */
#include <jansson.h>
#include <stdio.h>

/* One result, as soon as it is there. */
void sc_report_text(FILE *fp, const json_t *result);
void sc_report_tap(FILE *fp, const json_t *result, size_t number);

/* JUnit's XML of all. FAB_EIO: see errno. */
int sc_report_junit(const char *path, const json_t *results);

#endif
