#include "attach/at_args.h"

#include "attach/at_guest.h"
#include "attach/at_netns.h"
#include "lib/args.h"
#include "lib/attach.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/version.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_SOCKET = 256,
	OPT_NAME,
	OPT_INTERFACE,
	OPT_IS_UP,
	OPT_MAKE,
	OPT_LIST,
	OPT_PLAIN,
	OPT_ROUTER,
	OPT_USERNS,
	OPT_LOG_LEVEL,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "interface", required_argument, NULL, OPT_INTERFACE },
	{ "is-up", required_argument, NULL, OPT_IS_UP },
	{ "make", required_argument, NULL, OPT_MAKE },
	{ "list", required_argument, NULL, OPT_LIST },
	{ "plain", required_argument, NULL, OPT_PLAIN },
	{ "router", required_argument, NULL, OPT_ROUTER },
	{ "userns", no_argument, NULL, OPT_USERNS },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static void
print_help(void)
{
	printf(
	    "Usage: fabattach --socket PATH --name NAME [--interface NAME] [-- COMMAND...]\n"
	    "       fabattach --socket PATH --make DIR [--list FILE] [--router NAME]... "
	    "[NAME]...\n"
	    "       fabattach --is-up INTERFACE\n\n"
	    "  --socket PATH      where vswitchd takes guests\n"
	    "  --name NAME        plug in the network namespace that this process is in; once\n"
	    "                     that has happened, become COMMAND and stay plugged in as long\n"
	    "                     as it runs\n"
	    "  --interface NAME   with --name: what the interface is called (eth0)\n"
	    "  --is-up INTERFACE  exit 0 if there is such an interface and it is up, else 1\n"
	    "  --make DIR         make a network namespace for each guest; DIR/NAME leads to it\n"
	    "  --list FILE        guests, a line each: \"NAME [router] [off]\"; read\n"
	    "                     again on SIGHUP\n"
	    "  --plain NAME       make a namespace for vswitchd too: no guest, not plugged in\n"
	    "  --router NAME      a guest that forwards packets\n"
	    "  --userns           with --make: in a user namespace of its own, without root\n"
	    "  --log-level LEVEL  error, warn, info (default) or debug\n"
	    "  --help, --version\n");
}

static int
complain(const char *what, const char *value)
{
	return fab_args_complain("fabattach", what, value);
}

/* ---- list file ---- */

/* Each at most once, in this order. */
static bool
list_word(struct at_wanted *w, const char *word)
{
	if (strcmp(word, "router") == 0 && !w->router && !w->off)
		return w->router = true;
	return strcmp(word, "off") == 0 && !w->off && (w->off = true);
}

static int
list_line(struct at_wanted *out, char *line, unsigned number, char why[static AT_WHY_MAX])
{
	char *save = NULL, *name = strtok_r(line, " \t\r", &save);
	struct at_wanted w = { .name = name };
	bool good;

	if (name == NULL)
		return FAB_ENOENT;
	good = attach_name_check(name) == FAB_OK;
	for (char *word; good && (word = strtok_r(NULL, " \t\r", &save)) != NULL;)
		good = list_word(&w, word);
	if (!good) {
		snprintf(why, AT_WHY_MAX, "line %u is not NAME [router] [off]", number);
		return FAB_EINVAL;
	}
	*out = w;
	return FAB_OK;
}

int
at_list_parse(struct at_wanted **out, size_t *n_out, char *text, char why[static AT_WHY_MAX])
{
	size_t lines = 1, n = 0;
	unsigned number = 0;
	struct at_wanted *v;

	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	if ((v = calloc(lines, sizeof(*v))) == NULL) {
		snprintf(why, AT_WHY_MAX, "out of memory");
		return FAB_ENOMEM;
	}
	for (char *line; (line = strsep(&text, "\n")) != NULL;) {
		int err = list_line(&v[n], line, ++number, why);

		if (err == FAB_OK)
			n++;
		else if (err != FAB_ENOENT) {
			free(v);
			return err;
		}
	}
	*out = v;
	*n_out = n;
	return FAB_OK;
}

static int
list_read(char **out, const char *path, char why[static AT_WHY_MAX])
{
	FILE *fp = fopen(path, "re");
	char *text = malloc(AT_LIST_MAX + 1);
	int err = FAB_OK;
	size_t n;

	if (fp == NULL || text == NULL) {
		err = fab_err_from_errno(errno);
		snprintf(why, AT_WHY_MAX, "cannot read %.100s: %s", path, strerror(errno));
	} else if ((n = fread(text, 1, AT_LIST_MAX + 1, fp)) > AT_LIST_MAX || ferror(fp)) {
		err = n > AT_LIST_MAX ? FAB_ETOOBIG : FAB_EIO;
		snprintf(why, AT_WHY_MAX, "cannot read %.100s, or it is too large", path);
	} else {
		text[n] = '\0';
		*out = text;
		text = NULL;
	}
	if (fp != NULL)
		fclose(fp);
	free(text);
	return err;
}

