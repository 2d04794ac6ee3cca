#ifndef FABCTL_CH_PLAN_H
#define FABCTL_CH_PLAN_H
/*
 * What chaos does, and in which order: every fault of every element, and with pairs every two of
 * them at once. A cell is one entry of the matrix and has a name by which it can be repeated:
 * "kill nva1", "cut nva1 rs1-0", "pause rs1-0 + cut dc1 circuit1-primary". The same elements,
 * faults and seed make the same order. Plain data; knows no fabric.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CH_NAME_MAX  64
#define CH_STEPS_MAX 2
#define CH_CELL_MAX  320

enum ch_fault { CH_KILL, CH_PAUSE, CH_CUT, CH_FAULT_COUNT };
const char *ch_fault_name(enum ch_fault f); /* "kill" */

struct ch_step {
	enum ch_fault fault;
	char a[CH_NAME_MAX], b[CH_NAME_MAX]; /* b: the other end of a link, else "" */
};

struct ch_cell {
	struct ch_step step[CH_STEPS_MAX];
	size_t n;
};

/* An element: a process, or a link (of a NIC: b is ""). */
struct ch_element {
	bool is_link;
	char a[CH_NAME_MAX], b[CH_NAME_MAX];
};

struct ch_filter {
	bool faults[CH_FAULT_COUNT];
	bool pairs;
	const char
	    *only; /* "nva1,rs1-0": elements that have one of these names at an end; NULL: all */
	uint64_t seed; /* 0: in the order of the elements, kill, pause, cut */
	size_t limit;  /* 0: all */
};

struct ch_plan {
	struct ch_cell *cells; /* in the order in which they are done */
	size_t n;
};

/* "kill,pause,cut". FAB_EINVAL. */
int ch_faults_parse(bool out[static CH_FAULT_COUNT], const char *text);

/* The caller's, see ch_plan_fini(). FAB_ENOENT: only names something that is not there; *missing
 * says what, in the caller's buffer. FAB_ETOOBIG: more than a million cells. */
int ch_plan_make(struct ch_plan *out, const struct ch_element *v, size_t n,
    const struct ch_filter *filter, char missing[static CH_NAME_MAX]);
void ch_plan_fini(struct ch_plan *p);

/* The name of a cell, and back: FAB_EINVAL. */
void ch_cell_name(char out[static CH_CELL_MAX], const struct ch_cell *c);
int ch_cell_parse(struct ch_cell *out, const char *name);
/* The step as words of a command line of fabctl: "link cut A B", "kill NAME"; and its repair. Ends
 * with NULL; lead into the step. */
#define CH_WORDS_MAX 6
void ch_step_words(const char *out[static CH_WORDS_MAX], const struct ch_step *s, bool repair);

#endif
