#ifndef ATTACH_AT_LINK_H
#define ATTACH_AT_LINK_H
/*
 * One guest's connection to vswitchd. It says hello, keeps the TAP that comes back, and when
 * vswitchd goes it tries again for ever, with pauses that grow, and offers the TAP to the next one.
 */
#include <stdbool.h>

#define AT_RETRY_MIN_MS 20
#define AT_RETRY_MAX_MS 1000

struct fab_loop;
struct at_link;

struct at_link_conf {
	struct fab_loop *loop;
	const char *path; /* of vswitchd's socket; borrowed */
	const char *name; /* copied */
	int netns;        /* of the guest; borrowed */
	int home;         /* to come back by; < 0: we are in the guest's namespace */
	int tap; /* in the guest's namespace, becomes the link's; < 0: vswitchd makes one */
};

/* Tries at once, and goes on in the background. FAB_EINVAL: no proper name; FAB_ENOMEM; the TAP is
 * still the caller's then. */
int at_link_new(struct at_link **out, const struct at_link_conf *conf);
/* Pulls the plug: the interface goes with the last who holds the TAP. NULL is fine. */
void at_link_free(struct at_link *l);

#endif
