#include "fabctl/ctl_args.h"

#include "lib/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GLOBAL_OPTS                                                                                \
	(CTL_BIT(CTL_OPT_OUTPUT) | CTL_BIT(CTL_OPT_URL) | CTL_BIT(CTL_OPT_RUN_DIR) |               \
	    CTL_BIT(CTL_OPT_HELP) | CTL_BIT(CTL_OPT_VERSION))

struct opt_row {
	const char *name;
	char letter;
	const char *value; /* what it takes, for the usage; NULL: a flag */
	const char *help;
};

static const struct opt_row opts[] = {
	[CTL_OPT_OUTPUT] = { "output", 'o', "table|json|yaml", "form of the answer" },
	[CTL_OPT_URL] = { "url", 0, "URL",
	    "fabric to talk to (FAB_URL; else the last one started)" },
	[CTL_OPT_RUN_DIR] = { "run-dir", 0, "DIR", "run directory of a local fabric" },
	[CTL_OPT_HELP] = { "help", 'h', NULL, "this text" },
	[CTL_OPT_VERSION] = { "version", 0, NULL, "version" },
	[CTL_OPT_WAIT] = { "wait", 0, "TIME", "how long to wait, such as 60s or 500ms; 0: do not" },
	[CTL_OPT_TIMEOUT] = { "timeout", 0, "TIME", "give up after this time" },
	[CTL_OPT_DRY_RUN] = { "dry-run", 0, NULL, "say what would change and change nothing" },
	[CTL_OPT_BOTH] = { "both", 0, NULL, "the way back too" },
	[CTL_OPT_FOLLOW] = { "follow", 'f', NULL, "go on with new events until interrupted" },
	[CTL_OPT_ONE_WAY] = { "one-way", 0, NULL, "only from A to B" },
	[CTL_OPT_PACKETS] = { "packets", 0, "auto|on|off",
	    "with vswitchd and a namespace for each VM and NVA; auto: where that is allowed" },
	[CTL_OPT_PPS] = { "pps", 0, "N", "packets a second, 1000 unless given" },
	[CTL_OPT_DURATION] = { "duration", 0, "TIME", "how long to send, 5s unless given" },
	[CTL_OPT_TCP] = { "tcp", 0, NULL, "over one TCP connection, not UDP" },
	[CTL_OPT_GUEST] = { "guest", 0, NULL,
	    "the whole machine: its link goes down, then all its processes die" },
	[CTL_OPT_ENGINE] = { "engine", 0, "auto|bpf|userspace|taps",
	    "what moves the packets; auto: bpf where that is possible" },
	[CTL_OPT_JUNIT] = { "junit", 0, "FILE", "write the results there, as JUnit does" },
	[CTL_OPT_TAP] = { "tap", 0, NULL, "results as Test Anything Protocol" },
	[CTL_OPT_KEEP] = { "keep", 0, NULL, "leave the fabrics running" },
	[CTL_OPT_JOBS] = { "jobs", 'j', "N", "scenarios at a time; one for each processor" },
	[CTL_OPT_FAULTS] = { "faults", 0, "LIST", "of kill, pause and cut; all of them" },
	[CTL_OPT_PAIRS] = { "pairs", 0, NULL, "every two faults at once, too" },
	[CTL_OPT_HTML] = { "html", 0, "FILE", "write the report there, as one page" },
	[CTL_OPT_SEED] = { "seed", 0, "N", "order of files or faults, and delays that are drawn" },
	[CTL_OPT_REPLAY] = { "replay", 0, "FAULT", "this one alone, such as 'cut nva1 rs1-0'" },
	[CTL_OPT_ONLY] = { "only", 0, "NAMES", "of processes, and ends of links: nva1,rs1-0" },
	[CTL_OPT_LIMIT] = { "limit", 0, "N", "the first N faults" },
	[CTL_OPT_BOUND] = { "bound", 0, "TIME",
	    "that a loss may last beyond the hold time, 5s unless given" },
	[CTL_OPT_TIMING] = { "timing", 0, "azure|fast", "profile, whatever the topology says" },
	[CTL_OPT_DIR] = { "directory", 0, "DIR",
	    "where the file goes, -o too; default: written out" },
	[CTL_OPT_IMAGE] = { "image", 0, "NAME", "our image; hubspoke unless given" },
	[CTL_OPT_BUILD] = { "build", 0, "DIR",
	    "our sources, if the image is to be built from them" },
	[CTL_OPT_RUNNING] = { "running", 0, NULL,
	    "in the fabric that runs, one file after the other" },
	[CTL_OPT_TEST] = { "test", 0, "DIR",
	    "a service that judges by the scenarios there, in our image" },
	[CTL_OPT_MAX_LOST] = { "max-lost", 0, "N", "exit 1 when more are lost" },
	[CTL_OPT_DELAY] = { "delay", 0, "TIME", "one way, such as 20ms or 500us; 0: none" },
	[CTL_OPT_JITTER] = { "jitter", 0, "TIME",
	    "each packet takes up to this much more or less" },
	[CTL_OPT_LOSS] = { "loss", 0, "SHARE", "of packets, such as 1%; 0: none" },
	[CTL_OPT_WRITE] = { "write", 'w', "FILE", "pcapng to this file; -: to a pipe" },
	[CTL_OPT_COUNT_N] = { "count", 0, "N", "end after so many packets" },
	[CTL_OPT_RATE] = { "rate", 0, "RATE", "each way, such as 100mbit; 0: unlimited" },
};
_Static_assert(sizeof(opts) / sizeof(opts[0]) == CTL_OPT_COUNT, "a row for each option");

