#ifndef FABCTL_SC_FILE_H
#define FABCTL_SC_FILE_H
/*
 * A scenario file: a topology, what is done to it, and what must hold meanwhile
 * (docs/scenarios.md).
 *
 *   scenario: the active NVA is killed
 *   topology: ../topologies/active-passive.yaml
 *   steps:
 *     - expect: trace vm11 vm12 delivered via nva1
 *     - kill: nva1
 *     - expect: trace vm11 vm12 delivered via nva2
 *       within: 5s
 *
 * What fabctl or fabricd decide anyway (names, conditions, command lines) is not looked at here.
 */
#include "lib/topo_yaml.h"

#include <limits.h>

#define SC_FILE_MAX  (1u << 20)
#define SC_STEPS_MAX 1000

enum sc_kind {
	SC_COMMAND,  /* a command line of fabctl that must succeed */
	SC_EXEC,     /* the same, and what it prints matters */
	SC_RUN,      /* words: a command line of the shell */
	SC_WAIT,     /* time passes */
	SC_OVERLAY,  /* a part of a topology, to be laid over the one that runs */
	SC_ANNOUNCE, /* words: router, prefix */
	SC_WITHDRAW,
	SC_EXPECT, /* words: conditions of `fabctl wait`, and events */
	SC_TABLE,  /* words: a command line of fabctl that lists routes */
	SC_PROBE,  /* words: from, to, and options of `fabctl probe` */
};

/* Rows of a table of routes: prefix -> what must be said of it, "" for anything (sc_table.h). */
struct sc_rows {
	bool given;
	size_t n;
	const char **prefix, **want;
};

struct sc_step {
	enum sc_kind kind;
	unsigned line;
	const char *text;   /* "kill nva1" */
	const char **words; /* end with NULL */
	size_t n_words;
	uint32_t within_ms;                     /* EXPECT, TABLE, RUN (0: once); WAIT: how long */
	uint32_t stays_ms;                      /* EXPECT, TABLE: and holds on for so long */
	struct sc_rows contains, equals, lacks; /* TABLE */
	const char *output;     /* EXEC, RUN: must be in what it prints; NULL: anything */
	json_t *overlay;        /* OVERLAY; the file's */
	uint32_t lost;          /* PROBE: at most */
	struct sc_step *during; /* PROBE: done while packets flow */
	size_t n_during;
};

struct sc_file {
	struct topo_arena *arena;
	const char *path;   /* as given */
	char dir[PATH_MAX]; /* absolute; relative names in the file begin there */
	const char *name;
	const char *topology; /* a path; NULL: inside the file, as JSON in */
	char *inside;         /* NULL too: it is for a fabric that runs */
	const char *packets;  /* "auto", "on", "off" */
	struct sc_step *steps;
	size_t n;
};

/* CTL_OK, or the exit code after one line for each mistake on standard error. */
int sc_file_load(struct sc_file **out, const char *path);
void sc_file_free(struct sc_file *f); /* NULL is fine */

#endif
