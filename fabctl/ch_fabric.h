#ifndef FABCTL_CH_FABRIC_H
#define FABCTL_CH_FABRIC_H
/*
 * A fabric of chaos' own, and what is asked of it. It is broken and repaired by the command lines
 * that a user would take (sc_call.h); who reaches whom is followed by one stream.
 */
#include "fabctl/ch_judge.h"
#include "fabctl/ch_watch.h"
#include "fabctl/ctl.h"

#include <jansson.h>

struct ch_fabric {
	const struct topo *t;
	const char *topology; /* absolute path */
	const char *packets;  /* "auto", "on", "off" */
	char top[64], run_dir[80];
	struct ctl c;
	struct fab_rpc_sub *sub;
	struct ch_watch *watch;
	bool known;     /* a whole snapshot has come */
	bool timed_out; /* what was waited for last did not come */
	char why[512];
};

/* All return false with why. place makes top, an empty directory; up starts the fabric in it; down
 * ends it and takes the directory away. */
bool ch_fabric_place(struct ch_fabric *f);
bool ch_fabric_up(struct ch_fabric *f);
void ch_fabric_down(struct ch_fabric *f);
/* The same for whoever only knows where it is. */
void ch_fabric_clear(const char *top);

/* Goes on for that time, with ears open. */
void ch_fabric_pass(struct ch_fabric *f, uint32_t ms);

/* A command line that must succeed. */
bool ch_fabric_do(struct ch_fabric *f, const char *const *words);
bool ch_fabric_wait(struct ch_fabric *f, const char *condition, uint32_t timeout_ms);

/* Everything that can be broken, fabricd among it; malloc()ed. */
bool ch_fabric_elements(struct ch_fabric *f, struct ch_element **out, size_t *n);
/* {"vm11 0.0.0.0/0 User": "Active VirtualAppliance 10.1.2.4"} of all NICs; the caller's. NULL: why.
 */
json_t *ch_fabric_routes(struct ch_fabric *f);
/* malloc()ed. When it returns, the watch knows all that fabricd knew when it was asked. */
bool ch_fabric_stale(struct ch_fabric *f, struct ch_stale **out, size_t *n);
/* From the first fault since then to the first peer that noticed, and to the last route that
 * changed; -1: nobody, none. */
void ch_fabric_times(
    struct ch_fabric *f, uint64_t since_us, int64_t *detect_us, int64_t *converge_us);

#endif
