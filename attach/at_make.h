#ifndef ATTACH_AT_MAKE_H
#define ATTACH_AT_MAKE_H
/*
 * Guests of a local fabric: a network namespace for each name, kept as long as this process lives,
 * plugged in (at_link.h), and to be found as DIR/NAME, a link to a descriptor of this process:
 * `nsenter --net=DIR/vm11` works. No files are mounted, so nothing is left behind even by kill -9
 * but dead links.
 */
#include <stdbool.h>
#include <stddef.h>

#define AT_GUESTS_MAX 16384

struct fab_loop;
struct at_make;

struct at_wanted {
	const char *name;
	bool router;
	bool off; /* a machine without power: it is not there until a list says otherwise */
};

/* Makes dir if it is not there. FAB_EPERM, FAB_EIO: why[] says what. loop and path are borrowed. */
int at_make_new(struct at_make **out, struct fab_loop *loop, const char *path, const char *dir,
    char why[static 192]);
/* Removes the links, and dir if it is empty then. NULL is fine. */
void at_make_free(struct at_make *m);

/* A namespace that is no guest's and is not plugged in, DIR/NAME too: where vswitchd stands. It
 * stays. */
int at_make_plain(struct at_make *m, const char *name, char why[static 192]);
/* From now on these guests and no others: makes what is missing, lets go what is not wanted any
 * more or is off, leaves the rest alone. A guest that goes loses its link first, so that what still
 * lives in it can say goodbye to nobody; when DIR/NAME has gone that has happened. On failure those
 * that were made stay. FAB_EINVAL: a name; FAB_ETOOBIG: more than AT_GUESTS_MAX. */
int at_make_set(struct at_make *m, const struct at_wanted *wanted, size_t n, char why[static 192]);

#endif
