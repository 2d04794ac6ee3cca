#ifndef FABCTL_CH_REPORT_H
#define FABCTL_CH_REPORT_H
/*
 * The report of a chaos run:
 *
 *   {"topology", "timing", "seed", "seconds", "ok", "at_rest": CELL, "cells": [CELL, ...]}
 *
 * with a CELL for each fault in the order of the matrix, see docs/chaos.md. As text, as JUnit's XML
 * and as one HTML page.
 */
#include <jansson.h>
#include <stdio.h>

/* As text: the matrix, and below it what was broken. */
void ch_report_text(FILE *fp, const json_t *report);
/* What sc_report_junit() takes; the caller's. */
json_t *ch_report_cases(const json_t *report);
/* FAB_EIO: see errno. */
int ch_report_html(const char *path, const json_t *report);

/* One line on a cell: "ok   kill nva1: noticed after 5 ms, ..." */
void ch_report_line(char *out, size_t size, const json_t *cell);

/* ---- of one cell, for all of these ---- */

/* "90 pairs, 2.9 s", "dc1 itself is lost: 18 pairs", "" */
void ch_cell_losses(char *out, size_t size, const json_t *cell);
/* Rules of what it broke, or the one that explains it: "MR-5 RS-64". */
void ch_cell_rules(char *out, size_t size, const json_t *cell);
/* "ok", "lost" (honestly), or the invariants that broke: "no-loop symmetric". */
void ch_cell_verdict(char *out, size_t size, const json_t *cell);

#endif
