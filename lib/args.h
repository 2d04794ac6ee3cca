#ifndef LIB_ARGS_H
#define LIB_ARGS_H
/*
 * The command line of a daemon: long options only, each daemon's own and those that all of them
 * have: certificates, plain TCP, log level, help and version. What is wrong is said in one line on
 * standard error, "PROGRAM: WHAT: VALUE (see PROGRAM --help)".
 */
#include "lib/conn.h"
#include "lib/log.h"

#include <getopt.h>
#include <stdbool.h>

#define FAB_ARGS_OWN     256 /* values of a daemon's own options are below this, and above 0 */
#define FAB_ARGS_OWN_MAX 16  /* own options */

/* The options that all have; strings are those of argv. */
struct fab_args {
	const char *program;
	struct fab_tls tls; /* see fab_args_tls() */
	bool insecure;      /* plain TCP beyond loopback is allowed */
	enum fab_log_level level;
};

/* Lines of help for them, to stand last among the options. */
#define FAB_ARGS_HELP                                                                              \
	"  --tls-cert FILE    certificate of this process (PEM)\n"                                 \
	"  --tls-key FILE     its private key\n"                                                   \
	"  --tls-ca FILE      who must have signed the other side's certificate\n"                 \
	"  --insecure         allow plain TCP beyond loopback\n"                                   \
	"  --log-level LEVEL  error, warn, info (default) or debug\n"                              \
	"  --help, --version\n"

/* What a daemon adds. */
struct fab_args_own {
	const char *program;
	const struct option *options; /* at most FAB_ARGS_OWN_MAX, ended by a row of zeros */
	/* Keeps one of them; FAB_EINVAL after fab_args_complain(). value: NULL if it takes none. */
	int (*take)(void *ctx, int opt, const char *value);
	void (*help)(const void *ctx); /* prints all of it, FAB_ARGS_HELP included */
};

/* How a process goes on: it runs, or it has answered --help or --version, or it has complained. */
enum fab_args_verdict { FAB_ARGS_RUN, FAB_ARGS_EXIT_OK, FAB_ARGS_EXIT_USAGE };

/* out is filled in as far as it goes, whatever the verdict. ctx is for the functions of own. */
enum fab_args_verdict fab_args_parse(
    struct fab_args *out, const struct fab_args_own *own, void *ctx, int argc, char **argv);

/* The certificates; NULL if none were given. */
const struct fab_tls *fab_args_tls(const struct fab_args *a);
/* May this process use url? Complains and returns FAB_EINVAL if not. */
int fab_args_check_url(const struct fab_args *a, const char *url);
/* Prints the line; value may be NULL. Returns FAB_EINVAL. */
int fab_args_complain(const char *program, const char *what, const char *value);

#endif
