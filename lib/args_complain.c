/* Apart from args.c: who only complains needs no transport. */
#include "lib/args.h"
#include "lib/err.h"

#include <stdio.h>

int
fab_args_complain(const char *program, const char *what, const char *value)
{
	fprintf(stderr, "%s: %s%s%s (see %s --help)\n", program, what, value != NULL ? ": " : "",
	    value != NULL ? value : "", program);
	return FAB_EINVAL;
}