int
at_args_reload(struct at_args *args, char why[static AT_WHY_MAX])
{
	struct at_wanted *v;
	char *text = NULL;
	size_t n;
	int err;

	if ((err = list_read(&text, args->list, why)) != FAB_OK)
		return err;
	if ((err = at_list_parse(&v, &n, text, why)) != FAB_OK) {
		free(text);
		return err;
	}
	at_args_fini(args);
	args->guests = v;
	args->n_guests = n;
	args->text = text;
	return FAB_OK;
}

/* ---- command line ---- */

static enum at_verdict
take(struct at_args *a, const char **level, int opt)
{
	switch (opt) {
	case OPT_SOCKET:
		a->socket = optarg;
		break;
	case OPT_NAME:
		a->name = optarg;
		break;
	case OPT_INTERFACE:
		a->iface = optarg;
		break;
	case OPT_IS_UP:
		return at_guest_is_up(optarg) ? AT_EXIT_OK : AT_EXIT_NO;
	case OPT_MAKE:
		a->make = optarg;
		break;
	case OPT_LIST:
		a->list = optarg;
		break;
	case OPT_PLAIN:
		a->plain = optarg;
		break;
	case OPT_ROUTER:
		a->guests[a->n_guests++] = (struct at_wanted){ .name = optarg, .router = true };
		break;
	case OPT_USERNS:
		a->userns = true;
		break;
	case OPT_LOG_LEVEL:
		*level = optarg;
		break;
	case OPT_HELP:
		print_help();
		return AT_EXIT_OK;
	case OPT_VERSION:
		printf("fabattach %s\n", fab_version());
		return AT_EXIT_OK;
	default:
		return AT_EXIT_USAGE; /* getopt has said why */
	}
	return AT_RUN;
}

static int
check(const struct at_args *a, const char *level)
{
	enum fab_log_level l = FAB_LOG_INFO;

	if (a->socket == NULL)
		return complain("--socket PATH is required", NULL);
	if ((a->name == NULL) == (a->make == NULL))
		return complain("either --name NAME or --make DIR is required", NULL);
	if (a->name != NULL && (a->n_guests > 0 || a->list != NULL))
		return complain("with --name there is one guest; a command goes behind --", NULL);
	if (a->name == NULL && (a->command != NULL || a->iface != NULL))
		return complain("a command and --interface go with --name", NULL);
	if (a->iface != NULL && attach_iface_check(a->iface) != FAB_OK)
		return complain("not a name of an interface", a->iface);
	if (a->list != NULL && a->n_guests > 0)
		return complain("guests are either in --list FILE or on the command line", NULL);
	if (a->plain != NULL && (a->make == NULL || attach_name_check(a->plain) != FAB_OK))
		return complain("--plain NAME goes with --make", a->plain);
	if (a->name != NULL && a->userns)
		return complain("--userns is for --make", NULL);
	if (a->make != NULL && a->list == NULL && a->n_guests == 0)
		return complain("no guest named", NULL);
	if (a->name != NULL && attach_name_check(a->name) != FAB_OK)
		return complain("not a name", a->name);
	if (level != NULL && fab_log_level_parse(&l, level) != FAB_OK)
		return complain("--log-level is error, warn, info or debug", level);
	fab_log_init(a->name != NULL ? a->name : "fabattach", l);
	return FAB_OK;
}

enum at_verdict
at_args_parse(struct at_args *out, int argc, char **argv)
{
	struct at_args a = { .guests = calloc((size_t)argc, sizeof(struct at_wanted)) };
	enum at_verdict v = AT_RUN;
	const char *level = NULL;
	char why[AT_WHY_MAX];
	int opt;

	FAB_ASSERT(a.guests != NULL);
	optind = 0; /* glibc: start over, whoever parsed before */
	while (v == AT_RUN && (opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		v = take(&a, &level, opt);
	if (v == AT_RUN && optind < argc && strcmp(argv[optind - 1], "--") == 0) {
		a.command = &argv[optind];
		optind = argc;
	}
	while (v == AT_RUN && optind < argc)
		a.guests[a.n_guests++] = (struct at_wanted){ .name = argv[optind++] };
	if (v == AT_RUN && check(&a, level) != FAB_OK)
		v = AT_EXIT_USAGE;
	if (v == AT_RUN && a.list != NULL && at_args_reload(&a, why) != FAB_OK) {
		complain(why, a.list);
		v = AT_EXIT_USAGE;
	}
	if (v == AT_RUN)
		*out = a;
	else
		at_args_fini(&a);
	return v;
}

void
at_args_fini(struct at_args *args)
{
	free(args->guests);
	free(args->text);
	args->guests = NULL;
	args->text = NULL;
	args->n_guests = 0;
}
