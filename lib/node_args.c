/*
 * The command line that all node daemons share.
 */
#include "lib/err.h"
#include "lib/log.h"
#include "lib/node.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 63

enum {
	OPT_FABRIC = 1,
	OPT_NAME,
	OPT_LISTEN,
	OPT_ROLE,
	OPT_OWN, /* and as many more as the daemon has */
};

static const struct option node_long_options[] = {
	{ "fabric", required_argument, NULL, OPT_FABRIC },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "role", required_argument, NULL, OPT_ROLE },
};
#define N_OPTIONS (sizeof(node_long_options) / sizeof(node_long_options[0]))

/* What is parsed, and for which daemon. */
struct parse {
	struct node_options *o;
	const struct node_ops *ops;
};

static void
print_help(const void *ctx)
{
	const struct parse *p = ctx;
	const struct node_ops *ops = p->ops;

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
	for (const struct node_own_option *own = ops->options; own != NULL && own->name; own++)
		printf("  --%s %-*s %s\n", own->name, 15 - (int)strlen(own->name), own->value,
		    own->help);
	printf(FAB_ARGS_HELP);
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

static int
complain(const struct node_ops *ops, const char *what, const char *value)
{
	return fab_args_complain(ops->program, what, value);
}

static int
check(const struct node_options *o, const struct node_ops *ops)
{
	if (o->fabric_url == NULL || o->name == NULL)
		return complain(ops, "--fabric URL and --name NAME are required", NULL);
	if (!name_is_valid(o->name))
		return complain(ops, "--name takes up to 63 of A-Z a-z 0-9 . _ -", o->name);
	if (ops->roles != NULL && o->role == NULL)
		return complain(ops, "--role ROLE is required", NULL);
	if (o->role != NULL && !role_is_valid(ops, o->role))
		return complain(ops, "unknown --role", o->role);
	if (fab_args_check_url(&o->args, o->fabric_url) != FAB_OK)
		return FAB_EINVAL;
	return o->listen_url != NULL ? fab_args_check_url(&o->args, o->listen_url) : FAB_OK;
}

static int
take(void *ctx, int opt, const char *value)
{
	const struct parse *p = ctx;

	switch (opt) {
	case OPT_FABRIC:
		p->o->fabric_url = value;
		break;
	case OPT_NAME:
		p->o->name = value;
		break;
	case OPT_LISTEN:
		p->o->listen_url = value;
		break;
	case OPT_ROLE:
		p->o->role = value;
		break;
	default:
		p->o->own[opt - OPT_OWN] = value;
		break;
	}
	return FAB_OK;
}

/* Those of all nodes, then the daemon's own. */
static void
join_options(struct option out[static N_OPTIONS + NODE_OWN_MAX + 1], const struct node_ops *ops)
{
	size_t n = 0;

	memcpy(out, node_long_options, sizeof(node_long_options));
	for (; ops->options != NULL && ops->options[n].name != NULL; n++) {
		FAB_ASSERT(n < NODE_OWN_MAX);
		out[N_OPTIONS + n] = (struct option){ ops->options[n].name, required_argument, NULL,
			OPT_OWN + (int)n };
	}
	out[N_OPTIONS + n] = (struct option){ 0 };
}

enum fab_args_verdict
node_parse(struct node_options *out, int argc, char **argv, const struct node_ops *ops)
{
	struct option options[N_OPTIONS + NODE_OWN_MAX + 1];
	const struct fab_args_own own = { ops->program, options, take, print_help };
	struct node_options o = { 0 };
	struct parse p = { &o, ops };
	enum fab_args_verdict v;

	join_options(options, ops);
	v = fab_args_parse(&o.args, &own, &p, argc, argv);
	if (v != FAB_ARGS_RUN)
		return v;
	if (check(&o, ops) != FAB_OK)
		return FAB_ARGS_EXIT_USAGE;
	fab_log_init(o.name, o.args.level);
	*out = o;
	return FAB_ARGS_RUN;
}