static int
find_long(const char *name, size_t len)
{
	for (int i = 0; i < CTL_OPT_COUNT; i++) {
		if (strlen(opts[i].name) == len && strncmp(opts[i].name, name, len) == 0)
			return i;
	}
	return -1;
}

static int
find_short(char letter)
{
	for (int i = 0; i < CTL_OPT_COUNT; i++) {
		if (opts[i].letter == letter)
			return i;
	}
	return -1;
}

/* Takes the option at argv[*i], and argv[*i + 1] if that is its value. */
static int
take_option(struct ctl_args *args, int *i, int argc, char **argv, char why[static 256])
{
	const char *arg = argv[*i], *value = NULL;
	int opt;

	if (arg[1] == '-') {
		size_t len = strcspn(arg + 2, "=");

		opt = find_long(arg + 2, len);
		if (arg[2 + len] == '=')
			value = arg + 3 + len;
	} else {
		opt = find_short(arg[1]);
		if (arg[2] != '\0')
			value = arg + 2;
	}
	if (opt < 0 || (value != NULL && opts[opt].value == NULL)) {
		snprintf(why, 256, "unknown option '%.100s'", arg);
		return FAB_EINVAL;
	}
	if (opts[opt].value != NULL && value == NULL) {
		if (++*i >= argc) {
			snprintf(why, 256, "'%.100s' needs %s", arg, opts[opt].value);
			return FAB_EINVAL;
		}
		value = argv[*i];
	}
	args->opt[opt] = value != NULL ? value : "";
	return FAB_OK;
}

/* How many words of pos the verb's own words match; 0: not all of them. */
static unsigned
verb_matches(const char *words, const struct ctl_args *args)
{
	unsigned n = 0;

	for (const char *p = words;; p++, n++) {
		size_t len = strcspn(p, " ");

		if (n >= args->n_pos || strlen(args->pos[n]) != len ||
		    strncmp(p, args->pos[n], len) != 0)
			return 0;
		p += len;
		if (*p == '\0')
			return n + 1;
	}
}

/* A verb that takes a command line, and all words before that are there. */
static bool
rest_begins(const struct ctl_cmd *table, const struct ctl_args *args)
{
	for (const struct ctl_cmd *cmd = table; cmd->words != NULL; cmd++) {
		unsigned n = (cmd->max & CTL_REST) != 0 ? verb_matches(cmd->words, args) : 0;

		if (n > 0)
			return args->n_pos == n + (cmd->max & ~CTL_REST);
	}
	return false;
}

static int
sort_words(
    struct ctl_args *args, const struct ctl_cmd *table, int argc, char **argv, char why[static 256])
{
	bool options = true;
	int err;

	for (int i = 1; i < argc; i++) {
		if (rest_begins(table, args)) {
			args->rest = argv + i + (options && strcmp(argv[i], "--") == 0);
			return FAB_OK;
		}
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
			if ((err = take_option(args, &i, argc, argv, why)) != FAB_OK)
				return err;
		} else if (args->n_pos == CTL_POS_MAX) {
			snprintf(why, 256, "more than %d words", CTL_POS_MAX);
			return FAB_EINVAL;
		} else {
			args->pos[args->n_pos++] = argv[i];
		}
	}
	return FAB_OK;
}

