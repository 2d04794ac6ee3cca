/*
 * fabricd's command line (see fc_args.h).
 */
#include "fabricd/fc_args.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_LISTEN = 1,
	OPT_RUN_DIR,
	OPT_STORE,
	OPT_TOPOLOGY,
	OPT_TOPOLOGY_ENV,
	OPT_NODE_URL,
	OPT_BGP_URL,
	OPT_PACKETS,
	OPT_TIMING,
};

static const struct option options[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "topology", required_argument, NULL, OPT_TOPOLOGY },
	{ "topology-env", required_argument, NULL, OPT_TOPOLOGY_ENV },
	{ "node-url", required_argument, NULL, OPT_NODE_URL },
	{ "bgp-url", required_argument, NULL, OPT_BGP_URL },
	{ "packets", no_argument, NULL, OPT_PACKETS },
	{ "timing", required_argument, NULL, OPT_TIMING },
	{ NULL, 0, NULL, 0 },
};

static void
print_help(const void *ctx)
{
	(void)ctx;
	printf(
	    "Usage: fabricd --listen URL [OPTION]...\n\n"
	    "  --listen URL       where this process answers: ipc://PATH, tcp://HOST:PORT or\n"
	    "                     tls+tcp://HOST:PORT\n"
	    "  --run-dir DIR      sockets and store; default: the directory of --listen ipc://\n"
	    "  --store FILE       resources; default: RUN_DIR/fabric.db\n"
	    "  --topology FILE    applied at start if the store is empty\n"
	    "  --topology-env V   the same, but the text is in the environment variable V\n"
	    "  --timing PROFILE   azure or fast, whatever the topology says; the delays that it\n"
	    "                     sets itself stay\n"
	    "  --node-url T       how to call a node, %%s is its name; default: where the node\n"
	    "                     says that it listens\n"
	    "  --bgp-url T        where nodes listen for BGP; default: ipc://RUN_DIR/%%s.bgp\n"
	    "  --packets          NVAs stand in the network namespaces of their NICs: nvad\n"
	    "                     programs the kernel there\n");
	printf(FAB_ARGS_HELP);
	printf("\nExit codes: 0 clean stop, 2 usage, 3 cannot listen or open the store, 4 the\n"
	       "topology is refused.\n");
}

static int
complain(const char *what, const char *value)
{
	return fab_args_complain("fabricd", what, value);
}

/* One of the options' own copies; false if the value does not fit. */
static bool
keep(char buf[static PATH_MAX], const char *value)
{
	return (size_t)snprintf(buf, PATH_MAX, "%s", value) < PATH_MAX;
}

static int
take(void *ctx, int opt, const char *value)
{
	struct fc_options *o = ctx;
	bool ok = true;

	switch (opt) {
	case OPT_LISTEN:
		o->listen_url = value;
		break;
	case OPT_RUN_DIR:
		ok = keep(o->run_dir, value);
		break;
	case OPT_STORE:
		ok = keep(o->store, value);
		break;
	case OPT_TOPOLOGY:
		o->topology = value;
		break;
	case OPT_TOPOLOGY_ENV:
		if ((o->topology_text = getenv(value)) == NULL)
			return complain("--topology-env: there is no such variable", value);
		o->topology = value;
		break;
	case OPT_NODE_URL:
		ok = keep(o->node_url, value);
		break;
	case OPT_BGP_URL:
		ok = keep(o->bgp_url, value);
		break;
	case OPT_PACKETS:
		o->packets = true;
		break;
	case OPT_TIMING:
		o->timing = value;
		break;
	}
	return ok ? FAB_OK : complain("value too long", value);
}

static int
check_listen(const struct fc_options *o)
{
	if (o->listen_url == NULL)
		return complain("--listen URL is required", NULL);
	if (strlen(o->listen_url) >= FC_URL_MAX)
		return complain("URL too long", o->listen_url);
	return fab_args_check_url(&o->args, o->listen_url);
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

static const struct fab_args_own own = {
	.program = "fabricd",
	.options = options,
	.take = take,
	.help = print_help,
};

enum fab_args_verdict
fc_args_parse(struct fc_options *out, int argc, char **argv)
{
	struct fc_options o = { 0 };
	enum fab_args_verdict v = fab_args_parse(&o.args, &own, &o, argc, argv);

	if (v != FAB_ARGS_RUN)
		return v;
	if (check_listen(&o) != FAB_OK || fill_in(&o) != FAB_OK)
		return FAB_ARGS_EXIT_USAGE;
	*out = o;
	return FAB_ARGS_RUN;
}
