/*
 * The command line that all node daemons share.
 */
#include "lib/err.h"
#include "lib/log.h"
#include "lib/node.h"
#include "lib/version.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 63

enum {
	OPT_FABRIC = 256,
	OPT_NAME,
	OPT_LISTEN,
	OPT_ROLE,
	OPT_TLS_CERT,
	OPT_TLS_KEY,
	OPT_TLS_CA,
	OPT_INSECURE,
	OPT_LOG_LEVEL,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "fabric", required_argument, NULL, OPT_FABRIC },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "role", required_argument, NULL, OPT_ROLE },
	{ "tls-cert", required_argument, NULL, OPT_TLS_CERT },
	{ "tls-key", required_argument, NULL, OPT_TLS_KEY },
	{ "tls-ca", required_argument, NULL, OPT_TLS_CA },
	{ "insecure", no_argument, NULL, OPT_INSECURE },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static void
print_help(const struct node_ops *ops)
{
	printf("Usage: %s --fabric URL --name NAME [--listen URL]", ops->program);
	for (size_t i = 0; ops->roles != NULL && ops->roles[i] != NULL; i++)
		printf("%s%s", i == 0 ? " --role {" : "|", ops->roles[i]);
	printf("%s [OPTION]...\n\n", ops->roles != NULL ? "}" : "");
	printf("  --fabric URL       where fabricd listens: ipc://PATH, tcp://HOST:PORT or\n"
	       "                     tls+tcp://HOST:PORT\n"
	       "  --name NAME        which node of the fabric this process is\n"
	       "  --listen URL       where this process answers Node and Speaker calls\n");
	if (ops->roles != NULL)
		printf("  --role ROLE        what this process plays\n");
	printf("  --tls-cert FILE    certificate of this process (PEM)\n"
	       "  --tls-key FILE     its private key\n"
	       "  --tls-ca FILE      who must have signed the other side's certificate\n"
	       "  --insecure         allow plain TCP beyond loopback\n"
	       "  --log-level LEVEL  error, warn, info (default) or debug\n"
	       "  --help, --version\n");
}

static bool
name_is_valid(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && strchr("._-", name[i]) == NULL)
			return false;
	return len > 0 && len <= NAME_MAX_LEN;
}

static bool
role_is_valid(const struct node_ops *ops, const char *role)
{
	for (size_t i = 0; ops->roles != NULL && ops->roles[i] != NULL; i++)
		if (strcmp(ops->roles[i], role) == 0)
			return true;
	return false;
}

/* Static text, or NULL when url may be used. */
static const char *
url_objection(const struct node_options *o, const char *url)
{
	switch (fab_conn_url_check(url, o->has_tls ? &o->tls : NULL, o->insecure)) {
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

static int
complain(const struct node_ops *ops, const char *what, const char *value)
{
	fprintf(stderr, "%s: %s%s%s (see %s --help)\n", ops->program, what,
	    value != NULL ? ": " : "", value != NULL ? value : "", ops->program);
	return FAB_EINVAL;
}

static int
check(const struct node_options *o, const char *level, const struct node_ops *ops)
{
	enum fab_log_level l = FAB_LOG_INFO;
	const char *why;

	if (o->fabric_url == NULL || o->name == NULL)
		return complain(ops, "--fabric URL and --name NAME are required", NULL);
	if (!name_is_valid(o->name))
		return complain(ops, "--name takes up to 63 of A-Z a-z 0-9 . _ -", o->name);
	if (ops->roles != NULL && o->role == NULL)
		return complain(ops, "--role ROLE is required", NULL);
	if (o->role != NULL && !role_is_valid(ops, o->role))
		return complain(ops, "unknown --role", o->role);
	if (level != NULL && fab_log_level_parse(&l, level) != FAB_OK)
		return complain(ops, "--log-level is error, warn, info or debug", level);
	if ((why = url_objection(o, o->fabric_url)) != NULL)
		return complain(ops, why, o->fabric_url);
	if (o->listen_url != NULL && (why = url_objection(o, o->listen_url)) != NULL)
		return complain(ops, why, o->listen_url);
	fab_log_init(o->name, l);
	return FAB_OK;
}

static enum node_verdict
take(struct node_options *o, const char **level, int opt, const struct node_ops *ops)
{
	switch (opt) {
	case OPT_FABRIC:
		o->fabric_url = optarg;
		break;
	case OPT_NAME:
		o->name = optarg;
		break;
	case OPT_LISTEN:
		o->listen_url = optarg;
		break;
	case OPT_ROLE:
		o->role = optarg;
		break;
	case OPT_TLS_CERT:
		o->tls.cert = optarg;
		break;
	case OPT_TLS_KEY:
		o->tls.key = optarg;
		break;
	case OPT_TLS_CA:
		o->tls.ca = optarg;
		break;
	case OPT_INSECURE:
		o->insecure = true;
		break;
	case OPT_LOG_LEVEL:
		*level = optarg;
		break;
	case OPT_HELP:
		print_help(ops);
		return NODE_EXIT_OK;
	case OPT_VERSION:
		printf("%s %s\n", ops->program, fab_version());
		return NODE_EXIT_OK;
	default:
		return NODE_EXIT_USAGE; /* getopt has said why */
	}
	return NODE_RUN;
}

enum node_verdict
node_parse(struct node_options *out, int argc, char **argv, const struct node_ops *ops)
{
	struct node_options o = { 0 };
	const char *level = NULL;
	enum node_verdict v;
	int opt;

	optind = 0; /* glibc: start over, whoever parsed before */
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if ((v = take(&o, &level, opt, ops)) != NODE_RUN)
			return v;
	if (optind < argc) {
		complain(ops, "unexpected argument", argv[optind]);
		return NODE_EXIT_USAGE;
	}
	o.has_tls = o.tls.cert != NULL || o.tls.key != NULL || o.tls.ca != NULL;
	if (check(&o, level, ops) != FAB_OK)
		return NODE_EXIT_USAGE;
	*out = o;
	return NODE_RUN;
}
