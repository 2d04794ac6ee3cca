#ifndef FABCTL_CTL_ARGS_H
#define FABCTL_CTL_ARGS_H
/*
 * The command line: a table of verbs, one row each, and the options they share. The same rows give
 * the usage text and bound what a verb has to check by itself.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CTL_POS_MAX 64 /* words behind the verb */
#define CTL_REST    0x100u

enum ctl_opt {
	CTL_OPT_OUTPUT,
	CTL_OPT_URL,
	CTL_OPT_RUN_DIR,
	CTL_OPT_HELP,
	CTL_OPT_VERSION,
	CTL_OPT_WAIT,
	CTL_OPT_TIMEOUT,
	CTL_OPT_DRY_RUN,
	CTL_OPT_BOTH,
	CTL_OPT_FOLLOW,
	CTL_OPT_ONE_WAY,
	CTL_OPT_PACKETS,
	CTL_OPT_PPS,
	CTL_OPT_DURATION,
	CTL_OPT_TCP,
	CTL_OPT_MAX_LOST,
	CTL_OPT_GUEST,
	CTL_OPT_ENGINE,
	CTL_OPT_DELAY,
	CTL_OPT_JITTER,
	CTL_OPT_LOSS,
	CTL_OPT_RATE,
	CTL_OPT_WRITE,
	CTL_OPT_COUNT_N,
	CTL_OPT_JUNIT,
	CTL_OPT_TAP,
	CTL_OPT_KEEP,
	CTL_OPT_JOBS,
	CTL_OPT_FAULTS,
	CTL_OPT_PAIRS,
	CTL_OPT_HTML,
	CTL_OPT_SEED,
	CTL_OPT_REPLAY,
	CTL_OPT_ONLY,
	CTL_OPT_LIMIT,
	CTL_OPT_BOUND,
	CTL_OPT_TIMING,
	CTL_OPT_DIR, /* -o is this for a verb that has it: its answer is a file */
	CTL_OPT_IMAGE,
	CTL_OPT_BUILD,
	CTL_OPT_RUNNING,
	CTL_OPT_TEST,
	CTL_OPT_COUNT
};

#define CTL_BIT(opt) (UINT64_C(1) << (opt))

struct ctl_args {
	const char *pos[CTL_POS_MAX];
	unsigned n_pos;
	char *const *rest; /* of a verb with CTL_REST: the words behind the last of its own, as they
			      are, options and all; ends with NULL */
	const char *opt[CTL_OPT_COUNT]; /* value, "" for a flag, NULL when not given */
};

struct ctl;

struct ctl_cmd {
	const char *words; /* "routes effective" */
	const char *usage; /* "NIC" */
	unsigned min, max; /* words behind the verb; max + CTL_REST: a command line follows them */
	uint64_t opts;     /* CTL_BIT()s beyond the global ones */
	int (*run)(struct ctl *c, const struct ctl_args *args); /* returns the exit code */
	const char *help;
};

/*
 * Finds the verb of argv in a table that ends with a row without words, and sorts the rest into
 * args; options may stand anywhere, "--" ends them. FAB_EINVAL: why[] says what is wrong. *cmd is
 * NULL when there are no words at all (then --help or --version may be set). Strings are those of
 * argv.
 */
int ctl_args_parse(const struct ctl_cmd **cmd, struct ctl_args *args, const struct ctl_cmd *table,
    int argc, char **argv, char why[static 256]);

/* The verb that args begins with, its words taken out of args; NULL if there is none. */
const struct ctl_cmd *ctl_args_verb(const struct ctl_cmd *table, struct ctl_args *args);

/* "60s", "500ms", "2m", "5" (seconds). FAB_EINVAL otherwise, or above a day. */
int ctl_duration_ms(uint32_t *out, const char *text);

/* All verbs, one line each; or one verb with its options. */
void ctl_usage(FILE *fp, const struct ctl_cmd *table);
void ctl_usage_verb(FILE *fp, const struct ctl_cmd *cmd);

#endif