const struct ctl_cmd *
ctl_args_verb(const struct ctl_cmd *table, struct ctl_args *args)
{
	for (const struct ctl_cmd *cmd = table; cmd->words != NULL; cmd++) {
		unsigned n = verb_matches(cmd->words, args);

		if (n == 0)
			continue;
		args->n_pos -= n;
		memmove(args->pos, args->pos + n, args->n_pos * sizeof(args->pos[0]));
		return cmd;
	}
	return NULL;
}

int
ctl_args_parse(const struct ctl_cmd **out, struct ctl_args *args, const struct ctl_cmd *table,
    int argc, char **argv, char why[static 256])
{
	const struct ctl_cmd *cmd;
	int err;

	*args = (struct ctl_args){ 0 };
	*out = NULL;
	if ((err = sort_words(args, table, argc, argv, why)) != FAB_OK || args->n_pos == 0)
		return err;
	if ((cmd = ctl_args_verb(table, args)) == NULL) {
		snprintf(why, 256, "unknown verb '%.60s%s%.60s'; 'fabctl help' lists them",
		    args->pos[0], args->n_pos > 1 ? " " : "", args->n_pos > 1 ? args->pos[1] : "");
		return FAB_EINVAL;
	}
	if ((cmd->opts & CTL_BIT(CTL_OPT_DIR)) != 0 && args->opt[CTL_OPT_OUTPUT] != NULL) {
		args->opt[CTL_OPT_DIR] = args->opt[CTL_OPT_OUTPUT];
		args->opt[CTL_OPT_OUTPUT] = NULL;
	}
	for (int i = 0; i < CTL_OPT_COUNT; i++) {
		if (args->opt[i] != NULL && ((cmd->opts | GLOBAL_OPTS) & CTL_BIT(i)) == 0) {
			snprintf(why, 256, "'%s' does not take --%s", cmd->words, opts[i].name);
			return FAB_EINVAL;
		}
	}
	if (args->opt[CTL_OPT_HELP] == NULL &&
	    (args->n_pos < cmd->min || args->n_pos > (cmd->max & ~CTL_REST) ||
		((cmd->max & CTL_REST) != 0 && (args->rest == NULL || args->rest[0] == NULL)))) {
		snprintf(why, 256, "usage: fabctl %s%s%s", cmd->words,
		    cmd->usage[0] != '\0' ? " " : "", cmd->usage);
		return FAB_EINVAL;
	}
	*out = cmd;
	return FAB_OK;
}

int
ctl_duration_ms(uint32_t *out, const char *text)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	unsigned long v;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return FAB_EINVAL;
	v = strtoul(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (v > 86400000 / units[i].ms)
			return FAB_EINVAL;
		*out = (uint32_t)(v * units[i].ms);
		return FAB_OK;
	}
	return FAB_EINVAL;
}

static void
usage_options(FILE *fp, uint64_t mask)
{
	char text[64];

	for (int i = 0; i < CTL_OPT_COUNT; i++) {
		if ((mask & CTL_BIT(i)) == 0)
			continue;
		snprintf(text, sizeof(text), "%c%c%s --%s%s%s", opts[i].letter != 0 ? '-' : ' ',
		    opts[i].letter != 0 ? opts[i].letter : ' ', opts[i].letter != 0 ? "," : " ",
		    opts[i].name, opts[i].value != NULL ? " " : "",
		    opts[i].value != NULL ? opts[i].value : "");
		fprintf(fp, "  %-30s %s\n", text, opts[i].help);
	}
}

void
ctl_usage(FILE *fp, const struct ctl_cmd *table)
{
	char text[128];

	fprintf(fp, "Usage: fabctl [-o table|json|yaml] [--url URL] VERB ...\n\n");
	for (const struct ctl_cmd *cmd = table; cmd->words != NULL; cmd++) {
		snprintf(text, sizeof(text), "%s %s", cmd->words, cmd->usage);
		fprintf(fp, "  %-41s %s\n", text, cmd->help);
	}
	fprintf(fp, "\n");
	usage_options(fp, GLOBAL_OPTS);
	fprintf(fp,
	    "\nExit: 0 done, 1 the answer is no, 2 usage, 3 cannot reach the fabric, 4 refused.\n");
}

void
ctl_usage_verb(FILE *fp, const struct ctl_cmd *cmd)
{
	fprintf(fp, "Usage: fabctl %s%s%s\n\n%s\n\n", cmd->words, cmd->usage[0] != '\0' ? " " : "",
	    cmd->usage, cmd->help);
	usage_options(fp, GLOBAL_OPTS | cmd->opts);
}
