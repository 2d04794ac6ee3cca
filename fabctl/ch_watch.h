#ifndef FABCTL_CH_WATCH_H
#define FABCTL_CH_WATCH_H
/*
 * Who reaches whom while something is broken: what fabricd says of each ordered pair of endpoints
 * (Fabric.Reach), and for how long it was anything but "delivered". Plain data.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CH_ENDS_MAX 64
#define CH_END_MAX  64

enum ch_verdict { CH_DELIVERED, CH_LOOP, CH_BLACKHOLE, CH_FILTERED };
const char *ch_verdict_name(enum ch_verdict v);
/* What is not known is a black hole. */
enum ch_verdict ch_verdict_parse(const char *word);

/* One ordered pair at one time. */
struct ch_look {
	enum ch_verdict verdict;
	bool symmetric, stateful_break;
	char rule[16], reason[160], way[256];
};

/* One ordered pair over the time since ch_watch_restart(). */
struct ch_loss {
	uint64_t lost_us;           /* of gaps that are over */
	uint64_t since_us;          /* of one that is not; 0: delivered now */
	bool looped;                /* there was a loop among it */
	char rule[16], reason[160]; /* of the first loss */
};

struct ch_watch {
	size_t n;
	char names[CH_ENDS_MAX][CH_END_MAX];
	struct ch_look now[CH_ENDS_MAX][CH_ENDS_MAX]; /* [src][dst] */
	struct ch_loss loss[CH_ENDS_MAX][CH_ENDS_MAX];
};

/* Number of an endpoint, added if it is new; -1: there are CH_ENDS_MAX. */
int ch_watch_end(struct ch_watch *w, const char *name);
void ch_watch_take(
    struct ch_watch *w, int src, int dst, const struct ch_look *look, uint64_t at_us);
/* Forgets all losses; what is lost now counts from then on. */
void ch_watch_restart(struct ch_watch *w, uint64_t at_us);
/* For how long the pair was lost, until now if it still is. */
uint64_t ch_loss_us(const struct ch_loss *l, uint64_t now_us);

#endif
