/*
 * fabricd's command line (see fc_args.h).
 */
#include "fabricd/fc_args.h"

#include "lib/err.h"
#include "lib/version.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
	OPT_LISTEN = 256,
	OPT_RUN_DIR,
	OPT_STORE,
	OPT_TOPOLOGY,
	OPT_NODE_URL,
	OPT_BGP_URL,
	OPT_TLS_CERT,
	OPT_TLS_KEY,
	OPT_TLS_CA,
	OPT_INSECURE,
	OPT_LOG_LEVEL,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "topology", required_argument, NULL, OPT_TOPOLOGY },
	{ "node-url", required_argument, NULL, OPT_NODE_URL },
	{ "bgp-url", required_argument, NULL, OPT_BGP_URL },
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
print_help(void)
{
	printf(
	    "Usage: fabricd --listen URL [OPTION]...\n\n"
	    "  --listen URL       where this process answers: ipc://PATH, tcp://HOST:PORT or\n"
	    "                     tls+tcp://HOST:PORT\n"
	    "  --run-dir DIR      sockets and store; default: the directory of --listen ipc://\n"
	    "  --store FILE       resources; default: RUN_DIR/fabric.db\n"
	    "  --topology FILE    applied at start if the store is empty\n"
	    "  --node-url T       how to call a node, %%s is its name; default: where the node\n"
	    "                     says that it listens\n"
	    "  --bgp-url T        where nodes listen for BGP; default: ipc://RUN_DIR/%%s.bgp\n"
	    "  --tls-cert FILE    certificate of this process (PEM)\n"
	    "  --tls-key FILE     its private key\n"
	    "  --tls-ca FILE      who must have signed the other side's certificate\n"
	    "  --insecure         allow plain TCP beyond loopback\n"
	    "  --log-level LEVEL  error, warn, info (default) or debug\n"
	    "  --help, --version\n\n"
	    "Exit codes: 0 clean stop, 2 usage, 3 cannot listen or open the store, 4 the topology\n"
	    "is refused.\n");
}

static int
complain(const char *what, const char *value)
{
	fprintf(stderr, "fabricd: %s%s%s (see fabricd --help)\n", what, value != NULL ? ": " : "",
	    value != NULL ? value : "");
	return FAB_EINVAL;
}

/* One of the options' own copies; false if the value does not fit. */
static bool
keep(char buf[static PATH_MAX], const char *value)
{
	return (size_t)snprintf(buf, PATH_MAX, "%s", value) < PATH_MAX;
}

static int
take(struct fc_options *o, int opt)
{
	bool ok = true;

	switch (opt) {
	case OPT_LISTEN:
		o->listen_url = optarg;
		break;
	case OPT_RUN_DIR:
		ok = keep(o->run_dir, optarg);
		break;
	case OPT_STORE:
		ok = keep(o->store, optarg);
		break;
	case OPT_TOPOLOGY:
		o->topology = optarg;
		break;
	case OPT_NODE_URL:
		ok = keep(o->node_url, optarg);
		break;
	case OPT_BGP_URL:
		ok = keep(o->bgp_url, optarg);
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
		if (fab_log_level_parse(&o->level, optarg) != FAB_OK)
			return complain("--log-level is error, warn, info or debug", optarg);
		break;
	}
	return ok ? FAB_OK : complain("value too long", optarg);
}

static int
check_listen(const struct fc_options *o)
{
	if (o->listen_url == NULL)
		return complain("--listen URL is required", NULL);
	if (strlen(o->listen_url) >= FC_URL_MAX)
		return complain("URL too long", o->listen_url);
	switch (fab_conn_url_check(o->listen_url, o->has_tls ? &o->tls : NULL, o->insecure)) {
	case FAB_OK:
		return FAB_OK;
	case FAB_EPERM:
		return complain("plain TCP beyond loopback needs --insecure; better use tls+tcp://",
		    o->listen_url);
	case FAB_ENOENT:
		return complain(
		    "tls+tcp:// needs --tls-cert, --tls-key and --tls-ca", o->listen_url);
	default:
		return complain("not a URL of the form ipc://PATH, tcp://HOST:PORT or "
				"tls+tcp://HOST:PORT",
		    o->listen_url);
	}
}

/* What was not said follows from where fabricd listens. */
static int
fill_in(struct fc_options *o)
{
	bool fits = true;

	if (o->run_dir[0] == '\0' &&
	    fc_url_run_dir(o->run_dir, sizeof(o->run_dir), o->listen_url) != FAB_OK)
		o->run_dir[0] = '\0';
	if (o->store[0] == '\0') {
		if (o->run_dir[0] == '\0')
			return complain(
			    "--store or --run-dir is required with this --listen", NULL);
		fits = (size_t)snprintf(o->store, sizeof(o->store), "%.*s/fabric.db", PATH_MAX - 32,
			   o->run_dir) < sizeof(o->store);
	}
	if (o->bgp_url[0] == '\0') {
		if (strncmp(o->listen_url, "ipc://", 6) != 0)
			return complain("--bgp-url is required with this --listen", NULL);
		fits &= (size_t)snprintf(o->bgp_url, sizeof(o->bgp_url), "ipc://%.*s/%%s.bgp",
			    PATH_MAX - 32, o->run_dir) < sizeof(o->bgp_url);
	}
	if (!fits)
		return complain("--run-dir is too long", o->run_dir);
	if (fc_url_check(o->bgp_url) != FAB_OK)
		return complain("--bgp-url is a URL with one %s", o->bgp_url);
	if (o->node_url[0] != '\0' && fc_url_check(o->node_url) != FAB_OK)
		return complain("--node-url is a URL with one %s", o->node_url);
	return FAB_OK;
}

enum fc_verdict_args
fc_args_parse(struct fc_options *out, int argc, char **argv)
{
	struct fc_options o = { .level = FAB_LOG_INFO };
	int opt;

	optind = 0; /* glibc: start anew, tests parse more than once */
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (opt == OPT_HELP) {
			print_help();
			return FC_ARGS_EXIT_OK;
		}
		if (opt == OPT_VERSION) {
			printf("fabricd %s\n", fab_version());
			return FC_ARGS_EXIT_OK;
		}
		if (opt == '?' || take(&o, opt) != FAB_OK)
			return FC_ARGS_EXIT_USAGE;
	}
	o.has_tls = o.tls.cert != NULL || o.tls.key != NULL || o.tls.ca != NULL;
	if (optind < argc) {
		complain("unexpected argument", argv[optind]);
		return FC_ARGS_EXIT_USAGE;
	}
	if (check_listen(&o) != FAB_OK || fill_in(&o) != FAB_OK)
		return FC_ARGS_EXIT_USAGE;
	*out = o;
	return FC_ARGS_RUN;
}
