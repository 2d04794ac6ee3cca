#ifndef FABRICD_FC_ARGS_H
#define FABRICD_FC_ARGS_H
/*
 * fabricd's command line.
 */
#include "fabricd/fc_url.h"
#include "lib/args.h"

#include <limits.h>

struct fc_options {
	const char *listen_url;
	const char *topology; /* a file, or the variable that topology_text is of; NULL: none */
	const char *topology_text; /* NULL: topology is a file */
	const char *timing;        /* NULL if not given */
	bool packets;
	struct fab_args args;
	/* Filled in from the listen URL where not given. */
	char run_dir[PATH_MAX], store[PATH_MAX];
	char node_url[PATH_MAX], bgp_url[PATH_MAX]; /* node_url "": where nodes say they listen */
};

/* Prints help, version, or one line about what is wrong. Strings of out may point into argv. */
enum fab_args_verdict fc_args_parse(struct fc_options *out, int argc, char **argv);

#endif
