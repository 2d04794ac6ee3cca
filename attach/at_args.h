#ifndef ATTACH_AT_ARGS_H
#define ATTACH_AT_ARGS_H
/*
 * The command line of fabattach, and the list file that says which guests to make.
 */
#include "attach/at_make.h"

#include <stdbool.h>
#include <stddef.h>

#define AT_LIST_MAX (4u << 20) /* octets of a list file */

struct at_args {
	bool userns; /* --make in a user namespace of its own */
	const char *socket;
	const char *name;  /* the guest that we are in; NULL with make */
	const char *iface; /* with name: NULL, or what its interface is to be called */
	char **command;    /* with name: NULL, or what to run when it is plugged in; of argv */
	const char *make;  /* directory; NULL with name */
	const char *plain; /* with make: NULL, or a namespace beside the guests */
	const char *list;  /* file; NULL: guests are on the command line */
	struct at_wanted *guests;
	size_t n_guests;
	char *text; /* of the list file; the names are in it */
};

enum at_verdict { AT_RUN, AT_EXIT_OK, AT_EXIT_NO, AT_EXIT_USAGE };

/* Prints help, version or one line about what is wrong. With AT_RUN at_args_fini() is due. */
enum at_verdict at_args_parse(struct at_args *out, int argc, char **argv);
void at_args_fini(struct at_args *args);

/* Reads the list file anew: a guest a line, "NAME" or "NAME router", each with "off". On failure,
 * which why[] tells, args are as they were. FAB_EINVAL, FAB_ETOOBIG, FAB_EIO. */
int at_args_reload(struct at_args *args, char why[static 192]);
/* The same from memory; text is NUL-terminated, written to, and must outlive *out. malloc()ed. */
int at_list_parse(struct at_wanted **out, size_t *n, char *text, char why[static 192]);

#endif
