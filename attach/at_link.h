#ifndef ATTACH_AT_LINK_H
#define ATTACH_AT_LINK_H
/*
 * One guest's connection to vswitchd. It says hello, keeps the TAP that comes back, if any, and
 * when vswitchd goes it tries again for ever, with pauses that grow, and offers the TAP to the next
 * one. A TAP that vswitchd asks for is made where the namespace is another one than ours.
 */
#include <stdbool.h>

#define AT_RETRY_MIN_MS 20
#define AT_RETRY_MAX_MS 1000

struct fab_loop;
struct at_link;

struct at_link_conf {
	struct fab_loop *loop;
	const char *path;         /* of vswitchd's socket; borrowed */
	const char *name;         /* copied */
	const char *iface;        /* of its interface; borrowed; NULL: ATTACH_IFACE */
	int netns;                /* of the guest; borrowed */
	int home;                 /* to come back by; < 0: we are in the guest's namespace */
	void (*found)(void *ctx); /* vswitchd answers again; may be NULL */
	void *ctx;
};

/* Tries at once, and goes on in the background. FAB_EINVAL: no proper name; FAB_ENOMEM. */
int at_link_new(struct at_link **out, const struct at_link_conf *conf);
/* Somebody else has found vswitchd: tries at once, if it is not connected. */
void at_link_hurry(struct at_link *l);
/* Pulls the plug: the interface goes with the last who holds the TAP. NULL is fine. */
void at_link_free(struct at_link *l);

#endif
