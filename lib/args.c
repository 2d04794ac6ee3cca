/*
 * The command line of a daemon (see args.h).
 */
#include "lib/args.h"

#include "lib/err.h"
#include "lib/version.h"

#include <stdio.h>
#include <string.h>

enum {
	OPT_TLS_CERT = FAB_ARGS_OWN,
	OPT_TLS_KEY,
	OPT_TLS_CA,
	OPT_INSECURE,
	OPT_LOG_LEVEL,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option shared[] = {
	{ "tls-cert", required_argument, NULL, OPT_TLS_CERT },
	{ "tls-key", required_argument, NULL, OPT_TLS_KEY },
	{ "tls-ca", required_argument, NULL, OPT_TLS_CA },
	{ "insecure", no_argument, NULL, OPT_INSECURE },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};
#define SHARED_MAX (sizeof(shared) / sizeof(shared[0])) /* with the row that ends them */

static int
take_shared(struct fab_args *a, int opt, const char *value)
{
	switch (opt) {
	case OPT_TLS_CERT:
		a->tls.cert = value;
		break;
	case OPT_TLS_KEY:
		a->tls.key = value;
		break;
	case OPT_TLS_CA:
		a->tls.ca = value;
		break;
	case OPT_INSECURE:
		a->insecure = true;
		break;
	case OPT_LOG_LEVEL:
		if (fab_log_level_parse(&a->level, value) != FAB_OK)
			return fab_args_complain(
			    a->program, "--log-level is error, warn, info or debug", value);
		break;
	}
	return FAB_OK;
}

/* The daemon's own options, then the shared ones. */
static void
join_tables(struct option all[static FAB_ARGS_OWN_MAX + SHARED_MAX], const struct option *own)
{
	size_t n = 0;

	for (; own[n].name != NULL; n++) {
		FAB_ASSERT(n < FAB_ARGS_OWN_MAX && own[n].val > 0 && own[n].val < FAB_ARGS_OWN);
		all[n] = own[n];
	}
	memcpy(all + n, shared, sizeof(shared));
}

enum fab_args_verdict
fab_args_parse(
    struct fab_args *out, const struct fab_args_own *own, void *ctx, int argc, char **argv)
{
	struct option all[FAB_ARGS_OWN_MAX + SHARED_MAX];
	int opt, err;

	*out = (struct fab_args){ .program = own->program, .level = FAB_LOG_INFO };
	join_tables(all, own->options);
	optind = 0; /* glibc: start anew, tests parse more than once */
	while ((opt = getopt_long(argc, argv, "", all, NULL)) != -1) {
		if (opt == OPT_HELP) {
			own->help(ctx);
			return FAB_ARGS_EXIT_OK;
		}
		if (opt == OPT_VERSION) {
			printf("%s %s\n", own->program, fab_version());
			return FAB_ARGS_EXIT_OK;
		}
		if (opt == '?') /* getopt has said why */
			return FAB_ARGS_EXIT_USAGE;
		err = opt < FAB_ARGS_OWN ? own->take(ctx, opt, optarg)
					 : take_shared(out, opt, optarg);
		if (err != FAB_OK)
			return FAB_ARGS_EXIT_USAGE;
	}
	if (optind < argc) {
		fab_args_complain(own->program, "unexpected argument", argv[optind]);
		return FAB_ARGS_EXIT_USAGE;
	}
	return FAB_ARGS_RUN;
}

const struct fab_tls *
fab_args_tls(const struct fab_args *a)
{
	return a->tls.cert != NULL || a->tls.key != NULL || a->tls.ca != NULL ? &a->tls : NULL;
}

/* Static text, or NULL when url may be used. */
static const char *
url_objection(const struct fab_args *a, const char *url)
{
	switch (fab_conn_url_check(url, fab_args_tls(a), a->insecure)) {
	case FAB_OK:
		return NULL;
	case FAB_EPERM:
		return "plain TCP beyond loopback needs --insecure; better use tls+tcp://";
	case FAB_ENOENT:
		return "tls+tcp:// needs --tls-cert, --tls-key and --tls-ca";
	default:
		return "not a URL of the form ipc://PATH, tcp://HOST:PORT or "
		       "tls+tcp://HOST:PORT";
	}
}

int
fab_args_check_url(const struct fab_args *a, const char *url)
{
	const char *why = url_objection(a, url);

	return why == NULL ? FAB_OK : fab_args_complain(a->program, why, url);
}
